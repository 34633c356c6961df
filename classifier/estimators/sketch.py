"""What a report page shows of one picture: a small preview, its quality region by region, what the answer rests on."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators import local
from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.lattice import grid
from q1net_msroi.classifier.q1net.configs import AREA
from q1net_msroi.utils import images, page, tasks
from q1net_msroi.utils.errors import UserError

SIDE = 320  # pixels of the preview's long side at most: 5 to 15 kB, so that 500 pictures stay below 15 MB
PREVIEW_QUALITY = 50  # of WebP
CELLS = 28  # of the map along its long side
MAP_PATCHES = 1024  # that the network looks at for a map: a quarter of a second
DOUBTFUL = 0.01  # share of a picture that has to seem unlike the rest to the network before the lattice is asked
UNLIKE = 128  # added to the quality of a cell that is unlike the main part


@dataclass(frozen=True)
class Sketch:
    """A picture's part of a page: `preview` is a WebP file, shown upright; `width` and `height` are the picture's.

    `cells` (rows, columns) uint8 are the map: the quality 1..100, 0 where it is unknown, `UNLIKE` more where a cell
    does not go with the main part; None without a map. `told` says in a line what it shows.
    """

    preview: bytes
    width: int
    height: int
    sentence: str
    evidence: tuple[str, ...]
    changed: str = ""
    cells: NDArray[np.uint8] | None = None
    told: str = ""

    @property
    def unlike(self) -> bool:
        """Whether some part of the map does not go with the main part."""
        return self.cells is not None and bool((self.cells >= UNLIKE).any())


def make(picture: images.Picture, estimate: Estimate, asked: Asked) -> Sketch:
    """Return the sketch of a picture; there is a map only of one that has an answer."""
    small = Image.fromarray(picture.pixels)
    small.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    upright = Image.fromarray(images.upright(np.asarray(small), picture.orientation))
    preview = page.saved(upright, format="WEBP", quality=PREVIEW_QUALITY, icc_profile=picture.icc_profile or None)
    height, width = images.upright(picture.pixels[..., 0], picture.orientation).shape
    sentence, evidence = estimate.sentence(), tuple(estimate.lines())
    made = Sketch(preview, width, height, sentence, evidence, estimate.evidence.changed)
    if estimate.quality is None or estimate.reason is not None or min(height, width) < AREA:
        return made
    return _with_map(made, picture, asked, estimate.evidence.earlier_quality is None)


def _with_map(made: Sketch, picture: images.Picture, asked: Asked, once: bool) -> Sketch:
    """Return the sketch with a map by the network, which is fast; a model that is not there makes none.

    A part that seems unlike the rest is marked only if the lattice, which is slow and exact, sees it too, and only of a
    picture that was compressed `once`: of two compressions one shows here, the other there.
    """
    try:
        network = tasks.per_thread(_network, asked.save_path)
    except UserError:
        return made
    pixels, method = picture.pixels, "network"
    height, width = pixels.shape[:2]
    found = local.network_regions(pixels, network, MAP_PATCHES)
    if once and (doubtful := found.unlike(height, width)).mean() > DOUBTFUL:
        exact = local.lattice_regions(pixels, grid.find_phase(pixels).phase, 1)
        if (exact.unlike(height, width) & doubtful).any():
            found, method = exact, "lattice"
    if method == "network":
        found = replace(found, foreign=np.zeros_like(found.foreign))
    step = -(-max(height, width) // CELLS)
    quality = np.rint(np.nan_to_num(found.nearest(found.quality, height, width, step))).astype(np.uint8)
    cells = quality + np.uint8(UNLIKE) * found.unlike(height, width, step)
    told = found.told(height, width).removesuffix(", no regions unlike it") + f" (by the {method})"
    return replace(made, cells=images.upright(cells, picture.orientation), told=told)


def _network(save_path: str | None) -> NetworkEstimator:
    return NetworkEstimator(Asked("jpeg_paper", save_path))
