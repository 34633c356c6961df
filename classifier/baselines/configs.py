"""The baselines as data: what each sees, how it is built and trained."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.baselines import features, models
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils.errors import UserError

MODEL_NAME = "comp_cls.tflite"
SIDE = 64  # of a crop, in pixels


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


_CORNERS = ("block_corners", SIDE, (features.LENGTH,), features.features, models.block_corners, 1.0)
_MOBILENET = (SIDE, (SIDE, SIDE, 3), np.asarray, functools.partial(models.mobilenet_v2, SIDE), 0.5)
BASELINES = {
    "block_corners": Baseline("block_corners", *_CORNERS),
    "mobilenet_v2": Baseline("mobilenet_v2", "mobilenet_v2_regressor", *_MOBILENET),
}


def get_baseline(comp_type: str) -> Baseline:
    """Return the baseline named `comp_type`; raise `UserError` that lists the known ones."""
    if comp_type not in BASELINES:
        raise UserError(f"unknown --comp_type {comp_type}; known are {', '.join(BASELINES)}")
    return BASELINES[comp_type]


def model_folder(baseline: Baseline, save_path: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a baseline's model: `save_path` (default: the repository's `save`) / its folder."""
    return Path(save_path or weights.SAVE) / baseline.folder
