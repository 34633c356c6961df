"""Whether pixels are those of a JPEG: the hypotheses that the lattice leaves, each held against every pixel."""

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


@dataclass(frozen=True)
class Hypothesis:
    """Tables (2, 8, 8), chroma's subsampling (None of a gray picture), and what they are called."""

    tables: NDArray[np.int64]
    subsampling: str | None
    name: str

    @property
    def told(self) -> str:
        """Return it in words, such as `quality 75, 4:2:0`."""
        return f"{self.name}, {self.subsampling or 'gray'}"


@dataclass(frozen=True)
class Proof:
    """What was recovered under which hypothesis; without one, the `reason`."""

    reason: str = ""
    hypothesis: Hypothesis | None = None
    found: Recovered | None = None

    @property
    def share(self) -> float:
        """The share 0..1 of blocks that are exactly explained."""
        return 0.0 if self.found is None else float(self.found.fits.mean())

    @property
    def complete(self) -> bool:
        """Whether every pixel is what the decoder makes of the coefficients."""
        return self.found is not None and bool(self.found.fits.all())

    def sentence(self) -> str:
        """Return it as a sentence."""
        if self.hypothesis is None or self.found is None:
            return self.reason
        if self.complete:
            return f"proven: these are the pixels of a JPEG of {self.hypothesis.told}"
        return f"{self.found.told} a JPEG of {self.hypothesis.told}"


def prove(pixels: Pixels, workers: int = 1) -> Proof:
    """Return which JPEG (height, width, 3) uint8 RGB pixels were, as far as every single one proves it."""
    answer = LatticeEstimator().estimate(pixels)
    if reason := _refusal(answer):
        return Proof(reason)
    kinds = list(_hypotheses(answer, images.is_gray(pixels)))
    if not kinds:
        return Proof("its quantisation tables are not standard, and none that is known by name")
    best = _likeliest(pixels, kinds)
    height, width = pixels.shape[:2]
    layout = Layout(height, width, FACTORS.get(best.subsampling or ""))
    return Proof("", best, recover(pixels, layout, best.tables, workers))


def _refusal(answer: Estimate) -> str:
    """Return why nothing can be recovered, empty where it can."""
    seen = seen_by(answer)
    if seen.verdict != "compressed":
        return answer.reason or answer.sentence()
    if seen.turned:
        return "turned by a quarter since it was compressed; turn it back first"
    if seen.phase not in (None, (0, 0)):
        return f"its grid begins at {seen.phase}: it was cropped since it was compressed"
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
    for pair, name in _pairs(answer, seen):
        for way in ways:
            yield Hypothesis(pair, way, name)


def _likeliest(pixels: Pixels, kinds: list[Hypothesis]) -> Hypothesis:
    """Return the hypothesis that most blocks of a sample fit after one rounding; of equal ones the coarsest."""
    if len(kinds) == 1:
        return kinds[0]
    height, width = (min(side, RECOVERY.sample_side) for side in pixels.shape[:2])
    top, left = ((side - part) // 32 * 16 for side, part in zip(pixels.shape[:2], (height, width), strict=True))
    sample = np.ascontiguousarray(pixels[top : top + height, left : left + width])

    def fitted(kind: Hypothesis) -> tuple[float, int]:
        layout = Layout(height, width, FACTORS.get(kind.subsampling or ""))
        return float(recover(sample, layout, kind.tables, rounds=0).fits.mean()), int(kind.tables.sum())

    return max(kinds, key=fitted)
