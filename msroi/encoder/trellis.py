"""Quantisation by rate and distortion: for each block the non-zero values whose distortion + lambda * bits is least.

Dynamic programming over the zigzag positions that plain rounding leaves non-zero (Crouse and Ramchandran, "Joint
thresholding and quantizer selection", 1997): a path runs through the positions that stay non-zero, an edge costs the
distortion of what it sets to zero and the bits of its run and of the value it ends at. All blocks go at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import entropy
from q1net_msroi.msroi.encoder.blocks import FREQUENCIES, Component, Spectrum
from q1net_msroi.utils import tasks

CHUNK = 2048  # blocks; their arrays stay in the processor's cache
LARGEST = 1023  # AC magnitude of baseline JPEG with 8-bit samples
LAST = FREQUENCIES - 1

Levels = NDArray[np.int16]  # (64, blocks), zigzag order


@dataclass(frozen=True)
class Distortion:
    """What an error e of a coefficient costs: square * e^2 + seen * max(|e| - hidden, 0)^2.

    `square` = region (blocks,) * gain (64,) + plain (64,); `hidden` = mask (blocks,) * veil (64,).
    """

    region: NDArray[np.float32]
    gain: NDArray[np.float32]
    plain: NDArray[np.float32]
    seen: NDArray[np.float32]
    mask: NDArray[np.float32]
    veil: NDArray[np.float32]

    def take(self, blocks: NDArray[np.intp]) -> Distortion:
        """Return the same for some of the blocks."""
        return Distortion(self.region[blocks], self.gain, self.plain, self.seen, self.mask[blocks], self.veil)

    def of(
        self, error: NDArray[np.float32], place: NDArray[np.integer], block: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Return the distortion of errors (n,) >= 0 at zigzag places (n,) of blocks (n,)."""
        cost = (self.region[block] * self.gain[place] + self.plain[place]) * np.square(error)
        if self.seen.any():
            beyond = np.maximum(error - self.mask[block] * self.veil[place], 0)
            cost += self.seen[place] * np.square(beyond)
        return cost

    def of_all(self, error: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the distortion of errors (64, blocks) >= 0."""
        cost = np.multiply.outer(self.gain, self.region)
        cost += self.plain[:, None]
        cost *= np.square(error)
        if self.seen.any():
            beyond = error - np.multiply.outer(self.veil, self.mask)
            np.maximum(beyond, 0, out=beyond)
            np.square(beyond, out=beyond)
            beyond *= self.seen[:, None]
            cost += beyond
        return cost


def lower_candidate(level: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the largest value of the next smaller magnitude category (1 -> 0, 2 and 3 -> 1, 4..7 -> 3, ...).

    A smaller value of the same category costs the same bits and is further away, so of all smaller values only the
    largest of a category can pay.
    """
    return (1 << (entropy.size_of(level).astype(np.int32) - 1)) - 1


def quantise_ac(
    spectrum: Spectrum,
    table: NDArray[np.float32],
    distortion: Distortion,
    price: float,
    lengths: NDArray[np.float32],
) -> tuple[Levels, NDArray[np.int64]]:
    """Return the AC levels, (64, blocks) int16 with row 0 left zero, and how often each symbol occurs, (256,).

    `spectrum` and `table` (64,) in zigzag order; `price` (lambda) is distortion per bit; `lengths` (256,) are the bits
    of each AC symbol.
    """
    blocks = spectrum.shape[1]
    levels = np.zeros((FREQUENCIES, blocks), np.int16)
    counts = np.zeros(entropy.SYMBOLS, np.int64)
    if blocks == 0:
        return levels, counts
    # Blocks of like many non-zero values go together, so that little of the padded arrays is empty.
    occupied = np.count_nonzero(np.abs(spectrum[1:]) >= table[1:, None] * np.float32(0.5), axis=0)
    order = np.argsort(-occupied, kind="stable")
    costs = entropy.ac_costs(lengths) * np.float32(price)
    end = np.float32(lengths[entropy.END_OF_BLOCK] * price)

    def chunk(start: int) -> tuple[NDArray[np.intp], Levels, NDArray[np.int64]]:
        some = order[start : start + CHUNK]
        found, symbols = _quantise_chunk(spectrum[:, some], table, distortion.take(some), costs, end)
        return some, found, symbols

    starts = range(0, blocks, CHUNK)
    workers = min(2, len(starts))
    results = map(chunk, starts) if workers < 2 else tasks.ordered_map(chunk, starts, workers)
    for some, found, symbols in results:
        levels[:, some] = found
        counts += symbols
    return levels, counts


def quantise_dc(
    spectrum: Spectrum,
    component: Component,
    step: float,
    distortion: Distortion,
    price: float,
    lengths: NDArray[np.float32],
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Return the DC levels, (blocks,) int16, and how often each DC symbol (magnitude category) occurs, (256,).

    A level is one of the two multiples of `step` around the coefficient; a value costs the bits of its difference to
    the one before it in the order of an interleaved scan. Every row of minimum coded units is a path of its own that
    starts from the rounded value before it, so that all rows go at once.
    """
    order, real = scan_order(component)
    exact = spectrum[0] / np.float32(step)
    low = np.floor(exact)
    candidates = np.stack([low, low + 1])  # (2, blocks)
    error = np.abs(candidates - exact) * np.float32(step)
    first = np.zeros(component.rows * component.columns, np.intp)
    cost = np.stack([distortion.of(each, first, np.arange(len(first))) for each in error])
    bits = (lengths[: entropy.SIZES + 1] + np.arange(entropy.SIZES + 1)).astype(np.float32) * np.float32(price)

    def edge(before: NDArray[np.int32], after: NDArray[np.int32]) -> NDArray[np.float32]:
        return bits[entropy.size_of(np.abs(after - before))]

    values = candidates.astype(np.int32)[:, order]  # (2, rows, steps)
    costs = np.where(real, cost[:, order], 0)
    rounded = np.rint(exact).astype(np.int32)[order]
    start = np.append(0, rounded[:-1, -1])
    reach = edge(start, values[:, :, 0]) + costs[:, :, 0]
    length = order.shape[1]
    previous = np.zeros((length, 2, order.shape[0]), np.int8)
    for here in range(1, length):
        way = reach[:, None] + edge(values[:, None, :, here - 1], values[None, :, :, here])
        second = way[1] < way[0]
        previous[here] = second
        reach = np.where(second, way[1], way[0]) + costs[:, :, here]
    state = (reach[1] < reach[0]).astype(np.intp)
    rows = np.arange(order.shape[0])
    chosen = np.empty(order.shape, np.int32)
    for here in range(length - 1, -1, -1):
        chosen[:, here] = values[state, rows, here]
        state = previous[here, state, rows].astype(np.intp)
    levels = np.empty(len(first), np.int16)
    levels[order[real]] = chosen[real]
    return levels, dc_symbols(levels, order)


def dc_symbols(levels: NDArray[np.int16], order: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return how often each magnitude category of DC differences occurs, (256,), in the order of a scan."""
    difference = np.diff(levels[order.reshape(-1)].astype(np.int32), prepend=0)
    return np.bincount(entropy.size_of(np.abs(difference)), minlength=entropy.SYMBOLS)


def scan_order(component: Component) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the blocks of each row of minimum coded units in the order of an interleaved scan, and which are real.

    Both (rows of units, blocks a row). Where the picture ends within a unit, the missing blocks repeat the one before
    them, as libjpeg fills them.
    """
    side = component.sampling
    row = np.arange(-(-component.rows // side) * side)
    column = np.arange(-(-component.columns // side) * side)
    inside = (row < component.rows)[:, None] & (column < component.columns)
    index = np.minimum(row, component.rows - 1)[:, None] * component.columns + np.minimum(column, component.columns - 1)

    def scan(grid: NDArray) -> NDArray:
        units = grid.reshape(len(row) // side, side, len(column) // side, side)
        return units.transpose(0, 2, 1, 3).reshape(len(row) // side, -1)

    order, real = scan(index), scan(inside)
    # A missing block takes the last real one before it in its row of units.
    last_real = np.maximum.accumulate(np.where(real, np.arange(order.shape[1]), 0), axis=1)
    return np.take_along_axis(order, last_real, axis=1), real


def _quantise_chunk(
    spectrum: Spectrum,
    table: NDArray[np.float32],
    distortion: Distortion,
    costs: NDArray[np.float32],
    end: np.float32,
) -> tuple[Levels, NDArray[np.int64]]:
    """Return levels and symbol counts of some blocks, sorted by falling number of non-zero values."""
    blocks = spectrum.shape[1]
    magnitude = np.abs(spectrum)
    quotient = magnitude / table[:, None]
    quotient += np.float32(0.5)
    rounded = np.minimum(quotient.astype(np.int32), LARGEST)
    rounded[0] = 0

    # Distortion of zeros from position 1 up to each position: what an edge pays for what it passes over.
    zeros = distortion.of_all(magnitude)
    zeros[0] = 0
    np.cumsum(zeros, axis=0, out=zeros)

    # The candidates, listed block by block, and their place in arrays of (steps + 1, blocks); row 0 is the start.
    block, place = np.nonzero(rounded.T)
    number = np.bincount(block, minlength=blocks)
    step = np.arange(len(block)) - np.repeat(np.cumsum(number) - number, number) + 1
    steps = int(number.max())
    level = rounded[place, block]
    lower = lower_candidate(level)
    exact = magnitude[place, block]
    step_size = table[place]

    def padded(values: NDArray[np.float32] | NDArray[np.integer], kind: type) -> NDArray:
        array: NDArray = np.zeros((steps + 1, blocks), kind)
        array[step, block] = values
        return array

    position = padded(place, np.int32)
    size = padded(entropy.size_of(level), np.int32)
    # Distortion of all that ends at a candidate if it is kept: its own minus what `zeros` would count for it.
    before = padded(zeros[place - 1, block], np.float32)
    upto = padded(zeros[place, block], np.float32)
    own = padded(distortion.of(np.abs(exact - level * step_size), place, block), np.float32)
    other = padded(distortion.of(np.abs(exact - lower * step_size), place, block), np.float32)

    reach = np.zeros((steps + 1, blocks), np.float32)  # least cost of a path to here, minus `upto`
    previous = np.zeros((steps + 1, blocks), np.int16)
    lowered = np.zeros((steps + 1, blocks), bool)
    flat = costs.reshape(-1)
    width = costs.shape[1]
    most = np.maximum.accumulate(number[::-1])[::-1]
    alive = np.searchsorted(-most, -np.arange(steps + 1), side="right")  # up to the last block with so many candidates
    for here in range(1, steps + 1):
        count = int(alive[here])
        run = position[here, :count] - position[:here, :count]
        run += size[here, :count] * width - 1
        way = flat.take(run)
        way += reach[:here, :count]
        best = way.argmin(axis=0)
        cost = np.take_along_axis(way, best[None], axis=0)[0] + own[here, :count]
        small = np.flatnonzero(size[here, :count] > 1)
        if len(small):
            way = flat.take(run[:, small] - width)
            way += reach[:here, small]
            best_small = way.argmin(axis=0)
            cost_small = np.take_along_axis(way, best_small[None], axis=0)[0] + other[here, small]
            wins = cost_small < cost[small]
            chosen = small[wins]
            cost[chosen] = cost_small[wins]
            best[chosen] = best_small[wins]
            lowered[here, chosen] = True
        previous[here, :count] = best
        reach[here, :count] = cost + before[here, :count] - upto[here, :count]

    # The end: everything after the last kept value is zero, and a code says so unless the value is the 63rd.
    finish = reach + np.where(position < LAST, end, np.float32(0))
    finish[np.arange(steps + 1)[:, None] > number] = np.inf
    at = finish.argmin(axis=0)
    kept = np.zeros((steps + 1, blocks), bool)
    for here in range(steps, 0, -1):
        count = int(alive[here])
        on_path = at[:count] == here
        kept[here, :count] = on_path
        at[:count] = np.where(on_path, previous[here, :count], at[:count])

    keep = kept[step, block]
    block, place = block[keep], place[keep]
    value = np.where(lowered[step[keep], block], lower[keep], level[keep])
    levels = np.zeros((FREQUENCIES, blocks), np.int16)
    levels[place, block] = np.where(spectrum[place, block] < 0, -value, value)
    return levels, entropy.count_symbols(block, place, entropy.size_of(value), blocks)
