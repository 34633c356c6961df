"""One answer from all evidence: the file's header and its coefficients, the quantisation lattice, the network.

The header of a JPEG file tells its last compression exactly, its stored coefficients whether a stronger one came
before. Where there is no header, the lattice in the pixels answers, and where that can neither name a quality nor rule
it out, the network, looking at the grid that was found. Where blocks are enough to show a lattice and none does, or one
that no table fits, the picture was never compressed or was changed since, and no number means anything.
"""

import os
import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators import parts
from q1net_msroi.classifier.estimators.header import (
    LUMA_FIRST,
    Header,
    HeaderEvidence,
    estimate_header,
    estimate_unread,
    read_header,
)
from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.classifier.estimators.lattice_evidence import Earlier, LatticeEvidence, earlier_of
from q1net_msroi.classifier.estimators.network import NetworkEstimator, calibrated
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.quantisation import Quantisation
from q1net_msroi.classifier.estimators.result import Estimate, Evidence, any_of, number
from q1net_msroi.classifier.lattice import history as stories
from q1net_msroi.classifier.lattice.grid import find_phase
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.lattice.splices import Splices
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import AREA, CONFIGS
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError, show

Pixels = NDArray[np.uint8]
E = TypeVar("E", bound=Evidence)
BEST = "texture/weighted_median"  # patches and fusion where no card tells better


@dataclass(frozen=True)
class AutoEvidence(Evidence):
    """What everyone said who was asked: header, lattice, network, in this order; `speaker` has the answer, if any has.

    `earlier_quality` is that of an earlier compression, whoever tells of it.
    """

    speaker: Evidence | None = None
    earlier_quality: float | None = None
    asked: tuple[Evidence, ...] = ()

    @property
    def validated(self) -> str:
        """What is said behind the interval."""
        return self.speaker.validated if self.speaker else ""

    @property
    def codec(self) -> str:
        """What the first one says who knows it."""
        return next(filter(None, (said.codec for said in self.asked)), "")

    @property
    def software(self) -> str:
        """What the first one says who knows it."""
        return next(filter(None, (said.software for said in self.asked)), "")

    @property
    def quantisation(self) -> Quantisation | None:
        """What the first one says who knows them."""
        return next(filter(None, (said.quantisation for said in self.asked)), None)

    @property
    def changed(self) -> str:
        """What the first one says who sees it."""
        return next(filter(None, (said.changed for said in self.asked)), "")

    @property
    def apart(self) -> str:
        """What the first one says who sees it."""
        return next(filter(None, (said.apart for said in self.asked)), "")

    @property
    def unread(self) -> str | None:
        """Why the pixels were not looked at."""
        return self.speaker.unread if self.speaker else None

    def sentence(self, answer: Estimate) -> str:
        """Return the answer as the one says it whose it is."""
        return (self.speaker or self).sentence(answer)

    def lines(self) -> list[str]:
        """Return the lines of all who were asked."""
        return [line for said in self.asked for line in said.lines()]

    def record(self, answer: Estimate) -> dict[str, Any]:
        """Return who spoke, the earlier quality, what each said, and the answer as a sentence."""
        spoke = self.speaker.kind if self.speaker else None
        merged: dict[str, Any] = {"spoke": spoke, "earlier_quality": self.earlier_quality}
        for said in self.asked:
            merged |= said.record(answer)
        return {**merged, "sentence": answer.sentence()}


@dataclass(frozen=True)
class HistoryEvidence(Evidence):
    """What a JPEG file tells of a compression before its last one; `blocks` whose stored coefficients were read."""

    kind: ClassVar[str] = "history"
    blocks: int
    earlier: Earlier | None

    @property
    def earlier_quality(self) -> float | None:
        """The quality of an earlier compression, None without traces of one."""
        return None if self.earlier is None else float(self.earlier.quality)

    def values(self) -> dict[str, Any]:
        """Return what is told, without what was not looked for."""
        return {"blocks": self.blocks, "earlier": None if self.earlier is None else self.earlier.told()}

    def lines(self) -> list[str]:
        """Return one line."""
        return [f"history: {'no earlier compression shows' if self.earlier is None else self.earlier.line()}"]


def best_network(asked: Asked) -> Asked:
    """Return the network to ask as one asks for it: variant, patches and fusion, the best of validation of those there.

    Raises `UserError` when no network has the model file that the backend needs.
    """
    found: list[tuple[float, Asked]] = []
    for config in CONFIGS.values():
        folder = weights.model_folder(config, asked.save_path)
        name = weights.TFLITE_NAMES.get(asked.backend, "best/.index")
        if not (folder / name).exists():
            continue
        card = calibrated(folder, asked.backend)
        choice, rule = card.get("best", BEST).split("/")
        choice, rule = asked.patches or choice, asked.fusion or rule
        mae = card.get(f"{choice}/{rule}", {}).get("mae")
        one = replace(asked, comp_type=config.comp_type, fusion=rule, patches=choice, find_grid=False)
        found.append((100.0 if mae is None else float(mae), one))
    if not found:
        folder = weights.model_folder(CONFIGS["jpeg_paper"], asked.save_path)
        raise UserError(f"{show(folder / weights.TFLITE_NAMES['float32'])} is missing; restore it or run to_tflite.py")
    return min(found, key=lambda entry: entry[0])[1]


def lowest_never(network: Asked) -> float:
    """Return the least that the network says of photographs never compressed, as its card tells."""
    folder = weights.model_folder(CONFIGS[network.comp_type], network.save_path)
    entry = calibrated(folder, network.backend).get(f"{network.patches}/{network.fusion}", {})
    lowest = entry.get("lowest_never")
    return LATTICE.lowest_never if lowest is None else float(lowest)


class AutoEstimator:
    """Answers with the best evidence; hold one a thread."""

    def __init__(self, asked: Asked) -> None:
        """Find the network's files, which are loaded when first needed; raise `UserError` when there are none."""
        self._explain = asked.explain
        self._best = best_network(asked)
        self._network: NetworkEstimator | None = None
        self._lattice = LatticeEstimator(asked.tables)

    def estimate_file(self, path: str | os.PathLike[str], pixels: Pixels) -> Estimate:
        """Return the answer for the file at `path` and its pixels; RGB and CMYK data have no luma to look into."""
        header = read_header(path)
        if header is not None and header.colours not in LUMA_FIRST:
            return header_alone(estimate_header(header))
        coefficients = None if header is None else jpeg.luma_blocks(path)
        return self.estimate(pixels, header, coefficients)

    def estimate_unread(self, path: str | os.PathLike[str], error: UserError) -> Estimate | None:
        """Return the header's answer for a file whose pixels were refused with `error`; None without a header."""
        answer = estimate_unread(path, error)
        return None if answer is None else header_alone(answer)

    def network(self) -> NetworkEstimator:
        """Return the network, loaded at the first call; raise `UserError` when its files are damaged."""
        if self._network is None:
            self._network = NetworkEstimator(self._best)
        return self._network

    def _ask_network(self, pixels: Pixels, phase: tuple[int, int] | None) -> Estimate:
        """Ask the network on the grid that begins at `phase`, or at one still to be found."""
        if min(pixels.shape[:2]) < AREA:
            return Estimate(None, reason=f"the network needs at least {AREA}x{AREA} pixels")
        return self.network().estimate(pixels, find_phase(pixels).phase if phase is None else phase)

    def estimate(
        self, pixels: Pixels, header: Header | None = None, coefficients: NDArray[np.int16] | None = None
    ) -> Estimate:
        """Return the answer for (height, width, 3) uint8 RGB pixels.

        Of a JPEG file also its header and its stored luma coefficients (rows, columns, 64), where they can be read.
        """
        started = time.perf_counter()
        asks = self._explain or header is None or coefficients is None
        lattice, shown = _shown(self._lattice.estimate(pixels)) if asks else (None, None)
        network = None
        if self._explain or (header is None and lattice is not None and shown is not None and _leaves(lattice, shown)):
            network = self._ask_network(pixels, shown.phase if shown else None)
        if header is not None:
            said = estimate_header(header)
            before = history(header, said, coefficients, pixels, shown)
            answer, spliced = with_header(said, before, lattice, network), parts.read(header, coefficients, pixels)
        else:
            assert lattice is not None
            assert shown is not None
            answer = without_header(lattice, network, lowest_never(self._best))
            spliced = parts.read_pixels(pixels, shown)
        last = answer.evidence if network is None else network.evidence
        evidence = replace(with_parts(answer, spliced), used=last.used, parts=last.parts, spread=last.spread)
        return replace(answer, evidence=evidence, seconds=time.perf_counter() - started)


def _shown(lattice: Estimate) -> tuple[Estimate, LatticeEvidence]:
    """Return the lattice's answer with its tie set as interval and in its evidence, and that evidence."""
    shown = replace(_of(LatticeEvidence, lattice), tie_set=lattice.tie_set)
    return replace(lattice, evidence=shown).with_tie_interval(), shown


def _of(kind: type[E], estimate: Estimate) -> E:
    """Return an answer's evidence, which is of the given kind."""
    assert isinstance(estimate.evidence, kind)
    return estimate.evidence


def _all(*estimates: Estimate | None) -> tuple[Evidence, ...]:
    return tuple(estimate.evidence for estimate in estimates if estimate is not None and estimate.evidence.kind)


def header_alone(header: Estimate) -> Estimate:
    """Return the header's answer where the pixels cannot be asked."""
    return replace(header, evidence=AutoEvidence(_of(HeaderEvidence, header), None, _all(header)))


def history(
    header: Header,
    said: Estimate,
    coefficients: NDArray[np.int16] | None,
    pixels: Pixels,
    shown: LatticeEvidence | None,
) -> HistoryEvidence:
    """Return what a JPEG file's coefficients and pixels tell of an earlier compression; `shown` where none are stored.

    The table of the last one is known, so that nothing but a stronger compression before it leaves such traces.
    """
    if coefficients is None:
        return HistoryEvidence(0, shown.earlier if shown is not None else None)
    some = jpeg.some_blocks(coefficients, LATTICE.most_stored)
    below = _of(HeaderEvidence, said).nearest_standard - LATTICE.quality_gap + 1
    number = stories.stored_points(some, stories.reach(header.luma.ravel()))
    first = stories.Aligned(number, header.luma.ravel()).first(below)
    return HistoryEvidence(len(some), earlier_of(first or stories.shifted(pixels, (0, 0), below)))


def with_header(
    header: Estimate, before: HistoryEvidence, lattice: Estimate | None, network: Estimate | None
) -> Estimate:
    """Return the answer for a JPEG file: the header's quality, and what was found of an earlier compression."""
    said = _of(HeaderEvidence, header)
    told = (said, before, *_all(lattice, network))
    return replace(header, evidence=AutoEvidence(said, before.earlier_quality, told))


def with_parts(answer: Estimate, spliced: Splices | None) -> AutoEvidence:
    """Return an answer's evidence with the parts that are unlike the rest, whose first quality is the earlier one."""
    evidence, found = _of(AutoEvidence, answer), parts.evidence(spliced)
    if found is None:
        return evidence
    return replace(evidence, earlier_quality=found.earlier_quality, asked=(*evidence.asked, found))


def _leaves(lattice: Estimate, shown: LatticeEvidence) -> bool:
    """Tell whether the lattice leaves something for the network to say: it neither knows nor rules out a quality."""
    return lattice.quality is None and shown.verdict == "unknown" and shown.tables is None and shown.answerable is True


def without_header(lattice: Estimate, network: Estimate | None, lowest: float) -> Estimate:
    """Return the answer for pixels: the lattice's where it has one, else the network's where that may speak.

    It may not where its interval reaches `lowest`, the least that it says of photographs never compressed.
    """
    asked, shown = _all(lattice, network), _of(LatticeEvidence, lattice)
    if lattice.quality is not None:
        return replace(lattice, evidence=AutoEvidence(lattice.evidence, lattice.evidence.earlier_quality, asked))
    reason, answer = lattice.reason, None
    if network is not None and _leaves(lattice, shown):
        answer = _among(network, lattice.tie_set)
        if network.quality is None:
            reason = f"{lattice.reason}; {network.reason}"
        elif network.interval is None or network.interval[1] >= lowest:
            reason, answer = f"{lattice.reason}; to the network it may never have been compressed", None
        elif answer is None:
            left = f"the lattice leaves {any_of(lattice.tie_set)}"
            reason = f"{left}, the network says about {number(network.quality)}: they do not agree"
    if answer is None or answer.quality is None:
        return replace(lattice, reason=reason, evidence=AutoEvidence(asked=asked))
    return replace(answer, evidence=AutoEvidence(answer.evidence, asked=asked))


def _among(network: Estimate, left: tuple[int, ...]) -> Estimate | None:
    """Return the network's answer moved to the nearest quality that the lattice left, None if none is near.

    Blocks too few to name a quality may still leave only some: 4, 8 and 12, say. Near is within the network's interval.
    """
    if network.quality is None or network.interval is None or not left:
        return network
    answer = network.quality
    nearest = float(min(left, key=lambda quality: abs(quality - answer)))
    low, high = network.interval
    return replace(network, quality=nearest) if low <= nearest <= high else None
