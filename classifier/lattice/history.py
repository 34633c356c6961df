"""What a picture tells of a compression before its last one, on the same grid or on another.

On one grid, a coefficient lies on the last lattice, but only at the points next to those of the first: some points
stay empty, others are twice as full. Both stories, one compression and two, are fitted to the numbers of coefficients
at each point (maximum likelihood, the same prior), and two are believed where they explain the numbers far better. The
last table must be known: from the file, or because the pixels prove it. On another grid the first lattice shows as a
period: the mean of cos(2 pi c / step) over its coefficients c stands out from the same mean on the other grids.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, grid, likelihood, prior
from q1net_msroi.classifier.lattice.noise import RESOLUTION, STEPS
from q1net_msroi.classifier.lattice.settings import LATTICE

REACH, FAR = 32, 128  # lattice points k from 0 up: further ones say nothing new; with fine steps
FINE = 4  # a step below it is fine
TAILS = 4096  # half units
PERIOD_REACH = 64  # coefficients from here up are left out
GRIDS = 64
Floats = NDArray[Any]  # of single or double precision
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class First:
    """The likeliest quality of an earlier compression, on the grid from `phase` (y, x) on.

    `gain` is by how many nats two compressions explain the picture better than one, `share` which part that is of what
    any story could gain; on another grid `gain` is by how many standard errors its lattice stands out, `share` the mean
    cosine. `tie_set` are qualities that explain it as well.
    """

    quality: int
    phase: tuple[int, int]
    gain: float
    share: float
    tie_set: tuple[int, ...] | None = None


def reach(steps: Integers) -> int:
    """Return the furthest lattice point that is counted where the last table is `steps` (64,), 0 what is not known."""
    known = steps[1:][steps[1:] > 0]
    return FAR if len(known) and known.min() < FINE else REACH


def points(counts: NDArray[np.float32], steps: Integers) -> Floats:
    """Return how many coefficients lie next to the points 0, 1, ... of the lattices of `steps` (64,): (64, reach + 1).

    `counts` (64, bins) are histograms of |c| in bins of 1/8.
    """
    bins = min(counts.shape[1], int(likelihood.occupied(counts[1:]).max()) * RESOLUTION + 1)  # DC reaches further
    cumulative = np.zeros((64, bins + 1))
    np.cumsum(counts[:, :bins], axis=1, out=cumulative[:, 1:])
    edges = np.maximum((2 * np.arange(reach(steps) + 2) - 1) * np.maximum(steps, 1)[:, None] * RESOLUTION // 2 + 1, 0)
    number: Floats = np.diff(cumulative[np.arange(64)[:, None], np.minimum(edges, bins)], axis=1)
    return number


def stored_points(coefficients: NDArray[np.int16], most: int = REACH) -> Floats:
    """Return how often |k| is 0..most in the stored coefficients k (blocks, 64): (64, most + 1).

    Equal blocks are one surface and count once.
    """
    rows = np.ascontiguousarray(coefficients).view(np.dtype((np.void, 2 * 64))).ravel()
    different, _ = np.unique(rows, return_counts=True)  # without counts np.unique loads numpy.ma
    k = np.minimum(np.abs(different.view(np.int16).reshape(-1, 64).astype(np.int64)), most + 1)
    index = k + np.arange(64) * (most + 2)
    number = np.bincount(index.ravel(), minlength=64 * (most + 2)).reshape(64, -1)[:, : most + 1]
    return number.astype(np.float64)


@functools.lru_cache(4096)
def mass(last: int, first: int = 0, most: int = REACH, sigma: float = LATTICE.pixel_sigma) -> NDArray[np.float32]:
    """Return what each component of the prior puts on the points 0..most of the last lattice: (components, most + 1).

    With `first`, by way of the points of that lattice: one reaches a point of the last as far as the rounding of
    pixels between the two, or another change of standard deviation `sigma` in grey levels, puts it there.
    """
    tails = prior.half_tails(TAILS)
    end = tails.shape[1] - 1

    def cells(step: int, number: int) -> Floats:
        k = np.arange(number)
        low, high = (np.clip((2 * k + sign) * step, 0, end) for sign in (-1, 1))
        mass: Floats = tails[:, low] - tails[:, high]
        return mass

    if not first:
        return cells(last, most + 1).astype(np.float32)
    share = reached(last, first, most, sigma)
    share[0, 1:] *= 2  # zero reaches +k and -k
    through: Floats = cells(first, len(share)) @ share
    return through.astype(np.float32)


def reached(last: int, first: int, most: int, sigma: float = LATTICE.pixel_sigma) -> Floats:
    """Return which share of coefficients at the points 0, 1, ... of the first lattice reaches each point of the last.

    (points of the first, most + 1), after a change of pixels of standard deviation `sigma` in grey levels.
    """
    number = ((most + 1) * last + int(4 * sigma)) // first + 3
    distance = np.arange(most + 1)[None] * last - np.arange(number)[:, None] * first

    def below(x: Floats) -> Floats:
        """Approximate the normal distribution function by the logistic one (to 0.01)."""
        share: Floats = 1 / (1 + np.exp(np.clip(-1.702 / sigma * x, -60, 60)))
        return share

    return below(distance + last / 2) - below(distance - last / 2)


def _fitted(counts: Floats, masses: NDArray[np.float32], rounds: int) -> Floats:
    """Return the log-likelihood of numbers (rows, points) under mixtures of masses (rows, components, points)."""
    counts = counts.astype(np.float32)[:, None]
    weights: Floats = np.full((len(counts), 1, masses.shape[1]), 1 / masses.shape[1], np.float32)
    across = np.ascontiguousarray(masses.swapaxes(1, 2))
    for _ in range(rounds):
        share = counts / (weights @ masses + np.float32(1e-12))
        weights = weights * (share @ across) + np.float32(LATTICE.component_hint)
        weights /= weights.sum(2, keepdims=True)
    density = (weights @ masses)[:, 0].astype(np.float64) + 1e-12
    likely: Floats = (counts[:, 0] * np.log(density / density.sum(1, keepdims=True))).sum(1, dtype=np.float64)
    return likely


class Aligned:
    """The story of one compression with the table `last` (64,), and what a first one on the same grid adds to it."""

    def __init__(self, number: Floats, last: Integers) -> None:
        """Fit the story to the numbers (64, points) of coefficients; entries of `last` that are 0 are not known."""
        self._most = number.shape[1] - 1
        others = number[:, 1:].sum(1) * (last > 0)
        others[0] = 0
        rows = np.argsort(-others)
        self._rows = rows[others[rows] > 0]
        self._number = number[self._rows]
        self._last = last[self._rows]
        self._missing = np.zeros(0)
        self._masses = np.array([mass(int(step), 0, self._most) for step in self._last], np.float32)
        if len(self._rows):
            self._alone = _fitted(self._number, self._masses, LATTICE.fit_rounds)
            total = self._number.sum(1, keepdims=True)
            best = (self._number * np.log(np.maximum(self._number, 1) / total)).sum(1)
            self._missing = best - self._alone - (self._number > 0).sum(1) / 2  # and what chance would give

    @property
    def missing(self) -> float:
        """By how many nats one compression explains a coefficient beyond zero less well than anything could."""
        others = float(self._number[:, 1:].sum())
        return float(self._missing.sum()) / others if others else 0.0

    def explained(self, first: Integers, sigma: float = LATTICE.pixel_sigma) -> tuple[float, float]:
        """Return the gain in nats by a first table (64,), and what could be gained.

        Pixels were changed by `sigma`, a standard deviation in grey levels, between the two.
        """
        gain, missing, _ = self._gains(first[None], 64, LATTICE.fit_rounds, sigma)[:, 0]
        return float(gain), float(missing)

    def free(self) -> Integers:
        """Return the first table (64,) whose steps are chosen one by one; 0 where a step does not gain enough."""
        table = np.zeros(64, np.int64)
        few = len(self._rows[: LATTICE.splice_free_frequencies])
        pairs = [
            (row, first) for row in range(few) for first in range(self._last[row] + 1, LATTICE.splice_free_reach + 1)
        ]
        if not pairs:
            return table
        row, first = np.array(pairs).T
        gain = self._entry_gains(row, first, LATTICE.glance_rounds, LATTICE.pixel_sigma, LATTICE.splice_free_outliers)
        for each in range(few):
            best = int(np.where(row == each, gain, -np.inf).argmax())
            if row[best] == each and gain[best] > LATTICE.splice_free_gain:
                table[self._rows[each]] = first[best]
        return table

    def _entry_gains(self, row: Integers, first: Integers, rounds: int, sigma: float, outliers: float) -> Floats:
        """Return the gains in nats by first steps, each of the entry in a row of the numbers."""
        pairs = zip(self._last[row].tolist(), first.tolist(), strict=True)
        through = np.array([mass(last, step, self._most, sigma) for last, step in pairs])
        share = np.float32(outliers)
        both = _fitted(self._number[row], (1 - share) * through + share * self._masses[row], rounds)
        gain: Floats = both - self._alone[row]
        return gain

    def _gains(self, firsts: Integers, most: int, rounds: int, sigma: float = LATTICE.pixel_sigma) -> Floats:
        """Return of each first table the gain in nats, what could be gained, and how many entries gain: 3 rows."""
        steps = firsts[:, self._rows[:most]]
        table, row = np.nonzero(steps > self._last[:most])  # elsewhere the first is not seen
        if not len(table):
            return np.zeros((3, len(firsts)))
        gain = self._entry_gains(row, steps[table, row], rounds, sigma, LATTICE.pair_outliers)
        sums = (gain, self._missing[row], gain > LATTICE.entry_gain)
        return np.stack([np.bincount(table, values, minlength=len(firsts)) for values in sums])

    def likeliest(self, below: int, phase: tuple[int, int] = (0, 0)) -> First | None:
        """Return the earlier compression of a quality below `below` that explains most; None where few entries gain."""
        qualities = np.arange(1, below)
        if not len(self._rows) or not len(qualities):
            return None
        firsts = likelihood.steps_of_quality() + 1
        glance = self._gains(firsts[qualities - 1], LATTICE.glance_frequencies, LATTICE.glance_rounds)[0]
        finalists = np.sort(qualities[np.argsort(-glance)[: LATTICE.first_finalists]])
        gain, missing, entries = self._gains(firsts[finalists - 1], 64, LATTICE.fit_rounds)
        best = int(gain.argmax())
        if entries[best] < LATTICE.pair_entries:
            return None
        share = float(gain[best] / max(missing[best], 1.0))
        ties = tuple(int(quality) for quality in finalists[gain > gain[best] - LATTICE.tie])
        return First(int(finalists[best]), phase, float(gain[best]), share, ties)

    def first(self, below: int, phase: tuple[int, int] = (0, 0)) -> First | None:
        """Return the earlier compression of a quality below `below` that is believed, None without any."""
        found = self.likeliest(below, phase)
        believed = found and found.gain >= LATTICE.pair_presence and found.share >= LATTICE.pair_share
        return found if believed else None


def _phase_histograms(pixels: NDArray[np.uint8], windows: int, frequencies: Integers) -> NDArray[np.float32]:
    """Return histograms of |c| on all 64 grids in some low frequencies, of so many windows: (64, frequencies, bins)."""
    places = _windows(pixels, windows)
    y, x = (places[:, i, None] + np.arange(grid.WINDOW) for i in (0, 1))
    values, _ = np.unique(blocks.luma(pixels[y[:, :, None], x[:, None, :]]), axis=0, return_counts=True)  # once each
    vertical, horizontal = np.divmod(frequencies, 8)
    most = int(max(vertical.max(), horizontal.max())) + 1
    phases = np.arange(8)
    found = grid.every_phase(values.astype(np.float32), most)
    index = np.abs(found[:, phases[:, None, None], vertical, phases[:, None], horizontal])
    bins, rows = PERIOD_REACH * RESOLUTION + 1, GRIDS * len(frequencies)
    index = (index * RESOLUTION + np.float32(0.5)).astype(np.int32).reshape(len(values), rows)
    kept = index < bins
    index += np.arange(rows, dtype=np.int32) * bins
    return np.bincount(index[kept], minlength=rows * bins).reshape(GRIDS, -1, bins).astype(np.float32)


def _windows(pixels: NDArray[np.uint8], most: int) -> Integers:
    """Return upper left corners of at most so many windows with texture that hold a whole block of every grid."""
    rows, columns = (max(side - 7, 0) // 8 for side in pixels.shape[:2])
    samples = pixels[: 8 * rows : 2, : 8 * columns : 2, 1].reshape(rows, 4, columns, 4).swapaxes(1, 2)
    textured = np.flatnonzero(np.ptp(samples.reshape(rows * columns, 16), axis=1) > LATTICE.textured_range)
    chosen = textured[np.arange(most) * len(textured) // most] if len(textured) > most else textured
    return np.stack(np.divmod(chosen, max(columns, 1)), axis=1) * 8


def _within() -> Integers:
    """Return the last bin of zero's cell of steps 1..255."""
    return np.minimum(np.arange(1, STEPS + 1) * RESOLUTION // 2, PERIOD_REACH * RESOLUTION)


@functools.cache
def _periods() -> NDArray[np.float32]:
    """Return cos(2 pi |c| / step) beyond zero's cell: (bins, steps)."""
    place = np.arange(PERIOD_REACH * RESOLUTION + 1)[:, None]
    cosine = np.where(place > _within(), np.cos(2 * np.pi * place / RESOLUTION / np.arange(1, STEPS + 1)), 0)
    return cosine.astype(np.float32)


def shifted(pixels: NDArray[np.uint8], phase: tuple[int, int], below: int) -> First | None:
    """Return an earlier compression of a quality below `below` on another grid than that from `phase` on, or None.

    `pixels` is (height, width, 3) RGB; what stands out is judged against the other grids of the same picture, after a
    glance at few windows.
    """
    if below <= 1 or min(pixels.shape[:2]) < 2 * grid.WINDOW:
        return None
    few, more = LATTICE.period_glance, LATTICE.period_windows
    if standing_out(pixels, phase, below, few, LATTICE.glance_frequencies)[0].gain < LATTICE.period_worth:
        return None
    best, next_one = standing_out(pixels, phase, below, more, LATTICE.period_frequencies)
    needed = LATTICE.period_beside if beside(best.phase, phase) else LATTICE.period_presence
    return best if best.gain >= max(needed, LATTICE.period_alone * next_one) else None


def beside(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether half of the edges of two grids are the same."""
    return one[0] == other[0] or one[1] == other[1]


def standing_out(
    pixels: NDArray[np.uint8], phase: tuple[int, int], below: int, windows: int, frequencies: int
) -> tuple[First, float]:
    """Return the lattice that stands out most on another grid, and how far its quality does on the next such grid."""
    frequency = grid.zigzag()[:frequencies]
    histograms = _phase_histograms(pixels, windows, frequency)
    cosine = histograms @ _periods()
    beyond = histograms.sum(2, keepdims=True) - np.cumsum(histograms, axis=2)[:, :, _within()]
    steps = likelihood.steps_of_quality()[: below - 1][:, frequency]
    row = np.arange(frequencies)
    total, number = (values[:, row, steps].sum(2) for values in (cosine, beyond))  # (grids, qualities)
    errors = total / np.sqrt(np.maximum(number, LATTICE.period_coefficients) / 2)
    own = 8 * phase[0] + phase[1]
    others = np.delete(errors, own, axis=0)
    half = len(others) // 2  # np.median and np.unique load numpy.ma, a twentieth of every start
    middle = np.sort(others, axis=0)[half]
    deviation = 1.4826 * np.sort(np.abs(others - middle), axis=0)[half]
    ahead = (errors - middle) / np.maximum(deviation, 1.0)
    ahead[own] = -np.inf
    place, quality = np.unravel_index(int(ahead.argmax()), ahead.shape)
    mean = float(total[place, quality] / max(number[place, quality], 1))
    best = First(int(quality) + 1, divmod(int(place), 8), float(ahead[place, quality]), mean)
    return best, float(np.delete(ahead[:, quality], place).max())
