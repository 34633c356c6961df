"""One answer from all evidence: the file's header, the quantisation lattice, the network.

The header of a JPEG file tells its last compression exactly; the pixels then only tell whether a stronger one came
before. Where there is no header, the lattice answers if it is decisive, else the network, looking at the grid that was
found in the pixels. But where there are blocks enough to show a lattice and none does, the picture was never compressed
or was changed since, and no number means anything: one compressed at 30, then resized to 90 %, gets some 62 from the
network. Each is asked only when its word can matter, or when the evidence is to be explained.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators import explain
from q1net_msroi.classifier.estimators.header import Header, estimate_header, read_header
from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.classifier.estimators.network import NetworkEstimator, calibrated
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.lattice.grid import find_phase
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import AREA, CONFIGS, Config
from q1net_msroi.utils.errors import UserError, show

LATTICE_STEP = 3  # qualities below the header's at which a decisive lattice means an earlier compression
NETWORK_STEP = 10  # the same for the network, below the end of its interval
BEST = "texture/weighted_median"  # patches and fusion where no card tells better
LOWEST_NEVER = 90.0  # what the network says of pictures never compressed begins here, where no card tells better


def best_network(asked: Asked) -> tuple[Config, Path, str, str]:
    """Return the network to ask: variant, its folder, patches and fusion, the best of validation among those there.

    Raises `UserError` when no network has the model file that the backend needs.
    """
    found: list[tuple[float, int, Config, Path, str, str]] = []
    for config in CONFIGS.values():
        folder = weights.model_folder(config, asked.save_path)
        name = weights.TFLITE_NAMES.get(asked.backend, "best/.index")
        if not (folder / name).exists():
            continue
        card = calibrated(folder, asked.backend)
        choice, rule = card.get("best", BEST).split("/")
        choice, rule = asked.patches or choice, asked.fusion or rule
        mae = card.get(f"{choice}/{rule}", {}).get("mae")
        found.append((100.0 if mae is None else float(mae), len(found), config, folder, choice, rule))
    if not found:
        folder = weights.model_folder(CONFIGS["jpeg_paper"], asked.save_path)
        raise UserError(f"{show(folder / weights.TFLITE_NAMES['float32'])} is missing; restore it or run to_tflite.py")
    return min(found, key=lambda entry: entry[:2])[2:]


class AutoEstimator:
    """Answers with the best evidence; hold one a thread."""

    def __init__(self, asked: Asked) -> None:
        """Find the network's files, which are loaded when first needed; raise `UserError` when there are none."""
        self._asked = asked
        self._network_files = best_network(asked)
        self._network: NetworkEstimator | None = None
        self._lattice = LatticeEstimator()

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the answer for (height, width, 3) uint8 RGB pixels of no file or of a file without a JPEG header."""
        return self._estimate(pixels, None)

    def estimate_file(self, path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> Estimate:
        """Return the answer for the file at `path` and its pixels."""
        return self._estimate(pixels, read_header(path))

    def network(self) -> NetworkEstimator:
        """Return the network, loaded at the first call; raise `UserError` when its files are damaged."""
        if self._network is None:
            config, _, choice, rule = self._network_files
            a = self._asked
            self._network = NetworkEstimator(
                config, a.save_path, a.backend, a.threads, a.threshold, rule, choice, uncorrected=a.uncorrected
            )
        return self._network

    def _ask_network(self, pixels: NDArray[np.uint8], phase: tuple[int, int] | None) -> Estimate:
        """Ask the network on the grid that begins at `phase`, or at one still to be found."""
        if min(pixels.shape[:2]) < AREA:
            return Estimate(None, 0, 0, reason=f"the network needs at least {AREA}x{AREA} pixels")
        return self.network().estimate(pixels, find_phase(pixels).phase if phase is None else phase)

    def _estimate(self, pixels: NDArray[np.uint8], header: Header | None) -> Estimate:
        started = time.perf_counter()
        lattice = self._lattice.estimate(pixels).with_tie_interval()
        phase = lattice.evidence["lattice"].get("phase")
        phase = (int(phase[0]), int(phase[1])) if phase is not None else None
        decisive = lattice.quality is not None
        network = None
        if self._asked.explain or not decisive:
            network = self._ask_network(pixels, phase)
        if header is not None:
            answer = with_header(estimate_header(header), lattice, network)
        else:
            answer = without_header(lattice, network, self._lowest_never())
        said = {**lattice.evidence["lattice"], "tie_set": list(lattice.tie_set)}
        evidence = {**answer.evidence, "lattice": said, **({} if network is None else network.evidence)}
        answer = replace(
            answer,
            confident_patches=0 if network is None else network.confident_patches,
            patches=0 if network is None else network.patches,
            spread=None if network is None else network.spread,
            evidence=evidence,
        )
        evidence["sentence"] = explain.sentence(answer)
        return replace(answer, evidence=evidence, seconds=time.perf_counter() - started)

    def _lowest_never(self) -> float:
        _, folder, choice, rule = self._network_files
        entry = calibrated(folder, self._asked.backend).get(f"{choice}/{rule}", {})
        lowest = entry.get("lowest_never")
        return LOWEST_NEVER if lowest is None else float(lowest)


def with_header(header: Estimate, lattice: Estimate, network: Estimate | None) -> Estimate:
    """Return the answer for a JPEG file: the header's quality, and what the pixels tell of an earlier compression."""
    said = header.evidence["header"]
    last = said["nearest_standard"]  # mozjpeg's own setting is on another scale than what pixels tell
    earlier = explain.earlier_of(lattice)
    if earlier is None and lattice.quality is not None and lattice.interval is not None:
        standard = lattice.evidence["lattice"].get("tables") != "not standard"
        highest = lattice.quality if standard else lattice.interval[1]
        earlier = lattice.quality if highest <= last - LATTICE_STEP else None
    if earlier is None and lattice.quality is None and network is not None and network.interval is not None:
        earlier = network.quality if network.interval[1] <= last - NETWORK_STEP else None
    return replace(header, evidence={**header.evidence, "spoke": "header", **_earlier(earlier)})


def without_header(lattice: Estimate, network: Estimate | None, lowest_never: float) -> Estimate:
    """Return the answer for pixels: the lattice's where it has one, else the network's.

    Where the lattice finds no trace in many blocks there is no number, nor where only the blocks' edges are left of it,
    nor where it leaves no quality that the network could mean.
    The network's word is told when even the upper end of its interval is below `lowest_never`, the least that it says
    of photographs never compressed.
    """
    verdict = lattice.evidence["lattice"].get("verdict")
    if lattice.quality is not None:
        return replace(lattice, evidence={"spoke": "lattice", **_earlier(explain.earlier_of(lattice))})
    silent = {"spoke": None, **_earlier(None)}
    if verdict == "changed":
        return replace(lattice, evidence=silent)
    if network is None or network.quality is None:
        reason = lattice.reason if network is None else f"{lattice.reason}; {network.reason}"
        return replace(lattice, reason=reason, evidence=silent)
    if not lattice.evidence["lattice"].get("answerable", True):  # the network's intervals do not hold
        reason = f"{lattice.reason}; the network says about {explain.number(network.quality)}"
        return replace(lattice, reason=reason, evidence=silent)
    if verdict == "never":
        traces = network.interval is not None and network.interval[1] < lowest_never
        seen = f"no lattice, but the network sees traces (about {network.quality:.0f}): changed after a compression?"
        return replace(lattice, reason=seen if traces else lattice.reason, evidence=silent)
    among = _among(network, lattice.tie_set)
    if among is None:
        left = f"the lattice leaves {explain.any_of(lattice.tie_set)}"
        reason = f"{left}, the network says about {explain.number(network.quality)}: they do not agree"
        return replace(lattice, reason=reason, evidence=silent)
    return replace(among, evidence={"spoke": "network", **_earlier(None)})


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


def _earlier(quality: float | None) -> dict[str, Any]:
    return {"earlier_quality": None if quality is None else float(quality)}
