"""Parts of a JPEG file that were not compressed before as the rest was: pasted in, then saved once more.

A stored coefficient of a picture that was compressed twice on one grid lies next to a point of the first lattice, as
history.py tells of the whole picture and blockwise.py of every block. What reaches furthest over the picture is its
main part; regions that another first table, or none, explains far better may be parts.

A region is told only if it and the rest each fit what is told of them, and neither fits the other's first compression
with pixels changed since: noise, a filter or a change of brightness blur the first lattice here more than there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blockwise, history, likelihood
from q1net_msroi.classifier.lattice.blockwise import SIDE, Floats, Integers, Marks
from q1net_msroi.classifier.lattice.settings import LATTICE, Fits

Box = tuple[int, int, int, int]
Place = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """A region unlike the main part: its first `quality`, None: it was not compressed on this grid before.

    Where its first table is not `standard`, `quality` is the nearest one.

    `box` is (left, top, right, bottom) in pixels, right and bottom beyond it; `nats` by how much this explains the
    `blocks` that could say something better than the main part's first compression, sharp or blurred.
    """

    box: Box
    quality: int | None
    nats: float
    blocks: int
    standard: bool = True


@dataclass(frozen=True)
class Splices:
    """The first quality of the picture's `main` part, None where it shows none, and the parts unlike it.

    `nats` (rows, columns) tells of every block, or every `stride`-th both ways, by how much the blocks around it are
    better explained as a part than as the main part; `marked` which of them lie in a part. The first block begins at
    `phase` (y, x) in pixels.
    """

    main: int | None
    parts: tuple[Part, ...]
    nats: Floats
    marked: Marks
    stride: int = 1
    phase: tuple[int, int] = (0, 0)
    main_standard: bool = True

    def per_pixel(self, height: int, width: int, step: int = 1) -> tuple[Floats, Marks]:
        """Return `nats` and `marked` of each pixel, every `step`-th both ways, by the block that it is in."""
        places = [
            np.clip((np.arange(0, length, step) - first) // (SIDE * self.stride), 0, count - 1)
            for length, first, count in zip((height, width), self.phase, self.nats.shape, strict=True)
        ]
        return self.nats[np.ix_(*places)], self.marked[np.ix_(*places)]


@dataclass(frozen=True)
class Story:
    """What blocks went through before: compressed with the table `first` (64,), or (zeros) not at all.

    `quality` is the first table's, or nearest to it where that is not `standard`; None without one. `nats` is by how
    much the story explains the blocks better than none before does, `share` which part that is of what any could gain.
    """

    aligned: history.Aligned
    first: Integers
    quality: int | None
    standard: bool
    nats: float
    share: float

    @classmethod
    def of(cls, coefficients: NDArray[np.int16], table: Integers, below: int) -> Story:
        """Return the likeliest story of coefficients (blocks, 64): none, a standard table's, or that of free steps."""
        aligned = history.Aligned(history.stored_points(coefficients, history.reach(table)), table)
        none = cls(aligned, np.zeros(64, np.int64), None, True, 0.0, 1.0)
        if aligned.missing <= LATTICE.splice_rest.missing:
            return none
        found, told = aligned.likeliest(below), none
        if found is not None and found.gain >= LATTICE.splice_proof:
            first = likelihood.steps_of_quality()[found.quality - 1] + 1
            told = cls(aligned, first, found.quality, True, found.gain, found.share)
        if told.quality is None or told.share < LATTICE.splice_rest.share:
            first = aligned.free()
            nats, missing = aligned.explained(first)
            if np.count_nonzero(first) >= LATTICE.splice_free_entries and nats > told.nats + LATTICE.splice_proof:
                return cls(aligned, first, nearest_quality(first), False, nats, nats / max(missing, 1.0))
        return told

    def holds(self, needs: Fits) -> bool:
        """Tell whether it explains the blocks as well as it `needs` to."""
        return self.aligned.missing <= needs.missing if self.quality is None else self.share >= needs.share

    def sharp(self) -> bool:
        """Tell whether pixels that were not changed between the two compressions explain the blocks about best."""
        return self.quality is None or self.nats >= LATTICE.splice_sharp * self.blurred(self)

    def blurred(self, other: Story) -> float:
        """Return the nats of the other's first table if pixels were changed since, by whatever fits best."""
        return max(self.aligned.explained(other.first, sigma)[0] for sigma in LATTICE.splice_blurs)

    def over(self, other: Story) -> float:
        """Return by how many nats it explains its blocks better than the other's does, sharp or blurred."""
        if other.quality is None:
            return self.nats
        return self.nats - max(self.aligned.explained(other.first)[0], self.blurred(other))

    def differs(self, other: Story) -> bool:
        """Tell whether the two are of first qualities that can be told apart."""
        if self.quality is None or other.quality is None:
            return self.quality != other.quality
        return abs(self.quality - other.quality) >= LATTICE.quality_gap


def nearest_quality(table: Integers) -> int:
    """Return the quality whose steps are nearest by their ratios to those of a table (64,) that are not 0."""
    known = table > 0
    ratios = np.log(table[known] / (likelihood.steps_of_quality()[:, known] + 1))
    return int(np.abs(ratios).mean(axis=1).argmin()) + 1


def find(
    coefficients: NDArray[np.int16], table: Integers, below: int, usable: Marks, stride: int = 1, phase: Place = (0, 0)
) -> Splices:
    """Return the parts of stored luma coefficients (rows, columns, 64) with the table (64,) they are quantised with.

    First qualities below `below` are looked for; `usable` (rows, columns) are the blocks that may speak. They are every
    `stride`-th block both ways of a picture whose first one begins at `phase` (y, x) in pixels.
    """
    nothing = Splices(None, (), np.zeros(usable.shape, np.float32), np.zeros(usable.shape, bool), stride, phase)
    usable = usable & blockwise.different(coefficients)
    if below <= 1 or not usable.any():
        return nothing
    firsts, quality = likelihood.steps_of_quality()[: below - 1] + 1, np.arange(below)
    whole = Story.of(coefficients[usable], table, below)
    if not whole.standard and whole.quality is not None:
        firsts, quality = np.vstack([firsts, whole.first]), np.append(quality, whole.quality)
    evidence = blockwise.evidence(coefficients.reshape(-1, 64), table, firsts, usable.ravel())
    evidence = evidence.reshape(-1, *usable.shape)
    main = main_part(evidence, quality)
    others = np.flatnonzero((np.abs(quality - quality[main]) >= LATTICE.quality_gap) | ((quality == 0) & (main > 0)))
    if not len(others):
        return nothing
    ahead = np.clip(evidence[others] - evidence[main], -LATTICE.splice_block_nats, LATTICE.splice_block_nats)
    around = blockwise.around_each(ahead)
    regions = _regions(evidence[others], ahead, around)
    named = [region.other for region in regions] or [int(np.maximum(around, 0).sum(axis=(1, 2)).argmax())]
    nothing = replace(nothing, nats=around[named].max(axis=0))
    if not regions:
        return nothing
    rest = Story.of(coefficients[usable & ~np.any([region.wide for region in regions], axis=0)], table, below)
    if not (rest.holds(LATTICE.splice_rest) and rest.sharp()):
        return nothing
    parts, marked = [], nothing.marked.copy()
    for region in regions:
        speaking = int((usable & region.close).sum())
        if speaking < LATTICE.splice_least:
            continue
        own = Story.of(coefficients[usable & region.sure], table, below)
        proof = min(own.over(rest), rest.over(own))
        if own.differs(rest) and own.holds(LATTICE.splice_part) and own.sharp() and proof >= LATTICE.splice_proof:
            marked |= region.close
            parts.append(Part(_box(region.close, stride, phase), own.quality, own.over(rest), speaking, own.standard))
    told = tuple(sorted(parts, key=lambda part: -part.nats))
    return replace(nothing, main=rest.quality, main_standard=rest.standard, parts=told, marked=marked)


def main_part(evidence: Floats, quality: Integers) -> int:
    """Return the row of evidence (rows, height, width) that a picture's main part is of; 0: not compressed before.

    Every place where one explains the blocks around far better than none has a voice. Where others explain many places
    far better than the row with the most voices, that is the main part which reaches further: a part is in one place.
    """
    around = blockwise.around_each(evidence)
    best, most = around.argmax(axis=0), LATTICE.splice_presence
    sure = around.max(axis=0) > most
    if not sure.any():
        return 0
    first = int(np.bincount(best[sure]).argmax())
    first = int(around[:, around[first] > most].sum(axis=1).argmax())
    best[~sure] = 0
    against = around.max(axis=0) - around[first] > most
    near = np.abs(quality[best] - quality[first]) < LATTICE.quality_gap
    speaking, against = (around[first] > most) & ~against, against & ~(near & (best > 0))
    if _reach(against) <= _reach(speaking):
        return first
    return int(np.bincount(best[against]).argmax())


def _reach(marked: Marks) -> float:
    """Return how many blocks the middle nine tenths of the marked ones' rows and columns span."""
    if not marked.any():
        return 0.0
    ranked = np.sort(np.nonzero(marked), axis=1)
    few = ranked.shape[1] // 20
    return float(np.prod(ranked[:, -1 - few] - ranked[:, few] + 1))


@dataclass(frozen=True)
class Region:
    """Where the row `other` explains blocks better than the main part's: `wide`, as far as sums reach; `close`, within.

    `sure` are blocks of it whose next neighbours say so too.
    """

    other: int
    wide: Marks
    close: Marks
    sure: Marks


def _regions(evidence: Floats, ahead: Floats, around: Floats) -> list[Region]:
    """Return the regions that one of others explains better than the main part, the largest first.

    `evidence` (others, rows, columns) are its nats over none, `ahead` over the main part, `around` summed over squares.
    """
    ahead_somewhere = around.max(axis=0, initial=-np.inf) > LATTICE.splice_presence
    if not ahead_somewhere.any():
        return []  # without loading SciPy
    from scipy import ndimage

    found: list[Region] = []
    seeds, count = ndimage.label(ahead_somewhere)
    taken = np.zeros(seeds.shape, bool)
    for number in np.argsort(-np.bincount(seeds.ravel(), minlength=count + 1)[1:])[: LATTICE.splice_regions] + 1:
        inside = (seeds == number) & ~taken
        if not inside.any():
            continue
        other = int(evidence[:, inside].sum(axis=1).argmax())
        grown, _ = ndimage.label(around[other] > LATTICE.splice_edge)
        wide = np.isin(grown, np.setdiff1d(grown[inside], 0)) & ~taken
        sure = wide & (blockwise.around_each(ahead[other], LATTICE.splice_close) > 0)
        joined = ndimage.binary_closing(np.pad(sure, SIDE), np.ones((3, 3)), iterations=2)[SIDE:-SIDE, SIDE:-SIDE]
        pieces, count = ndimage.label(ndimage.binary_fill_holes(joined))
        if count:
            close = pieces == np.bincount(pieces[pieces > 0]).argmax()
            inner = ndimage.binary_erosion(close, np.ones((3, 3)))  # blocks on its edge are of both
            found.append(Region(other, wide, close, sure & (inner if (inner & sure).any() else close)))
        taken |= wide
    return found


def _box(region: Marks, stride: int, phase: Place) -> Box:
    """Return the box around a region, in pixels."""
    rows, columns = np.nonzero(region)
    top, bottom = (int(edge) * SIDE * stride + phase[0] for edge in (rows.min(), rows.max() + 1))
    left, right = (int(edge) * SIDE * stride + phase[1] for edge in (columns.min(), columns.max() + 1))
    return left, top, right, bottom
