"""Which tables explain a picture: standard ones, once or twice, a known encoder's, others, or none at all.

A standard table is believed where the coefficients do not deny it (`fit`) and where steps free to choose, one by one,
do not explain far more than it does, alone or after an earlier compression. Where they do, the tables were not
standard. Their number is then that of the standard tables nearest to them by least squares, the convention for such
files: of all 64 steps where the tables are those of a known encoder, else of the steps that the picture determines.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, fit, history, likelihood
from q1net_msroi.classifier.lattice.noise import RESOLUTION, STEPS
from q1net_msroi.classifier.lattice.score import Reading
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

CHOICE = float(np.log(STEPS))  # nats that a free step costs: it is one of 255
AC = slice(1, None)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tables:
    """That tables are not standard, and whose they are: `family` is mozjpeg or unknown.

    `missed` are the nats by which free steps beat the best standard story; `nearest` standard quality to a known
    encoder's tables, and its interval.
    """

    family: str
    missed: float
    nearest: int = 0
    interval: tuple[int, int] | None = None
    determined: int = 0  # AC steps that the picture determines, of unknown tables


@dataclass(frozen=True)
class Standard:
    """The standard tables that explain a picture best, alone or after an earlier compression (`first`).

    `allowed` (100,) are the qualities that the coefficients do not deny; `partly` says that those of a part of the
    picture do, `sure` that nearly none do. `nats` of the AC of textured blocks, `margin` over the next last quality,
    `ties` of last ones.
    """

    quality: int
    allowed: NDArray[np.bool_]
    partly: bool
    nats: float
    sure: bool = False
    first: history.First | None = None
    ties: tuple[int, ...] = ()
    margin: float = 0.0


@functools.cache
def luma_tables() -> NDArray[np.int64]:
    """Return the standard luma tables of qualities 1..100: (100, 64)."""
    return likelihood.steps_of_quality() + 1


@functools.cache
def mozjpeg_tables() -> NDArray[np.int64]:
    """Return mozjpeg's default tables (luma and chroma alike) of settings 1..100, not clipped: (100, 64)."""
    tables: NDArray[np.int64] = np.maximum((jpeg.MOZJPEG_BASE.ravel() * jpeg.quality_scale()[:, None] + 50) // 100, 1)
    return tables


@functools.cache
def nearest_to_mozjpeg() -> NDArray[np.int64]:
    """Return the standard quality nearest to both of mozjpeg's tables, settings 1..100, 8 and 16 bits: (2, 100)."""
    standard = jpeg.standard_tables().reshape(1, 100, 2, 64)
    kinds = (np.minimum(mozjpeg_tables(), STEPS), mozjpeg_tables())
    return np.stack([((standard - kind[:, None, None]) ** 2).sum(axis=(2, 3)).argmin(1) + 1 for kind in kinds])


def free_nats(ratios: NDArray[np.floating]) -> float:
    """Return the nats of free AC steps of ratios (64, STEPS), less what their choice costs."""
    return float(np.maximum(ratios[AC].max(1) - CHOICE, 0).sum())


def untouched(ratios: NDArray[np.floating]) -> bool:
    """Tell whether hardly an AC entry denies every lattice, as in a decoder's own pixels; `ratios` (64, STEPS)."""
    best = ratios[AC].max(1)  # entries with few coefficients show nothing, and deny nothing
    return bool(best.sum() >= LATTICE.untouched * best[best > 0].sum())


def standard(reading: Reading, residuals: fit.Residuals) -> Standard | None:
    """Return the standard tables that explain a reading of a decoder's own pixels, None where all are denied."""
    ratios, fits = reading.scores.ratios, residuals.fit(luma_tables())
    nats = likelihood.sum_tables(ratios[AC], np.arange(1, 64))
    allowed = ~fits.denied & (nats > -LATTICE.standard_denial)
    if not untouched(ratios):
        allowed[LATTICE.fine_last :] &= fits.entries[LATTICE.fine_last :] > 0  # steps of 1 and 2 fit whatever there is
    firm = allowed & ~fits.loose
    single = np.where(firm, nats, -np.inf)
    if untouched(ratios):
        few = LATTICE.few_foreign if reading.counts.textured[0].any() else LATTICE.few_touched  # without DC
        single[residuals.foreign(ratios, luma_tables()) > few] = -np.inf
    totals, firsts = _with_firsts(reading, fits, np.where(firm, nats, -np.inf), single)
    best = int(totals.argmax())
    partly = np.where(allowed & ~firm, nats, -np.inf)
    if best in firsts:
        partly[firsts[best].quality - 1] = -np.inf  # its lattice shows, as it must
    if partly.max() > max(float(totals[best]), 0.0) + LATTICE.presence or not np.isfinite(totals[best]):
        best = int(np.where(allowed & ~firm, reading.scores.nats, -np.inf).argmax())
        return Standard(best + 1, allowed, True, float(nats[best])) if (allowed & ~firm).any() else None
    ties = tuple(int(q) for q in np.flatnonzero(totals >= totals[best] - LATTICE.tie) + 1)
    margin = float(totals[best] - np.delete(totals, best).max(initial=-np.inf))
    margin = min(margin, float(totals[best]))
    shown = _shown(ratios)  # by textured blocks, or by lines and flat ones as well
    sure = _near(fits, best) and bool(nats[best] > shown or reading.scores.nats[best] > shown + LATTICE.tables_missed)
    return Standard(best + 1, np.isfinite(single), False, float(totals[best]), sure, firsts.get(best), ties, margin)


def _shown(ratios: NDArray[np.floating]) -> float:
    """Return the nats that the last lattice of two has by itself, at least."""
    return max(LATTICE.last_share * free_nats(ratios), LATTICE.last_presence)


def _near(fits: fit.Fit, index: int) -> bool:
    """Tell whether coefficients lie as near to the lattice of a quality (its index) as those of a last one do."""
    if index < LATTICE.fine_last:
        return bool(fits.excess[index] < LATTICE.last_excess)
    chance = LATTICE.fine_error / np.sqrt(max(float(fits.number[index]), 1.0))
    return bool(fits.excess[index] < LATTICE.fine_excess + chance)


def of_16_bits(counts: NDArray[np.float32]) -> int | None:
    """Return the quality, 1 to 4, of standard tables with steps over 255, where all coefficients lie on their lattice.

    `counts` (64, bins) are histograms of |c| of textured blocks. Finer tables, whose points these are too, would be
    seen at others.
    """
    base = luma_tables()[49]
    value = np.arange(counts.shape[1]) / RESOLUTION
    for quality in range(1, LATTICE.coarsest_eight_bits):
        step = (base * jpeg.quality_scale()[quality - 1] + 50)[:, None] // 100
        far = np.abs(value - np.rint(value / step) * step) > LATTICE.peak_reach
        beyond = value > step / 2
        number, off = float(counts[beyond].sum()), float(counts[far].sum())
        if number >= LATTICE.coarse_coefficients and off < LATTICE.coarse_off * number:
            return quality
    return None


def _with_firsts(
    reading: Reading, fits: fit.Fit, nats: Floats, single: Floats
) -> tuple[Floats, dict[int, history.First]]:
    """Return the nats (100,) of the best story with each last quality, and the earlier ones of those with two.

    `nats` (100,) are those of last qualities that may be looked at, `single` of those that explain all alone; -inf
    marks the others.
    """
    totals, firsts = single.copy(), {}
    shown = _shown(reading.scores.ratios)
    for index in np.argsort(-nats)[: min(LATTICE.pair_alternatives, int(np.isfinite(nats).sum()))].tolist():
        found = _first(reading, index + 1) if _near(fits, index) and nats[index] > shown else None
        if found is None:
            continue
        total = float(nats[index]) + found.gain
        # Else a first lattice alone explains all. A fine last one hardly moves coefficients from it.
        first = max((q - 1 for q in found.tie_set or (found.quality,)), key=lambda one: float(single[one]))
        chance = LATTICE.excess_error / np.sqrt(max(float(fits.number[first]), 1.0))
        better = total > LATTICE.better_story * single[first] + LATTICE.tables_missed and fits.excess[first] > 0
        beside = fits.excess[first] > LATTICE.alone_excess + chance or better
        if not np.isfinite(single[first]) or (index >= LATTICE.moving_last and beside):
            firsts[index], totals[index] = found, total
            totals[first] = -np.inf
    return totals, firsts


def _first(reading: Reading, quality: int) -> history.First | None:
    """Return the compression before the last one, of `quality`, if there are traces of it."""
    last = luma_tables()[quality - 1]
    told = history.Aligned(history.points(reading.counts.textured, last), last)
    return told.first(quality - LATTICE.quality_gap + 1, reading.phase)


def missed(reading: Reading, explained: float, fine: bool = False) -> bool:
    """Tell whether free steps explain textured blocks far better than the best standard story with its nats.

    An earlier compression that is not found may be the reason, but hardly before a `fine` last one.
    """
    ratios = reading.scores.ratios
    total = free_nats(ratios) if untouched(ratios) else 0.0
    share = LATTICE.fine_missed_share if fine else LATTICE.tables_missed_share
    return total - explained > max(LATTICE.tables_missed, share * total)


def is_mozjpeg(reading: Reading, residuals: fit.Residuals) -> bool:
    """Tell whether mozjpeg's tables explain textured blocks better than standard ones, and nearly all of them."""
    ratios, rows = reading.scores.ratios, np.arange(1, 64)
    known = ratios[rows, np.minimum(mozjpeg_tables(), STEPS)[:, AC] - 1].sum(1, dtype=np.float64).max()
    ahead = known > max(float(likelihood.sum_tables(ratios[AC], rows).max()), 0.0) + LATTICE.presence
    return bool(ahead) and _mozjpeg(ratios, residuals, np.arange(64)) is not None


def others(reading: Reading, residuals: fit.Residuals, explained: float = 0.0) -> Tables | None:
    """Return which tables, not standard, explain textured blocks; None where no lattice of free steps fits."""
    ratios = reading.scores.ratios
    ahead = free_nats(ratios) - explained
    sure = step_margins(ratios) > LATTICE.step_margin
    back = blocks.TRANSPOSED if reading.turned else np.arange(64)  # turning is told of standard tables alone
    mozjpeg = _mozjpeg(ratios, residuals, back)
    if mozjpeg is not None:
        return Tables("mozjpeg", ahead, *mozjpeg, int(sure.sum()))
    some = ratios.max(1) > LATTICE.step_margin  # where a lattice shows, also one between whole steps
    own = residuals.fit(np.where(some, ratios.argmax(1) + 1, 0)[None])
    fits = not (own.denied[0] or own.loose[0] or own.spread[0] > LATTICE.free_spread)
    if not fits or not untouched(ratios) or not (sure.sum() >= LATTICE.fewest_steps or reading.nats > LATTICE.presence):
        return None
    return Tables("unknown", ahead, determined=int(sure.sum()))


def _mozjpeg(
    ratios: NDArray[np.floating], residuals: fit.Residuals, back: NDArray[np.int64]
) -> tuple[int, tuple[int, int]] | None:
    """Return the standard quality nearest to mozjpeg's tables, and an interval, where these explain nearly all."""
    tables = np.where(mozjpeg_tables() <= STEPS, mozjpeg_tables(), 0)[:, back]
    known = ratios[np.arange(64), np.minimum(mozjpeg_tables(), STEPS)[:, back] - 1].sum(1, dtype=np.float64)
    setting = int(known.argmax())
    fits = residuals.fit(tables[setting][None])
    if known[setting] <= (1 - LATTICE.known_misses) * float(ratios.max(1).sum()) or fits.denied[0] or fits.loose[0]:
        return None
    near = nearest_to_mozjpeg()
    alike = near[:, known > known[setting] - LATTICE.tie]  # pixels hardly tell steps over 255 from 255
    return int(near[1, setting]), (int(alike.min()), int(alike.max()))


def step_margins(ratios: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return how many nats the likeliest step of a frequency is ahead of all others and of none: (64,), 0 for DC."""
    second, best = np.sort(ratios, axis=1)[:, -2:].T
    margins: NDArray[np.floating] = best - np.maximum(second, 0)
    margins[0] = 0
    return margins
