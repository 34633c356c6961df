"""Compress only what the patches need, with pixels identical to those of the whole compressed picture.

A JPEG's decoded pixel depends on its own minimum coded unit (16x16 pixels at 4:2:0) and, through the smooth upsampling
of the chroma, on one chroma sample of the neighbouring units. So units can be cut out and laid side by side: what is
one pixel or more away from a seam comes out as it would in the whole picture. Two uses: the units under one picture's
grid of patches (`PictureMosaic`), and windows of many photographs compressed together (`compressor`). Where a codec
has no such units (`margin` None), whole pictures are compressed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net import patches
from q1net_msroi.classifier.q1net.configs import AREA, BLOCK, PATCH
from q1net_msroi.utils.codecs import JPEG, Codec, Pixels
from q1net_msroi.utils.errors import UserError

Places = NDArray[np.intp]

UNIT = JPEG.unit  # the coded units of every codec with exact windows divide it
WINDOW = 3 * UNIT  # holds any block with its neighbours (24x24) and a safe margin
WINDOWS_ACROSS = 15  # 15 x 10 windows: 720x480 pixels, small enough to stay in the processor's cache
WINDOWS_DOWN = 10
WINDOWS = WINDOWS_ACROSS * WINDOWS_DOWN


def needed_units(starts: Places, length: int, codec: Codec = JPEG) -> tuple[Places, Places]:
    """Return the pixel indices of the coded units that patches at `starts` need along a side, and the starts there.

    Every patch gets the codec's margin, except where the side itself ends. A last, incomplete unit stays last, so
    that the encoder pads it exactly as it pads the whole picture. All pixels are needed of a codec without units.
    """
    if codec.margin is None:
        return np.arange(length), starts
    first = np.maximum(starts - codec.margin, 0) // codec.unit
    last = np.minimum(starts + PATCH + codec.margin - 1, length - 1) // codec.unit
    units = np.unique(np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]))
    indices = (units[:, None] * codec.unit + np.arange(codec.unit)).ravel()
    return indices[indices < length], np.searchsorted(indices, starts)


@dataclass(frozen=True)
class PictureMosaic:
    """The part of a picture that its grid of patches needs: `pixels` and where the patches start in it."""

    pixels: Pixels
    rows: Places
    columns: Places
    codec: Codec = JPEG

    def compressed_patches(self, quality: int) -> Pixels:
        """Return the grid's patches, (n, 16, 16, 3) RGB, as cut from the whole picture compressed at `quality`."""
        return patches.cut(self.codec.compress(self.pixels, quality), self.rows, self.columns)


def picture_mosaic(pixels: Pixels, crop_offset: tuple[int, int] = (0, 0), codec: Codec = JPEG) -> PictureMosaic:
    """Return the mosaic of a picture that will be compressed whole and then cropped by `crop_offset` (dy, dx)."""
    height, width = pixels.shape[:2]
    top, left = crop_offset
    rows, row_starts = needed_units(patches.grid_starts(height - top) + top, height, codec)
    columns, column_starts = needed_units(patches.grid_starts(width - left) + left, width, codec)
    return PictureMosaic(np.ascontiguousarray(pixels[rows[:, None], columns]), row_starts, column_starts, codec)


def place_count(length: int) -> int:
    """Return how many places lie along a side of `length` pixels: blocks whose window is made of whole coded units."""
    if length < WINDOW:
        raise UserError(f"a side of {length} pixels is too short; at least {WINDOW} are needed")
    return length // UNIT * 2 - 4


def place_window(place: Places) -> tuple[Places, Places]:
    """Return for places 0, 1, ... where their window starts in the picture and where their 24 pixels start in it."""
    area = (place + 1) * BLOCK  # the first block has no neighbour above, so it is no place
    window = (area - BLOCK) // UNIT * UNIT
    return window, area - window


def tile(windows: Pixels, across: int = WINDOWS_ACROSS) -> Pixels:
    """Lay (n, side, side, 3) windows `across` a row; the last row is filled with the first windows again."""
    count, side = windows.shape[:2]
    down = -(-count // across)
    full = windows[np.arange(down * across) % count]
    grid = full.reshape(down, across, side, side, 3)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3, 4)).reshape(down * side, across * side, 3)


def untile(mosaic: Pixels, count: int, side: int = WINDOW) -> Pixels:
    """Undo `tile`: return a (count, side, side, 3) view or copy of the windows in a mosaic."""
    down, across = mosaic.shape[0] // side, mosaic.shape[1] // side
    grid = mosaic.reshape(down, side, across, side, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(-1, side, side, 3)[:count]


def compressor(windows: Pixels, codec: Codec = JPEG, across: int = WINDOWS_ACROSS) -> Callable[[int], Pixels]:
    """Return a function that compresses (n, side, side, 3) windows at a quality, shape as given.

    The windows lie on a grid of `UNIT` pixels in their photographs; `across` of them lie in a row of the mosaic. With
    a codec that knows no exact windows, each is compressed as a picture of its own.
    """
    if codec.margin is None:
        return lambda quality: np.stack([codec.compress(window, quality) for window in windows])
    tiled = tile(windows, across)
    return lambda quality: untile(codec.compress(tiled, quality), *windows.shape[:2])


def area_patches(windows: Pixels, areas: Places, perturbations: Places) -> Pixels:
    """Cut patches out of (n, 48, 48, 3) windows: window i's 24x24 area starts at `areas[i]` (row, column).

    `perturbations` is (n, p, 2) or (p, 2): offsets -4..3 from the aligned patch in the area's middle. Returns
    (n * p, 16, 16, 3) uint8, window by window.
    """
    starts = areas[:, None, :] + perturbations + (AREA - PATCH) // 2
    count, side = windows.shape[:2]
    # With pixels and channels in one axis, a patch's row is one piece of memory.
    rows = np.ascontiguousarray(windows).reshape(count, side, side * 3)
    views = np.lib.stride_tricks.sliding_window_view(rows, (PATCH, PATCH * 3), axis=(1, 2))
    cut: Pixels = views[np.arange(count)[:, None], starts[..., 0], starts[..., 1] * 3]
    return cut.reshape(-1, PATCH, PATCH, 3)
