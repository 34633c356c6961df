"""The lattice's answer: the quality whose quantisation tables explain the picture's own DCT coefficients best."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.lattice import chroma, clipped, grid, pairs, search, tables
from q1net_msroi.classifier.lattice.score import Reading


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
        reading = search.find(pixels)
        if not search.says_never(reading) and (reading.nats < search.WEAK or reading.scores.margin < search.CLOSE):
            reading = clipped.read_more(pixels, reading)
        blocks = (pixels.shape[0] // 8) * (pixels.shape[1] // 8)
        pair = None
        if reading.noise == "exact" and reading.counts.textured[0].any():  # without DC, pixels were changed since
            scores = reading.scores
            pair = pairs.search(reading.counts.textured, scores.textured, scores.misfit)
        explained = reading.grid_seen or reading.nats > search.PRESENT or pair is not None
        if explained or tables.other_tables(reading) is not None:
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
        if search.says_never(reading):
            verdict, reason = "never", "no JPEG trace"
            if grid.block_edges(pixels).visible:
                verdict = "changed"
                reason = "unknown: blocks of a JPEG show, but no lattice: changed after the compression"
        elif used == 0:
            answerable, reason = False, "unknown: no block could say, all are flat or clipped"
        elif reading.nats < -max(search.ABSENT * used, search.TIE):
            answerable = False
            reason = f"unknown: the {used} blocks that could say deny a lattice, too few to be sure"
        left = search.tied(reading.scores)
        ties = left if verdict == "unknown" and len(left) < 100 else ()
        evidence = {"verdict": verdict, "nats": round(reading.nats, 1), "blocks": used, "answerable": answerable}
        return Estimate(None, used, blocks, tie_set=ties, reason=reason, evidence={"lattice": evidence})

    def _compressed(
        self, pixels: NDArray[np.uint8], reading: Reading, pair: pairs.Pair | None, blocks: int
    ) -> Estimate:
        """Return the last quality, what it is tied with, and an earlier one if there are traces of it."""
        scores, nats, colour, earlier = reading.scores, reading.nats, None, None
        ties: tuple[int, ...]
        other_tables = tables.other_tables(reading, pair.total if pair else 0.0)
        if other_tables is not None:
            return self._not_standard(reading, other_tables, blocks)
        if pair is not None:
            quality, ties, margin, nats = pair.last, pair.last_ties, pair.margin, pair.total
            earlier = {"quality": pair.first, "phase": list(reading.phase), "nats": round(pair.gain, 1)}
            earlier["tie_set"] = list(pair.first_ties)
        else:
            if scores.margin < search.CLOSE and not reading.grid_seen:  # too smooth a picture's chroma misleads
                colour = chroma.scores(pixels, reading.phase)
                scores = search.with_chroma(scores, colour)
            likely = scores.nats + search.ROUND_NUMBER * (np.arange(1, 101) % 5 == 0)
            quality, margin = int(likely.argmax()) + 1, scores.margin
            ties = search.tied(scores)
            if len(ties) > search.MOST_TIED or ties[-1] - ties[0] > search.WIDEST_TIE:
                return self._too_many(reading, ties, blocks)
            if reading.noise == "exact":
                other = pairs.search_shifted(pixels, reading.phase, quality, self.thorough)
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
            "subsampling": colour.subsampling if colour and colour.nats.max() > search.PRESENT else None,
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

    def _not_standard(self, reading: Reading, found: tables.Tables, blocks: int) -> Estimate:
        """Return the standard quality nearest to tables that are not standard, or why there is none."""
        evidence: dict[str, Any] = {
            "verdict": "compressed",
            "tables": "not standard",
            "family": found.family,
            "quality": found.nearest,
            "margin": round(found.missed, 1),
            "nats": round(reading.nats, 1),
            "phase": list(reading.phase),
            "noise": reading.noise,
            "steps": found.determined,
            "blocks": reading.scores.used,
            "earlier": None,
        }
        used = reading.scores.used
        if found.nearest is None or found.interval is None:
            reason = f"the quantisation tables are not standard ({found.determined} of 63 steps could be read)"
            return Estimate(None, used, blocks, reason=reason, evidence={"lattice": evidence})
        low, high = found.interval
        return Estimate(
            float(found.nearest), used, blocks, interval=(float(low), float(high)), evidence={"lattice": evidence}
        )
