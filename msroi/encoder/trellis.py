"""Quantisation by rate and distortion: for each block the non-zero values whose distortion + lambda * bits is least.

Dynamic programming over the zigzag positions that plain rounding leaves non-zero (Crouse and Ramchandran, "Joint
thresholding and quantizer selection", 1997): a path runs through the positions that stay non-zero, an edge costs the
distortion of what it sets to zero and the bits of its run and of the value it ends at. All blocks go at once.
"""

import functools
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import entropy
from q1net_msroi.msroi.encoder.blocks import FREQUENCIES, Component, Spectrum
from q1net_msroi.utils import tasks

CHUNK = 2048  # blocks; their arrays stay in the processor's cache
WORTH_LOADING = 150_000  # blocks: about what arrays do in the time that numba takes to load

LAST = FREQUENCIES - 1

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]
Indices = NDArray[np.intp]
Quantised = NDArray[np.int16]  # (64, blocks), zigzag order


_quantised = [0]  # blocks in this process so far


def compiled(blocks: int) -> ModuleType | None:
    """Return the module of the same functions compiled by numba, None where that is missing or does not pay yet.

    Loading numba takes as long as one small picture: the first of a folder goes without, large ones and the rest with.
    `blocks`: how many there are to do.
    """
    _quantised[0] += blocks
    return _load() if _quantised[0] >= WORTH_LOADING else None


@functools.cache
def _load() -> ModuleType | None:
    try:
        from q1net_msroi.msroi.encoder import compiled
    except ImportError:
        return None
    return compiled


@dataclass(frozen=True)
class Distortion:
    """What an error e of a coefficient costs: square * e^2 + masked * max(|e| - threshold, 0)^2.

    `square` = sum over n of fields[n] (blocks,) * spectra[n] (64,); `threshold` = masking (blocks,) * visible (64,).
    """

    fields: Floats  # (n, blocks)
    spectra: Floats  # (n, 64)
    masked: Floats
    masking: Floats
    visible: Floats

    def take(self, blocks: Indices) -> Self:
        """Return the same for some of the blocks."""
        return replace(self, fields=self.fields[:, blocks], masking=self.masking[blocks])

    def of(self, error: Floats, place: NDArray[np.integer], block: NDArray[np.integer]) -> Floats:
        """Return the distortion of errors (n,) >= 0 at zigzag places (n,) of blocks (n,)."""
        square = np.zeros(len(place), np.float32)
        for field, spectrum in zip(self.fields, self.spectra, strict=True):
            square += field[block] * spectrum[place]
        cost: Floats = square * np.square(error)
        if self.masked.any():
            beyond = np.maximum(error - self.masking[block] * self.visible[place], 0)
            cost += self.masked[place] * np.square(beyond)
        return cost

    def of_all(self, error: Floats) -> Floats:
        """Return the distortion of errors (64, blocks) >= 0."""
        cost = np.zeros_like(error)
        for field, spectrum in zip(self.fields, self.spectra, strict=True):
            cost += np.multiply.outer(spectrum, field)
        cost *= np.square(error)
        if self.masked.any():
            beyond = error - np.multiply.outer(self.visible, self.masking)
            np.maximum(beyond, 0, out=beyond)
            np.square(beyond, out=beyond)
            beyond *= self.masked[:, None]
            cost += beyond
        return cost


def lower_candidate(level: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the largest value of the next smaller magnitude category (1 -> 0, 2 and 3 -> 1, 4..7 -> 3, ...).

    A smaller value of the same category costs the same bits and is further away, so of all smaller values only the
    largest of a category can pay.
    """
    return (1 << (entropy.size_of(level).astype(np.int32) - 1)) - 1


def quantise_ac(
    spectrum: Spectrum, table: Floats, distortion: Distortion, lambda_: float, lengths: Floats
) -> tuple[Quantised, Counts]:
    """Return the AC levels, (64, blocks) int16 with row 0 left zero, and how often each symbol occurs, (256,).

    `spectrum`, `table` (64,): zigzag order; `lambda_`: distortion per bit; `lengths` (256,): bits of each AC symbol.
    """
    blocks = spectrum.shape[1]
    levels = np.zeros((FREQUENCIES, blocks), np.int16)
    counts = np.zeros(entropy.SYMBOLS, np.int64)
    if blocks == 0:
        return levels, counts
    costs = entropy.ac_costs(lengths) * np.float32(lambda_)
    end = np.float32(lengths[entropy.END_OF_BLOCK] * lambda_)
    if fast := compiled(blocks):
        fields = np.concatenate([distortion.fields, distortion.masking[None]]).T
        weights = np.concatenate([distortion.spectra, [distortion.masked, distortion.visible]])
        blockwise = np.ascontiguousarray(spectrum.T), np.ascontiguousarray(fields)
        answer: tuple[Quantised, Counts] = fast.quantise_ac(*blockwise, weights, table, costs.reshape(-1), end)
        return answer
    # Blocks of like many non-zero values go together, so that little of the padded arrays is empty.
    occupied = np.count_nonzero(np.abs(spectrum[1:]) >= table[1:, None] * np.float32(0.5), axis=0)
    order = np.argsort(-occupied, kind="stable")

    def chunk(start: int) -> tuple[Indices, Quantised, Counts]:
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
    spectrum: Spectrum, component: Component, step: float, distortion: Distortion, lambda_: float, lengths: Floats
) -> tuple[NDArray[np.int16], Counts]:
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
    bits = (lengths[: entropy.SIZES + 1] + np.arange(entropy.SIZES + 1)).astype(np.float32) * np.float32(lambda_)

    if fast := compiled(0):
        found: NDArray[np.int16] = fast.quantise_dc(exact, cost, order, real, bits)
        return found, dc_symbols(found, order)

    def edge(before: NDArray[np.int32], after: NDArray[np.int32]) -> Floats:
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


def dc_symbols(levels: NDArray[np.int16], order: Indices) -> Counts:
    """Return how often each magnitude category of DC differences occurs, (256,), in the order of a scan."""
    difference = np.diff(levels[order.reshape(-1)].astype(np.int32), prepend=0)
    return np.bincount(entropy.size_of(np.abs(difference)), minlength=entropy.SYMBOLS)


def scan_order(component: Component) -> tuple[Indices, NDArray[np.bool_]]:
    """Return the blocks of each row of minimum coded units in the order of an interleaved scan, and which are real.

    Both (rows of units, blocks a row). Where the picture ends within a unit, the missing blocks repeat the one before
    them, as libjpeg fills them.
    """
    side = component.sampling
    row = np.arange(-(-component.rows // side) * side)
    column = np.arange(-(-component.columns // side) * side)
    inside = (row < component.rows)[:, None] & (column < component.columns)
    index = np.minimum(row, component.rows - 1)[:, None] * component.columns + np.minimum(column, component.columns - 1)

    def scan(grid: NDArray[Any]) -> NDArray[Any]:
        units = grid.reshape(len(row) // side, side, len(column) // side, side)
        return units.transpose(0, 2, 1, 3).reshape(len(row) // side, -1)

    order, real = scan(index), scan(inside)
    # A missing block takes the last real one before it in its row of units.
    last_real = np.maximum.accumulate(np.where(real, np.arange(order.shape[1]), 0), axis=1)
    return np.take_along_axis(order, last_real, axis=1), real


@dataclass(frozen=True)
class _Candidates:
    """Values that rounding leaves non-zero, listed block by block: `block`, zigzag `place`, magnitudes, all (n,).

    `step` (n,) is a value's number in its block from 1, its row in arrays of (steps + 1, blocks), row 0 the start;
    `number` (blocks,) counts them, and up to block `alive[step]` a block has so many.
    """

    block: Indices
    place: Indices
    step: Indices
    level: NDArray[np.int32]
    lower: NDArray[np.int32]
    number: Indices
    alive: Indices

    @classmethod
    def of(cls, magnitude: Floats, table: Floats) -> Self:
        """List those of |coefficients| (64, blocks), blocks sorted by falling number."""
        quotient = magnitude / table[:, None]
        quotient += np.float32(0.5)
        rounded = np.minimum(quotient.astype(np.int32), entropy.LARGEST)
        rounded[0] = 0
        block, place = np.nonzero(rounded.T)
        number = np.bincount(block, minlength=magnitude.shape[1])
        step = np.arange(len(block)) - np.repeat(np.cumsum(number) - number, number) + 1
        most = np.maximum.accumulate(number[::-1])[::-1]
        alive = np.searchsorted(-most, -np.arange(number.max() + 1), side="right")
        level = rounded[place, block]
        return cls(block, place, step, level, lower_candidate(level), number, alive)

    def padded(self, values: Floats | NDArray[np.integer], kind: type) -> NDArray[Any]:
        """Return values (n,) as (steps + 1, blocks), zero where there is none."""
        array: NDArray[Any] = np.zeros((len(self.alive), len(self.number)), kind)
        array[self.step, self.block] = values
        return array


def _quantise_chunk(
    spectrum: Spectrum, table: Floats, distortion: Distortion, costs: NDArray[np.float64], end: np.float32
) -> tuple[Quantised, Counts]:
    """Return levels and symbol counts of some blocks, sorted by falling number of non-zero values."""
    magnitude = np.abs(spectrum)
    found = _Candidates.of(magnitude, table)
    # Distortion of zeros from position 1 up to each position: what an edge pays for what it passes over.
    zeros = distortion.of_all(magnitude)
    zeros[0] = 0
    np.cumsum(zeros, axis=0, out=zeros)
    kept, lowered = _best_path(found, magnitude, table, distortion, zeros, costs, end)
    keep = kept[found.step, found.block]
    block, place = found.block[keep], found.place[keep]
    value = np.where(lowered[found.step[keep], block], found.lower[keep], found.level[keep])
    levels = np.zeros(spectrum.shape, np.int16)
    levels[place, block] = np.where(spectrum[place, block] < 0, -value, value)
    return levels, entropy.count_symbols(block, place, entropy.size_of(value), spectrum.shape[1])


def _best_path(
    found: _Candidates,
    magnitude: Floats,
    table: Floats,
    distortion: Distortion,
    zeros: Floats,
    costs: NDArray[np.float64],
    end: np.float32,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which candidates the cheapest path keeps, and which of those it keeps at their lower value.

    `costs` (12 sizes, 64 runs) and `end`: lambda times the bits of a value after zeros and of the end of a block.
    """
    block, place = found.block, found.place
    exact, steps = magnitude[place, block], table[place]

    def distortion_of(level: NDArray[np.int32]) -> Floats:
        return found.padded(distortion.of(np.abs(exact - level * steps), place, block), np.float32)

    position, size = found.padded(place, np.int32), found.padded(entropy.size_of(found.level), np.int32)
    before, upto = found.padded(zeros[place - 1, block], np.float32), found.padded(zeros[place, block], np.float32)
    own, other = distortion_of(found.level), distortion_of(found.lower)
    reach = np.zeros(position.shape, np.float32)  # least cost of a path to here, minus `upto`
    previous, lowered = np.zeros(position.shape, np.int16), np.zeros(position.shape, bool)
    flat, width = costs.reshape(-1), costs.shape[1]
    for here, count in enumerate(found.alive.tolist()[1:], 1):
        run = position[here, :count] - position[:here, :count]
        run += size[here, :count] * width - 1
        best, cost = _cheapest(flat, run, reach[:here, :count])
        cost += own[here, :count]
        small = np.flatnonzero(size[here, :count] > 1)
        if len(small):
            best_small, cost_small = _cheapest(flat, run[:, small] - width, reach[:here, small])
            cost_small += other[here, small]
            wins = cost_small < cost[small]
            chosen = small[wins]
            cost[chosen] = cost_small[wins]
            best[chosen] = best_small[wins]
            lowered[here, chosen] = True
        previous[here, :count] = best
        reach[here, :count] = cost + before[here, :count] - upto[here, :count]

    # The end: everything after the last kept value is zero, and a code says so unless the value is the 63rd.
    finish = reach + np.where(position < LAST, end, np.float32(0))
    finish[np.arange(len(reach))[:, None] > found.number] = np.inf
    return _traced(finish.argmin(axis=0), previous, found.alive), lowered


def _cheapest(flat: NDArray[np.float64], run: NDArray[np.int32], reach: Floats) -> tuple[Indices, NDArray[np.float64]]:
    """Return each block's best predecessor and its cost, (blocks,); `run` (predecessors, blocks) indexes `flat`."""
    way = flat.take(run)
    way += reach
    best = way.argmin(axis=0)
    return best, np.take_along_axis(way, best[None], axis=0)[0]


def _traced(at: Indices, previous: NDArray[np.int16], alive: Indices) -> NDArray[np.bool_]:
    """Return which candidates, (steps + 1, blocks), lie on the paths that end `at` (blocks,)."""
    kept = np.zeros(previous.shape, bool)
    for here in range(len(alive) - 1, 0, -1):
        count = int(alive[here])
        on_path = at[:count] == here
        kept[here, :count] = on_path
        at[:count] = np.where(on_path, previous[here, :count], at[:count])
    return kept
