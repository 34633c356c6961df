"""A picture's map: which scales the network looks at, which rule makes the map, which classes it saw."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.msroi.roi import maps
from q1net_msroi.msroi.roi.network import Activations, Network, analyse, class_scores
from q1net_msroi.msroi.roi.settings import MAPS
from q1net_msroi.utils.errors import UserError, show

METHODS = ("energy", "topk", "threshold")

CROP_SIDE = 224
LEGEND_CLASSES = 5


@dataclass(frozen=True)
class Settings:
    """How a map is made: `threshold` is a share 0..1 of the range of class scores; `top_k` counts classes; `scales` are
    long sides in pixels, "t": turned. Raises `UserError` for values that make no sense."""

    method: str = "energy"
    top_k: int = 5
    threshold: float = 0.7
    center_crop: bool = False
    scales: str = MAPS.energy_scales

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UserError(f"there is no method {self.method}; choose one of {', '.join(METHODS)}")
        if self.top_k < 1 or not 0 <= self.threshold <= 1:
            raise UserError("--top_k is at least 1, --threshold lies in 0..1")
        self.looks()

    def looks(self) -> list[tuple[int, bool]]:
        """Return the long side in pixels and whether the picture is turned, for each scale of rule energy."""
        parts = [part.strip() for part in self.scales.split(",")]
        sides = [part.removesuffix("t") for part in parts]
        if not all(side.isascii() and side.isdigit() and 0 < int(side) <= MAPS.largest_scale for side in sides):
            wanted = f"long sides of 1..{MAPS.largest_scale} pixels, like {MAPS.energy_scales}"
            raise UserError(f"--scales {show(self.scales)}: give {wanted}")
        return [(int(side), part.endswith("t")) for side, part in zip(sides, parts, strict=True)]


def add_options(group: argparse._ActionsContainer) -> None:
    """Add the flags of `Settings` but for the method, as every command that makes maps knows them."""
    add = group.add_argument
    count = "of rule topk: number of classes (default: %(default)s)"
    add("--top_k", type=int, default=Settings.top_k, help=count)
    share = "of rule threshold: share 0..1 of the range of class scores that a class reaches (default: %(default)s)"
    add("--threshold", type=float, default=Settings.threshold, help=share)
    sides = "of rule energy: long sides in pixels at which it looks, t: turned by 180 degrees (default: %(default)s)"
    add("--scales", default=MAPS.energy_scales, help=sides)
    square = "show the network the centre square at 224x224 only, and stretch its map, as the original did"
    add("--center_crop", action="store_true", help=square)


def add_checkpoint(group: argparse._ActionsContainer) -> None:
    """Add --checkpoint."""
    which = "checkpoint of train.py or of the original (models/model-50), or packed (.npz), classes.txt beside it"
    group.add_argument("--checkpoint", metavar="PATH", help=f"{which}, instead of the shipped network")


@dataclass(frozen=True)
class MapResult:
    """`values` (h, w) uint8 of the picture's size; `classes` (name, share 0..1 of all classes), best first."""

    values: NDArray[np.uint8]
    classes: tuple[tuple[str, float], ...]


def generate(network: Network, pixels: NDArray[np.uint8], settings: Settings) -> MapResult:
    """Return the map of a picture (h, w, 3) uint8 RGB, upright; `center_crop` stretches the centre square's over it."""
    height, width = pixels.shape[:2]
    scale = min(1.0, MAPS.work_side / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    seen = _center_square(pixels) if settings.center_crop else pixels
    at_class_side = analyse(network, seen, CROP_SIDE if settings.center_crop else MAPS.class_side)
    scores = class_scores(network, at_class_side)
    if settings.method == "energy" and settings.center_crop:
        values = _energy([at_class_side], size)
    elif settings.method == "energy":
        looks = [analyse(network, pixels, side, turned) for side, turned in settings.looks()]
        small = -(-size[0] // MAPS.guide_step), -(-size[1] // MAPS.guide_step)
        radius = max(1, max(small) // MAPS.guide_share)
        energy, guides = _energy(looks, small), (_gray(pixels, small), _gray(pixels, size))
        values = maps.guided_filter(energy, *guides, radius, MAPS.guide_epsilon)
    elif settings.method == "topk":
        best = maps.best_classes(scores, settings.top_k)
        values = maps.topk([at_class_side.place(at_class_side.features @ network.matrix[:, k], size) for k in best])
    else:
        summed = maps.threshold(at_class_side.features, network.matrix, scores, settings.threshold)
        values = at_class_side.place(summed, size)
    gray = Image.fromarray(np.rint(maps.normalize(values) * 255).astype(np.uint8))
    if gray.size != (width, height):
        gray = gray.resize((width, height), Image.Resampling.BILINEAR)
    shares = maps.softmax(scores)
    classes = tuple((network.names[k], float(shares[k])) for k in maps.best_classes(scores, LEGEND_CLASSES))
    return MapResult(np.asarray(gray), classes)


def _energy(looks: Sequence[Activations], size: tuple[int, int]) -> maps.Map:
    """Return the mean of the stretched lengths of the last residual block's feature vectors, 0..1, at `size`."""
    placed = [maps.normalize(look.place(maps.energy(look.residual), size)) for look in looks]
    return maps.normalize(np.sum(placed, axis=0))


def _center_square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _gray(pixels: NDArray[np.uint8], size: tuple[int, int]) -> maps.Map:
    """Return the picture's luma at `size` (height, width), 0..1."""
    luma = Image.fromarray(pixels).convert("L").resize((size[1], size[0]), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(np.asarray(luma, np.float32) / 255, np.float32)
