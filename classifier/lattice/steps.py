"""A quantisation table read from the picture, entry by entry, with the tables that the world uses as the prior.

Each entry has a likelihood of every step. Where hardly a coefficient is not zero it says little, and a step's multiples
and divisors say nearly the same. The other entries help: a table is a standard one, a known one, a relative of one of
these (scaled, some entries another), or anything. The posterior mixes these four kinds, and an entry is told where one
step has nearly all of it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import known, likelihood
from q1net_msroi.classifier.lattice.noise import RESOLUTION, STEPS
from q1net_msroi.classifier.lattice.settings import LATTICE, SmallSteps
from q1net_msroi.utils import jpeg

Floats = NDArray[np.float64]
ENTRIES = np.arange(64)


@dataclass(frozen=True)
class Steps:
    """What a picture tells of a table: `chances` (64, STEPS) of every step of every entry.

    `standard` (100,) and `known` (tables,) are the chances that the whole table is that of a standard quality, or one
    of the known tables, `exact` that it is any of these; `shown` (64,) are entries with coefficients that are not zero,
    `evidence` the nats of "any table".
    """

    chances: Floats
    standard: Floats
    known: Floats
    exact: float
    shown: NDArray[np.bool_]
    evidence: float

    @property
    def determined(self) -> NDArray[np.int64]:
        """The steps (64,) that are told, 0 elsewhere."""
        best: NDArray[np.int64] = self.chances.argmax(1) + 1
        whole = self.exact > LATTICE.step_chance
        return np.where((self.chances.max(1) > LATTICE.step_chance) & (self.shown | whole), best, 0)

    @property
    def mean(self) -> Floats:
        """The mean (64,) of the steps by their chances: what is nearest to the table by least squares."""
        mean: Floats = self.chances @ np.arange(1, STEPS + 1)
        return mean


@dataclass(frozen=True)
class Prior:
    """The tables of one channel that are expected, before a picture is looked at.

    `exact` are the 100 standard ones, then the other known ones, each table once; `names` holds the known pairs' places
    there. `bases` are those that others are scaled from.
    """

    exact: NDArray[np.int64]  # (tables, 64)
    names: NDArray[np.int64]  # (known pairs,)
    bases: NDArray[np.int64]  # (tables, 64)

    @functools.cached_property
    def relatives(self) -> NDArray[np.int64]:
        """The bases from much finer to much coarser, and the exact ones: (tables, 64)."""
        scales = np.geomspace(1 / LATTICE.relative_scale, LATTICE.relative_scale, LATTICE.relative_scales)
        return _different(np.concatenate([self.exact, scaled(self.bases, scales)]))


def _different(tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return tables (n, 64) without repetitions, sorted; without counts np.unique loads numpy.ma."""
    return np.unique(tables, axis=0, return_counts=True)[0]


def scaled(tables: NDArray[np.int64], scales: Floats) -> NDArray[np.int64]:
    """Return tables (n, 64) at all scales, rounded, in 1..255: (n * scales, 64)."""
    every = np.clip(np.rint(tables[:, None] * scales[:, None]), 1, STEPS).astype(np.int64)
    return every.reshape(-1, 64)


@functools.cache
def prior(channel: int, without: int | None = None) -> Prior:
    """Return the prior of luma (channel 0) or chroma (1), for a test without the known table `without`."""
    standard = jpeg.standard_tables()[:, channel].reshape(100, 64)
    tables = known.tables(channel)
    if without is not None:  # its place and its copies' are a standard table's
        tables = np.where((tables == tables[without]).all(1, keepdims=True), standard[0], tables)
    different, names, _ = np.unique(tables, axis=0, return_inverse=True, return_counts=True)
    same = (different[:, None] == standard).all(2)  # some who write chroma's own table take luma's from libjpeg
    new = ~same.any(1)
    places = np.where(new, 99 + np.cumsum(new), same.argmax(1))
    exact = np.concatenate([standard, different[new]])
    return Prior(exact, places[names.reshape(-1)], np.concatenate([standard[[49]], different[new]]))


@functools.cache
def _kernel(kinds: tuple[float, ...]) -> Floats:
    """Return the chance of a step where a relative's is another: (relative's, STEPS), rows sum to 1."""
    step = np.arange(1.0, STEPS + 1)
    apart = np.abs(np.log(step / step[:, None]))
    near = np.exp(-apart / LATTICE.relative_spread) / step
    beside = (np.abs(step - step[:, None]) == 1).astype(float)
    parts = (np.eye(STEPS), beside, near, np.broadcast_to(1 / step, near.shape))
    weighted = [weight * part / part.sum(1, keepdims=True) for weight, part in zip(kinds, parts, strict=True)]
    kernel: Floats = np.sum(weighted, axis=0)
    return kernel


def or_smooth(counts: NDArray[np.float32], found: NDArray[np.floating], smooth: str, small: SmallSteps) -> Floats:
    """Return how well each step explains histograms (64, bins) of |c|, in nats against no lattice: (64, STEPS).

    `found` are the ratios under the usual noise. In smooth pictures the rounding errors of a block go together and
    reach further around zero, which the noise `smooth` allows for. That is no sign of small steps: without coefficients
    beyond they have no more than larger ones, and
    all together do not speak against a lattice.
    """
    nats: Floats = np.maximum(found, likelihood.ratios(counts, smooth, ENTRIES == 0)).astype(np.float64)
    few = (counts[:, small.reach * RESOLUTION :].sum(1) < LATTICE.small_step_coefficients) & (ENTRIES > 0)
    nats[few, : small.steps] = np.minimum(nats[few, : small.steps], nats[few, small.steps :].max(1, keepdims=True))
    nats[few] -= np.minimum(nats[few].max(1, keepdims=True), 0)
    return nats


def read(nats: Floats, luma: Steps | None = None, without: int | None = None) -> Steps:
    """Return what likelihoods in nats (64, STEPS) tell of a table: luma's, or chroma's where that of `luma` is given.

    `without` is a known table that is left out of the prior, for a test.
    """
    expected = prior(0 if luma is None else 1, without)
    level, beside = None, None
    if luma is not None:  # chroma's steps are about as coarse as beside luma's in the standard tables
        beside = _beside(luma, expected)
        standard = jpeg.standard_tables().reshape(100, 2, 64)
        nearest = int(((standard[:, 0] - luma.mean) ** 2).sum(1).argmin())
        level = float(np.log(standard[nearest, 1]).mean())
    told = posterior(LATTICE.step_evidence * nats, expected, level, beside)
    if luma is None or told.shown.sum() >= LATTICE.whole_entries:
        return told
    return replace(told, exact=min(told.exact, luma.exact))  # few entries do not tell the others of a table alone


def _beside(luma: Steps, expected: Prior) -> Floats:
    """Return the chances of chroma's exact tables (tables,) by those of luma's, whose pairs they are of."""
    standard, known_one = _shares(expected)
    beside = np.zeros(len(expected.exact))
    beside[:100] = standard * luma.standard
    colour = np.array([not pair.gray for pair in known.pairs()])
    np.add.at(beside, expected.names, known_one * luma.known * colour)
    every: Floats = beside * (min(luma.exact, 1.0) / max(float(beside.sum()), np.finfo(float).tiny))
    return every


def _shares(expected: Prior) -> tuple[float, float]:
    """Return the prior chances of each standard and of each known table."""
    kinds = LATTICE.table_kinds
    return kinds.standard / 100, kinds.known / (len(expected.exact) - 100)


def posterior(nats: Floats, expected: Prior, level: float | None = None, beside: Floats | None = None) -> Steps:
    """Return the chances of steps from their likelihoods in nats (64, STEPS) and the tables that are expected.

    `level` is the mean logarithm of the steps that is expected, where one is; `beside` the chances of the exact tables
    (tables,) by what is known of the other channel, whose sum is 1 at most.
    """
    most = nats.max(1, keepdims=True)
    likely = np.exp(nats - most)
    kinds = LATTICE.table_kinds
    exact = nats[ENTRIES, expected.exact - 1].sum(1) + _coarse(expected.exact, level)
    before = np.repeat(_shares(expected), [100, len(expected.exact) - 100])
    if beside is not None:
        pair = LATTICE.pair_chance * beside
        before = before + pair / (1 - pair.sum())
    exact += np.log(before)
    families = [_related(likely, most, expected, kernel, level) for kernel in map(_kernel, LATTICE.relative_kinds)]
    anything = 1 / np.arange(1, STEPS + 1)
    anything /= anything.sum()
    free = float((np.log(likely @ anything) + most[:, 0]).sum()) + np.log(kinds.any)
    weights = [total + np.log(weight) for (total, _), weight in zip(families, kinds.related, strict=True)]
    top = max(float(exact.max()), free, *weights)
    exact = np.exp(exact - top)
    alone = anything * likely
    chances = _spread(expected.exact, exact) + np.exp(free - top) * alone / alone.sum(1, keepdims=True)
    chances += np.sum(
        [np.exp(weight - top) * each for weight, (_, each) in zip(weights, families, strict=True)], axis=0
    )
    total = chances.sum(1, keepdims=True)
    exact /= total[0]
    evidence = top + float(np.log(total[0, 0]))
    named = exact[expected.names]
    return Steps(chances / total, exact[:100], named, float(exact.sum()), shown(nats), evidence)


def _coarse(tables: NDArray[np.int64], level: float | None) -> Floats:
    """Return the logarithm of the chance of how coarse tables (n, 64) are, of any coarseness without `level`."""
    if level is None:
        return np.zeros(len(tables))
    apart = (np.log(tables).mean(1) - level) / LATTICE.chroma_level
    logs: Floats = -np.log1p(apart**2)
    return logs


def shown(nats: Floats) -> NDArray[np.bool_]:
    """Return which entries (64,) have coefficients beyond zero that deny much coarser steps than the likeliest."""
    best = nats.argmax(1)
    lowest = np.minimum.accumulate(nats[:, ::-1], axis=1)[:, ::-1]  # of this step and all coarser ones
    coarser = lowest[ENTRIES, np.minimum(2 * best + 2, STEPS - 1)]
    shown: NDArray[np.bool_] = nats.max(1) - coarser > LATTICE.step_shown
    return shown


def _related(
    likely: Floats, most: Floats, expected: Prior, kernel: Floats, level: float | None
) -> tuple[float, Floats]:
    """Return the nats of "a relative of an expected table" and then the chances of steps (64, STEPS)."""
    around = likely @ kernel.T  # likelihood of a relative's step, whatever the entry's own is
    logs = np.log(around) + most
    tables = expected.relatives
    nats = logs[ENTRIES, tables - 1].sum(1) + _coarse(tables, level)
    closest = tables[np.argsort(-nats)[: LATTICE.closest_relatives]]
    reach = LATTICE.relative_scale ** (2 / (LATTICE.relative_scales - 1))
    finer = scaled(closest, np.geomspace(1 / reach, reach, LATTICE.finer_scales))
    close = logs[ENTRIES, finer - 1].sum(1) + _coarse(finer, level) - np.log(LATTICE.finer_scales)
    nats = np.concatenate([nats, close]) - np.log(len(nats))
    tables = np.concatenate([tables, finer])
    top = float(nats.max())
    weights = np.exp(nats - top)
    chances = (_spread(tables, weights) / around) @ kernel * likely
    return top + float(np.log(weights.sum())), chances / weights.sum()


def _spread(tables: NDArray[np.int64], chances: Floats) -> Floats:
    """Return the chance of every step of every entry, (64, STEPS), by those of whole tables (n, 64)."""
    likely = chances > LATTICE.table_chance
    places = tables[likely] - 1 + ENTRIES * STEPS
    weights = np.broadcast_to(chances[likely, None], places.shape)
    return np.bincount(places.ravel(), weights.ravel(), 64 * STEPS).astype(np.float64).reshape(64, STEPS)
