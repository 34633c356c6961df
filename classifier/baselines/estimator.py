"""A baseline's answer: its network over the crops of a picture, the median of what it says of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.baselines import crops
from q1net_msroi.classifier.baselines.configs import MODEL_NAME, Baseline, model_folder
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.litert import LiteModel


def load_model(folder: Path, threads: int) -> LiteModel:
    """Return the model in `folder`; raise `UserError` when it is missing or damaged."""
    path = folder / MODEL_NAME
    if not path.exists():
        raise UserError(f"{show(path)} is missing; restore it or run train_baseline.py")
    recorded = weights.read_card(folder).get("tflite", {}).get(MODEL_NAME)
    if recorded is not None and files.sha256(path) != recorded["sha256"]:
        raise UserError(f"{show(path)} is damaged (its checksum differs); restore it or run train_baseline.py")
    return LiteModel(path, threads)


class BaselineEstimator:
    """Estimates with one baseline; hold one a thread."""

    def __init__(
        self,
        baseline: Baseline,
        save_path: str | os.PathLike[str] | None = None,
        threads: int = 1,
        find_grid: bool = False,
    ) -> None:
        """Load the model; raise `UserError` when it is missing or damaged.

        `find_grid` finds the phase of the 8x8 blocks from the pixels first.
        """
        self.baseline, self.find_grid = baseline, find_grid
        self._predict = load_model(model_folder(baseline, save_path), threads)

    def predict_crops(self, made: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the quality (n,) of crops (n, side, side, 3) uint8 RGB."""
        return self._predict(self.baseline.inputs(made))[:, 0]

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for (height, width, 3) uint8 RGB pixels; unknown where no crop fits or all are flat."""
        started = time.perf_counter()
        side = self.baseline.side
        if min(pixels.shape[:2]) < side:
            return Estimate(None, 0, 0, reason=f"{self.baseline.comp_type} needs at least {side}x{side} pixels")
        if self.find_grid:
            from q1net_msroi.classifier.lattice.grid import find_phase

            top, left = find_phase(pixels).phase
            if min(pixels.shape[0] - top, pixels.shape[1] - left) >= side:
                pixels = pixels[top:, left:]
        made = crops.cut(pixels, side)
        if not len(made):
            return Estimate(None, 0, 0, reason="the picture is flat all over")
        said = self.predict_crops(made)
        low, quality, high = (float(value) for value in np.percentile(said, (25, 50, 75)))
        return Estimate(
            quality,
            len(made),
            len(made),
            high - low,
            evidence={"baseline": {"name": self.baseline.comp_type, "quality": round(quality, 3), "crops": len(made)}},
            seconds=time.perf_counter() - started,
        )
