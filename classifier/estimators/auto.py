"""One answer from all evidence: the file's header, the quantisation lattice, the network.

The header of a JPEG file tells its last compression exactly; the pixels then only tell whether a stronger one came
before. Where there is no header, the lattice answers if it is decisive, else the network, looking at the grid that was
found in the pixels. But where there are blocks enough to show a lattice and none does, the picture was never compressed
or was changed since, and no number means anything: one compressed at 30, then resized to 90 %, gets some 62 from the
network. Each is asked only when its word can matter, or when the evidence is to be explained.
"""

import os
import time
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.header import (
    LUMA_FIRST,
    Header,
    HeaderEvidence,
    estimate_header,
    estimate_unread,
    read_header,
)
from q1net_msroi.classifier.estimators.lattice import LatticeEstimator, LatticeEvidence
from q1net_msroi.classifier.estimators.network import NetworkEstimator, calibrated
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate, Evidence, any_of, number
from q1net_msroi.classifier.lattice.grid import find_phase
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import AREA, CONFIGS
from q1net_msroi.utils.errors import UserError, show

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
        self._lattice = LatticeEstimator()

    def estimate_file(self, path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> Estimate:
        """Return the answer for the file at `path` and its pixels; RGB and CMYK data have no luma to look into."""
        header = read_header(path)
        if header is not None and header.colours not in LUMA_FIRST:
            return header_alone(estimate_header(header))
        return self.estimate(pixels, header)

    def estimate_unread(self, path: str | os.PathLike[str], error: UserError) -> Estimate | None:
        """Return the header's answer for a file whose pixels were refused with `error`; None without a header."""
        answer = estimate_unread(path, error)
        return None if answer is None else header_alone(answer)

    def network(self) -> NetworkEstimator:
        """Return the network, loaded at the first call; raise `UserError` when its files are damaged."""
        if self._network is None:
            self._network = NetworkEstimator(self._best)
        return self._network

    def _ask_network(self, pixels: NDArray[np.uint8], phase: tuple[int, int] | None) -> Estimate:
        """Ask the network on the grid that begins at `phase`, or at one still to be found."""
        if min(pixels.shape[:2]) < AREA:
            return Estimate(None, reason=f"the network needs at least {AREA}x{AREA} pixels")
        return self.network().estimate(pixels, find_phase(pixels).phase if phase is None else phase)

    def estimate(self, pixels: NDArray[np.uint8], header: Header | None = None) -> Estimate:
        """Return the answer for (height, width, 3) uint8 RGB pixels and the header of their JPEG file, if any."""
        started = time.perf_counter()
        lattice, shown = _shown(self._lattice.estimate(pixels))
        asks = self._explain or lattice.quality is None
        network = self._ask_network(pixels, shown.phase) if asks else None
        if header is not None:
            answer = with_header(estimate_header(header), lattice, network)
        else:
            answer = without_header(lattice, network, lowest_never(self._best))
        said = answer.evidence if network is None else network.evidence
        evidence = replace(answer.evidence, used=said.used, parts=said.parts, spread=said.spread)
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


def with_header(header: Estimate, lattice: Estimate, network: Estimate | None) -> Estimate:
    """Return the answer for a JPEG file: the header's quality, and what the pixels tell of an earlier compression."""
    said, shown = _of(HeaderEvidence, header), _of(LatticeEvidence, lattice)
    last = said.nearest_standard  # mozjpeg's own setting is on another scale than what pixels tell
    earlier = shown.earlier_quality
    if earlier is None and lattice.quality is not None and lattice.interval is not None:
        highest = lattice.quality if shown.standard else lattice.interval[1]
        earlier = lattice.quality if highest <= last - LATTICE.lattice_below else None
    if earlier is None and lattice.quality is None and network is not None and network.interval is not None:
        earlier = network.quality if network.interval[1] <= last - LATTICE.network_below else None
    return replace(header, evidence=AutoEvidence(said, earlier, _all(header, lattice, network)))


def without_header(lattice: Estimate, network: Estimate | None, lowest: float) -> Estimate:
    """Return the answer for pixels: the lattice's where it has one, else the network's.

    There is no number where the lattice finds no trace in many blocks, or only their edges, or leaves no quality that
    the network could mean. The network is quoted when its whole interval is below `lowest`, the least that it says of
    photographs never compressed.
    """
    asked = _all(lattice, network)
    if lattice.quality is not None:
        return replace(lattice, evidence=AutoEvidence(lattice.evidence, lattice.evidence.earlier_quality, asked))
    reason, answer = _believed(lattice, network, lowest)
    if answer is None:
        return replace(lattice, reason=reason, evidence=AutoEvidence(asked=asked))
    return replace(answer, evidence=AutoEvidence(answer.evidence, asked=asked))


def _believed(lattice: Estimate, network: Estimate | None, lowest: float) -> tuple[str | None, Estimate | None]:
    """Return why there is no answer where the lattice has none, or the network's that is believed."""
    shown = _of(LatticeEvidence, lattice)
    if shown.verdict == "changed" or network is None:
        return lattice.reason, None
    if network.quality is None:
        return f"{lattice.reason}; {network.reason}", None
    if shown.answerable is False:  # the network's intervals do not hold
        return f"{lattice.reason}; the network says about {number(network.quality)}", None
    if shown.verdict == "never":
        traces = network.interval is not None and network.interval[1] < lowest
        about = f"about {number(network.quality)}"
        seen = f"no lattice, but the network sees traces ({about}): changed after a compression?"
        return seen if traces else lattice.reason, None
    among = _among(network, lattice.tie_set)
    if among is None:
        left = f"the lattice leaves {any_of(lattice.tie_set)}"
        return f"{left}, the network says about {number(network.quality)}: they do not agree", None
    return None, among


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
