"""The square crops that the baselines judge: of a picture, and fresh ones from photographs for training."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net import mosaic
from q1net_msroi.classifier.q1net.configs import BLOCK, QUALITIES
from q1net_msroi.classifier.q1net.photographs import FLAT_DRAWS, RESCALED_SHARE, Batch, PatchSource, load_photographs
from q1net_msroi.utils import images
from q1net_msroi.utils.codecs import Pixels
from q1net_msroi.utils.errors import UserError, show

ACROSS = 8  # a picture is judged by at most ACROSS x ACROSS crops


def starts(length: int, side: int) -> NDArray[np.intp]:
    """Return where crops start along `length` pixels: at most 8, distinct, evenly spread, multiples of 8."""
    if length < side:
        raise UserError(f"a side of {length} pixels is too short; at least {side} are needed")
    return np.unique(np.rint(np.linspace(0, (length - side) // BLOCK, ACROSS)).astype(np.intp)) * BLOCK


def cut(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the crops by which a picture is judged: (n, side, side, 3) uint8, n <= 64, flat ones left out."""
    views = np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(0, 1))
    crops = views[np.ix_(*(starts(length, side) for length in pixels.shape[:2]))].reshape(-1, 3, side, side)
    shown: NDArray[np.uint8] = crops[(crops != crops[:, :, :1, :1]).any(axis=(1, 2, 3))]
    return shown.transpose(0, 2, 3, 1)


@dataclass
class CropSource(PatchSource):
    """Batches of fresh crops, (b, side, side, 3) uint8 RGB: the same augmentation, shares and order as of patches.

    The windows, on the grid of coded units and one unit larger than a crop on every side, are compressed as one tall
    picture; a crop keeps eight pixels and more to its window's edge, so that its pixels are those of the whole
    photograph's JPEG. `side` is a multiple of 16.
    """

    windows_per_quality: int = 40
    side: int = 64

    @property
    def window(self) -> int:
        """The side of a window in pixels."""
        return self.side + 2 * mosaic.UNIT

    def _patches(self, pool: Sequence[Pixels], qualities: NDArray[np.uint8], random: np.random.Generator) -> Pixels:
        """Return crops of the same windows at each quality, quality by quality."""
        count, originals = self.windows_per_quality, len(self.photographs)
        side = self.window
        windows = np.empty((count, side, side, 3), np.uint8)
        for window in windows:
            rescaled = len(pool) > originals and random.random() < RESCALED_SHARE
            window[:] = self._window(pool[originals:] if rescaled else pool[:originals], random)
        windows = self._augmented(windows, random) if self.augment else windows
        compress = mosaic.compressor(windows, self.codec, across=1)
        return np.concatenate([self._crops(compress(quality), random) for quality in qualities])

    def _window(self, pool: Sequence[NDArray[np.uint8]], random: np.random.Generator) -> NDArray[np.uint8]:
        """Return a window at a random place of a random photograph; up to three draws until it is not flat."""
        for _ in range(FLAT_DRAWS):
            pixels = pool[int(random.integers(len(pool)))]
            if min(pixels.shape[:2]) < self.window:
                pixels = self.photographs[int(random.integers(len(self.photographs)))]  # rescaled too small
            top, left = (
                mosaic.UNIT * int(random.integers((n - self.window) // mosaic.UNIT + 1)) for n in pixels.shape[:2]
            )
            window = pixels[top : top + self.window, left : left + self.window]
            if (window != window[0, 0]).any():
                break
        return window

    def _crops(self, windows: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        """Cut one crop out of each window: `aligned_share` of them on the grid of blocks, the others anywhere."""
        corners = BLOCK * random.integers(1, 4, (len(windows), 2))
        shifts = random.integers(-BLOCK // 2, BLOCK // 2, (len(windows), 2))
        shifts[random.random(len(windows)) < self.aligned_share] = 0
        places = np.clip(corners + shifts, BLOCK, self.window - self.side - BLOCK)
        views = np.lib.stride_tricks.sliding_window_view(windows, (self.side, self.side), axis=(1, 2))
        crops: NDArray[np.uint8] = views[np.arange(len(windows)), places[:, 0], places[:, 1]]
        return crops.transpose(0, 2, 3, 1)


def load(folder: str, side: int) -> list[NDArray[np.uint8]]:
    """Return a folder's photographs that hold a window for crops of `side`; raise `UserError` when none does."""
    window = side + 2 * mosaic.UNIT
    found = [p for p in load_photographs(images.find_images(folder)) if min(p.shape[:2]) >= window]
    if not found:
        raise UserError(f"no picture in {show(folder)} has {window}x{window} pixels")
    return found


def validation_batches(folder: str, side: int, crops: int, aligned_share: float) -> Callable[[], Iterator[Batch]]:
    """Return a function that yields the same validation batches every time: all qualities, not augmented."""
    per_quality = max(1, round(crops / len(QUALITIES)))
    return CropSource(load(folder, side), 100, 1, aligned_share, False, per_quality, side=side).same_round()
