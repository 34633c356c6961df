"""The baselines as data: what each sees, how it is built and trained."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.baselines import features
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils.errors import UserError

MODEL_NAME = "comp_cls.tflite"


def _pixels(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return crops


def _block_corners() -> Any:
    from q1net_msroi.classifier.baselines import models

    return models.block_corners()


def _mobilenet_v2() -> Any:
    from q1net_msroi.classifier.baselines import models

    return models.mobilenet_v2(BASELINES["mobilenet_v2"].side)


@dataclass(frozen=True)
class Baseline:
    """One baseline: `inputs` makes the network's inputs of crops of `side` pixels, `build` the tf-keras model.

    `aligned_share` of the training crops lie on the block grid; `folder` below `save` holds the model (another family
    has a MobileNetV2 of its own there).
    """

    comp_type: str
    folder: str
    side: int
    input_shape: tuple[int, ...]
    inputs: Callable[[NDArray[np.uint8]], NDArray[Any]]
    build: Callable[[], Any]
    aligned_share: float


BASELINES = {
    baseline.comp_type: baseline
    for baseline in (
        Baseline("block_corners", "block_corners", 64, (features.LENGTH,), features.features, _block_corners, 1.0),
        Baseline("mobilenet_v2", "mobilenet_v2_regressor", 64, (64, 64, 3), _pixels, _mobilenet_v2, 0.5),
    )
}


def get_baseline(comp_type: str) -> Baseline:
    """Return the baseline named `comp_type`; raise `UserError` that lists the known ones."""
    if comp_type not in BASELINES:
        raise UserError(f"unknown --comp_type {comp_type}; known are {', '.join(BASELINES)}")
    return BASELINES[comp_type]


def model_folder(baseline: Baseline, save_path: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a baseline's model: `save_path` (default: the repository's `save`) / its folder."""
    return Path(save_path or weights.SAVE) / baseline.folder
