"""The blocks of a file one by one: how far a first compression explains the coefficients that each stores.

The log-likelihood ratio of a block's coefficients, compressed with a first table and then with the file's or once
alone, is summed over its frequencies (Bianchi and Piva, Image forgery localization via block-grained analysis of JPEG
artifacts, 2012). Zeros say how smooth a block is, not what it was before, so that only coefficients that are not zero
speak, and blocks are compared with those that are as active. Blocks with clipped pixels had no lattice left when they
were saved again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, history, prior
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

SIDE = 8  # pixels of a block
TINY = 1e-9  # no log of zero
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Marks = NDArray[np.bool_]


def stride_of(rows: int, columns: int) -> int:
    """Return of how many blocks one is read each way: as many as are read in bounded time and memory."""
    return int(np.ceil(np.sqrt(rows * columns / LATTICE.splice_blocks)))


def whole_and_unclipped(pixels: NDArray[np.uint8], rows: int, columns: int) -> Marks:
    """Return which blocks (rows, columns) of (height, width, 3) pixels lie inside and hold no clipped pixel."""
    height, width = (length // SIDE * SIDE for length in pixels.shape[:2])
    square = pixels[:height, :width].reshape(height // SIDE, SIDE, width // SIDE, SIDE * 3)
    least, most = square.min(axis=(1, 3)), square.max(axis=(1, 3))
    inside = np.zeros((rows, columns), bool)
    inside[: len(least), : least.shape[1]] = ((least > 0) & (most < 255))[:rows, :columns]
    return inside


def stored(pixels: NDArray[np.uint8], table: Integers, stride: int) -> tuple[NDArray[np.int16], Marks]:
    """Return the coefficients that a JPEG held which was decoded to (height, width, 3) pixels, from its first block on.

    `table` (64,) is what it was quantised with; (rows, columns, 64) of every `stride`-th block both ways. Also which of
    them (rows, columns) are that near to such coefficients as a decoder's rounding leaves them.
    """
    rows, columns = (length // SIDE for length in pixels.shape[:2])
    squares = pixels[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE, 3)[::stride, :, ::stride]
    luma = blocks.luma(squares).swapaxes(1, 2).astype(np.float32)
    matrix = jpeg.dct_matrix()
    spectrum = (matrix @ luma @ matrix.T).reshape(*luma.shape[:2], 64)
    found = np.rint(spectrum / table)
    off = np.abs(spectrum - found * table).max(axis=2)
    return found.astype(np.int16), off < LATTICE.splice_rounding


def evidence(coefficients: NDArray[np.int16], table: Integers, firsts: Integers, live: Marks) -> Floats:
    """Return the nats of blocks (blocks, 64) for no compression before, which are 0, and for each first table.

    `firsts` (tables, 64) are the steps of those; (tables + 1, blocks), 0 for blocks that are not `live`.
    """
    magnitude = np.minimum(np.abs(coefficients.astype(np.int32)), history.REACH + 1)
    frequencies = np.argsort(-np.count_nonzero(magnitude[live, 1:], axis=0))[: LATTICE.splice_frequencies] + 1
    kinds = _kinds(magnitude[:, frequencies], live)
    nats = np.zeros((len(firsts) + 1, len(magnitude)), np.float32)
    for frequency in frequencies.tolist():
        k, last = magnitude[:, frequency], int(table[frequency])
        speaks = np.flatnonzero(live & (k > 0) & (k <= history.REACH))
        steps = np.flatnonzero(np.bincount(firsts[:, frequency]))
        steps = steps[steps > last]  # elsewhere the first is not seen
        if not len(steps):
            continue
        ratios = _ratios(_numbers(kinds[live], k[live]), last, steps)[:, kinds[speaks], k[speaks]]
        for step, ratio in zip(steps, ratios, strict=True):
            for row in np.flatnonzero(firsts[:, frequency] == step) + 1:
                nats[row, speaks] += ratio
    k, last = np.abs(coefficients[:, 0].astype(np.int64)), int(table[0])
    speaks = np.flatnonzero(live & (k > 0))
    for row, first in zip(nats[1:], firsts[:, 0].tolist(), strict=True):
        if first > last:
            row[speaks] += _mean_ratios(last, first, int(k.max()))[k[speaks]]
    return nats


def _mean_ratios(last: int, first: int, most: int) -> Floats:
    """Return the nats of DC's points 0..most of the step `last` for a first step; any mean is as likely as another."""
    reached = history.reached(last, first, most)
    through = reached.sum(axis=0) * first / last
    through[0] += reached[1:, 0].sum() * first / last  # from both sides
    ratios: Floats = np.log((1 - LATTICE.pair_outliers) * through + LATTICE.pair_outliers).astype(np.float32)
    return ratios


def _kinds(magnitude: NDArray[np.int32], live: Marks) -> NDArray[np.intp]:
    """Return for blocks (blocks, frequencies) how active they are, in classes that are as large among the live."""
    activity = np.log2(1 + magnitude).sum(axis=1)
    ranked = np.sort(activity[live])  # np.quantile and np.unique load numpy.ma, a twentieth of every start
    edges = ranked[np.arange(1, LATTICE.splice_classes) * len(ranked) // LATTICE.splice_classes]
    kinds: NDArray[np.intp] = np.searchsorted(edges, activity)
    return kinds


def _numbers(kinds: NDArray[np.intp], k: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return how often each class of blocks has the coefficient 0, 1, ...: (classes, REACH + 1)."""
    points = history.REACH + 2
    number = np.bincount(kinds * points + k, minlength=LATTICE.splice_classes * points)
    return number.reshape(-1, points)[:, :-1].astype(np.float32)


def _ratios(number: NDArray[np.float32], last: int, firsts: Integers) -> Floats:
    """Return the nats of coefficients 0, 1, ... of the step `last` for each first step: (firsts, classes, REACH + 1).

    The prior of each class is fitted to its `number` (classes, REACH + 1); what is zero says nothing.
    """
    alone = history.mass(last)
    weights = prior.fit(number, alone)
    once = weights @ alone
    through = np.stack([weights @ history.mass(last, first) for first in firsts.tolist()])
    twice = (1 - LATTICE.pair_outliers) * through + LATTICE.pair_outliers * once
    logs = [np.log(np.maximum(each[..., 1:] / each[..., 1:].sum(-1, keepdims=True), TINY)) for each in (twice, once)]
    ratios: Floats = np.pad(logs[0] - logs[1], ((0, 0), (0, 0), (1, 0)))
    return ratios


def different(coefficients: NDArray[np.int16]) -> Marks:
    """Return which blocks (rows, columns, 64) are the first of their kind: equal ones are one surface."""
    rows = np.ascontiguousarray(coefficients).reshape(-1, 64).view(np.dtype((np.void, 2 * 64))).ravel()
    _, first, _ = np.unique(rows, return_index=True, return_counts=True)
    different = np.zeros(len(rows), bool)
    different[first] = True
    return different.reshape(coefficients.shape[:2])


def around_each(values: Floats, side: int = LATTICE.splice_side) -> Floats:
    """Return the sum over the square of `side` (odd) blocks around each block: (..., rows, columns)."""
    for axis in (-2, -1):
        ends = [(0, 0)] * values.ndim
        ends[axis] = (side // 2 + 1, side // 2)
        total = np.cumsum(np.pad(values, ends), axis=axis, dtype=np.float32)
        total = np.moveaxis(total, axis, -1)
        values = np.moveaxis(total[..., side:] - total[..., :-side], -1, axis)
    return values
