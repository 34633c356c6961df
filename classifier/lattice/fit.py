"""Does a table explain the coefficients beyond zero? Likelihoods compare tables with each other; this tests one alone.

Coefficients that a decoder made lie around the multiples of their step, as near as its rounding allows and as often
above as below. Where the step was another one, or contrast or brightness were scaled since, the peaks stand beside the
multiples (`offset`); where nothing of the kind holds, coefficients lie anywhere between them (`excess`). Coefficients
around zero fit every lattice and are left out, so that the test does not depend on what the picture shows.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice.noise import RESOLUTION, SHORT, STEPS, expected, noise_table
from q1net_msroi.classifier.lattice.settings import LATTICE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """How tables fit their `number` of coefficients beyond zero: `excess` in nats a coefficient, `spread` of the peaks'
    offsets in grey levels, (tables,) each.

    `entries` is the number of those whose peak could be seen.
    """

    number: Floats
    excess: Floats
    spread: Floats
    entries: NDArray[np.int64]

    @property
    def denied(self) -> NDArray[np.bool_]:
        """Whether the peaks deny the table: their steps are others, or were scaled since."""
        return self.spread > LATTICE.fit_spread

    @property
    def loose(self) -> NDArray[np.bool_]:
        """Whether coefficients lie between the lattice's points: part of the picture was changed, or it is finer."""
        chance = LATTICE.excess_error / np.sqrt(np.maximum(self.number, 1))
        loose: NDArray[np.bool_] = self.excess > LATTICE.fit_excess + chance
        return loose


@functools.cache
def _beyond(noise: str, bins: int) -> NDArray[np.float32]:
    """Return what a coefficient beyond zero's cell lacks of the mean log density: (bins, STEPS), 0 inside the cell."""
    place = np.arange(bins)[:, None]
    steps = np.arange(1, STEPS + 1)
    lacks = expected(noise) - noise_table(noise, bins)
    return np.where(2 * place > steps * RESOLUTION, lacks, 0).astype(np.float32)


class Residuals:
    """The distances of coefficients beyond zero from every lattice of steps 1..255: arrays (64, STEPS)."""

    def __init__(self, counts: NDArray[np.float32], noise: str = "exact") -> None:
        """Measure histograms (64, bins) of |c| in bins of 1/8."""
        bins = min(counts.shape[1], SHORT)  # hardly any but DC reaches further
        counts = np.ascontiguousarray(counts[:, :bins])
        steps = np.arange(1, STEPS + 1)
        value = np.arange(bins) / RESOLUTION
        cumulative = np.zeros((3, 64, bins + 1))
        for power, sums in enumerate(cumulative):
            np.cumsum(counts * value**power, axis=1, out=sums[:, 1:])

        def between(low: NDArray[np.int64], high: NDArray[np.int64]) -> Floats:
            ends = (np.clip(end, 0, bins) for end in (low, high + 1))
            first, last = (cumulative[:, :, end] for end in ends)
            inside: Floats = last - first
            return inside

        self.excess: NDArray[np.float32] = counts @ _beyond(noise, bins)
        self.number = cumulative[0, :, -1:] - cumulative[0][:, np.minimum(steps * RESOLUTION // 2 + 1, bins)]
        reach = np.minimum(steps * RESOLUTION // 2 - 1, int(LATTICE.peak_reach * RESOLUTION))
        self.peak, total, squares = between(steps * RESOLUTION - reach, steps * RESOLUTION + reach)
        mean = total / np.maximum(self.peak, 1)
        self.offset = mean - steps
        self.chance = (squares / np.maximum(self.peak, 1) - mean**2) / np.maximum(self.peak, 1)  # variance of `offset`

    def fit(self, tables: NDArray[np.int64]) -> Fit:
        """Return how `tables` (n, 64) fit in their AC entries; entries of 0 are not known and not looked at."""
        index = np.clip(tables[:, 1:], 1, STEPS) - 1
        known = tables[:, 1:] > 0
        rows = np.arange(1, 64)
        number = np.where(known, self.number[rows, index], 0).sum(1)
        excess = np.where(known, self.excess[rows, index], 0).sum(1) / np.maximum(number, 1)
        peak, offset = self.peak[rows, index], self.offset[rows, index]
        enough = np.maximum(LATTICE.peak_coefficients, LATTICE.peak_share * self.number[rows, index])
        seen = known & (peak >= enough) & (index + 1 >= LATTICE.peak_step)
        weights = np.where(seen, np.minimum(peak, LATTICE.peak_weight), 0)
        total, entries = np.maximum(weights.sum(1), 1), seen.sum(1)
        middle = (weights * offset).sum(1) / total
        squares = (offset - middle[:, None]) ** 2 - self.chance[rows, index]
        spread = np.sqrt(np.maximum((weights * squares).sum(1) / total, 0))
        return Fit(number, excess, np.where(entries >= LATTICE.peak_entries, spread, 0.0), entries)

    def foreign(self, ratios: NDArray[np.floating], tables: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many AC entries of `tables` (n, 64) have another step for sure: (n,).

        Their coefficients lie between the points of the table's step, and on those of another; `ratios` (64, STEPS).
        """
        index, rows = np.clip(tables[:, 1:], 1, STEPS) - 1, np.arange(1, 64)
        better = ratios[1:].max(1) - ratios[rows, index]
        excess, number = self.excess[rows, index], self.number[rows, index]
        sure = (np.minimum(better, excess) > LATTICE.entry_denial) & (excess > LATTICE.foreign_excess * number)
        count: NDArray[np.int64] = sure.sum(1)
        return count
