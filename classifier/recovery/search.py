"""The lattice points near a block's: those are tried that its residual asks for, decoded bit by bit as libjpeg does."""

import functools
import itertools

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.recovery import decoder
from q1net_msroi.classifier.recovery.settings import RECOVERY
from q1net_msroi.utils import jpeg


@functools.cache
def _subsets(count: int, most: int) -> NDArray[np.int32]:
    """Return which of `count` coefficients are moved, for all ways to move `most` at most: (ways, count) of 0 and 1."""
    chosen = [each for size in range(most + 1) for each in itertools.combinations(range(count), size)]
    made = np.zeros((len(chosen), count), np.int32)
    for row, each in zip(made, chosen, strict=True):
        row[list(each)] = 1
    return made


def improve(
    levels: NDArray[np.int16],
    chosen: NDArray[np.bool_],
    table: NDArray[np.integer],
    target: NDArray[np.int32],
    known: NDArray[np.bool_],
    factors: tuple[int, int],
) -> NDArray[np.int16]:
    """Return `levels` (rows, columns, 8, 8) of one component with the `chosen` blocks moved nearer to the pixels.

    `target` (height, width) is the component as it was decoded, at the picture's size, exact where `known`; `factors`
    (vertical, horizontal) are the component's own. Blocks that the border cuts stay.
    """
    sides = 8 * factors[0], 8 * factors[1]
    whole = np.zeros_like(chosen)
    whole[: target.shape[0] // sides[0], : target.shape[1] // sides[1]] = True
    made, plane = levels.copy(), _padded(levels.astype(np.int32) * table.astype(np.int32))
    places = np.argwhere(chosen & whole)
    for first in range(0, len(places), RECOVERY.search_blocks):
        rows, columns = places[first : first + RECOVERY.search_blocks].T
        around = np.lib.stride_tricks.sliding_window_view(plane, (10, 10))[8 * rows, 8 * columns]
        down_to = (rows * sides[0])[:, None, None] + np.arange(sides[0])[:, None]
        at = down_to, (columns * sides[1])[:, None, None] + np.arange(sides[1])
        made[rows, columns] = _searched(levels[rows, columns], around, table, (target[at], known[at]), factors)
    return made


def _padded(coefficients: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the samples of a component with one more at each side, repeated."""
    return np.pad(decoder.plane(decoder.samples(coefficients)), 1, mode="edge").astype(np.int32)


def _searched(
    levels: NDArray[np.int16],
    around: NDArray[np.int32],
    table: NDArray[np.integer],
    wanted: tuple[NDArray[np.int32], NDArray[np.bool_]],
    factors: tuple[int, int],
) -> NDArray[np.int16]:
    """Return the best coefficients (blocks, 8, 8) found; `around` (blocks, 10, 10) has the samples of neighbours."""
    (target, known), matrix, number = wanted, jpeg.dct_matrix(), np.arange(len(levels))
    down, across = factors
    moved, count = _subsets(RECOVERY.search_coefficients, RECOVERY.search_moves), RECOVERY.search_coefficients
    best, steps = levels.astype(np.int32), table.astype(np.int32)
    for _ in range(RECOVERY.search_sweeps):
        rest = (target - _region(best * steps, around, factors)) * known
        small = rest.reshape(len(best), 8, down, 8, across).mean((2, 4)).astype(np.float32)
        asked = ((matrix @ small @ matrix.T) / table).reshape(-1, 64)
        order = np.argpartition(-np.abs(asked), count, axis=1)[:, :count]
        signs = np.sign(np.take_along_axis(asked, order, 1)).astype(np.int32)
        tried = np.repeat(best.reshape(-1, 1, 64), len(moved), axis=1)
        tried[number[:, None, None], np.arange(len(moved))[:, None], order[:, None]] += moved * signs[:, None]
        made = _region(tried.reshape(len(best), -1, 8, 8) * steps, around[:, None], factors)
        error = (((target[:, None] - made) ** 2) * known[:, None]).sum((-1, -2))
        choice = error.argmin(1)  # the first is the block as it is
        if not choice.any():
            break
        best = tried[number, choice].reshape(-1, 8, 8)
    return best.astype(np.int16)


def _region(coefficients: NDArray[np.int32], around: NDArray[np.int32], factors: tuple[int, int]) -> NDArray[np.int32]:
    """Return the pixels (..., 8 * vertical, 8 * horizontal) of blocks (..., 8, 8), upsampled among their neighbours."""
    inner = decoder.samples(coefficients).astype(np.int32)
    if factors == (1, 1):
        return inner
    whole = np.broadcast_to(around, (*inner.shape[:-2], 10, 10)).copy()
    whole[..., 1:9, 1:9] = inner
    bits, rounding = 2, (1, 2)
    if factors[0] == 2:
        middle = 3 * whole[..., 1:9, :]
        lines = np.stack([middle + whole[..., :8, :], middle + whole[..., 2:, :]], axis=-2)
        whole, bits, rounding = lines.reshape(*inner.shape[:-2], 16, 10), 4, (8, 7)
    else:
        whole = whole[..., 1:9, :]
    middle = 3 * whole[..., 1:9]
    left, right = (middle + whole[..., :8] + rounding[0]) >> bits, (middle + whole[..., 2:] + rounding[1]) >> bits
    return np.stack([left, right], axis=-1).reshape(*whole.shape[:-1], 16)
