"""Training of the head: loss, accuracy, exact resume, what is written."""

import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.utils import figures
from q1net_msroi.utils.errors import UserError

training = pytest.importorskip("q1net_msroi.msroi.roi.training")
from q1net_msroi.msroi.roi import architectures, checkpoints, dataset, tables  # noqa: E402
from q1net_msroi.msroi.roi import head as head_module  # noqa: E402
from q1net_msroi.msroi.roi.architectures import build_features, build_head  # noqa: E402

tf = training.tf
CHANNELS = 1280
NAMES = ("cat", "dog", "bird")
BROKEN = (tf.errors.OpError, ConnectionAbortedError)  # TensorFlow wraps what its data pipeline raised


class Features:
    """Features of 20 "pictures" in three classes that differ in their mean; may break off like a killed process."""

    shape = (2, 2, CHANNELS)
    left = 10**9
    error: Exception = ConnectionAbortedError()

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.labels = (np.arange(20) % 3).astype(np.int32)
        centres = np.random.default_rng(99).normal(0, 1, (3, CHANNELS))
        noise = random.normal(0, 1, (20, *self.shape))
        self._values = (centres[self.labels][:, None, None] + noise).astype(np.float32)

    def values(self, rows, draw):
        if draw is not None:
            Features.left -= 1
            if Features.left < 0:
                raise Features.error
        return self._values[rows]


@pytest.fixture
def draws() -> None:
    """Asked for by a test that wants the plots of every epoch, which take as long as the training."""


@pytest.fixture(autouse=True)
def _keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    monkeypatch.chdir(tmp_path)
    if "draws" not in request.fixturenames:
        monkeypatch.setattr(figures, "loss_curves", lambda rows, path: None)
        monkeypatch.setattr(training, "accuracy_curves", lambda rows, top_k, path: None)
    monkeypatch.setattr(Features, "left", 10**9)
    monkeypatch.setattr(architectures, "HEAD_CHANNELS", 64)  # 11 million parameters would take a minute to write
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def settings(**changes) -> training.Settings:
    values = {
        "arch": "mobilenet_v2",
        "data": "test",
        "labels": 4,
        "loss": "softmax",
        "frozen_backbone": True,
        "image_size": 64,
        "optimizer": "adam",
        "learning_rate": 3e-4,
        "momentum": 0.9,
        "epsilon": 1e-7,
        "weight_decay": 5e-4,
        "dropout": 0.5,
        "schedule": "cosine",
        "warmup_steps": 2,
        "batch_size": 8,
        "epochs": 2,
        "top_k": 2,
        "augmentation": True,
        "class_balance": True,
        "vgg_weights": None,
        "base_weights": None,
        "seed": 3,
        "strategy": "none",
    }
    return training.Settings(**{**values, **changes})


def make_run(folder: Path, save_every: int = 10, **changes) -> training.Run:
    output = training.Output(folder / "models", folder / "out", folder / "cache", save_every, 1)
    task = training.HeadTask(settings(**changes), None, (Features(), Features(1)), NAMES, output)
    return training.Run(task)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "out" / "history_msroi.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("size", [(7, 7), (4, 5), (1, 3), (1, 1)])
def test_pooled_maps_equal_the_mean_of_the_maps(size: tuple[int, int]) -> None:
    head = build_head(6, 3)
    for layer in head.layers:  # biases away from zero
        layer.set_weights([w + 0.01 * (w.ndim == 1) for w in layer.get_weights()])
    features = tf.constant(np.random.default_rng(0).normal(size=(2, *size, 6)), tf.float32)
    maps, scores = head(features)
    pooled = head_module.pooled_maps(head, features)
    np.testing.assert_allclose(pooled, tf.reduce_mean(maps, axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(head.get_layer("GAP")(pooled), scores, atol=1e-5)


def test_losses_equal_their_definitions() -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 2, (6, 5)), random.integers(0, 5, 6)
    softmax, sigmoid = [], []
    for row, label in zip(logits, labels, strict=True):
        softmax.append(-np.log(np.exp(row[label]) / np.exp(row).sum()))
        shares = 1 / (1 + np.exp(-row))
        sigmoid.append(-sum(np.log(s if k == label else 1 - s) for k, s in enumerate(shares)))
    given = tf.constant(labels, tf.int32), tf.constant(logits, tf.float32)
    np.testing.assert_allclose(head_module.class_loss("softmax")(*given), softmax, rtol=1e-4)
    np.testing.assert_allclose(head_module.class_loss("sigmoid")(*given), sigmoid, rtol=1e-4)


def test_rank_counts_ties_and_nan_against_the_network() -> None:
    logits = np.array([[3, 1, 2], [3, 1, 2], [1, 1, 1], [np.nan, np.nan, np.nan], [5, 5, 0]], np.float32)
    assert head_module.rank(logits, np.array([0, 1, 0, 0, 2])).tolist() == [0, 2, 2, 2, 2]


def test_score_sees_every_picture_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "TEST_BATCH", 7)
    source = Features()
    logits = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    table = {values.tobytes(): row for values, row in zip(source.values(np.arange(20), None), logits, strict=True)}
    found = head_module.score(lambda x: tf.constant([table[v.tobytes()] for v in x.numpy()]), "softmax", source, 2)
    best_first = np.argsort(-logits, axis=1)
    assert found.top_1 == pytest.approx(np.mean(best_first[:, 0] == source.labels))
    assert found.top_k == pytest.approx(np.mean([y in best_first[n, :2] for n, y in enumerate(source.labels)]))
    losses = head_module.class_loss("softmax")(tf.constant(source.labels), tf.constant(logits))
    assert found.loss == pytest.approx(float(np.mean(losses)), rel=1e-5)


def test_an_epoch_shows_every_picture_and_is_the_same_again(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.task.steps == 3

    def seen(epoch: int, start: int = 0) -> list[np.ndarray]:
        return [np.asarray(values) for (values, _), _ in run._batches(epoch, start)]

    first = seen(0)
    known = {values.tobytes() for values in Features().values(np.arange(20), None)}
    assert {values.tobytes() for values in np.concatenate(first)} == known
    for a, b in zip(first[1:], seen(0, 1), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != seen(1)[0]).any()


@pytest.mark.slow
def test_a_run_learns_and_writes_what_the_map_maker_reads(tmp_path: Path, draws: None) -> None:
    run = make_run(tmp_path, save_every=2, epochs=3, learning_rate=1e-3)
    assert run.train(500, False, False) == 0
    found = rows(tmp_path)
    assert [row["epoch"] for row in found] == ["1", "2", "3"]
    assert float(found[-1]["train_loss"]) < 0.5 * float(found[0]["train_loss"])
    assert float(found[-1]["top_1"]) == 1.0
    models = tmp_path / "models"
    assert {p.name for p in models.glob("model-*")} == {"model-2", "model-3", "model-best"}
    assert (models / "classes.txt").read_text().splitlines() == [*NAMES, "class 3"]
    assert {"history_msroi.csv", "history_msroi.png", "accuracy_msroi.png", "tensorboard"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    arrays = checkpoints.read(models / "model-3")
    assert set(arrays) == {"conv6_1/W", "conv6_1/b", "depth/W", "depth/b", "conv6/W", "conv6/b", "GAP/W"}
    head = build_head(CHANNELS, 4)
    checkpoints.fill(head, arrays, "model-3")
    source = Features(1)
    logits = head(source.values(np.arange(20), None))[1].numpy()
    assert (head_module.rank(logits, source.labels) == 0).mean() == 1.0
    assert json.loads((models / "last" / "run.json").read_text())["finished"] is True


@pytest.mark.slow
def test_the_sigmoid_loss_learns_too(tmp_path: Path) -> None:
    assert make_run(tmp_path, epochs=3, learning_rate=1e-3, loss="sigmoid").train(500, False, False) == 0
    assert float(rows(tmp_path)[-1]["train_loss"]) < 0.5 * float(rows(tmp_path)[0]["train_loss"])
    assert float(rows(tmp_path)[-1]["top_1"]) == 1.0


@pytest.mark.slow
def test_a_broken_run_resumes_to_the_same_result(tmp_path: Path) -> None:
    make_run(tmp_path / "whole").train(1, False, False)
    Features.left = 4  # of 2 x 3 steps
    with pytest.raises(BROKEN):
        make_run(tmp_path / "broken").train(1, False, False)
    Features.left = 10**9
    assert make_run(tmp_path / "broken").train(1, False, False) == 0
    for a, b in zip(rows(tmp_path / "whole"), rows(tmp_path / "broken"), strict=True):
        for name in ("epoch", "train_loss", "val_loss", "top_1", "top_k", "learning_rate"):
            assert float(a[name]) == pytest.approx(float(b[name]), rel=1e-3), name
    whole, broken = (checkpoints.read(tmp_path / name / "models" / "model-2") for name in ("whole", "broken"))
    for name in whole:
        np.testing.assert_allclose(whole[name], broken[name], atol=1e-5)


@pytest.mark.slow
def test_interrupt_saves_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Features.values

    def interrupting(self, chosen, draw):
        if draw is not None and not (tmp_path / "sent").exists():
            (tmp_path / "sent").touch()
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, chosen, draw)

    monkeypatch.setattr(Features, "values", interrupting)
    assert make_run(tmp_path, epochs=1).train(500, False, False) == 130
    assert make_run(tmp_path, epochs=1).train(500, False, False) == 0
    assert len(rows(tmp_path)) == 1


@pytest.mark.slow
def test_other_parameters_and_models_in_the_way_are_refused(tmp_path: Path) -> None:
    Features.left = 1
    with pytest.raises(BROKEN):
        make_run(tmp_path, epochs=1).train(500, False, False)
    Features.left = 10**9
    with pytest.raises(UserError, match="learning_rate"):
        make_run(tmp_path, epochs=1, learning_rate=1e-5).train(500, False, False)
    assert make_run(tmp_path, epochs=1).train(500, False, False) == 0
    for other in (3, 4):  # a refused run is not in the way of the next
        with pytest.raises(UserError, match="already holds models"):
            make_run(tmp_path, epochs=1, seed=other).train(500, False, False)
    assert len(rows(tmp_path)) == 1


def test_an_unreadable_picture_says_so_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Features, "error", UserError("a.jpg is damaged"))
    Features.left = 1
    with pytest.raises(UserError, match=r"a\.jpg is damaged"):
        make_run(tmp_path).train(500, False, False)


@pytest.mark.slow
def test_base_weights_are_taken_and_dropout_is_off_outside_training(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", epochs=1)
    first.train(500, False, False)
    second = make_run(tmp_path / "b", base_weights=str(tmp_path / "a" / "models" / "model-1"), seed=9)
    for a, b in zip(first.task.network.head.get_weights(), second.task.network.head.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    values = tf.constant(Features().values(np.arange(8), None))
    seeds = tf.constant([[1, n] for n in range(8)])
    drawn = [second.task.network((values, seeds), training=True).numpy() for _ in range(2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != second.task.network((values, seeds + 1), training=True).numpy()).any()
    np.testing.assert_array_equal(second.task.network((values, seeds)), second.task.network((values, None)))


def test_packed_head_is_read_like_a_checkpoint(tmp_path: Path) -> None:
    head = build_head(8, 3)
    checkpoints.pack(checkpoints.named(head), tmp_path / "head.npz")
    head_module.write_model(tmp_path / "model-1", checkpoints.named(head))
    packed, plain = (checkpoints.load(tmp_path / name) for name in ("head.npz", "model-1"))
    assert set(packed) == set(plain)
    for name, values in plain.items():
        np.testing.assert_allclose(packed[name], values, atol=np.abs(values).max() / 200)


@pytest.mark.slow
def test_vgg16_trains_as_a_whole_and_its_checkpoint_round_trips(tmp_path: Path) -> None:
    table = tables.Table(tmp_path / "t.csv", (), np.array([0, 1, 2, 0], np.int32))

    class Noise(dataset.Pictures):
        def values(self, chosen, draw):
            return np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)[chosen]

    source = Noise(table, 32, True)
    features = build_features("vgg16")
    before = features.get_weights()[0].copy()
    chosen = settings(arch="vgg16", frozen_backbone=False, image_size=32, batch_size=4, epochs=1, warmup_steps=0)
    output = training.Output(tmp_path / "m", tmp_path / "o", tmp_path / "c", 1)
    run = training.Run(training.HeadTask(chosen, features, (source, source), NAMES, output))
    assert run.train(500, False, False) == 0
    assert (features.get_weights()[0] != before).any()
    arrays = checkpoints.read(tmp_path / "m" / "model-1")
    assert len(arrays) == 2 * 16 + 1
    again = head_module.Network("vgg16", 4, build_features("vgg16"), frozen=False)
    again.load(arrays, "model-1")
    values = tf.constant(source.values(np.arange(4), None))
    np.testing.assert_allclose(again((values, None)), run.task.network((values, None)), rtol=1e-5)


def test_vgg_weights_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        head_module.load_vgg(None, str(tmp_path / "no.h5"))
    (tmp_path / "bad.h5").write_bytes(b"not HDF5")
    with pytest.raises(UserError, match=r"bad\.h5"):
        head_module.load_vgg(None, str(tmp_path / "bad.h5"))
