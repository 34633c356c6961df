"""The lattice's answer: the quality whose quantisation tables explain the picture's own DCT coefficients best."""

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.lattice_evidence import LatticeEvidence, earlier_of, seen_by
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.lattice import (
    blocks,
    clipped,
    fit,
    grid,
    history,
    planes,
    score,
    search,
    tables,
    whole,
)
from q1net_msroi.classifier.lattice.score import Reading
from q1net_msroi.classifier.lattice.settings import LATTICE


class LatticeEstimator:
    """Estimates from the pixels alone, without weights; may be shared by threads."""

    def __init__(self, tables: bool = False) -> None:
        """With `tables` the evidence has those of standard qualities too."""
        self._tables = tables

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for (height, width, 3) uint8 RGB pixels of any size.

        The quality is that of the last compression; the evidence's `earlier` is that of a stronger one before it.
        """
        started = time.perf_counter()
        reading = search.find(pixels)
        if not search.says_never(reading) and (
            reading.nats < LATTICE.edges_overrule or reading.scores.margin < LATTICE.chroma_decides
        ):
            reading = clipped.read_more(pixels, reading)
        used, parts = reading.scores.used, (pixels.shape[0] // 8) * (pixels.shape[1] // 8)
        turned = reading.turned or None
        seen = LatticeEvidence(
            verdict="unknown", nats=round(reading.nats, 1), blocks=used, used=used, parts=parts, turned=turned
        )
        answer = self._exact(pixels, reading, seen)
        if answer is None or seen_by(answer).verdict == "changed":
            other = search.inexact(reading)
            answer = self._inexact(other, replace(seen, nats=round(other.nats, 1))) if other else answer
        return replace(answer or self._nothing(pixels, reading, seen), seconds=time.perf_counter() - started)

    def _exact(self, pixels: NDArray[np.uint8], reading: Reading, seen: LatticeEvidence) -> Estimate | None:
        """Return the answer for a decoder's own pixels, None where no lattice shows."""
        residuals = fit.Residuals(reading.counts.textured)
        found = tables.standard(reading, residuals)
        explained = found.nats if found else 0.0
        fine = found is not None and found.first is None and found.quality > LATTICE.fine_last
        missed = tables.missed(reading, explained, fine) or tables.is_mozjpeg(reading, residuals)
        others = tables.others(reading, residuals, explained) if missed else None
        free, points = tables.free_nats(reading.scores.ratios), search.beyond_zero(reading)
        few = others is not None and others.family == "unknown" and others.determined < LATTICE.fewest_steps
        unsure = few and found is not None and found.sure
        if others is not None and not unsure and search.proves(reading, seen.parts, free, LATTICE.drawn_points):
            return self._not_standard(pixels, reading, others, seen)
        shown = reading.grid_seen or reading.nats > LATTICE.presence
        shown = shown and search.proves(reading, seen.parts, reading.nats, points)
        if not shown and (found is None or found.first is None):
            return None
        if found is None or (missed and not found.sure):
            return self._denied(reading, seen)
        answer = self._compressed(pixels, reading, found, seen)
        return _with_tables(pixels, reading, answer) if self._tables else answer

    def _inexact(self, reading: Reading, seen: LatticeEvidence) -> Estimate | None:
        """Return the answer for pixels that were changed a little since, None where hardly a coefficient tells."""
        fits = fit.Residuals(reading.counts.textured, reading.noise).fit(tables.luma_tables())
        ties = search.tied(reading.scores)
        drawn = search.is_drawn(reading, seen.parts) and reading.nats < LATTICE.no_other_grid
        if drawn or search.beyond_zero(reading) < LATTICE.drawn_points:
            return None
        coarse = ties[-1] <= LATTICE.low_quality  # other tables' peaks would lie far off
        limit = LATTICE.fit_spread_coarse if coarse else LATTICE.fit_spread
        if fits.spread[[quality - 1 for quality in ties]].max() > limit:
            return self._denied(reading, seen)
        return self._named(reading, reading.scores, ties, seen)

    def _denied(self, reading: Reading, seen: LatticeEvidence) -> Estimate:
        """Return that a lattice shows, but none of a table: contrast or brightness were scaled since, or the like."""
        reason = "no quantisation table fits: contrast, levels or colours were changed since a compression, or none was"
        return Estimate(None, reason=reason, evidence=replace(seen, verdict="changed", phase=reading.phase))

    def _named(self, reading: Reading, scores: score.Scores, ties: tuple[int, ...], seen: LatticeEvidence) -> Estimate:
        """Return the likeliest quality, or that too many are alike."""
        seen = replace(seen, phase=reading.phase)
        if not search.is_answer(ties):
            fitting = f"{len(ties)} qualities alike, {ties[0]} to {ties[-1]}"
            reason = f"compressed, but the {seen.blocks} blocks that could say fit {fitting}"
            return Estimate(None, tie_set=ties, reason=reason, evidence=seen)
        quality = search.likeliest(scores)
        evidence = replace(
            seen, verdict="compressed", tables="standard", quality=quality, margin=round(scores.margin, 1),
            noise=reading.noise,
        )  # fmt: skip
        return Estimate(float(quality), tie_set=ties, evidence=evidence)

    def _nothing(self, pixels: NDArray[np.uint8], reading: Reading, seen: LatticeEvidence) -> Estimate:
        """Return why there is no number: never compressed, changed since, or too little to say."""
        used = seen.blocks
        verdict, answerable, reason = "unknown", True, f"no lattice shows in the {used} blocks that could say"
        if search.says_never(reading):
            rgb = planes.read(pixels, reading.phase, LATTICE.channel_blocks)
            if rgb.nats > LATTICE.channel_presence and rgb.scores.used >= LATTICE.never_blocks:
                told = replace(
                    seen, nats=round(rgb.nats, 1), blocks=rgb.scores.used, used=rgb.scores.used, colours="RGB"
                )
                if answer := self._exact(pixels, rgb, told):
                    return answer
            verdict, reason = "never", "no JPEG trace: never compressed, or resized since"
            if grid.block_edges(pixels).visible:
                verdict = "changed"
                reason = "edges of blocks show, but no JPEG's lattice: another codec's, or changed since"
        elif used == 0:
            answerable, reason = False, "no block could say, all are flat or clipped"
        elif search.is_drawn(reading, seen.parts):
            others = "the others are flat, clipped or alike"
            answerable, reason = False, f"only {used} of {seen.parts} blocks could say something, {others}"
        elif reading.nats < -max(LATTICE.never_per_block * used, LATTICE.tie):
            answerable, reason = False, f"the {used} blocks that could say deny a lattice, too few to be sure"
        left = search.tied(reading.scores)
        ties = left if verdict == "unknown" and len(left) < len(reading.scores.nats) else ()
        return Estimate(
            None, tie_set=ties, reason=reason, evidence=replace(seen, verdict=verdict, answerable=answerable)
        )

    def _compressed(
        self, pixels: NDArray[np.uint8], reading: Reading, found: tables.Standard, seen: LatticeEvidence
    ) -> Estimate:
        """Return the last quality, what it is tied with, and an earlier one if there are traces of it."""
        scores = search.without(reading.scores, found.allowed)
        if found.quality > LATTICE.fine_last and not whole.denies_upright(reading):  # hardly differs from a turned one
            seen = replace(seen, turned=None)
        wide = tables.of_16_bits(reading.counts.textured) if found.quality <= LATTICE.low_quality else None
        if wide is not None or found.first is not None:
            quality, ties = (wide, (wide,)) if wide is not None else (found.quality, found.ties)
            evidence = replace(
                seen, verdict="compressed", tables="standard", quality=quality, phase=reading.phase, noise=reading.noise
            )
            if wide is None:
                margin, nats, earlier = round(found.margin, 1), round(found.nats, 1), earlier_of(found.first)
                evidence = replace(evidence, margin=margin, nats=nats, earlier=earlier)
            return Estimate(float(quality), tie_set=ties, evidence=evidence)
        misleads = reading.grid_seen or seen.colours is not None  # a too smooth picture's chroma; and RGB has none
        colour = None if misleads else whole.colour(pixels, reading.phase, reading.turned)
        if scores.margin < LATTICE.chroma_decides:
            scores = search.with_chroma(scores, colour)
        if colour is not None and colour.clear:
            seen = replace(seen, subsampling=colour.way.name)
        answer = self._named(reading, scores, search.tied(scores), replace(seen, partly=found.partly or None))
        if answer.quality is None:
            return answer
        second = None if misleads else whole.other_chroma(colour, answer.tie_set)
        standard = seen.colours is not None or whole.standard_luma(reading, answer.tie_set)
        if second == whole.OTHER or standard is False:
            return self._not_standard(pixels, reading, tables.Tables("unknown", 0.0), seen)
        if standard is None:
            reason = f"compressed, but the {seen.blocks} blocks that could say fit other tables as well"
            return Estimate(None, reason=reason, evidence=replace(seen, phase=reading.phase))
        if found.partly:
            return answer
        if second is not None:
            answer = _of_two(answer, second)
        below = int(answer.quality or 0) - LATTICE.quality_gap + 1
        earlier = earlier_of(history.shifted(pixels, reading.phase, below))
        evidence = replace(seen_by(answer), earlier=earlier)
        return replace(answer, evidence=evidence)

    def _not_standard(
        self, pixels: NDArray[np.uint8], reading: Reading, found: tables.Tables, seen: LatticeEvidence
    ) -> Estimate:
        """Return the standard quality nearest to tables that are not standard, or why there is none."""
        luma = whole.read(reading)
        colour = None if seen.colours else whole.colour(pixels, reading.phase, luma.turned)
        told = whole.with_chroma(luma, colour)
        steps, determined = told.luma.determined, int((told.luma.determined[1:] > 0).sum())
        enough = found.interval is not None or determined >= LATTICE.fewest_steps
        nearest, interval = (found.nearest, found.interval) if found.interval else (told.nearest, told.interval)
        if interval[1] - interval[0] > LATTICE.widest_table:  # some entries were moved, others not
            return self._denied(reading, seen)
        earlier = None
        if enough:
            below = nearest - LATTICE.quality_gap + 1
            counts = reading.counts.textured
            counts = counts[blocks.TRANSPOSED] if reading.turned and not told.turned else counts
            first = history.Aligned(history.points(counts, steps), steps).first(below, reading.phase)
            earlier = earlier_of(first or history.shifted(pixels, reading.phase, below))
        evidence = replace(
            seen, verdict="compressed", tables="not standard", family=found.family, quality=nearest if enough else None,
            margin=round(found.missed, 1), phase=reading.phase, noise=reading.noise, steps=determined, turned=None,
            subsampling=told.subsampling, written_by=told.name or None, earlier=earlier,
            luma_table=_steps(told.told[0]), chroma_table=_steps(told.told[1]),
        )  # fmt: skip
        if not enough:
            reason = f"the quantisation tables are not standard ({determined} of 63 steps could be read)"
            return Estimate(None, reason=reason, evidence=evidence)
        low, high = interval
        return Estimate(float(nearest), (float(low), float(high)), evidence=evidence)


def _steps(table: NDArray[np.int64] | None) -> tuple[int, ...] | None:
    return None if table is None else tuple(table.tolist())


def _with_tables(pixels: NDArray[np.uint8], reading: Reading, answer: Estimate) -> Estimate:
    """Return an answer with standard tables: what all qualities left have in common, and what chroma itself tells.

    Steps of 255 of the lowest qualities are not told: there are programs that write larger ones.
    """
    seen = seen_by(answer)
    if seen.luma_table is not None or answer.quality is None:
        return answer
    of_quality = whole.standard_tables()[np.array(answer.tie_set) - 1]
    luma = np.where((of_quality[:, 0] == of_quality[0, 0]).all(0), of_quality[0, 0], 0)
    if min(answer.tie_set) <= LATTICE.low_quality:
        luma = np.where(luma == of_quality.max(), 0, luma)
    misleads = reading.grid_seen or seen.colours is not None or seen.partly
    colour = None if misleads else whole.colour(pixels, reading.phase, reading.turned)
    found = whole.with_chroma(whole.read(reading), colour).chroma
    chroma = None if found is None else found.determined
    if chroma is not None and seen.chroma_quality is None:
        chroma = np.where((of_quality[:, 1] == chroma).any(0), chroma, 0)
    return replace(answer, evidence=replace(seen, luma_table=_steps(luma), chroma_table=_steps(chroma)))


def _of_two(answer: Estimate, chroma: int) -> Estimate:
    """Return an answer for luma as one for two qualities, with chroma's."""
    evidence = replace(seen_by(answer), tables="not standard", family="standard", chroma_quality=chroma)
    ends = (float(evidence.quality or 0), float(chroma))
    return replace(answer, interval=(min(ends), max(ends)), evidence=evidence)
