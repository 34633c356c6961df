"""The network's answer: predict the patches of a picture, take the median of the confident ones."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate, Evidence
from q1net_msroi.classifier.q1net import correction, fusion, intervals, patches, weights
from q1net_msroi.classifier.q1net.configs import AREA, Config, get_config
from q1net_msroi.utils.errors import note, show

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def predictor(config: Config, folder: Path, backend: str, threads: int) -> Predict:
    """Return a function from patches (n, 16, 16, 3) in the weights' channel order to (n, 2) confidence and quality.

    `backend` names the shipped LiteRT model, or "tf" for the checkpoint in TensorFlow. Not to be shared by threads.
    """
    if backend == "tf":
        model = weights.load_model(config, folder)
        return lambda values: np.asarray(model.predict_on_batch(values.astype(np.float32)))
    from q1net_msroi.utils.litert import LiteModel

    path, recorded = weights.checked_tflite(folder, weights.TFLITE_NAMES[backend], "to_tflite.py")
    if recorded and path.exists() and weights.weights_hash(folder) not in (None, recorded["weights_sha256"]):
        note(f"{show(path)} was made from other weights than {show(folder / 'best')}; run to_tflite.py")
    return LiteModel(path, threads)


def calibrated(folder: Path, backend: str) -> dict[str, Any]:
    """Return what calibrate_cls.py stored for a backend, by `patches/fusion`; nothing where it never ran.

    float16 and TensorFlow answer as float32 does to a hundredth; int8 does not, and has its own or none.
    """
    recorded = weights.read_card(folder).get("fusion", {})
    return dict(recorded.get(backend) or (recorded.get("float32", {}) if backend != "int8" else {}))


@dataclass(frozen=True)
class NetworkEvidence(Evidence):
    """What the patches say that are more confident than `threshold`: `quality`, and `uncorrected` as it was measured.

    `fusion` and `patches` name the rule and the choice of places.
    """

    kind: ClassVar[str] = "network"
    quality: float | None
    uncorrected: float | None
    confident_patches: int
    confident_share: float
    threshold: float
    fusion: str
    patches: str
    validated = ", which held for 9 of 10 answers on validation photographs"

    def lines(self) -> list[str]:
        """Return one line: the answer, how many patches are confident, and how they were chosen and fused."""
        quality = "unknown" if self.quality is None else f"{self.quality:.2f}"
        confident = f"{self.confident_share:.0%}, confidence above {self.threshold:g}"
        rule = f"{self.fusion} of patches by {self.patches}"
        return [f"network: quality {quality}, {self.confident_patches} confident patches ({confident}), {rule}"]


class NetworkEstimator:
    """Estimates with one model; hold one a thread."""

    def __init__(self, asked: Asked) -> None:
        """Load the model; raise `UserError` when its files are missing or damaged.

        Unless asked otherwise, patches lie on the original's grid and are fused by the paper's median.
        """
        config = get_config(asked.comp_type)
        folder = weights.model_folder(config, asked.save_path)
        self.order = weights.channel_order(folder)
        self.rule, self.choice, self.find_grid = asked.fusion or "median", asked.patches or "grid", asked.find_grid
        entry = calibrated(folder, asked.backend).get(f"{self.choice}/{self.rule}", {})
        own = entry.get("threshold", weights.threshold(config, folder, asked.backend))
        self.threshold = own if asked.threshold is None else asked.threshold
        self._tested = asked.threshold is None  # how many patches are enough was measured at the weights' threshold
        self._intervals = intervals.from_record(entry["interval"]) if "interval" in entry else None
        self._correction = correction.from_record(entry["correction"]) if "correction" in entry else correction.NONE
        if asked.uncorrected or self.threshold != own:
            # Both were measured at the weights' own threshold, and intervals around corrected answers.
            self._intervals, self._correction = None, correction.NONE
        self._predict = predictor(config, folder, asked.backend, asked.threads)

    def predict_patches(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (n, 2) confidence and quality for RGB patches (n, 16, 16, 3)."""
        if len(rgb) == 0:
            return np.zeros((0, 2), np.float32)
        return self._predict(patches.to_channel_order(rgb, self.order))

    def estimate(self, pixels: NDArray[np.uint8], phase: tuple[int, int] = (0, 0)) -> Estimate:
        """Return the estimate for (height, width, 3) uint8 RGB pixels; raise `UserError` below 24x24.

        `phase` (y, x), 0..7 each, is where the first whole block begins, for who knows it.
        """
        if self.find_grid:
            from q1net_msroi.classifier.lattice.grid import find_phase

            phase = find_phase(pixels).phase
        top, left = phase if min(pixels.shape[0] - phase[0], pixels.shape[1] - phase[1]) >= AREA else (0, 0)
        return self.estimate_patches(patches.CHOICES[self.choice](pixels[top:, left:]))

    def estimate_patches(self, rgb: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for the RGB patches (n, 16, 16, 3) of one picture; flat ones say nothing."""
        started = time.perf_counter()
        predictions = self.predict_patches(rgb)
        flat = patches.flat(rgb)
        predictions = np.where(flat[:, None], np.float32(0), predictions)
        said = fusion.fuse(predictions, self.threshold, self.rule)
        fused = self._correction.apply(said)
        quality, uncorrected = (None if each.quality is None else round(each.quality, 3) for each in (fused, said))
        count, parts = fused.confident, len(rgb)
        how = (count, round(count / max(1, parts), 4), self.threshold, self.rule, self.choice)
        evidence = NetworkEvidence(quality, uncorrected, *how, used=count, parts=parts, spread=fused.spread)
        reason = None
        if flat.all():
            reason = "the picture is flat all over"
        elif fused.quality is None:
            best = float(predictions[:, 0].max())
            reason = f"none of {len(rgb)} patches is confident (best {best:.1f}, needed more than {self.threshold:g})"
        around = self._intervals.around(fused) if self._intervals else None
        said_quality = fused.quality
        if fused.quality is not None and self._tested:
            if not fusion.enough(fused, parts - int(flat.sum())):
                reason = f"too few confident patches to rely on: {count} of {parts}, about {fused.quality:.0f}"
            elif self._intervals is not None and not self._intervals.hold(fused):
                half = f"half of {count} lie {fused.spread:.0f} apart, about {fused.quality:.0f}"
                reason = f"the confident patches differ, as with tables that are not standard: {half}"
            if reason:
                said_quality, around = None, None
        return Estimate(said_quality, around, (), reason, evidence, time.perf_counter() - started)
