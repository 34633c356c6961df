"""Every --comp_type makes an estimator, and answers for pictures it can take."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from q1net_msroi.classifier.baselines.configs import BASELINES, MODEL_NAME, model_folder
from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import images
from q1net_msroi.utils.errors import UserError

Call = Callable[..., Any]


def test_unknown_names() -> None:
    with pytest.raises(UserError, match="unknown --comp_type webp; known are jpeg_paper"):
        registry.get_kind("webp")


@pytest.mark.parametrize("comp_type", list(registry.KINDS))
def test_each_answers_for_a_jpeg_file(jpeg_file: Callable[..., Path], comp_type: str) -> None:
    if comp_type == "auto" or comp_type.startswith("jpeg_paper"):
        name = "jpeg_paper" if comp_type == "auto" else comp_type
        if not (weights.SAVE / name / "comp_cls.tflite").exists():
            pytest.skip(f"no weights are shipped in save/{name}")
    tolerance = 6 if comp_type.startswith("jpeg_paper") else 0
    if comp_type in BASELINES:
        tolerance = 15
        if not (model_folder(BASELINES[comp_type]) / MODEL_NAME).exists():
            pytest.skip(f"no weights are shipped for {comp_type}")
    path = jpeg_file(60)
    estimate = registry.estimate_path(Asked(comp_type), None, path)
    assert estimate.quality == pytest.approx(60, abs=tolerance)
    record = json.loads(json.dumps(estimate.record(str(path), comp_type)))  # plain numbers all through
    assert record["quality"] == pytest.approx(estimate.quality, abs=1e-3)


def test_a_fallback_stands_in_for_unknown_only() -> None:
    picture = images.Picture(np.full((40, 40, 3), 99, np.uint8), "PNG")
    header = registry.load(Asked("jpeg_header"))
    assert registry.estimate_file(header, "x.png", picture).quality is None
    assert registry.estimate_file(header, "x.png", picture, 100.0).quality == 100


def test_a_lattice_answer_has_the_range_of_its_ties_as_interval(jpeg_file: Callable[..., Path]) -> None:
    estimate = registry.estimate_path(Asked("jpeg_lattice"), None, jpeg_file(45))
    assert estimate.interval == (min(estimate.tie_set), max(estimate.tie_set))


@pytest.mark.parametrize("comp_type", ["jpeg_lattice", "jpeg_header"])
def test_by_the_command(call: Call, jpeg_file: Callable[..., Path], comp_type: str) -> None:
    done = call("classifier.predict_cls", "--in_path", jpeg_file(35), "--comp_type", comp_type, "--explain")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0].startswith("predicted quality 35.00, estimated in ")
    assert done.lines[1] in ("compressed at 35", "saved at 35")
