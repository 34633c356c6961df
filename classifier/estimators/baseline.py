"""A baseline's answer: its network over the crops of a picture, the median of what it says of them."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.baselines import crops
from q1net_msroi.classifier.baselines.configs import MODEL_NAME, get_baseline, model_folder
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate, Evidence
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.litert import LiteModel


@dataclass(frozen=True)
class BaselineEvidence(Evidence):
    """What the baseline called `name` says: the median over so many crops."""

    kind: ClassVar[str] = "baseline"
    name: str
    quality: float
    crops: int


def load_model(folder: Path, threads: int) -> LiteModel:
    """Return the model in `folder`; raise `UserError` when it is missing or damaged."""
    path, _ = weights.checked_tflite(folder, MODEL_NAME, "train_baseline.py")
    if not path.exists():
        raise UserError(f"{show(path)} is missing; restore it or run train_baseline.py")
    return LiteModel(path, threads)


class BaselineEstimator:
    """Estimates with one baseline; hold one a thread."""

    def __init__(self, asked: Asked) -> None:
        """Load the model; raise `UserError` when it is missing or damaged, or of a backend that is not there."""
        self.baseline, self.find_grid = get_baseline(asked.comp_type), asked.find_grid
        if asked.backend != "float32":
            raise UserError(f"--backend {asked.backend}: {asked.comp_type} comes as float32 only")
        self._predict = load_model(model_folder(self.baseline, asked.save_path), asked.threads)

    def predict_crops(self, made: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the quality (n,) of crops (n, side, side, 3) uint8 RGB."""
        return self._predict(self.baseline.inputs(made))[:, 0]

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for (height, width, 3) uint8 RGB pixels; unknown where no crop fits or all are flat."""
        started = time.perf_counter()
        side, name = self.baseline.side, self.baseline.comp_type
        if min(pixels.shape[:2]) < side:
            return Estimate(None, reason=f"{name} needs at least {side}x{side} pixels")
        if self.find_grid:
            from q1net_msroi.classifier.lattice.grid import find_phase

            top, left = find_phase(pixels).phase
            if min(pixels.shape[0] - top, pixels.shape[1] - left) >= side:
                pixels = pixels[top:, left:]
        made = crops.cut(pixels, side)
        if not len(made):
            return Estimate(None, reason="the picture is flat all over")
        said = self.predict_crops(made)
        low, quality, high = (float(value) for value in np.percentile(said, (25, 50, 75)))
        count = len(made)
        evidence = BaselineEvidence(name, round(quality, 3), count, used=count, parts=count, spread=high - low)
        return Estimate(quality, evidence=evidence, seconds=time.perf_counter() - started)
