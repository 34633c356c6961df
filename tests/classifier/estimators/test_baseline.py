"""What the shipped baselines answer, and what is said of models and pictures that cannot be used."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.baselines.configs import BASELINES, MODEL_NAME, model_folder
from q1net_msroi.classifier.estimators.baseline import BaselineEstimator, BaselineEvidence
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

Call = Callable[..., Any]


@pytest.fixture(params=list(BASELINES))
def name(request: pytest.FixtureRequest) -> str:
    if not (model_folder(BASELINES[request.param]) / MODEL_NAME).exists():
        pytest.skip(f"no weights are shipped for {request.param}")
    return str(request.param)


@pytest.fixture
def save_path(tmp_path: Path, name: str) -> Path:
    """A copy of the model that a test may change."""
    shutil.copytree(model_folder(BASELINES[name]), tmp_path / "save" / BASELINES[name].folder)
    return tmp_path / "save"


def test_answers_follow_the_quality(name: str, photograph: np.ndarray) -> None:
    estimator = BaselineEstimator(Asked(name))
    pixels = np.ascontiguousarray(photograph[:288, :448])
    said = [estimator.estimate(jpeg.compress(pixels, quality)) for quality in (10, 30, 60, 90)]
    qualities = [one.quality for one in said]
    assert qualities == sorted(qualities)
    for truth, one in zip((10, 30, 60, 90), said, strict=True):
        assert one.quality == pytest.approx(truth, abs=15)
        assert isinstance(one.evidence, BaselineEvidence)
        assert (one.evidence.name, one.evidence.crops, one.evidence.used, one.evidence.parts) == (name, 64, 64, 64)


def test_the_answer_is_the_median_of_the_crops(name: str, photograph: np.ndarray) -> None:
    estimator = BaselineEstimator(Asked(name))
    pixels = jpeg.compress(np.ascontiguousarray(photograph[:80, :80]), 50)
    crops = np.stack([pixels[y : y + 64, x : x + 64] for y in (0, 8, 16) for x in (0, 8, 16)])
    assert estimator.estimate(pixels).quality == pytest.approx(
        float(np.median(estimator.predict_crops(crops))), abs=1e-4
    )


def test_find_grid(name: str, photograph: np.ndarray) -> None:
    pixels = jpeg.compress(np.ascontiguousarray(photograph[:256, :256]), 40)
    found = BaselineEstimator(Asked(name, find_grid=True)).estimate(pixels[3:, 5:])
    assert found.quality == pytest.approx(BaselineEstimator(Asked(name)).estimate(pixels[8:, 8:]).quality, abs=1e-4)


def test_no_answer(name: str) -> None:
    estimator = BaselineEstimator(Asked(name))
    small = estimator.estimate(np.zeros((63, 500, 3), np.uint8))
    assert (small.quality, small.reason) == (None, f"{name} needs at least 64x64 pixels")
    flat = estimator.estimate(np.full((100, 100, 3), 3, np.uint8))
    assert (flat.quality, flat.reason) == (None, "the picture is flat all over")


def test_damaged_and_missing_models(name: str, save_path: Path) -> None:
    path = save_path / BASELINES[name].folder / MODEL_NAME
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged"):
        BaselineEstimator(Asked(name, str(save_path)))
    path.unlink()
    with pytest.raises(UserError, match=r"is missing; restore it or run train_baseline\.py"):
        BaselineEstimator(Asked(name, str(save_path)))


def test_by_the_command(call: Call, name: str, jpeg_file: Callable[..., Path], tmp_path: Path) -> None:
    path = jpeg_file(30)
    done = call("classifier.predict_cls", "--in_path", path, "--comp_type", name, "--explain")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0].startswith("predicted quality ")
    assert done.lines[1].startswith("compressed at about ")
    assert done.lines[2].startswith(f"  baseline: name {name}, quality ")
    answer = json.loads(call("classifier.predict_cls", "--in_path", path, "--comp_type", name, "--json").out)
    assert answer["quality"] == pytest.approx(30, abs=15)
    flags = ("--in_path", path, "--comp_type", name)
    call("classifier.predict_cls", *flags, "--backend", "int8").fails(2, "comes as float32 only")
    call("classifier.predict_cls", *flags, "--map", tmp_path / "m.png").fails(2, "--map is drawn by auto")
    Image.fromarray(np.zeros((40, 90, 3), np.uint8)).save(tmp_path / "small.png")
    call("classifier.predict_cls", "--in_path", tmp_path / "small.png", "--comp_type", name).fails(2, "64")


def test_tensorflow_is_not_needed(run: Call, name: str, jpeg_file: Callable[..., Path]) -> None:
    code = (
        "import sys; from q1net_msroi.classifier.predict_cls import main; main(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'tf_keras', 'matplotlib', 'scipy'} & set(sys.modules); assert not heavy, heavy"
    )
    done = run("-c", code, "--in_path", jpeg_file(30), "--comp_type", name)
    assert done.code == 0, done.err
