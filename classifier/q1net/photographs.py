"""Fresh training patches straight from photographs: never repeated, no file between (section 4.1 of the paper, online).

A round compresses mosaics of windows at every one of the 100 qualities and shuffles what comes out; a mosaic serves ten
qualities, drawn anew each round, because cutting and augmenting cost more than compressing. Which patches a round holds
depends on (seed, epoch, round) alone, so that a resumed run sees what an uninterrupted one would have seen.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.q1net import mosaic
from q1net_msroi.classifier.q1net.configs import PERTURBATION, QUALITIES
from q1net_msroi.classifier.q1net.mosaic import Places
from q1net_msroi.utils import images
from q1net_msroi.utils.codecs import JPEG, Codec, Pixels
from q1net_msroi.utils.errors import UserError, note, show

Batch = tuple[Pixels, NDArray[np.uint8]]

RESCALED_SHARE = 0.25  # of the windows come from photographs rescaled for this round
EXPOSED_SHARE = 0.15  # of the windows are made darker or brighter, with the clipping that overexposure brings
FLIPPED_SHARE = 0.5  # of the windows, each way
MAXIMUM_EXPOSURE = 2.0  # in stops, that is a factor 4, either way
NOISY_SHARE = 0.33  # of the windows get sensor-like noise: the cleanest photographs are cleaner than a camera's
RESCALED_PHOTOGRAPHS = 12
NOISE_SAMPLES = 1 << 22
MAXIMUM_NOISE = 6.0  # standard deviation, in pixel values
FLAT_DRAWS = 3
MOSAIC_QUALITIES = 10


def load_photographs(paths: Sequence[Path]) -> list[Pixels]:
    """Return the photographs that hold a window (48x48), as RGB arrays; name those left out on stderr."""
    loaded = []
    for path in paths:
        try:
            loaded.append(images.read_rgb(path, minimum_side=mosaic.WINDOW).pixels)
        except UserError as error:
            note(f"left out: {error}")
    if not loaded:
        raise UserError(f"none of the {len(paths)} pictures in {show(paths[0].parent)} can be used")
    return loaded


def cut_windows(
    photographs: Sequence[Pixels], chosen: Places, random: np.random.Generator
) -> tuple[Pixels, Places, Places]:
    """Cut one 48x48 window at a random place of each chosen photograph; up to three draws until it is not flat.

    Returns the windows (n, 48, 48, 3), where their 24x24 areas start in them and they in the photographs, both (n, 2).
    """
    windows = np.empty((len(chosen), mosaic.WINDOW, mosaic.WINDOW, 3), np.uint8)
    areas, corners = np.empty((2, len(chosen), 2), np.intp)
    for index, photograph in enumerate(chosen):
        pixels = photographs[photograph]
        counts = [mosaic.place_count(side) for side in pixels.shape[:2]]
        for _ in range(FLAT_DRAWS):
            corners[index], areas[index] = mosaic.place_window(random.integers(0, counts))
            top, left = corners[index]
            window = pixels[top : top + mosaic.WINDOW, left : left + mosaic.WINDOW]
            y, x = areas[index] + 4
            patch = window[y : y + 16, x : x + 16]
            if (patch != patch[0, 0]).any():
                break
        windows[index] = window
    return windows, areas, corners


@dataclass
class PatchSource:
    """Batches of fresh patches from photographs.

    `aligned_share` of the patches lie on the block grid, the others at any of the 64 offsets. `augment` flips,
    rescales, exposes otherwise and adds noise before the compression, which must stay the last step.
    """

    photographs: Sequence[Pixels]
    batch_size: int
    seed: int = 0
    aligned_share: float = 0.5
    augment: bool = True
    windows_per_quality: int = mosaic.WINDOWS
    codec: Codec = JPEG
    _noise: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        """Raise `UserError` when a batch is larger than a round."""
        if self.batches_per_round < 1:
            most = self.windows_per_quality * len(QUALITIES)
            size = f"a batch of {self.batch_size} patches is more than a round of {most}"
            raise UserError(f"{size}; give a smaller --batch_size")
        self._noise = np.random.default_rng(self.seed).standard_normal(NOISE_SAMPLES, np.float32)

    @property
    def batches_per_round(self) -> int:
        """How many whole batches a round gives."""
        return self.windows_per_quality * len(QUALITIES) // self.batch_size

    def batches(self, epoch: int, start: int, stop: int) -> Iterator[Batch]:
        """Yield batches `start`..`stop`-1 of an epoch: patches (b, 16, 16, 3) uint8 RGB, qualities (b,) uint8."""
        for index in range(start // self.batches_per_round, -(-stop // self.batches_per_round)):
            patches, qualities = self.round(epoch, index)
            first = index * self.batches_per_round
            for number in range(max(start, first), min(stop, first + self.batches_per_round)):
                part = slice((number - first) * self.batch_size, (number - first + 1) * self.batch_size)
                yield patches[part], qualities[part]

    def round(self, epoch: int, index: int) -> Batch:
        """Return one shuffled round: `windows_per_quality` patches of every quality."""
        random = np.random.default_rng([self.seed, epoch, index])
        pool = [*self.photographs, *(self._rescaled(random) if self.augment else [])]
        qualities = random.permutation(np.array(QUALITIES, np.uint8))
        made = [self._patches(pool, part, random) for part in qualities.reshape(-1, MOSAIC_QUALITIES)]
        order = random.permutation(self.windows_per_quality * len(QUALITIES))
        return np.concatenate(made)[order], np.repeat(qualities, self.windows_per_quality)[order]

    def _patches(self, pool: Sequence[Pixels], qualities: NDArray[np.uint8], random: np.random.Generator) -> Pixels:
        """Return patches of one mosaic, quality by quality."""
        count, originals = self.windows_per_quality, len(self.photographs)
        chosen = random.integers(0, originals, count)
        if len(pool) > originals:
            rescaled = random.random(count) < RESCALED_SHARE
            chosen[rescaled] = random.integers(originals, len(pool), int(rescaled.sum()))
        windows, areas, _ = cut_windows(pool, chosen, random)
        compress = mosaic.compressor(self._augmented(windows, random) if self.augment else windows, self.codec)
        shifts = random.integers(-(PERTURBATION // 2), PERTURBATION // 2, (len(qualities), count, 1, 2))
        shifts[random.random((len(qualities), count)) < self.aligned_share] = 0
        shifted = zip(qualities, shifts, strict=True)
        return np.concatenate([mosaic.area_patches(compress(quality), areas, shift) for quality, shift in shifted])

    def same_round(self) -> Callable[[], Iterator[Batch]]:
        """Return a function that yields the same batches, all that the first round holds, every time."""
        made, qualities = self.round(0, 0)
        starts = range(0, len(made), self.batch_size)
        return lambda: ((made[i : i + self.batch_size], qualities[i : i + self.batch_size]) for i in starts)

    def _rescaled(self, random: np.random.Generator) -> list[Pixels]:
        """Return some of the photographs at a random scale, 0.5 to 1.2."""
        made = []
        for index in random.integers(0, len(self.photographs), RESCALED_PHOTOGRAPHS):
            image = Image.fromarray(self.photographs[index])
            scale = random.uniform(0.5, 1.2)
            size = [max(mosaic.WINDOW, round(side * scale)) for side in image.size]
            method = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)
            made.append(np.asarray(image.resize((size[0], size[1]), method[random.integers(3)])))
        return made

    def _augmented(self, windows: Pixels, random: np.random.Generator) -> Pixels:
        # A mirrored window is a window of the mirrored photograph: both halves of its 24x24 area stay on the grid.
        flips = random.random((3, len(windows), 1, 1, 1)) < FLIPPED_SHARE
        windows = np.where(flips[0], windows[:, ::-1], windows)
        windows = np.where(flips[1], windows[:, :, ::-1], windows)
        windows = np.where(flips[2], windows.transpose(0, 2, 1, 3), windows)
        exposed = np.flatnonzero(random.random(len(windows)) < EXPOSED_SHARE)
        gain = np.exp2(random.uniform(-MAXIMUM_EXPOSURE, MAXIMUM_EXPOSURE, (len(exposed), 1, 1, 1))).astype(np.float32)
        windows[exposed] = np.minimum(np.rint(windows[exposed] * gain), 255).astype(np.uint8)
        noisy = np.flatnonzero(random.random(len(windows)) < NOISY_SHARE)
        size = len(noisy) * windows[0].size
        start = random.integers(0, NOISE_SAMPLES - size)
        noise = self._noise[start : start + size].reshape(-1, *windows.shape[1:])
        strength = random.uniform(0, MAXIMUM_NOISE, (len(noisy), 1, 1, 1)).astype(np.float32)
        windows[noisy] = np.clip(np.rint(windows[noisy] + strength * noise), 0, 255).astype(np.uint8)
        return windows


def validation_batches(
    folder: str, patches: int, batch_size: int = 2048, aligned_share: float = 0.0
) -> Callable[[], Iterator[Batch]]:
    """Return a function that yields the same validation batches every time; `aligned_share` lie on the block grid."""
    photographs = load_photographs(images.find_images(folder))
    windows = max(1, round(patches / len(QUALITIES)))
    return PatchSource(photographs, batch_size, 1, aligned_share, False, windows).same_round()
