"""Where the patches of an estimate lie, and how they are cut out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifier.q1net.configs import AREA, BLOCK, GRID, PATCH
from utils.errors import UserError

MARGIN = (PATCH - BLOCK) // 2  # a patch shows one whole block and this many pixels of its neighbours on every side


def grid_starts(length: int) -> NDArray[np.intp]:
    """Return where the patches of a grid start along one side of `length` pixels: at most 16, distinct, sorted.

    The original's rule: with n blocks that have neighbours on both sides, start i is 8 * floor((i + 1) n / 17) + 4.
    Shorter sides than 16 such blocks make equal starts; each is taken once. Raises `UserError` below 24 pixels.
    """
    if length < AREA:
        raise UserError(f"a side of {length} pixels is too short; at least {AREA} are needed")
    blocks = (length // BLOCK * BLOCK - AREA) // BLOCK + 1
    starts = BLOCK * ((np.arange(GRID) + 1) * blocks // (GRID + 1)) + MARGIN
    return starts[np.diff(starts, prepend=-1) > 0]  # not np.unique: it loads numpy.ma, 15 ms of every start


def cut(pixels: NDArray[np.uint8], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return the patches that start at every pair of `rows` and `columns`: (rows * columns, 16, 16, 3) uint8."""
    offsets = np.arange(PATCH)
    patch_rows = (rows[:, None] + offsets)[:, None, :, None]
    patch_columns = (columns[:, None] + offsets)[None, :, None, :]
    return pixels[patch_rows, patch_columns].reshape(-1, PATCH, PATCH, pixels.shape[2])


def cut_grid(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the patches by which a (height, width, 3) picture is judged: (n, 16, 16, 3) uint8, 1 <= n <= 256."""
    return cut(pixels, grid_starts(pixels.shape[0]), grid_starts(pixels.shape[1]))


def to_channel_order(patches: NDArray[np.uint8], order: str) -> NDArray[np.uint8]:
    """Return RGB patches in `order`, "RGB" or "BGR" (the original's weights and datasets are BGR)."""
    return patches[..., ::-1] if order == "BGR" else patches
