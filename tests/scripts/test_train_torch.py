"""PyTorch's loop computes what TensorFlow's does: the network, the loss, and steps of Muon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed; scripts/train_torch.py alone needs it")

STEPS, RATE = 2, 1e-3


@pytest.fixture
def batch() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return patches and qualities without meaning."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (64, 16, 16, 3), np.uint8), random.integers(1, 101, 64).astype(np.uint8)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return the shipped weights as .npz."""
    from scripts import exchange_weights

    exchange_weights.main(["pack", str(tmp_path / "weights.npz")])
    return tmp_path / "weights.npz"


def test_two_steps_are_those_of_tensorflow(batch: Any, archive: Path) -> None:
    from q1net_msroi.classifier.q1net import weights
    from q1net_msroi.classifier.q1net.architecture import loss
    from q1net_msroi.classifier.q1net.configs import get_config
    from q1net_msroi.utils.optimizers import make_optimizer
    from q1net_msroi.utils.training import tf
    from scripts import train_torch

    patches, qualities = batch
    config = get_config("jpeg_paper")
    model = weights.load_model(config, weights.model_folder(config))
    inputs, truth = tf.constant(patches[..., ::-1].astype(np.float32)), tf.constant(qualities.astype(np.float32))
    with np.load(archive) as stored:
        start = [stored[str(number)] for number in range(len(stored.files))]
    network = train_torch.Network(config.width)
    network.load_arrays(start)
    for norm in network.norms:
        norm.momentum = 0.1  # as Keras' 0.9

    class Drawn:
        filled = torch.zeros(())

        def draw(self, _: int) -> Any:
            return train_torch.inputs(torch.from_numpy(patches)), torch.from_numpy(qualities).float()

    network.eval()
    predicted = network(Drawn().draw(0)[0]).detach().numpy()
    np.testing.assert_allclose(predicted, model(inputs, training=False).numpy(), atol=0.01)

    network.train()
    training = train_torch.Training(network, Drawn(), 64, "float32", compiled=False)  # type: ignore[arg-type]
    training.rate.fill_(RATE)
    optimizer = make_optimizer("muon", RATE)
    optimizer.build(model.trainable_variables)
    total = 0.0
    for _ in range(STEPS):
        training.step()
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(loss(truth, model(inputs, training=True)))
        gradients = tape.gradient(mean, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        total += float(mean)
    assert float(training.sums[0]) == pytest.approx(total, rel=1e-3)
    for before, ours, theirs in zip(start, network.arrays(), model.get_weights(), strict=True):
        moved = np.abs(theirs - before).max()
        assert np.abs(ours - theirs).mean() <= 0.05 * moved + 1e-6


def test_a_short_run_writes_weights_that_come_back(archive: Path, tmp_path: Path) -> None:
    from PIL import Image

    from scripts import train_torch

    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)).save(folder / "noise.png")
    out = tmp_path / "trained.npz"
    small = ["--minutes", "0.05", "--batch_size", "64", "--precision", "float32", "--workers", "1", "--pool", "15000"]
    given = ["--in_path", str(folder), "--base_weights", str(archive), "--out", str(out)]
    train_torch.main([*given, *small])
    with np.load(archive) as before, np.load(out) as after:
        assert set(before.files) | {"record"} == set(after.files)
        assert all(before[name].shape == after[name].shape for name in before.files)
        assert any((before[name] != after[name]).any() for name in before.files)
