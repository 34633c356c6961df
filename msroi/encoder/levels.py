"""The six level rules: which of nine JPEG qualities a pixel gets from its map value (Section 4 of the MSROI paper)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 1, 9  # level l means JPEG quality 10 * (l + 1): 20..100
MAP_VALUES = 256

Levels = NDArray[np.uint8]


@dataclass(frozen=True)
class MapStatistics:
    """What the rules need to know of a whole map, exact, taken from the histogram of its 256 possible values."""

    histogram: NDArray[np.int64]

    @classmethod
    def of(cls, saliency: NDArray[np.uint8]) -> Self:
        """Count the values of a map, (height, width) uint8, not empty."""
        return cls(np.bincount(saliency.reshape(-1), minlength=MAP_VALUES))

    @property
    def maximum(self) -> int:
        """Largest value, 0..255."""
        return int(np.flatnonzero(self.histogram)[-1])

    @property
    def mean(self) -> float:
        """Arithmetic mean, 0..255."""
        return float(np.arange(MAP_VALUES) @ self.histogram / self.histogram.sum())

    @property
    def is_flat(self) -> bool:
        """Whether every pixel has the same value."""
        return int(np.count_nonzero(self.histogram)) == 1

    def percentiles(self, percents: NDArray[np.int64] | list[int]) -> NDArray[np.float64]:
        """Return percentiles with linear interpolation, the same numbers as `numpy.percentile` of the map."""
        cumulative = np.cumsum(self.histogram)
        last = int(cumulative[-1]) - 1
        rank = last * np.true_divide(percents, 100)
        below = np.floor(rank).astype(np.int64)
        low = np.searchsorted(cumulative, below, side="right").astype(np.float64)
        high = np.searchsorted(cumulative, np.minimum(below + 1, last), side="right").astype(np.float64)
        share = rank - below
        return np.asarray(np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share)))


@dataclass(frozen=True)
class Rule:
    """A level rule: `choose(values, statistics)` gives a level for each map value before clipping to 1..9."""

    number: int
    description: str
    choose: Callable[[NDArray[np.int64], MapStatistics], NDArray[np.int64]]


def _steps(percents: list[int], levels: list[int]) -> Callable[[NDArray[np.int64], MapStatistics], NDArray[np.int64]]:
    """Return a rule with level `levels[i]` where i percentiles are reached by a value (a tie counts)."""

    def choose(values: NDArray[np.int64], statistics: MapStatistics) -> NDArray[np.int64]:
        return np.asarray(levels)[np.searchsorted(statistics.percentiles(percents), values, side="right")]

    return choose


def _above_mean(values: NDArray[np.int64], statistics: MapStatistics) -> NDArray[np.int64]:
    return np.where(values > statistics.mean, 9, 6)


def _linear(values: NDArray[np.int64], statistics: MapStatistics) -> NDArray[np.int64]:
    # An all-black map has no scale: value 0 keeps the level that 0 has in every other map, this rule's lowest.
    return 10 * values // max(statistics.maximum, 1) + 2


RULES: dict[int, Rule] = {
    rule.number: rule
    for rule in (
        Rule(1, "9 above the map's mean, else 6", _above_mean),
        Rule(2, "linear in the map's value, 2 to 9", _linear),
        Rule(3, "by the map's deciles, 1 to 9", _steps(list(range(10, 101, 10)), [*range(1, 10), 9, 9])),
        Rule(4, "4, 6, 8, 9 cut at percentiles 20, 60, 90", _steps([20, 60, 90], [4, 6, 8, 9])),
        Rule(5, "2 or 8, cut at the median", _steps([50], [2, 8])),
        Rule(6, "7 or 9, cut at the median", _steps([50], [7, 9])),
    )
}


def quality_of(level: int) -> int:
    """Return the JPEG quality, 20..100, of a level, 1..9."""
    return 10 * (level + 1)


def choose_levels(saliency: NDArray[np.uint8], number: int, statistics: MapStatistics | None = None) -> Levels:
    """Return the level 1..9 of every pixel of a map, (height, width) uint8, shape as given, by rule `number`.

    A value equal to a percentile has reached it; one that no percentile exceeds (rule 3's maximum) gets the top level.
    """
    table = RULES[number].choose(np.arange(MAP_VALUES), statistics or MapStatistics.of(saliency))
    return np.take(np.clip(table, LOWEST, HIGHEST).astype(np.uint8), saliency)
