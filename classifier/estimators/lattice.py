"""The lattice's answer: the quality whose quantisation tables explain the picture's own DCT coefficients best."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.result import Counts, Estimate, Evidence, any_of, named, number, untold
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
    """What the blocks show: `blocks` of `all_blocks` could say something.

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
    before: Earlier | None = None
    tie_set: tuple[int, ...] | None = None
    all_blocks: int = untold(0)

    @property
    def counts(self) -> Counts:
        """How many blocks could say something."""
        return Counts(self.blocks, self.all_blocks)

    @property
    def earlier(self) -> float | None:
        """The quality of an earlier compression, None without traces of one."""
        return None if self.before is None else float(self.before.quality)

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
        said = super().values()
        looked_for = ("subsampling" if self.standard else "quality", "before") if self.tables else ()
        told = {name: value for name, value in said.items() if value is not None or name in looked_for}
        if told.get("before"):
            told["before"] = {name: value for name, value in told["before"].items() if value is not None}
        return {"earlier" if name == "before" else name: value for name, value in told.items()}

    def lines(self) -> list[str]:
        """Return one line, an earlier compression last."""
        told, before = self.values(), ""
        told.pop("earlier", None)
        if self.before is not None:
            first = any_of(self.before.tie_set or (self.before.quality,))
            before = f", earlier quality {first} on the grid at {list(self.before.phase)}"
        return [f"lattice: {named(told)}{before}"]


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
        blocks = (pixels.shape[0] // 8) * (pixels.shape[1] // 8)
        pair = None
        if reading.noise == "exact" and reading.counts.textured[0].any():  # without DC, pixels were changed since
            scores = reading.scores
            pair = pairs.search(reading.counts.textured, scores.textured, scores.misfit)
        explained = reading.grid_seen or reading.nats > LATTICE.presence or pair is not None
        if explained or tables.other_tables(reading) is not None:
            answer = self._compressed(pixels, reading, pair, blocks)
        else:
            answer = self._nothing(pixels, reading, blocks)
        return replace(answer, seconds=time.perf_counter() - started)

    def _nothing(self, pixels: NDArray[np.uint8], reading: Reading, blocks: int) -> Estimate:
        """Return why there is no number: never compressed, changed since, or too little to say."""
        used = reading.scores.used
        verdict, reason = "unknown", f"no lattice shows in the {used} blocks that could say"
        answerable = True
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
        evidence = LatticeEvidence(
            verdict=verdict, nats=round(reading.nats, 1), blocks=used, answerable=answerable, all_blocks=blocks
        )
        return Estimate(None, tie_set=ties, reason=reason, evidence=evidence)

    def _compressed(
        self, pixels: NDArray[np.uint8], reading: Reading, pair: pairs.Pair | None, blocks: int
    ) -> Estimate:
        """Return the last quality, what it is tied with, and an earlier one if there are traces of it."""
        scores, nats, colour = reading.scores, reading.nats, None
        before: Earlier | None = None
        ties: tuple[int, ...]
        other_tables = tables.other_tables(reading, pair.total if pair else 0.0)
        if other_tables is not None:
            return self._not_standard(reading, other_tables, blocks)
        if pair is not None:
            quality, ties, margin, nats = pair.last, pair.last_ties, pair.margin, pair.total
            before = Earlier(pair.first, reading.phase, round(pair.gain, 1), pair.first_ties)
        else:
            if (
                scores.margin < LATTICE.chroma_decides and not reading.grid_seen
            ):  # too smooth a picture's chroma misleads
                colour = chroma.scores(pixels, reading.phase)
                scores = search.with_chroma(scores, colour)
            likely = scores.nats + LATTICE.round_number * (np.arange(1, 101) % 5 == 0)
            quality, margin = int(likely.argmax()) + 1, scores.margin
            ties = search.tied(scores)
            if len(ties) > LATTICE.most_tied or ties[-1] - ties[0] > LATTICE.widest_tie:
                return self._too_many(reading, ties, blocks)
            if reading.noise == "exact":
                other = pairs.search_shifted(pixels, reading.phase, quality)
                before = None if other is None else Earlier(other.quality, other.phase, round(other.nats, 1))
        evidence = LatticeEvidence(
            verdict="compressed",
            tables="standard",
            quality=quality,
            margin=round(margin, 1),
            nats=round(nats, 1),
            phase=reading.phase,
            noise=reading.noise,
            subsampling=colour.subsampling if colour and colour.nats.max() > LATTICE.presence else None,
            blocks=scores.used,
            before=before,
            all_blocks=blocks,
        )
        return Estimate(float(quality), tie_set=ties, evidence=evidence)

    def _too_many(self, reading: Reading, ties: tuple[int, ...], blocks: int) -> Estimate:
        """Return that the picture was compressed, and that its blocks do not tell how strongly."""
        used = reading.scores.used
        fitting = f"{len(ties)} qualities alike, {ties[0]} to {ties[-1]}"
        reason = f"compressed, but the {used} blocks that could say fit {fitting}"
        evidence = LatticeEvidence(
            verdict="unknown", nats=round(reading.nats, 1), phase=reading.phase, blocks=used, all_blocks=blocks
        )
        return Estimate(None, tie_set=ties, reason=reason, evidence=evidence)

    def _not_standard(self, reading: Reading, found: tables.Tables, blocks: int) -> Estimate:
        """Return the standard quality nearest to tables that are not standard, or why there is none."""
        evidence = LatticeEvidence(
            verdict="compressed",
            tables="not standard",
            family=found.family,
            quality=found.nearest,
            margin=round(found.missed, 1),
            nats=round(reading.nats, 1),
            phase=reading.phase,
            noise=reading.noise,
            steps=found.determined,
            blocks=reading.scores.used,
            all_blocks=blocks,
        )
        if found.nearest is None or found.interval is None:
            reason = f"the quantisation tables are not standard ({found.determined} of 63 steps could be read)"
            return Estimate(None, reason=reason, evidence=evidence)
        low, high = found.interval
        return Estimate(float(found.nearest), interval=(float(low), float(high)), evidence=evidence)
