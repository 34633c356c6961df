"""PyTorch's loop computes what TensorFlow's does: the network, the loss, and steps of Muon.

TensorFlow runs in a process of its own: in one process, the libraries of the two frameworks end each other.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from q1net_msroi.utils import files

torch = pytest.importorskip("torch", reason="PyTorch is not installed; scripts/train_torch.py alone needs it")

STEPS, RATE = 2, 1e-3
EXPECTED = f"""
import sys
import numpy as np
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import get_config
from q1net_msroi.classifier.q1net.training import loss
from q1net_msroi.utils.optimizers import make_optimizer
from q1net_msroi.utils.training import tf
from q1net_msroi.utils.training_options import TrainingSettings

batch, config = np.load(sys.argv[1]), get_config("jpeg_paper")
model = weights.load_model(config, weights.model_folder(config))
inputs, truth = (tf.constant(values.astype(np.float32)) for values in (batch["patches"][..., ::-1], batch["qualities"]))
predicted, total = model(inputs, training=False).numpy(), 0.0
settings = TrainingSettings(
    data="", epochs=1, batch_size=64, learning_rate={RATE}, schedule="constant", optimizer="muon"
)
optimizer = make_optimizer(settings, {STEPS})
optimizer.build(model.trainable_variables)
for _ in range({STEPS}):
    with tf.GradientTape() as tape:
        mean = tf.reduce_mean(loss(truth, model(inputs, training=True)))
    gradients = tape.gradient(mean, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    total += float(mean)
np.savez(sys.argv[2], *model.get_weights(), predicted=predicted, total=total)
"""


def tensorflow(*command: str | Path) -> None:
    """Run Python in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(files.REPOSITORY)}
    subprocess.run([sys.executable, *map(str, command)], env=environment, check=True, cwd=files.REPOSITORY)


@pytest.fixture
def batch() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return patches and qualities without meaning."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (64, 16, 16, 3), np.uint8), random.integers(1, 101, 64).astype(np.uint8)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return the shipped weights as .npz."""
    tensorflow("scripts/exchange_weights.py", "pack", tmp_path / "weights.npz")
    return tmp_path / "weights.npz"


def test_two_steps_are_those_of_tensorflow(batch: Any, archive: Path, tmp_path: Path) -> None:
    from q1net_msroi.classifier.q1net import weights
    from scripts import train_torch

    patches, qualities = batch
    np.savez(tmp_path / "batch.npz", patches=patches, qualities=qualities)
    tensorflow("-c", EXPECTED, tmp_path / "batch.npz", tmp_path / "expected.npz")
    start, record = weights.read_archive(archive)
    assert record == {}
    network = train_torch.Network(8)
    network.load_arrays(start)
    for norm in network.norms:
        norm.momentum = 0.1  # as Keras' 0.9

    class Drawn:
        filled = torch.zeros(())

        def draw(self, _: int) -> Any:
            return train_torch.inputs(torch.from_numpy(patches)), torch.from_numpy(qualities).float()

    with np.load(tmp_path / "expected.npz") as expected:
        network.all.eval()
        predicted = network(Drawn().draw(0)[0]).detach().numpy()
        np.testing.assert_allclose(predicted, expected["predicted"], atol=0.01)
        network.all.train()
        training = train_torch.Training(network, Drawn(), 64, "float32", compiled=False)  # type: ignore[arg-type]
        training.rate.fill_(RATE)
        for _ in range(STEPS):
            training.step()
        assert float(training.sums[0]) == pytest.approx(float(expected["total"]), rel=1e-3)
        for number, (before, ours) in enumerate(zip(start, network.variables(), strict=True)):
            theirs = expected[f"arr_{number}"]
            moved = np.abs(theirs - before).max()
            # The median: a weight whose gradient is next to 0 takes Adam's first step up or down by chance.
            assert np.median(np.abs(ours.numpy() - theirs)) <= 0.05 * moved + 1e-6


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
