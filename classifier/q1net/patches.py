"""Where the patches of an estimate lie, and how they are cut out."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.configs import AREA, BLOCK, GRID, PATCH
from q1net_msroi.utils.errors import UserError

CANDIDATES = 8  # blocks along a side of a cell that are looked at for texture
MARGIN = (PATCH - BLOCK) // 2  # a patch shows one whole block and this many pixels of its neighbours on every side


def grid_starts(length: int) -> NDArray[np.intp]:
    """Return where the patches of a grid start along one side of `length` pixels: at most 16, distinct, sorted.

    The original's rule: with n blocks that have neighbours on both sides, start i is 8 * floor((i + 1) n / 17) + 4.
    Shorter sides than 16 such blocks make equal starts; each is taken once. Raises `UserError` below 24 pixels.
    """
    blocks = _block_count(length)
    starts = BLOCK * ((np.arange(GRID) + 1) * blocks // (GRID + 1)) + MARGIN
    return starts[np.diff(starts, prepend=-1) > 0]  # not np.unique: it loads numpy.ma, 15 ms of every start


def cut(pixels: NDArray[np.uint8], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return the patches that start at every pair of `rows` and `columns`: (rows * columns, 16, 16, 3) uint8."""
    down, across = (starts[:, None] + np.arange(PATCH) for starts in (rows, columns))
    found: NDArray[np.uint8] = pixels[down[:, None, :, None], across[None, :, None, :]]
    return found.reshape(-1, PATCH, PATCH, pixels.shape[2])


def cut_grid(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the patches by which a (height, width, 3) picture is judged: (n, 16, 16, 3) uint8, 1 <= n <= 256."""
    return cut(pixels, grid_starts(pixels.shape[0]), grid_starts(pixels.shape[1]))


def flat(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which of (n, 16, 16, 3) patches are of a single colour: they say nothing, whatever a network answers."""
    single: NDArray[np.bool_] = (rgb == rgb[:, :1, :1]).all(axis=(1, 2, 3))
    return single


def activity(pixels: NDArray[np.uint8], every: tuple[int, int] = (1, 1)) -> NDArray[np.int64]:
    """Return how much goes on in the middle block of every possible patch: (rows, columns) of blocks.

    The measure is the sum of absolute differences of green between neighbours inside the 8x8 block; the block at
    (i, j) is the middle of the patch that starts at (8 i + 4, 8 j + 4). `every` looks at each n-th row and column of
    blocks only. Raises `UserError` below 24 pixels a side.
    """
    rows, columns = (_block_count(length) for length in pixels.shape[:2])
    green = pixels[BLOCK : BLOCK * (rows + 1), BLOCK : BLOCK * (columns + 1), 1]
    blocks = green.reshape(rows, BLOCK, columns, BLOCK)[:: every[0], :, :: every[1]].astype(np.int16)
    down, across = (np.abs(np.diff(blocks, axis=axis)).sum(axis=(1, 3), dtype=np.int64) for axis in (1, 3))
    return np.asarray(down + across)


def _block_count(length: int) -> int:
    """Return how many blocks along a side have neighbours on both sides; raise `UserError` below 24 pixels."""
    if length < AREA:
        raise UserError(f"a side of {length} pixels is too short; at least {AREA} are needed")
    return (length // BLOCK * BLOCK - AREA) // BLOCK + 1


def texture_starts(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the most active patch starts in each of at most 16x16 equal cells of the picture: rows, columns.

    Cells that are flat all over are left out. Of large pictures every n-th block is looked at, about 8x8 a cell.
    """
    row_step, column_step = (-(-_block_count(length) // (CANDIDATES * GRID)) for length in pixels.shape[:2])
    active = activity(pixels, (row_step, column_step))
    # Cells as one array (cells down, cells across, height, width): shorter cells repeat their last row or column.
    down, across = (_cells(count) for count in active.shape)
    cells = active[down[:, None, :, None], across[None, :, None, :]]
    cells = cells.reshape(len(down), len(across), -1)
    row, column = np.divmod(cells.argmax(axis=2), across.shape[1])
    rows = row_step * down[np.arange(len(down))[:, None], row]
    columns = column_step * across[np.arange(len(across))[None, :], column]
    alive = cells.max(axis=2) > 0
    return BLOCK * rows[alive] + MARGIN, BLOCK * columns[alive] + MARGIN


def _cells(count: int) -> NDArray[np.intp]:
    """Return for `count` blocks along a side the blocks of each of at most 16 cells: (cells, longest cell)."""
    edges = np.linspace(0, count, min(GRID, count) + 1).astype(np.intp)
    return np.minimum(edges[:-1, None] + np.arange(np.diff(edges).max()), edges[1:, None] - 1)


def cut_texture(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the most active patch of each of at most 16x16 cells: (n, 16, 16, 3) uint8, 0 <= n <= 256."""
    down, across = (starts[:, None] + np.arange(PATCH) for starts in texture_starts(pixels))
    found: NDArray[np.uint8] = pixels[down[:, :, None], across[:, None, :]]
    return found


CHOICES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {"grid": cut_grid, "texture": cut_texture}


def to_channel_order(patches: NDArray[np.uint8], order: str) -> NDArray[np.uint8]:
    """Return RGB patches in `order`, "RGB" or "BGR" (the original's weights and datasets are BGR)."""
    return patches[..., ::-1] if order == "BGR" else patches
