"""Training a baseline: it learns, resumes with the same result, and its `.tflite` is its model."""

import csv
import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.baselines import crops
from q1net_msroi.classifier.baselines.configs import BASELINES, MODEL_NAME
from q1net_msroi.classifier.estimators.baseline import BaselineEstimator, load_model
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.utils.errors import EXIT_OK

training = pytest.importorskip("q1net_msroi.classifier.baselines.training")
from q1net_msroi.classifier.baselines import models  # noqa: E402
from q1net_msroi.utils.loop import Run  # noqa: E402

CORNERS = BASELINES["block_corners"]
SETTINGS = training.Settings(
    comp_type="block_corners", data="photographs", epochs=2, steps_per_epoch=12, batch_size=50, learning_rate=3e-3
)


@pytest.fixture(autouse=True)
def _keep_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Breaking(crops.CropSource):
    """A source that asks for a stop, as Ctrl-C does, after a number of batches."""

    left = 10**9

    def batches(self, epoch, start, stop):
        for batch in super().batches(epoch, start, stop):
            Breaking.left -= 1
            if Breaking.left == 0:
                signal.raise_signal(signal.SIGINT)
            yield batch


def make_run(photographs: Path, folder: Path, **changes) -> Run:
    settings = replace(SETTINGS, **changes)
    source = Breaking(crops.load(str(photographs), 64), settings.batch_size, 1, 1.0, windows_per_quality=2)
    validation = crops.validation_batches(str(photographs), 64, 100, 1.0)
    task = training.CropTask(settings, source, validation, folder / "save" / "block_corners", folder / "out")
    return Run(task)


@pytest.mark.slow
def test_it_learns_and_its_tflite_answers(photographs: Path, tmp_path: Path) -> None:
    run = make_run(photographs, tmp_path, steps_per_epoch=40)
    Breaking.left = 10**9
    assert run.train(100, restart=False) == EXIT_OK
    card = json.loads((tmp_path / "save" / "block_corners" / "model.json").read_text())
    assert 0 < card["val_mae_a_crop"] < 50
    with (tmp_path / "out" / "history_cls.csv").open(newline="") as handle:
        losses = [float(row["train_loss"]) for row in csv.DictReader(handle)]
    assert losses[-1] < min(losses[0], 15)  # 25 without learning
    assert card["trained"]["epoch"] == 2
    estimator = BaselineEstimator(Asked(CORNERS.comp_type, str(tmp_path / "save")))
    pixels = np.asarray(Image.open(photographs / "b.png").convert("RGB"))
    made = crops.cut(pixels, 64)
    expected = run.task.network(CORNERS.inputs(made), training=False).numpy()[:, 0]
    assert np.allclose(estimator.predict_crops(made), expected, atol=0.01)
    assert estimator.estimate(pixels).quality == pytest.approx(float(np.median(expected)), abs=0.01)


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(photographs: Path, tmp_path: Path) -> None:
    Breaking.left = 10**9
    whole = make_run(photographs, tmp_path / "whole")
    assert whole.train(100, restart=False) == EXIT_OK
    Breaking.left = 17
    assert make_run(photographs, tmp_path / "parts").train(5, restart=False) == 130
    assert not (tmp_path / "parts" / "save" / "block_corners" / MODEL_NAME).exists()
    Breaking.left = 10**9
    resumed = make_run(photographs, tmp_path / "parts")
    assert resumed.train(5, restart=False) == EXIT_OK
    for one, two in zip(whole.task.network.get_weights(), resumed.task.network.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_absolute_error() -> None:
    found = training.CropTask.loss(None, np.array([1.0, 5.0], np.float32), np.array([[3.0], [4.5]], np.float32))
    assert found.numpy().tolist() == [2.0, 0.5]


@pytest.mark.slow
def test_mobilenet_converts(tmp_path: Path) -> None:
    model = models.mobilenet_v2(64)
    assert model.output_shape == (None, 1)
    content = training.convert(model, "float32", training.PREDICTED_CROPS, model.input_shape[1:], "quality")
    (tmp_path / MODEL_NAME).write_bytes(content)
    made = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
    said = load_model(tmp_path, 1)(made)
    assert said.shape == (3, 1)
    assert np.allclose(said, model(made.astype(np.float32), training=False), atol=0.01)
    assert ((said >= 0) & (said <= 100)).all()
