"""The lattice's answer: the quality whose quantisation tables explain the picture's own DCT coefficients best."""

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.result import Estimate, Evidence, any_of, named, number
from q1net_msroi.classifier.lattice import chroma, clipped, grid, pairs, search, tables
from q1net_msroi.classifier.lattice.score import Reading
from q1net_msroi.classifier.lattice.settings import LATTICE


@dataclass(frozen=True)
class Earlier:
    """A stronger compression before the last one, on the grid that begins at `phase` (y, x).

    `nats` is its log-likelihood ratio against none; `tie_set` are the qualities that cannot be told apart, None where
    they were not compared.
    """

    quality: int
    phase: tuple[int, int]
    nats: float
    tie_set: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class LatticeEvidence(Evidence):
    """What the blocks show, of which `blocks` could say something.

    `verdict` is compressed, never, changed (since a compression) or unknown; `tables` standard or not standard: then
    `family` names them and `steps` of them could be read. `nats` is the log-likelihood ratio against no lattice,
    `margin` against the next quality. Not `answerable` is a picture on which a network's intervals do not hold either.
    """

    kind: ClassVar[str] = "lattice"
    verdict: str
    tables: str | None = None
    family: str | None = None
    quality: int | None = None
    margin: float | None = None
    nats: float = 0.0
    phase: tuple[int, int] | None = None
    noise: str | None = None
    subsampling: str | None = None
    steps: int | None = None
    blocks: int = 0
    answerable: bool | None = None
    earlier: Earlier | None = None
    tie_set: tuple[int, ...] | None = None

    @property
    def earlier_quality(self) -> float | None:
        """The quality of an earlier compression, None without traces of one."""
        return None if self.earlier is None else float(self.earlier.quality)

    @property
    def standard(self) -> bool:
        """Whether no other tables than the standard ones were found."""
        return self.tables != "not standard"

    def sentence(self, answer: Estimate) -> str:
        """Return the answer as a sentence; it names all qualities that the blocks leave."""
        if not self.standard:
            return f"compressed with tables that are not standard, near to {number(answer.quality)}{answer.range_text}"
        if len(answer.tie_set) > 1:
            return f"compressed at {any_of(answer.tie_set)}: the pixels cannot tell these apart"
        return f"compressed at {number(answer.quality)}"

    def values(self) -> dict[str, Any]:
        """Return what is told, without what was not looked for."""
        looked_for = ("subsampling" if self.standard else "quality", "earlier") if self.tables else ()
        told = {name: value for name, value in super().values().items() if value is not None or name in looked_for}
        if self.earlier is not None and self.earlier.tie_set is None:
            del told["earlier"]["tie_set"]
        return told

    def lines(self) -> list[str]:
        """Return one line, an earlier compression last."""
        told, before = named(self.values() | {"earlier": None}), ""
        if self.earlier is not None:
            first = any_of(self.earlier.tie_set or (self.earlier.quality,))
            before = f", earlier quality {first} on the grid at {list(self.earlier.phase)}"
        return [f"lattice: {told}{before}"]


class LatticeEstimator:
    """Estimates from the pixels alone, without weights; may be shared by threads."""

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
        used, blocks = reading.scores.used, (pixels.shape[0] // 8) * (pixels.shape[1] // 8)
        seen = LatticeEvidence(verdict="unknown", nats=round(reading.nats, 1), blocks=used, used=used, parts=blocks)
        pair = None
        if reading.noise == "exact" and reading.counts.textured[0].any():  # without DC, pixels were changed since
            scores = reading.scores
            pair = pairs.search(reading.counts.textured, scores.textured, scores.misfit)
        explained = reading.grid_seen or reading.nats > LATTICE.presence or pair is not None
        other_tables = tables.other_tables(reading, pair.total if pair else 0.0)
        if other_tables is not None:
            answer = self._not_standard(reading, other_tables, seen)
        elif explained:
            answer = self._compressed(pixels, reading, pair, seen)
        else:
            answer = self._nothing(pixels, reading, seen)
        return replace(answer, seconds=time.perf_counter() - started)

    def _nothing(self, pixels: NDArray[np.uint8], reading: Reading, seen: LatticeEvidence) -> Estimate:
        """Return why there is no number: never compressed, changed since, or too little to say."""
        used = seen.blocks
        verdict, answerable, reason = "unknown", True, f"no lattice shows in the {used} blocks that could say"
        if search.says_never(reading):
            verdict, reason = "never", "no JPEG trace"
            if grid.block_edges(pixels).visible:
                verdict, reason = "changed", "blocks of a JPEG show, but no lattice: changed after the compression"
        elif used == 0:
            answerable, reason = False, "no block could say, all are flat or clipped"
        elif reading.nats < -max(LATTICE.never_per_block * used, LATTICE.tie):
            answerable, reason = False, f"the {used} blocks that could say deny a lattice, too few to be sure"
        left = search.tied(reading.scores)
        ties = left if verdict == "unknown" and len(left) < len(reading.scores.nats) else ()
        return Estimate(
            None, tie_set=ties, reason=reason, evidence=replace(seen, verdict=verdict, answerable=answerable)
        )

    def _compressed(
        self, pixels: NDArray[np.uint8], reading: Reading, pair: pairs.Pair | None, seen: LatticeEvidence
    ) -> Estimate:
        """Return the last quality, what it is tied with, and an earlier one if there are traces of it."""
        seen = replace(seen, phase=reading.phase)
        scores, earlier, subsampling = reading.scores, None, None
        if pair is not None:
            quality, ties, margin = pair.last, pair.last_ties, pair.margin
            earlier = Earlier(pair.first, reading.phase, round(pair.gain, 1), pair.first_ties)
            seen = replace(seen, nats=round(pair.total, 1))
        else:
            if scores.margin < LATTICE.chroma_decides and not reading.grid_seen:  # a too smooth picture's misleads
                colour = chroma.scores(pixels, reading.phase)
                scores = search.with_chroma(scores, colour)
                subsampling = colour.subsampling if colour and colour.nats.max() > LATTICE.presence else None
            quality, margin, ties = search.likeliest(scores), scores.margin, search.tied(scores)
            if not search.is_answer(ties):
                fitting = f"{len(ties)} qualities alike, {ties[0]} to {ties[-1]}"
                reason = f"compressed, but the {seen.blocks} blocks that could say fit {fitting}"
                return Estimate(None, tie_set=ties, reason=reason, evidence=seen)
            if reading.noise == "exact":
                other = pairs.search_shifted(pixels, reading.phase, quality)
                earlier = None if other is None else Earlier(other.quality, other.phase, round(other.nats, 1))
        evidence = replace(
            seen, verdict="compressed", tables="standard", quality=quality, margin=round(margin, 1),
            noise=reading.noise, subsampling=subsampling, earlier=earlier,
        )  # fmt: skip
        return Estimate(float(quality), tie_set=ties, evidence=evidence)

    def _not_standard(self, reading: Reading, found: tables.Tables, seen: LatticeEvidence) -> Estimate:
        """Return the standard quality nearest to tables that are not standard, or why there is none."""
        evidence = replace(
            seen, verdict="compressed", tables="not standard", family=found.family, quality=found.nearest,
            margin=round(found.missed, 1), phase=reading.phase, noise=reading.noise, steps=found.determined,
        )  # fmt: skip
        if found.nearest is None or found.interval is None:
            reason = f"the quantisation tables are not standard ({found.determined} of 63 steps could be read)"
            return Estimate(None, reason=reason, evidence=evidence)
        low, high = found.interval
        return Estimate(float(found.nearest), (float(low), float(high)), evidence=evidence)
