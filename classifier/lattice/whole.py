"""Both quantisation tables of a picture: what its luma and chroma tell of them, whose they are, and what is near."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, chroma, fit, known, likelihood, steps, tables
from q1net_msroi.classifier.lattice.score import Reading
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

Pixels = NDArray[np.uint8]
OTHER = 0  # in place of a quality: of no standard table
MOST_NAMES = 2  # that are told of one picture


@functools.cache
def standard_tables() -> NDArray[np.int64]:
    """Return the standard tables of qualities 1..100, luma and chroma: (100, 2, 64)."""
    return jpeg.standard_tables().reshape(100, 2, 64)


@dataclass(frozen=True)
class Whole:
    """What a picture tells of its tables: of `luma`, of `chroma` where a lattice shows there, and of the subsampling.

    `turned` tells that rows and columns changed places since; the tables are those before.
    """

    luma: steps.Steps
    turned: bool = False
    chroma: steps.Steps | None = None
    subsampling: str | None = None

    @property
    def _mean(self) -> NDArray[np.float64]:
        """The steps (tables, 64) by their chances; chroma's where enough of them are told."""
        told = self.chroma is not None and (self.chroma.determined > 0).sum() >= LATTICE.chroma_steps
        return np.stack([each.mean for each in (self.luma, self.chroma if told else None) if each is not None])

    @property
    def nearest(self) -> int:
        """The standard quality nearest to all steps by least squares."""
        mean = self._mean
        return int(((standard_tables()[:, : len(mean)] - mean) ** 2).sum((1, 2)).argmin()) + 1

    @property
    def interval(self) -> tuple[int, int]:
        """The standard qualities between which the nearest ones of nine tenths of the single steps lie."""
        mean = self._mean
        single = np.abs(standard_tables()[:, : len(mean)] - mean).argmin(0) + 1
        low, high = np.percentile(single, LATTICE.header_percentiles)
        return min(int(low), self.nearest), max(int(np.ceil(high)), self.nearest)

    @property
    def told(self) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """The steps (64,) of luma and chroma as the picture lies now, 0 where they are not told."""
        luma, colours = self.luma.determined, None if self.chroma is None else self.chroma.determined
        if not self.turned:
            return luma, colours
        return luma[blocks.TRANSPOSED], None if colours is None else colours[blocks.TRANSPOSED]

    @property
    def name(self) -> str:
        """Who writes such tables, empty where known pairs of others are left too, or nobody knows whose they are."""
        if self.chroma is None:
            chance = self.luma.known * (steps.prior(0).names >= len(self.luma.standard))  # libjpeg's luma is no sign
        else:
            chance = self.luma.known * self.chroma.known  # pairs that share a table share its chance
            total = float(chance.sum() + self.luma.standard @ self.chroma.standard)
            chance = chance * self.luma.exact * self.chroma.exact / max(total, np.finfo(float).tiny)
        left = {pair.name for pair, each in zip(known.pairs(), chance, strict=True) if each > 1 - LATTICE.step_chance}
        told = "" not in left and len(left) <= MOST_NAMES and chance.sum() > LATTICE.step_chance
        return " or ".join(sorted(left)) if told else ""


def colour(pixels: Pixels, phase: tuple[int, int], turned: bool = False) -> chroma.Chroma | None:
    """Return what the chroma of (height, width, 3) uint8 RGB pixels says on luma's grid, turned back where it was."""
    if turned:
        return chroma.scores(pixels.swapaxes(0, 1), phase[::-1])
    return chroma.scores(pixels, phase)


def denials(
    counts: NDArray[np.float32], nats: NDArray[np.floating], noise: str, channel: int, slack: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return by how many nats, (100,), entries deny each standard table, and how many entries do.

    `counts` (64, bins) and `nats` (64, STEPS) are of luma (channel 0) or chroma (1); an entry may lack `slack` nats.
    Coefficients that lie on a lattice do not deny it, though another step may be likelier: of two compressions the
    first leaves only some of the last one's points.
    """
    steps_of_quality, rows = standard_tables()[:, channel, 1:], steps.ENTRIES[1:]
    lacks = nats[1:].max(1) - nats[rows, steps_of_quality - 1]
    residuals = fit.Residuals(counts, noise)
    away, number = (each[rows, steps_of_quality - 1] for each in (residuals.excess, residuals.number))
    best = nats[1:].argmax(1)  # fast transforms move coefficients, so that they lie on no other coarse lattice either
    fits = residuals.excess[rows, best] < LATTICE.other_fit * residuals.number[rows, best]
    coarse = (2 * best > steps_of_quality) | (best >= LATTICE.coarse_step)
    clean = fits & coarse & (away > LATTICE.other_excess * number)
    beyond = np.where(clean, np.maximum(np.minimum(lacks, away) - slack, 0), 0.0)
    return beyond.sum(1), (beyond > 0).sum(1)


def standard_luma(reading: Reading, qualities: Sequence[int]) -> bool | None:
    """Tell whether luma's table is a standard one, of which these `qualities` are likely; None where few blocks speak
    and other tables are as likely.
    """
    ratios = reading.scores.ratios
    if not tables.untouched(ratios):
        return True  # something moved some entries
    total, _ = denials(reading.counts.textured, ratios, reading.noise, 0, LATTICE.entry_slack)
    denied = total[np.array(qualities) - 1].min() > LATTICE.luma_denial or reading.dc is not None
    of_tables = _luma_nats(reading)[steps.ENTRIES, steps.prior(0).exact - 1].sum(1)
    ahead = of_tables[100:].max() > of_tables[:100].max() + LATTICE.luma_denial  # where its steps are multiples
    few = float(reading.scores.textured.max()) < LATTICE.few_nats
    if not (denied or ahead or few):
        return True
    told = read(reading)
    chance = float(told.luma.standard.sum())
    if (denied or ahead) and (told.turned != reading.turned or chance < LATTICE.other_tables):
        return False
    return None if few and chance < LATTICE.unsure_tables else True


def other_chroma(seen: chroma.Chroma | None, qualities: Sequence[int]) -> int | None:
    """Return the quality of chroma's table where it is none of `qualities`, `OTHER` where no standard one fits."""
    if seen is None or not seen.clear:
        return None
    noise = "chroma_wider" if seen.way.filtered else "exact"
    total, number = denials(seen.counts, seen.ratios, noise, 1, LATTICE.entry_slack)
    allowed = (total <= LATTICE.chroma_denial) | (number < LATTICE.chroma_entries)
    if allowed[np.array(qualities) - 1].any():
        return None
    explained = seen.nats > LATTICE.chroma_share * float(seen.ratios.max(1).sum())  # fine steps deny hardly anything
    fitting = allowed & explained
    return int(np.where(fitting, seen.nats, -np.inf).argmax()) + 1 if fitting.any() else OTHER


def denies_upright(reading: Reading) -> bool:
    """Tell whether a turned reading's coefficients deny every standard table as they lie, fine ones too."""
    upright = likelihood.sum_tables(reading.scores.ratios[blocks.TRANSPOSED], steps.ENTRIES)
    return bool(upright.max() < reading.scores.textured.max() - LATTICE.upright_denial)


def _luma_nats(reading: Reading) -> NDArray[np.float64]:
    """Return how well each step explains the textured blocks' luma: (64, STEPS)."""
    nats = steps.or_smooth(reading.counts.textured, reading.scores.ratios, "smooth", LATTICE.small_luma)
    if reading.dc is not None:
        nats[0] = reading.dc
    return nats


def read(reading: Reading, without: int | None = None) -> Whole:
    """Return what a reading of luma tells of its table.

    Of pictures that seem turned the table as it is, where this explains more than standard ones turned. `without` is a
    known pair that is left out of the prior, for a test.
    """
    nats = _luma_nats(reading)
    luma = steps.read(nats, None, without)
    if reading.turned:
        unturned = steps.read(nats[blocks.TRANSPOSED], None, without)
        if unturned.evidence > luma.evidence - LATTICE.turned_nats:
            return Whole(unturned)
    return Whole(luma, reading.turned)


def with_chroma(luma: Whole, seen: chroma.Chroma | None, without: int | None = None) -> Whole:
    """Return what is told of luma's table, and of chroma's where a lattice is clear."""
    if seen is None or not seen.clear:
        return luma
    told = steps.read(seen.ratios, luma.luma, without)
    return replace(luma, chroma=told, subsampling=seen.way.name)
