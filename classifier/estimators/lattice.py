"""The lattice's answer: the quality whose quantisation tables explain the picture's own DCT coefficients best."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.estimators import chroma, double_compression, grid, lattice_clipped, lattice_fit, lattice_score
from classifier.estimators.lattice_score import Reading, Scores
from classifier.estimators.result import Estimate

SURE = 1000.0  # nats on the grid of an uncropped picture beyond which no other grid is looked for
PRESENT = 15.0  # nats that a lattice must be ahead of none: 64 phases x 100 qualities are a choice of 9 nats
SEEN = 2.0  # the same where block edges stand out: that something was compressed is sure, if not how strongly
WEAK = 100.0  # nats of a grid that gives way to one whose edges stand out
ABSENT = 0.3  # nats a block by which every lattice must be worse than none to say "never compressed"
FEWEST_BLOCKS = 100  # that can say "never compressed"
TIE = 5.0  # nats below the best: not told apart
MOST_TIED, WIDEST_TIE = 12, 40  # qualities in a tie set, and from its first to its last; a longer one is no answer
ROUND_NUMBER = 0.5  # nats that a multiple of 5 is ahead: people choose them, and some tables can hardly be told apart
CLOSE = 15.0  # nats: so close to the best, chroma decides
INEXACT = ("blurred", "noisy", "coarse")
INEXACT_FINEST = 94
INEXACT_PRESENT = 60.0  # nats that a lattice must be ahead of none if the pixels were changed after decoding


def find(pixels: NDArray[np.uint8]) -> Reading:
    """Return the best reading of (height, width, 3) uint8 RGB pixels over grids and kinds of noise."""
    first = lattice_score.read(pixels, (0, 0))
    other_tables = lattice_fit.other_tables(first) if first.nats <= SURE else None
    if first.nats > SURE or (other_tables is not None and other_tables.family != "unknown"):
        return first
    best = grid.find_phase(pixels).reading
    if best.nats < WEAK:
        edges = grid.block_edges(pixels)
        reading = best if best.phase == edges.phase else lattice_score.read(pixels, edges.phase)
        if edges.visible and strong_only(reading).nats > SEEN:
            return replace(strong_only(reading), grid_seen=True)
        if edges.visible or reading.nats > PRESENT:
            best = reading  # what a grid without visible edges seems to say is chance
    if best.nats > PRESENT:
        return best
    for noise in INEXACT:
        other = strong_only(lattice_score.with_noise(best, noise))
        if other.nats > max(best.nats, INEXACT_PRESENT):
            best = other
    return best


def says_never(reading: Reading) -> bool:
    """Tell whether blocks enough say that there never was a lattice."""
    used = reading.scores.used
    return used >= FEWEST_BLOCKS and reading.nats < -ABSENT * used


def tied(scores: Scores) -> tuple[int, ...]:
    """Return the qualities that the blocks do not tell from the likeliest one."""
    return tuple(int(q) for q in np.flatnonzero(scores.nats >= scores.nats.max() - TIE) + 1)


def strong_only(reading: Reading) -> Reading:
    """Leave out the qualities whose steps are no wider than the noise that the reading allows for."""
    scores = reading.scores
    nats = np.where(np.arange(1, 101) <= INEXACT_FINEST, scores.nats, np.minimum(scores.nats, scores.nats.min()))
    return replace(reading, scores=replace(scores, nats=nats))


def with_chroma(luma: Scores, colour: chroma.Chroma | None) -> Scores:
    """Return the scores with the chroma's added among the qualities that luma leaves, if chroma shows a lattice."""
    if colour is None or colour.nats.max() < PRESENT:
        return luma
    close = luma.nats > luma.nats.max() - CLOSE
    nats = np.where(close, luma.nats + colour.nats - colour.nats[close].max(), luma.nats - CLOSE)
    return replace(luma, nats=nats)


class LatticeEstimator:
    """Estimates from the pixels alone, without weights; may be shared by threads."""

    def __init__(self, thorough: bool = False) -> None:
        """`thorough` looks for an earlier compression on every other grid, which takes some 0.3 seconds more."""
        self.thorough = thorough

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for (height, width, 3) uint8 RGB pixels of any size.

        The quality is that of the last compression; evidence["lattice"]["earlier"] names a stronger one before it.
        """
        started = time.perf_counter()
        reading = find(pixels)
        if not says_never(reading) and (reading.nats < WEAK or reading.scores.margin < CLOSE):
            reading = lattice_clipped.read_more(pixels, reading)
        blocks = (pixels.shape[0] // 8) * (pixels.shape[1] // 8)
        pair = None
        if reading.noise == "exact" and reading.counts.textured[0].any():  # without DC, pixels were changed since
            scores = reading.scores
            pair = double_compression.search(reading.counts.textured, scores.textured, scores.misfit)
        explained = reading.grid_seen or reading.nats > PRESENT or pair is not None
        if explained or lattice_fit.other_tables(reading) is not None:
            answer = self._compressed(pixels, reading, pair, blocks)
        else:
            answer = self._nothing(pixels, reading, blocks)
        return replace(answer, seconds=time.perf_counter() - started)

    def _nothing(self, pixels: NDArray[np.uint8], reading: Reading, blocks: int) -> Estimate:
        """Return why there is no number: never compressed, changed since, or too little to say.

        Not `answerable` is what is so far from other pictures that a network's intervals do not hold either.
        """
        used = reading.scores.used
        verdict, reason = "unknown", f"unknown: no lattice shows in the {used} blocks that could say"
        answerable = True
        if says_never(reading):
            verdict, reason = "never", "no JPEG trace"
            if grid.block_edges(pixels).visible:
                verdict = "changed"
                reason = "unknown: blocks of a JPEG show, but no lattice: changed after the compression"
        elif used == 0:
            answerable, reason = False, "unknown: no block could say, all are flat or clipped"
        elif reading.nats < -max(ABSENT * used, TIE):
            answerable = False
            reason = f"unknown: the {used} blocks that could say deny a lattice, too few to be sure"
        left = tied(reading.scores)
        ties = left if verdict == "unknown" and len(left) < 100 else ()
        evidence = {"verdict": verdict, "nats": round(reading.nats, 1), "blocks": used, "answerable": answerable}
        return Estimate(None, used, blocks, tie_set=ties, reason=reason, evidence={"lattice": evidence})

    def _compressed(
        self, pixels: NDArray[np.uint8], reading: Reading, pair: double_compression.Pair | None, blocks: int
    ) -> Estimate:
        """Return the last quality, what it is tied with, and an earlier one if there are traces of it."""
        scores, nats, colour, earlier = reading.scores, reading.nats, None, None
        ties: tuple[int, ...]
        other_tables = lattice_fit.other_tables(reading, pair.total if pair else 0.0)
        if other_tables is not None:
            return self._not_standard(reading, other_tables, blocks)
        if pair is not None:
            quality, ties, margin, nats = pair.last, pair.last_ties, pair.margin, pair.total
            earlier = {"quality": pair.first, "phase": list(reading.phase), "nats": round(pair.gain, 1)}
            earlier["tie_set"] = list(pair.first_ties)
        else:
            if scores.margin < CLOSE and not reading.grid_seen:  # too smooth a picture's chroma misleads
                colour = chroma.scores(pixels, reading.phase)
                scores = with_chroma(scores, colour)
            likely = scores.nats + ROUND_NUMBER * (np.arange(1, 101) % 5 == 0)
            quality, margin = int(likely.argmax()) + 1, scores.margin
            ties = tied(scores)
            if len(ties) > MOST_TIED or ties[-1] - ties[0] > WIDEST_TIE:
                return self._too_many(reading, ties, blocks)
            if reading.noise == "exact":
                other = double_compression.search_shifted(pixels, reading.phase, quality, self.thorough)
                if other is not None:
                    earlier = {"quality": other.quality, "phase": list(other.phase), "nats": round(other.nats, 1)}
        evidence: dict[str, Any] = {
            "verdict": "compressed",
            "tables": "standard",
            "quality": quality,
            "margin": round(margin, 1),
            "nats": round(nats, 1),
            "phase": list(reading.phase),
            "noise": reading.noise,
            "subsampling": colour.subsampling if colour and colour.nats.max() > PRESENT else None,
            "blocks": scores.used,
            "earlier": earlier,
        }
        return Estimate(float(quality), scores.used, blocks, tie_set=ties, evidence={"lattice": evidence})

    def _too_many(self, reading: Reading, ties: tuple[int, ...], blocks: int) -> Estimate:
        """Return that the picture was compressed, and that its blocks do not tell how strongly."""
        used = reading.scores.used
        fitting = f"{len(ties)} qualities alike, {ties[0]} to {ties[-1]}"
        reason = f"unknown: compressed, but the {used} blocks that could say fit {fitting}"
        evidence = {"verdict": "unknown", "nats": round(reading.nats, 1), "phase": list(reading.phase), "blocks": used}
        return Estimate(None, used, blocks, tie_set=ties, reason=reason, evidence={"lattice": evidence})

    def _not_standard(self, reading: Reading, tables: lattice_fit.Tables, blocks: int) -> Estimate:
        """Return the standard quality nearest to tables that are not standard, or why there is none."""
        evidence: dict[str, Any] = {
            "verdict": "compressed",
            "tables": "not standard",
            "family": tables.family,
            "quality": tables.nearest,
            "margin": round(tables.missed, 1),
            "nats": round(reading.nats, 1),
            "phase": list(reading.phase),
            "noise": reading.noise,
            "steps": tables.determined,
            "blocks": reading.scores.used,
            "earlier": None,
        }
        used = reading.scores.used
        if tables.nearest is None or tables.interval is None:
            reason = f"the quantisation tables are not standard ({tables.determined} of 63 steps could be read)"
            return Estimate(None, used, blocks, reason=reason, evidence={"lattice": evidence})
        low, high = tables.interval
        return Estimate(
            float(tables.nearest), used, blocks, interval=(float(low), float(high)), evidence={"lattice": evidence}
        )
