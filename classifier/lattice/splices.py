"""Parts of a JPEG file that were not compressed before as the rest was: pasted in, then saved once more.

A stored coefficient of a picture that was compressed twice on one grid lies next to a point of the first lattice, as
history.py tells of the whole picture. Here every block is asked: the log-likelihood ratio of its stored coefficients,
compressed at a first quality or not at all, is summed over its frequencies and over the blocks around it (Bianchi and
Piva, Image forgery localization via block-grained analysis of JPEG artifacts, 2012). What most of the picture is of is
its main part; regions that another first quality, or none, explains far better may be parts.

Zeros say how smooth a block is, not what it was before, so that only coefficients that are not zero speak, and blocks
are compared with those that are as active. Blocks with clipped pixels had no lattice left when they were saved again.

A region is told only if it and the rest each fit what is told of them, and neither fits the other's first compression
with pixels changed since: noise, a filter or a change of brightness blur the first lattice here more than there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import history, likelihood, prior
from q1net_msroi.classifier.lattice.settings import LATTICE, Fits

SIDE = 8  # pixels of a block
TINY = 1e-9  # no log of zero
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Marks = NDArray[np.bool_]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Part:
    """A region unlike the main part: its first `quality`, None: it was not compressed on this grid before.

    `box` is (left, top, right, bottom) in pixels, right and bottom beyond it; `nats` by how much this explains the
    `blocks` that could say something better than the main part's first compression, sharp or blurred.
    """

    box: Box
    quality: int | None
    nats: float
    blocks: int


@dataclass(frozen=True)
class Splices:
    """The first quality of the picture's `main` part, None where it shows none, and the parts unlike it.

    `nats` (rows, columns) tells of every block, or every `stride`-th both ways, by how much the blocks around it are
    better explained as a part than as the main part; `marked` which of them lie in a part.
    """

    main: int | None
    parts: tuple[Part, ...]
    nats: Floats
    marked: Marks
    stride: int = 1


@dataclass(frozen=True)
class Story:
    """What blocks went through before: compressed at `quality`, or (None) not at all.

    `nats` is by how much it explains them better than none does, `share` which part that is of what any story could
    gain, `missing` how many nats a coefficient none leaves unexplained.
    """

    aligned: history.Aligned
    quality: int | None
    nats: float
    share: float

    @classmethod
    def of(cls, coefficients: NDArray[np.int16], table: Integers, below: int) -> Story:
        """Return the likeliest story of coefficients (blocks, 64)."""
        aligned = history.Aligned(history.stored_points(coefficients, history.reach(table)), table)
        first = aligned.likeliest(below)
        if first is None or first.gain < LATTICE.splice_proof:
            return cls(aligned, None, 0.0, 1.0)
        return cls(aligned, first.quality, first.gain, first.share)

    def holds(self, needs: Fits) -> bool:
        """Tell whether it explains the blocks as well as it `needs` to."""
        return self.aligned.missing <= needs.missing if self.quality is None else self.share >= needs.share

    def sharp(self) -> bool:
        """Tell whether pixels that were not changed between the two compressions explain the blocks about best."""
        return self.quality is None or self.nats >= LATTICE.splice_sharp * self.blurred(self.quality)

    def blurred(self, quality: int) -> float:
        """Return the nats of a compression at `quality` if pixels were changed since, by whatever fits best."""
        return max(self.aligned.explained(quality, sigma)[0] for sigma in LATTICE.splice_blurs)

    def over(self, other: Story) -> float:
        """Return by how many nats it explains its blocks better than the other's does, sharp or blurred."""
        if other.quality is None:
            return self.nats
        return self.nats - max(self.aligned.explained(other.quality)[0], self.blurred(other.quality))

    def differs(self, other: Story) -> bool:
        """Tell whether the two are of first qualities that can be told apart."""
        if self.quality is None or other.quality is None:
            return self.quality != other.quality
        return abs(self.quality - other.quality) >= LATTICE.quality_gap


def stride_of(rows: int, columns: int) -> int:
    """Return of how many blocks one is read each way: as many as are read in bounded time and memory."""
    return int(np.ceil(np.sqrt(rows * columns / LATTICE.splice_blocks)))


def whole_and_unclipped(pixels: NDArray[np.uint8], rows: int, columns: int) -> Marks:
    """Return which blocks (rows, columns) of (height, width, 3) pixels lie inside and hold no clipped pixel."""
    height, width = (length // SIDE * SIDE for length in pixels.shape[:2])
    square = pixels[:height, :width].reshape(height // SIDE, SIDE, width // SIDE, SIDE * 3)
    least, most = square.min(axis=(1, 3)), square.max(axis=(1, 3))
    inside = np.zeros((rows, columns), bool)
    inside[: len(least), : least.shape[1]] = ((least > 0) & (most < 255))[:rows, :columns]
    return inside


def find(coefficients: NDArray[np.int16], table: Integers, below: int, usable: Marks) -> Splices:
    """Return the parts of stored luma coefficients (rows, columns, 64) with the table (64,) they are quantised with.

    First qualities below `below` are looked for; `usable` (rows, columns) are the blocks that may speak.
    """
    stride = stride_of(*usable.shape)
    coefficients, usable = coefficients[::stride, ::stride], usable[::stride, ::stride]
    nothing = Splices(None, (), np.zeros(usable.shape, np.float32), np.zeros(usable.shape, bool), stride)
    usable = usable & _different(coefficients)
    if below <= 1 or not usable.any():
        return nothing
    firsts = likelihood.steps_of_quality()[: below - 1] + 1
    evidence = block_evidence(coefficients.reshape(-1, 64), table, firsts, usable.ravel())
    evidence = evidence.reshape(-1, *usable.shape)
    main = main_part(evidence)
    others = np.arange(len(evidence))
    others = others[(np.abs(others - main) >= LATTICE.quality_gap) | ((others == 0) & (main > 0))]
    ahead = np.clip(evidence[others] - evidence[main], -LATTICE.splice_block_nats, LATTICE.splice_block_nats)
    around = around_each(ahead)
    regions = _regions(evidence[others], ahead, around)
    named = [region.other for region in regions] or [int(np.maximum(around, 0).sum(axis=(1, 2)).argmax())]
    nothing = replace(nothing, nats=around[np.unique(named)].max(axis=0))
    if not regions:
        return nothing
    rest = Story.of(coefficients[usable & ~np.any([region.wide for region in regions], axis=0)], table, below)
    if not (rest.holds(LATTICE.splice_rest) and rest.sharp()):
        return nothing
    parts, marked = [], nothing.marked.copy()
    for region in regions:
        own = Story.of(coefficients[usable & region.sure], table, below)
        proof = min(own.over(rest), rest.over(own))
        if own.differs(rest) and own.holds(LATTICE.splice_part) and own.sharp() and proof >= LATTICE.splice_proof:
            marked |= region.close
            speaking = int((usable & region.close).sum())
            parts.append(Part(_box(region.close, stride), own.quality, own.over(rest), speaking))
    told = tuple(sorted(parts, key=lambda part: -part.nats))
    return replace(nothing, main=rest.quality, parts=told, marked=marked)


def block_evidence(coefficients: NDArray[np.int16], table: Integers, firsts: Integers, live: Marks) -> Floats:
    """Return the nats of blocks (blocks, 64) for no compression before, which are 0, and for each first table.

    `firsts` (tables, 64) are the steps of those; (tables + 1, blocks), 0 for blocks that are not `live`.
    """
    magnitude = np.minimum(np.abs(coefficients.astype(np.int32)), history.REACH + 1)
    frequencies = np.argsort(-np.count_nonzero(magnitude[live, 1:], axis=0))[: LATTICE.splice_frequencies] + 1
    kinds = _kinds(magnitude[:, frequencies], live)
    evidence = np.zeros((len(firsts) + 1, len(magnitude)), np.float32)
    for frequency in frequencies.tolist():
        k, last = magnitude[:, frequency], int(table[frequency])
        speaks = np.flatnonzero(live & (k > 0) & (k <= history.REACH))
        steps = np.unique(firsts[:, frequency])
        steps = steps[steps > last]  # elsewhere the first is not seen
        if not len(steps):
            continue
        ratios = _ratios(_numbers(kinds[live], k[live]), last, steps)[:, kinds[speaks], k[speaks]]
        for step, nats in zip(steps, ratios, strict=True):
            for row in np.flatnonzero(firsts[:, frequency] == step) + 1:
                evidence[row, speaks] += nats
    return evidence


def _kinds(magnitude: NDArray[np.int32], live: Marks) -> NDArray[np.intp]:
    """Return for blocks (blocks, frequencies) how active they are, in classes that are as large among the live."""
    activity = np.log2(1 + magnitude).sum(axis=1)
    edges = np.quantile(activity[live], np.arange(1, LATTICE.splice_classes) / LATTICE.splice_classes)
    kinds: NDArray[np.intp] = np.searchsorted(edges, activity)
    return kinds


def _numbers(kinds: NDArray[np.intp], k: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return how often each class of blocks has the coefficient 0, 1, ...: (classes, REACH + 1)."""
    points = history.REACH + 2
    number = np.bincount(kinds * points + k, minlength=LATTICE.splice_classes * points)
    return number.reshape(-1, points)[:, :-1].astype(np.float32)


def _ratios(number: NDArray[np.float32], last: int, firsts: Integers) -> Floats:
    """Return the nats of coefficients 0, 1, ... of the step `last` for each first step: (firsts, classes, REACH + 1).

    The prior of each class is fitted to its `number` (classes, REACH + 1); what is zero says nothing.
    """
    alone = history.mass(last)
    weights = prior.fit(number, alone)
    once = weights @ alone
    through = np.stack([weights @ history.mass(last, first) for first in firsts.tolist()])
    twice = (1 - LATTICE.pair_outliers) * through + LATTICE.pair_outliers * once
    logs = [np.log(np.maximum(each[..., 1:] / each[..., 1:].sum(-1, keepdims=True), TINY)) for each in (twice, once)]
    ratios: Floats = np.pad(logs[0] - logs[1], ((0, 0), (0, 0), (1, 0)))
    return ratios


def _different(coefficients: NDArray[np.int16]) -> Marks:
    """Return which blocks (rows, columns, 64) are the first of their kind: equal ones are one surface."""
    rows = np.ascontiguousarray(coefficients).reshape(-1, 64).view(np.dtype((np.void, 2 * 64))).ravel()
    _, first, _ = np.unique(rows, return_index=True, return_counts=True)
    different = np.zeros(len(rows), bool)
    different[first] = True
    return different.reshape(coefficients.shape[:2])


def around_each(values: Floats, side: int = LATTICE.splice_side) -> Floats:
    """Return the sum over the square of `side` (odd) blocks around each block: (..., rows, columns)."""
    for axis in (-2, -1):
        ends = [(0, 0)] * values.ndim
        ends[axis] = (side // 2 + 1, side // 2)
        total = np.cumsum(np.pad(values, ends), axis=axis, dtype=np.float32)
        total = np.moveaxis(total, axis, -1)
        values = np.moveaxis(total[..., side:] - total[..., :-side], -1, axis)
    return values


def main_part(evidence: Floats) -> int:
    """Return the row of evidence (rows, height, width) that a picture's main part is of; 0: not compressed before.

    Every place where one explains the blocks around far better than none has a voice. Where others explain many places
    far better than the row with the most voices, that is the main part which reaches further: a part is in one place.
    """
    around = around_each(evidence)
    best, most = around.argmax(axis=0), LATTICE.splice_presence
    sure = around.max(axis=0) > most
    if not sure.any():
        return 0
    first = int(np.bincount(best[sure]).argmax())
    first = int(evidence[:, around[first] > most].sum(axis=1).argmax())
    best[~sure] = 0
    against = around.max(axis=0) - around[first] > most
    near = np.abs(best - first) < LATTICE.quality_gap
    speaking, against = (around[first] > most) & ~against, against & ~(near & (best > 0))
    if _reach(against) <= _reach(speaking):
        return first
    return int(np.bincount(best[against]).argmax())


def _reach(marked: Marks) -> float:
    """Return how many blocks the middle nine tenths of the marked ones' rows and columns span."""
    if not marked.any():
        return 0.0
    low, high = np.percentile(np.nonzero(marked), (5, 95), axis=1)
    return float(np.prod(high - low + 1))


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
    from scipy import ndimage

    found: list[Region] = []
    seeds, count = ndimage.label(around.max(axis=0, initial=-np.inf) > LATTICE.splice_presence)
    taken = np.zeros(seeds.shape, bool)
    for number in np.argsort(-np.bincount(seeds.ravel(), minlength=count + 1)[1:])[: LATTICE.splice_regions] + 1:
        inside = (seeds == number) & ~taken
        if not inside.any():
            continue
        other = int(evidence[:, inside].sum(axis=1).argmax())
        grown, _ = ndimage.label(around[other] > LATTICE.splice_edge)
        wide = np.isin(grown, np.setdiff1d(grown[inside], 0)) & ~taken
        sure = wide & (around_each(ahead[other], LATTICE.splice_close) > 0)
        joined = ndimage.binary_closing(np.pad(sure, SIDE), np.ones((3, 3)), iterations=2)[SIDE:-SIDE, SIDE:-SIDE]
        pieces, count = ndimage.label(ndimage.binary_fill_holes(joined))
        if count:
            close = pieces == np.bincount(pieces[pieces > 0]).argmax()
            inner = ndimage.binary_erosion(close, np.ones((3, 3)))  # blocks on its edge are of both
            found.append(Region(other, wide, close, sure & (inner if (inner & sure).any() else close)))
        taken |= wide
    return found


def _box(region: Marks, stride: int) -> Box:
    """Return the box around a region, in pixels."""
    rows, columns = np.nonzero(region)
    edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    left, top, right, bottom = (int(edge) * SIDE * stride for edge in edges)
    return left, top, right, bottom
