"""The trellis of `trellis.py` compiled by numba (extra `fast`): the same sums in the same precision, block by block.

Imported only where numba is there. What is compiled is kept by numba beside this file, or in the user's cache folder,
so that only the first run waits for it.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder.entropy import LARGEST, RUNS, SYMBOLS

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

LAST, WIDTH = RUNS, RUNS + 1
ZERO, HALF = np.float32(0), np.float32(0.5)
compiled: Any = njit(cache=True, nogil=True)


def _size(value: int) -> int:
    """Return the magnitude category of a value >= 0."""
    size = 0
    while value > 0:
        size += 1
        value >>= 1
    return size


def _list(
    magnitude: Floats, square: Floats, hidden: Floats, masked: Floats, table: Floats, zeros: Floats, found: Integers
) -> int:
    """Return how many values rounding leaves non-zero; set their places and levels, found (2, 65), from 1 on.

    `zeros` (64,) becomes the distortion of zeros from position 1 up to each position.
    """
    number = 0
    for k in range(1, WIDTH):
        beyond = max(magnitude[k] - hidden[k], ZERO)
        cost = square[k] * (magnitude[k] * magnitude[k])
        cost += beyond * beyond * masked[k]
        zeros[k] = zeros[k - 1] + cost
        rounded = min(int(magnitude[k] / table[k] + HALF), LARGEST)
        if rounded > 0:
            number += 1
            found[0, number], found[1, number] = k, rounded
    return number


def _cheapest(row: int, places: Integers, here: int, costs: Doubles, reach: Floats) -> tuple[int, float]:
    """Return the best of the predecessors before `here` and its cost; `row` + 1 is where its costs begin."""
    best, least = 0, np.inf
    for before in range(here):
        way = costs[row - places[before]] + reach[before]
        if way < least:
            best, least = before, way
    return best, least


def _error(level: int, k: int, magnitude: Floats, square: Floats, hidden: Floats, masked: Floats, step: float) -> float:
    """Return the distortion of a value kept at `level`, as a float32 has it."""
    error = abs(np.float64(magnitude[k]) - level * step)
    beyond = max(error - np.float64(hidden[k]), 0.0)
    cost = np.float64(square[k]) * (error * error) + np.float64(masked[k]) * (beyond * beyond)
    return np.float64(np.float32(cost))


def _end(places: Integers, number: int, reach: Floats, end: np.float32) -> int:
    """Return the last value that the cheapest path keeps; after it a code says that all is zero, but for the 63rd."""
    at, cheapest = 0, reach[0] + end
    for here in range(1, number + 1):
        finish = reach[here] + (end if places[here] < LAST else ZERO)
        if finish < cheapest:
            at, cheapest = here, finish
    return at


def quantise_ac(
    spectrum: Floats, fields: Floats, weights: Floats, table: Floats, costs: Doubles, end: np.float32
) -> tuple[NDArray[np.int16], Integers]:
    """Return the AC levels, (64, blocks), and the counts of symbols, as `trellis.quantise_ac` does.

    `spectrum` (blocks, 64); `fields` (blocks, n + 1) and `weights` (n + 2, 64): a distortion's fields and masking, its
    spectra, masked and visible; `costs` (12 * 64,): lambda times the bits of a value after zeros.
    """
    blocks, n = spectrum.shape[0], fields.shape[1] - 1
    levels, counts = np.zeros((WIDTH, blocks), np.int16), np.zeros(SYMBOLS, np.int64)
    masked, visible = weights[n], weights[n + 1]
    zeros, square, reach = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32), np.zeros(WIDTH + 1, np.float32)
    found, previous = np.zeros((2, WIDTH + 1), np.int64), np.zeros(WIDTH + 1, np.int64)
    places, kept = found[0], found[1]
    for block in range(blocks):
        square[:] = ZERO
        for field in range(n):
            square += fields[block, field] * weights[field]
        magnitude, hidden = np.abs(spectrum[block]), visible * fields[block, n]
        number = _list(magnitude, square, hidden, masked, table, zeros, found)
        for here in range(1, number + 1):
            k, size, step = places[here], _size(kept[here]), np.float64(table[places[here]])
            best, least = _cheapest(size * WIDTH + k - 1, places, here, costs, reach)
            least += _error(kept[here], k, magnitude, square, hidden, masked, step)
            if size > 1:
                lower = (1 << (size - 1)) - 1
                other, cost = _cheapest((size - 1) * WIDTH + k - 1, places, here, costs, reach)
                cost += _error(lower, k, magnitude, square, hidden, masked, step)
                if cost < least:
                    best, least, kept[here] = other, cost, lower
            previous[here] = best
            reach[here] = np.float32(least + np.float64(zeros[k - 1]) - np.float64(zeros[k]))
        at = _end(places, number, reach, end)
        counts[0] += at == 0 or places[at] < LAST
        while at > 0:
            before, k = previous[at], places[at]
            run = k - places[before] - 1
            counts[16 * (run % 16) + _size(kept[at])] += 1
            counts[240] += run // 16
            levels[k, block] = -kept[at] if spectrum[block, k] < 0 else kept[at]
            at = before
    return levels, counts


def quantise_dc(
    exact: Floats, cost: Floats, order: Integers, real: NDArray[np.bool_], bits: Floats
) -> NDArray[np.int16]:
    """Return the DC levels, (blocks,), as `trellis.quantise_dc` does; `cost` (2, blocks) of the two candidates."""
    levels = np.zeros(exact.shape[0], np.int16)
    rows, length = order.shape
    previous = np.zeros((length, 2), np.int8)
    for row in range(rows):
        before = 0 if row == 0 else int(np.rint(exact[order[row - 1, -1]]))
        reach = np.zeros(2, np.float32)
        for here in range(length):
            block = order[row, here]
            low = int(np.floor(exact[block]))
            step = low - before
            same, less, more = bits[_size(abs(step))], bits[_size(abs(step - 1))], bits[_size(abs(step + 1))]
            if here == 0:
                reach[0], reach[1] = same, more
            else:
                previous[here, 0] = reach[1] + less < reach[0] + same
                previous[here, 1] = reach[1] + same < reach[0] + more
                reach[0], reach[1] = min(reach[0] + same, reach[1] + less), min(reach[0] + more, reach[1] + same)
            if real[row, here]:
                reach[0] += cost[0, block]
                reach[1] += cost[1, block]
            before = low
        state = 1 if reach[1] < reach[0] else 0
        for here in range(length - 1, -1, -1):
            block = order[row, here]
            if real[row, here]:
                levels[block] = int(np.floor(exact[block])) + state
            state = previous[here, state]
    return levels


# What a function calls must be compiled before it.
_size, _list, _cheapest, _error, _end = (compiled(each) for each in (_size, _list, _cheapest, _error, _end))
quantise_ac, quantise_dc = compiled(quantise_ac), compiled(quantise_dc)
