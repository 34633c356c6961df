"""Does any standard table explain the coefficients at all, or were the tables other ones?

Each AC frequency is free to choose its own step; where that explains the picture decisively better than the best of the
100 standard tables (and than two compressions), the tables were not standard. Their number is then that of the standard
tables nearest to them by least squares, the convention for such files: of all 64 steps where the tables are those of a
known encoder, else of the steps that the picture determines.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import likelihood
from q1net_msroi.classifier.lattice.noise import STEPS
from q1net_msroi.classifier.lattice.score import Reading
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

CHOICE = float(np.log(STEPS))  # nats that a free step costs: it is one of 255
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
    tables: NDArray[np.int64] = np.maximum((jpeg.MOZJPEG_BASE.ravel() * jpeg.quality_scale()[:, None] + 50) // 100, 1)
    return tables


@functools.cache
def nearest_to_mozjpeg() -> NDArray[np.int64]:
    """Return the standard quality nearest to both tables of mozjpeg's settings 1..100: (100,)."""
    standard = jpeg.standard_tables().reshape(1, 100, 2, 64)
    nearest: NDArray[np.int64] = ((standard - mozjpeg_tables()[:, None, None]) ** 2).sum(axis=(2, 3)).argmin(1)
    return nearest + 1


def missed_by_standard(ratios: NDArray[np.floating]) -> tuple[float, float]:
    """Return the nats by which free AC steps beat the best standard table, and their share of the free steps' nats.

    `ratios` are (64, STEPS) log-likelihood ratios; what the choice of the free steps costs is taken off.
    """
    rows = np.arange(1, 64)
    best = int(likelihood.sum_tables(ratios[AC], rows).argmax())
    free = ratios[AC].max(1)
    missed = float(np.maximum(free - ratios[rows, likelihood.steps_of_quality()[best, AC]] - CHOICE, 0).sum())
    return missed, missed / max(float(free.sum()), 1e-9)


def misfit(reading: Reading) -> float:
    """Return the nats a coefficient by which AC lies further from the free steps' lattices than decoders do."""
    return float(reading.scores.excess[np.arange(1, 64), reading.scores.ratios[AC].argmax(1)].sum())


def other_tables(reading: Reading, explained: float = 0.0) -> Tables | None:
    """Return which tables, not standard, explain the textured blocks far better than any standard one; else None.

    `explained` are the nats of two standard compressions. Only pixels as they were decoded can tell.
    """
    ratios = reading.scores.ratios  # (64, STEPS)
    total = float(ratios.max(1).sum())
    if reading.noise != "exact" or total < max(LATTICE.tables_missed, explained / LATTICE.pair_share):
        return None
    missed, share = missed_by_standard(ratios)
    if missed < LATTICE.tables_missed:
        return None
    decisive = share > LATTICE.tables_missed_share
    sure = step_margins(ratios) > LATTICE.step_margin
    number = int(sure.sum())
    known = ratios[np.arange(64), np.minimum(mozjpeg_tables(), STEPS) - 1].sum(1, dtype=np.float64)
    may_miss = LATTICE.known_misses * total
    if known.max() > total - (max(may_miss, 64 * CHOICE) if decisive else may_miss / 2):
        near = nearest_to_mozjpeg()
        alike = near[known > known.max() - LATTICE.tie]
        return Tables("mozjpeg", int(near[known.argmax()]), (int(alike.min()), int(alike.max())), missed, number)
    if not decisive or misfit(reading) > LATTICE.free_misfit:
        return None
    nearest, interval = _nearest(ratios[sure].argmax(1) + 1, sure) if number >= LATTICE.fewest_steps else (None, None)
    return Tables("unknown", nearest, interval, missed, number)


def _nearest(found: NDArray[np.int64], sure: NDArray[np.bool_]) -> tuple[int | None, tuple[int, int] | None]:
    """Return the standard quality nearest to the steps found where `sure` (64,) is set, and its interval, or None."""
    table = jpeg.standard_tables()[:, 0].reshape(100, 64)[:, sure]
    nearest = int(((table - found) ** 2).sum(1).argmin()) + 1
    ends = np.percentile(np.abs(table - found).argmin(0) + 1, LATTICE.step_percentiles)
    low, high = min(int(ends[0]), nearest), max(int(np.ceil(ends[1])), nearest)
    return (nearest, (low, high)) if high - low <= LATTICE.widest_interval else (None, None)


def step_margins(ratios: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return how many nats the likeliest step of a frequency is ahead of all others and of none: (64,), 0 for DC."""
    second, best = np.sort(ratios, axis=1)[:, -2:].T
    margins: NDArray[np.floating] = best - np.maximum(second, 0)
    margins[0] = 0
    return margins
