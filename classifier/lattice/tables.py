"""Does any standard table explain the coefficients at all, or were the tables other ones?

Each AC frequency is free to choose its own step; where that explains the picture decisively better than the best of the
100 standard tables (and than two compressions), the tables were not standard. Their number is then that of the standard
tables nearest to them by least squares, the convention for such files: of all 64 steps where the tables are those of a
known encoder, else of the steps that the picture determines.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import likelihood
from q1net_msroi.classifier.lattice.noise import STEPS
from q1net_msroi.classifier.lattice.score import Reading
from q1net_msroi.utils import jpeg

CHOICE = float(np.log(STEPS))  # nats that a free step costs
SHARE = 0.85  # of the free steps' nats that the best standard table must miss; after two compressions it is up to 0.76
DECISIVE = 200.0  # nats that it must miss
PAIR_SHARE = 0.8  # of the free steps' nats: two standard compressions that explain as much are the better reason
KNOWN = 0.2  # share that the tables of a known encoder may miss
CLOSE = 5.0  # nats: not told apart
SURE_STEP = 10.0  # nats that a step is ahead of all others to count as determined
FEWEST_STEPS = 10  # determined ones, to name a number
RANGE = (10, 90)  # percentiles of the single steps' nearest qualities: the interval of unknown tables
MISFIT = 0.05  # nats a coefficient by which pixels may lie further from the free steps' lattices than decoders do
WIDEST = 20  # qualities; a wider interval names no number
AC = slice(1, None)


@dataclass(frozen=True)
class Tables:
    """Tables that are not standard."""

    family: str  # "mozjpeg" or "unknown"
    nearest: int | None  # standard quality of the nearest tables; None where the determined steps name none
    interval: tuple[int, int] | None
    missed: float  # nats by which the free steps beat the best standard table, less what their choice costs
    determined: int  # AC steps that the picture determines


@functools.cache
def mozjpeg_tables() -> NDArray[np.int64]:
    """Return mozjpeg's default tables (luma and chroma alike) of settings 1..100, not clipped: (100, 64)."""
    return np.maximum((jpeg.MOZJPEG_BASE.ravel() * jpeg.quality_scale()[:, None] + 50) // 100, 1)


@functools.cache
def nearest_to_mozjpeg() -> NDArray[np.int64]:
    """Return the standard quality nearest to both tables of mozjpeg's settings 1..100: (100,)."""
    standard = jpeg.standard_tables().reshape(1, 100, 2, 64)
    distance = ((standard - mozjpeg_tables()[:, None, None]) ** 2).sum(axis=(2, 3))
    return distance.argmin(1) + 1


def other_tables(reading: Reading, explained: float = 0.0) -> Tables | None:
    """Return which tables, not standard, explain the textured blocks far better than any standard one; else None.

    `explained` are the nats of two standard compressions. Only pixels as they were decoded can tell.
    """
    ratios = reading.scores.ratios  # (64, STEPS)
    free = ratios.max(1)
    total = float(free.sum())
    if reading.noise != "exact" or total < max(DECISIVE, explained / PAIR_SHARE):
        return None
    rows = np.arange(1, 64)
    standard = likelihood.sum_tables(ratios[AC], rows)
    steps = likelihood.steps_of_quality()[int(standard.argmax()), AC]
    missed = float(np.maximum(free[AC] - ratios[rows, steps] - CHOICE, 0).sum())
    if missed < DECISIVE:
        return None
    determined = _determined(ratios)
    number = int(determined.sum())
    decisive = missed > SHARE * float(free[AC].sum())
    known = ratios[np.arange(64), np.minimum(mozjpeg_tables(), STEPS) - 1].sum(1, dtype=np.float64)
    if known.max() > total - (max(KNOWN * total, 64 * CHOICE) if decisive else KNOWN / 2 * total):
        near = nearest_to_mozjpeg()
        alike = near[known > known.max() - CLOSE]
        return Tables("mozjpeg", int(near[known.argmax()]), (int(alike.min()), int(alike.max())), missed, number)
    misfit = float(reading.scores.excess[rows, ratios[AC].argmax(1)].sum())
    if not decisive or misfit > MISFIT:
        return None
    if number < FEWEST_STEPS:
        return Tables("unknown", None, None, missed, number)
    found = ratios[determined].argmax(1) + 1
    table = jpeg.standard_tables()[:, 0].reshape(100, 64)[:, determined]
    nearest = int(((table - found) ** 2).sum(1).argmin()) + 1
    ends = np.percentile(np.abs(table - found).argmin(0) + 1, RANGE)
    low, high = min(int(ends[0]), nearest), max(int(np.ceil(ends[1])), nearest)
    if high - low > WIDEST:
        return Tables("unknown", None, None, missed, number)
    return Tables("unknown", nearest, (low, high), missed, number)


def _determined(ratios: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return at which frequencies one step is far ahead of all others: (64,), never DC."""
    second, best = np.sort(ratios, axis=1)[:, -2:].T
    sure = (best - second > SURE_STEP) & (best > SURE_STEP)
    sure[0] = False
    return sure
