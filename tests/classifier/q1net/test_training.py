"""Training: the loss, resuming, stopping, averaging; small runs on real patches."""

import csv
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.q1net.configs import CONFIGS
from q1net_msroi.classifier.q1net.dataset import FileSource, PatchFile
from q1net_msroi.classifier.q1net.generation import Plan, Request, generate
from q1net_msroi.utils.errors import UserError

training = pytest.importorskip("q1net_msroi.classifier.q1net.training")
from q1net_msroi.classifier.q1net import weights  # noqa: E402
from q1net_msroi.classifier.q1net.architecture import build  # noqa: E402
from q1net_msroi.utils import training as shared  # noqa: E402
from q1net_msroi.utils.loop import Run  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
CONFIG = CONFIGS["jpeg_paper"]
BROKEN = (training.tf.errors.OpError, ConnectionAbortedError)  # TensorFlow wraps what its data pipeline raised


@pytest.fixture(scope="module")
def patch_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set: one photograph, one place, 100 qualities, 64 offsets = 6,400 patches."""
    folder = tmp_path_factory.mktemp("patches")
    pixels = np.asarray(Image.open(ROOT / "sample_image" / "chelsea.png").convert("RGB"))
    Image.fromarray(pixels).save(folder / "cat.png")
    generate(Plan(Request("jpeg_paper", 1), (folder / "cat.png",)), folder / "set.hdf5")
    return folder / "set.hdf5"


@pytest.fixture(autouse=True)
def _keep_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "STATISTICS_BATCHES", 2)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Breaking(FileSource):
    """A source that breaks off like a killed process after a number of batches."""

    left = 10**9

    def batches(self, epoch, start, stop):
        for batch in super().batches(epoch, start, stop):
            Breaking.left -= 1
            if Breaking.left < 0:
                raise ConnectionAbortedError
            yield batch


def make_run(patch_file: Path, folder: Path, source_class=FileSource, comp_type="jpeg_paper", **changes) -> Run:
    values = {
        "comp_type": comp_type,
        "data": str(patch_file),
        "aligned_share": None,
        "epochs": 2,
        "steps_per_epoch": 6,
        "batch_size": 32,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "warmup_steps": 3,
        "average_weights": 0.0,
        "statistics_batches": 0,
        "frozen_statistics": False,
        "base_weights": None,
        "seed": 3,
        "strategy": "none",
    }
    settings = training.Settings(**{**values, **changes})
    source = source_class(PatchFile(patch_file), 32, 3)
    held_out = PatchFile(patch_file)

    def validation():
        return [(held_out.patches(0, 64), held_out.qualities[:64])]

    return Run(training.PatchTask(settings, source, validation, folder / "save", folder / "out"))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "out" / "history_cls.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_loss_equals_its_definition() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(1, 101, 50).astype(np.float32)
    predicted = random.uniform(0, 100, (50, 2)).astype(np.float32)
    expected = [0.5 * abs(100 - abs(q - p[1]) - p[0]) + abs(q - p[1]) for q, p in zip(truth, predicted, strict=True)]
    got = training.loss(training.tf.constant(truth), training.tf.constant(predicted)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_loss_stops_the_gradient_of_the_confidence_target() -> None:
    tf = training.tf
    predicted = tf.Variable([[40.0, 30.0]])
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(training.loss(tf.constant([50.0]), predicted))
    # c* = 100 - 20 = 80 > c: the confidence is pulled up; the quality's gradient is that of |q* - q| alone.
    np.testing.assert_allclose(tape.gradient(value, predicted).numpy(), [[-0.5, -1.0]])


def test_schedule_rises_then_falls() -> None:
    schedule = shared.make_schedule("cosine", 1e-3, 100, 10)
    values = [float(schedule(step)) for step in range(101)]
    assert values[0] == 0
    assert max(values) == pytest.approx(1e-3, rel=1e-3)
    assert int(np.argmax(values)) == 10
    assert all(a >= b for a, b in itertools.pairwise(values[10:]))
    assert values[-1] == pytest.approx(1e-5, rel=1e-2)
    assert shared.make_schedule("constant", 1e-3, 100, 0) == 1e-3


def test_statistics_are_the_plain_mean_over_batches() -> None:
    keras = shared.keras
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, keras.layers.BatchNormalization(momentum=0.9)(inputs))
    batches = [np.random.default_rng(n).normal(n, 2, (50, 2, 2, 3)).astype(np.float32) for n in range(4)]
    shared.recompute_statistics(model, batches)
    expected = np.mean([batch.mean(axis=(0, 1, 2)) for batch in batches], axis=0)
    np.testing.assert_allclose(model.layers[1].moving_mean.numpy(), expected, rtol=1e-4)
    assert model.layers[1].momentum == 0.9


@pytest.mark.slow
def test_averaged_weights_follow_the_model_and_come_back(patch_file: Path) -> None:
    model = build(8)
    average = shared.AveragedWeights(model, 0.5)
    start = model.get_weights()
    model.set_weights([w + 1 for w in start])
    for _ in range(60):
        average.update()
    kept = average.swap_in([])
    for before, now in zip(kept, model.get_weights(), strict=True):
        np.testing.assert_allclose(before, now, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_broken_run_resumes_to_the_same_result(patch_file: Path, tmp_path: Path, average: float) -> None:
    make_run(patch_file, tmp_path / "whole", average_weights=average).train(2, False, False)
    whole = rows(tmp_path / "whole")
    for batches in (3, 7):
        Breaking.left = batches
        # TensorFlow wraps what its data pipeline raised.
        with pytest.raises(BROKEN):
            make_run(patch_file, tmp_path / "broken", Breaking, average_weights=average).train(2, False, False)
    Breaking.left = 10**9
    assert make_run(patch_file, tmp_path / "broken", Breaking, average_weights=average).train(2, False, False) == 0
    for a, b in zip(whole, rows(tmp_path / "broken"), strict=True):
        for name in ("epoch", "train_loss", "val_loss", "val_mae", "learning_rate"):
            assert float(a[name]) == pytest.approx(float(b[name]), rel=1e-3), name


@pytest.mark.slow
def test_best_and_last_are_written_and_reloaded(patch_file: Path, tmp_path: Path) -> None:
    run = make_run(patch_file, tmp_path)
    assert run.train(100, False, False) == 0
    folder = tmp_path / "save" / "jpeg_paper"
    best = min(float(row["val_loss"]) for row in rows(tmp_path))
    assert float((folder / "best" / "val_loss.txt").read_text()) == pytest.approx(best, abs=1e-4)
    assert {"history_cls.csv", "history_cls.png", "tensorboard"} <= {p.name for p in (tmp_path / "out").iterdir()}
    assert json.loads((tmp_path / "save" / "last" / "run.json").read_text())["finished"] is True
    model = weights.load_model(CONFIG, folder)
    patches = PatchFile(patch_file).patches(0, 64)[..., ::-1].astype(np.float32)
    truth = PatchFile(patch_file).qualities[:64]
    value = float(
        np.mean(training.loss(training.tf.constant(truth, training.tf.float32), model(patches, training=False)))
    )
    assert value == pytest.approx(best, abs=1e-3)
    assert not list(folder.glob("*.partial")) + list(folder.glob("*.previous"))


@pytest.mark.slow
def test_weights_are_not_replaced_unasked(patch_file: Path, tmp_path: Path) -> None:
    make_run(patch_file, tmp_path, epochs=1).train(100, False, False)
    with pytest.raises(UserError, match="already holds weights"):
        make_run(patch_file, tmp_path, epochs=1, seed=4).train(100, False, False)
    folder = tmp_path / "save" / "jpeg_paper"
    before = weights.weights_hash(folder)
    # Training on from them with a learning rate that can only harm keeps them.
    run = make_run(patch_file, tmp_path, epochs=1, base_weights=str(folder), learning_rate=1.0, warmup_steps=0, seed=5)
    run.train(100, False, False)
    assert weights.weights_hash(folder) == before


@pytest.mark.slow
def test_unfinished_run_with_other_parameters_is_refused(patch_file: Path, tmp_path: Path) -> None:
    Breaking.left = 4
    with pytest.raises(BROKEN):
        make_run(patch_file, tmp_path, Breaking).train(2, False, False)
    Breaking.left = 10**9
    with pytest.raises(UserError, match="learning_rate"):
        make_run(patch_file, tmp_path, learning_rate=5e-4).train(2, False, False)
    assert make_run(patch_file, tmp_path, epochs=1, learning_rate=5e-4).train(2, True, True) == 0


@pytest.mark.slow
def test_a_last_phase_with_fixed_statistics_also_of_a_wider_network(patch_file: Path, tmp_path: Path) -> None:
    make_run(patch_file, tmp_path / "narrow", epochs=1).train(100, False, False)
    base = tmp_path / "narrow" / "save" / "jpeg_paper"
    changes = {"epochs": 1, "base_weights": str(base), "frozen_statistics": True, "learning_rate": 1e-6}
    for config in CONFIGS.values():
        run = make_run(patch_file, tmp_path / config.comp_type, comp_type=config.comp_type, **changes)
        expected = training.validate(run.predict, run.task.validation)[0]
        assert run.train(100, False, False) == 0
        folder = tmp_path / config.comp_type / "save" / config.comp_type
        model = weights.load_model(config, folder)
        value, _ = training.validate(lambda x, model=model: model(x, training=False), run.task.validation)
        assert value == pytest.approx(expected, rel=0.01), "next to nothing was learned, so next to nothing changed"
        assert value == pytest.approx(float(rows(tmp_path / config.comp_type)[-1]["val_loss"]), abs=1e-3)


@pytest.mark.slow
def test_stop_file_ends_after_the_epoch(patch_file: Path, tmp_path: Path) -> None:
    (tmp_path / "stop_training").touch()
    assert make_run(patch_file, tmp_path).train(100, False, False) == 0
    assert len(rows(tmp_path)) == 1
    assert not (tmp_path / "stop_training").exists()
    assert make_run(patch_file, tmp_path).train(100, False, False) == 0
    assert len(rows(tmp_path)) == 2


@pytest.mark.slow
def test_interrupt_saves_and_resumes(patch_file: Path, tmp_path: Path) -> None:
    class Interrupting(FileSource):
        def batches(self, epoch, start, stop):
            for number, batch in enumerate(super().batches(epoch, start, stop), start):
                if (epoch, number) == (0, 3) and not (tmp_path / "sent").exists():
                    (tmp_path / "sent").touch()
                    os.kill(os.getpid(), signal.SIGINT)
                yield batch

    assert make_run(patch_file, tmp_path, Interrupting).train(100, False, False) == 130
    assert make_run(patch_file, tmp_path, Interrupting).train(100, False, False) == 0
    assert len(rows(tmp_path)) == 2


def train_command(patch_file: Path, folder: Path, *extra: str) -> list[str]:
    return [
        sys.executable,
        str(ROOT / "classifier" / "train.py"),
        *("--hdf5_train_path", str(patch_file), "--hdf5_val_path", str(patch_file)),
        *("--batch_size", "64", "--epochs", "3", "--steps_per_epoch", "30", "--checkpoint_steps", "5"),
        *("--save_path", str(folder / "save"), "--out_path", str(folder / "out"), *extra),
    ]


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **extra}


@pytest.mark.slow
def test_ten_kills_at_random_moments(patch_file: Path, tmp_path: Path) -> None:
    subprocess.run(train_command(patch_file, tmp_path / "whole"), env=environment(), check=True, capture_output=True)
    random = np.random.default_rng()
    for _ in range(10):
        process = subprocess.Popen(
            train_command(patch_file, tmp_path / "killed"),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(random.uniform(5, 12))
        process.kill()
        process.wait()
        best = tmp_path / "killed" / "save" / "jpeg_paper"
        if (best / "best").exists():
            weights.load_model(CONFIG, best)
        record = tmp_path / "killed" / "save" / "last" / "run.json"
        if record.exists() and json.loads(record.read_text())["finished"]:  # on a fast machine before the last kill
            break
    else:
        subprocess.run(
            train_command(patch_file, tmp_path / "killed"), env=environment(), check=True, capture_output=True
        )
    for a, b in zip(rows(tmp_path / "whole"), rows(tmp_path / "killed"), strict=True):
        assert float(a["val_loss"]) == pytest.approx(float(b["val_loss"]), rel=0.02)


@pytest.mark.slow
def test_two_workers_train_like_one(patch_file: Path, tmp_path: Path) -> None:
    subprocess.run(train_command(patch_file, tmp_path / "one"), env=environment(), check=True, capture_output=True)
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(f"127.0.0.1:{probe.getsockname()[1]}")
    workers = []
    for index in range(2):
        config = json.dumps({"cluster": {"worker": ports}, "task": {"type": "worker", "index": index}})
        command = train_command(patch_file, tmp_path / "two", "--strategy", "multi_worker")
        workers.append(subprocess.Popen(command, env=environment(TF_CONFIG=config), stderr=subprocess.PIPE))
    for worker in workers:
        _, errors = worker.communicate(timeout=300)
        assert worker.returncode == 0, errors.decode()[-3000:]
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert len(one) == len(two) == 3
    # Each worker normalises over its own half of a batch, so the results agree but for noise.
    assert float(two[-1]["train_loss"]) == pytest.approx(float(one[-1]["train_loss"]), rel=0.1)
    weights.load_model(CONFIG, tmp_path / "two" / "save" / "jpeg_paper")


@pytest.mark.slow
def test_statistics_of_many_batches_are_saved_and_training_goes_on_as_without(patch_file: Path, tmp_path: Path) -> None:
    saved, last = [], []
    for name, batches in (("moving", 0), ("gathered", 8)):
        run = make_run(patch_file, tmp_path / name, statistics_batches=batches)
        assert run.train(100, restart=False, overwrite=False) == 0
        last.append(run.task.network.get_weights())
        run.task.load_best()
        saved.append(run.task.network.get_weights())
    for one, other in zip(*last, strict=True):
        np.testing.assert_array_equal(one, other)
    both = zip(run.task.network.weights, *saved, strict=True)
    changed = [variable.name for variable, one, other in both if not np.allclose(one, other, rtol=1e-3)]
    assert changed
    assert all("moving_" in name for name in changed)


def test_the_error_of_one_answer_for_all() -> None:
    qualities = [np.array([10, 10, 90], np.uint8), np.array([30], np.uint8)]
    batches = [(np.zeros((len(part), 16, 16, 3), np.uint8), part) for part in qualities]
    errors = [np.abs(np.concatenate(qualities).astype(float) - answer).mean() for answer in range(101)]
    assert training.constant_error(lambda: batches) == min(errors) == 25


def test_a_run_that_learnt_nothing_says_so(patch_file: Path, tmp_path: Path) -> None:
    task = make_run(patch_file, tmp_path).task
    assert task.learnt_nothing() == ""  # no epoch was judged
    task.least_error = 0.0
    assert task.learnt_nothing() == ""  # of one quality it cannot be told
    task.validation = lambda: [(np.zeros((100, 16, 16, 3), np.uint8), np.arange(1, 101, dtype=np.uint8))]
    task.least_error = 24.0
    said = "nothing was learnt: an error of 24.0 on average, as the same answer for all patches (25.0); train longer"
    assert said in task.learnt_nothing()
    task.least_error = 23.5
    assert task.learnt_nothing() == ""
