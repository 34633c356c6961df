"""Whether pixels are those of a JPEG: the hypotheses that the lattice leaves, each held against every pixel."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.classifier.estimators.lattice_evidence import LatticeEvidence, seen_by
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.lattice import known, tables
from q1net_msroi.classifier.recovery.coefficients import Recovered, recover
from q1net_msroi.classifier.recovery.layout import Layout
from q1net_msroi.classifier.recovery.settings import RECOVERY
from q1net_msroi.utils import images, jpeg

FACTORS = {"4:2:0": (2, 2), "4:4:4": (1, 1), "4:2:2": (1, 2)}
Pixels = NDArray[np.uint8]
HALF, QUARTERS = (3,), (6, 8)  # EXIF's orientations
UPSIDE_DOWN = {3: 2, 6: 7, 8: 5}  # of which but for ties of rounding a decoder makes the same
TURNS = {**dict.fromkeys((2, 3), "turned by a half or mirrored"), **dict.fromkeys((5, 6, 7, 8), "turned by a quarter")}


@dataclass(frozen=True)
class Hypothesis:
    """Tables (2, 8, 8), chroma's subsampling (None of a gray picture), and what they are called.

    The first whole unit of blocks begins at `origin` (y, x), beyond (0, 0) where the picture was cropped.
    """

    tables: NDArray[np.int64]
    subsampling: str | None
    name: str
    origin: tuple[int, int] = (0, 0)

    @property
    def told(self) -> str:
        """Return it in words, such as `quality 75, 4:2:0`."""
        return f"{self.name}, {self.subsampling or 'gray'}"

    @property
    def factors(self) -> tuple[int, int] | None:
        """Return chroma's sampling factors."""
        return FACTORS.get(self.subsampling or "")

    def layout(self, height: int, width: int) -> Layout:
        """Return the frame of a JPEG of that size."""
        return Layout(height, width, self.factors)


@dataclass(frozen=True)
class Proof:
    """What was recovered under which hypothesis; without one, the `reason`.

    The picture is the part `inside` (rows, columns) of the JPEG, shown by `orientation` as EXIF numbers them.
    """

    reason: str = ""
    hypothesis: Hypothesis | None = None
    found: Recovered | None = None
    inside: tuple[slice, slice] = (slice(None), slice(None))
    orientation: int = 1

    @property
    def share(self) -> float:
        """The share 0..1 of blocks that are exactly explained."""
        return 0.0 if self.found is None else float(self.found.fits.mean())

    @property
    def complete(self) -> bool:
        """Whether every pixel is what the decoder makes of the coefficients."""
        return self.found is not None and bool(self.found.fits.all())

    @property
    def misfits(self) -> int:
        """The number of blocks that are not explained."""
        return 0 if self.found is None else int((~self.found.fits).sum())

    @property
    def cropped(self) -> bool:
        """Whether the JPEG has more rows or columns than the picture."""
        return self.inside != (slice(None), slice(None))

    def picture_of(self, decoded: Pixels) -> Pixels:
        """Return the picture that the JPEG's decoded pixels hold."""
        return images.upright(decoded[self.inside], self.orientation)

    def sentence(self) -> str:
        """Return it as a sentence."""
        if self.hypothesis is None or self.found is None:
            return self.reason
        since = f", {TURNS[self.orientation]} since" if self.orientation > 1 else ""
        told = self.hypothesis.told + since + (", cropped since" if self.cropped else "")
        if self.complete:
            return f"proven: these are the pixels of a JPEG of {told}"
        return f"{self.found.told} a JPEG of {told}"


def prove(pixels: Pixels, workers: int = 1) -> Proof:
    """Return which JPEG (height, width, 3) uint8 RGB pixels were, as far as every single one proves it."""
    first = _turned(pixels, 1)
    ways = [first]
    if first.turned or first.share < RECOVERY.sample_sure:
        ways += [_turned(pixels, each) for each in (QUARTERS if first.turned else HALF) if first.likely]
    best = max(ways, key=lambda each: each.share)
    if best.kind is None:
        return Proof(best.reason)
    proof = _recovered(best, workers)
    if proof.complete or best.orientation not in UPSIDE_DOWN:
        return proof
    other = _turned(pixels, UPSIDE_DOWN[best.orientation])
    mirrored = _recovered(other, workers) if other.kind else proof
    return mirrored if mirrored.misfits < proof.misfits else proof


@dataclass(frozen=True)
class _Way:
    """The pixels turned back by an orientation, and the likeliest hypothesis of them, or the `reason` for none."""

    pixels: Pixels
    orientation: int
    reason: str = ""
    turned: bool = False
    kind: Hypothesis | None = None
    share: float = -1.0

    @property
    def likely(self) -> bool:
        """Whether other orientations are worth a look."""
        return self.turned or self.kind is not None


def _turned(pixels: Pixels, orientation: int) -> _Way:
    """Return what is likely of the pixels, were they stored with that orientation."""
    stored = images.as_stored(pixels, orientation) if orientation > 1 else pixels
    answer = LatticeEstimator().estimate(stored)
    turned = bool(seen_by(answer).turned) and seen_by(answer).verdict == "compressed"
    reason = "turned by a quarter since it was compressed, and not recovered" if turned else _refusal(answer)
    if reason:
        return _Way(stored, orientation, reason, turned)
    kinds = list(_hypotheses(answer, images.is_gray(stored)))
    if not kinds:
        return _Way(stored, orientation, "its quantisation tables are not standard, and none that is known by name")
    return _Way(stored, orientation, "", False, *_likeliest(stored, kinds))


def _recovered(way: _Way, workers: int) -> Proof:
    """Return what is recovered; where it was cropped with a margin invented around it."""
    assert way.kind is not None
    kind, (height, width) = way.kind, way.pixels.shape[:2]
    unit = kind.layout(1, 1).unit
    before = [-start % side for start, side in zip(kind.origin, unit, strict=True)]
    plain = _within(way, before, [0, 0], workers)
    if plain.complete or unit == (8, 8):
        return plain
    assert plain.found is not None
    fits, after = plain.found.fits, [0, 0]
    for axis, (side, factor) in enumerate(zip((height, width), kind.factors or (1, 1), strict=True)):
        lines = fits if axis == 0 else fits.T
        if factor == 2 and not lines[0].all() and before[axis] == 0:  # cut off there: chroma had other neighbours
            before[axis] = unit[axis]
        if factor == 2 and not lines[-1].all():
            after[axis] = -(before[axis] + side) % unit[axis] or unit[axis]
    wider = _within(way, before, after, workers)
    return wider if wider.misfits <= plain.misfits // 2 else plain


def _within(way: _Way, before: list[int], after: list[int], workers: int) -> Proof:
    """Return what is recovered with so many rows and columns invented before and after the picture's."""
    assert way.kind is not None
    height, width = way.pixels.shape[:2]
    inside = slice(before[0], before[0] + height), slice(before[1], before[1] + width)
    margins, invented = [*zip(before, after, strict=True), (0, 0)], any(before + after)
    whole = np.pad(way.pixels, margins, mode="edge") if invented else way.pixels
    found = recover(whole, way.kind.layout(*whole.shape[:2]), way.kind.tables, workers, inside=inside)
    return Proof("", way.kind, found, inside if invented else (slice(None), slice(None)), way.orientation)


def _refusal(answer: Estimate) -> str:
    """Return why nothing can be recovered, empty where it can."""
    seen = seen_by(answer)
    if seen.verdict != "compressed":
        return answer.reason or answer.sentence()
    if seen.colours:
        return "compressed as RGB, which is not recovered yet"
    if seen.subsampling is not None and seen.subsampling not in FACTORS:
        return f"its chroma was subsampled {seen.subsampling}, which is not recovered yet"
    return ""


def _pairs(answer: Estimate, seen: LatticeEvidence) -> Iterator[tuple[NDArray[np.int64], str]]:
    """Yield the tables (2, 8, 8) that the lattice leaves, with their names."""
    standard = jpeg.standard_tables()
    if seen.chroma_quality is not None:
        for luma in answer.tie_set or (int(answer.quality or 1),):
            name = f"quality {luma} for luma, {seen.chroma_quality} for chroma"
            yield np.stack([standard[luma - 1, 0], standard[seen.chroma_quality - 1, 1]]), name
    elif seen.standard:
        for quality in answer.tie_set or (int(answer.quality or 1),):
            yield standard[quality - 1], f"quality {quality}"
    elif seen.family == "mozjpeg":
        for setting, each in enumerate(tables.mozjpeg_tables(), 1):
            one = np.minimum(each, 255).reshape(8, 8)
            yield np.stack([one, one]), f"mozjpeg's quality {setting}"
    elif seen.written_by:
        for pair in known.pairs():
            if seen.written_by == pair.name and max(*pair.luma, *pair.chroma) <= 255:
                yield np.array([pair.luma, pair.chroma]).reshape(2, 8, 8), f"the tables of {seen.written_by}"


def _hypotheses(answer: Estimate, gray: bool) -> Iterator[Hypothesis]:
    seen = seen_by(answer)
    ways = (None,) if gray else (seen.subsampling,) if seen.subsampling else tuple(FACTORS)
    y, x = seen.phase or (0, 0)
    for pair, name in _pairs(answer, seen):
        for way in ways:
            down, across = FACTORS.get(way or "", (1, 1))
            for rows, columns in itertools.product(range(down), range(across)):  # a unit begins at one of its blocks
                yield Hypothesis(pair, way, name, (y + 8 * rows, x + 8 * columns))


def _likeliest(pixels: Pixels, kinds: list[Hypothesis]) -> tuple[Hypothesis, float]:
    """Return the hypothesis that most blocks of a sample fit after one rounding, and their share; else the coarsest."""

    def fitted(kind: Hypothesis) -> tuple[float, int]:
        parts = []
        for side, start in zip(pixels.shape[:2], kind.origin, strict=True):
            length = min(side - start, RECOVERY.sample_side)
            first = start + (side - start - length) // 32 * 16
            parts.append(slice(first, first + max(length, 1)))
        sample = np.ascontiguousarray(pixels[tuple(parts)])
        if min(sample.shape[:2]) < 8:
            return 0.0, int(kind.tables.sum())
        found = recover(sample, kind.layout(*sample.shape[:2]), kind.tables, rounds=0)
        return float(found.fits.mean()), int(kind.tables.sum())

    best = max(kinds, key=fitted)
    return best, fitted(best)[0]
