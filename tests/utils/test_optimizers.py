"""Muon: the orthogonalised step against an SVD, which weights it moves, and that its state is saved and restored."""

import numpy as np
import pytest

from q1net_msroi.utils import muon
from q1net_msroi.utils.training_options import TrainingSettings

optimizers = pytest.importorskip("q1net_msroi.utils.optimizers")
from q1net_msroi.utils.training import keras, tf  # noqa: E402


@pytest.mark.parametrize("shape", [(72, 8), (8, 8), (16, 64), (288, 32)])
def test_singular_values_become_alike(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    matrix = random.standard_normal(shape) * np.geomspace(1, 0.05, shape[1])
    got = optimizers.orthogonalise(tf.constant(matrix, tf.float32)).numpy()
    left, before, right = np.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ got @ right.T  # diagonal: the singular vectors are still the same ones
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=0.02)
    assert before.max() / before.min() > 3
    assert np.all((np.diag(inside) > 0.6) & (np.diag(inside) < 1.3))


def made(name: str) -> keras.optimizers.Optimizer:
    settings = {"data": "", "epochs": 1, "batch_size": 16, "learning_rate": 1e-2, "schedule": "constant"}
    return optimizers.make_optimizer(TrainingSettings(**settings, optimizer=name), 100)


def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    convolutions = [keras.layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3)), keras.layers.Conv2D(6, 3)]
    return keras.Sequential([*convolutions, keras.layers.ReLU(), keras.layers.Flatten(), keras.layers.Dense(5)])


def step(network: keras.Model, optimizer: keras.optimizers.Optimizer, seed: int) -> list[np.ndarray]:
    """Take a step; return how far every weight moved."""
    random = np.random.default_rng(seed)
    values, wanted = (tf.constant(random.standard_normal(shape), tf.float32) for shape in ((16, 8, 8, 3), (16, 5)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(network(values) - wanted))
    before = network.get_weights()
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
    return [after - then for after, then in zip(network.get_weights(), before, strict=True)]


def test_only_inner_kernels_move_orthogonally() -> None:
    moved, plain = (step(network, made(name), 0) for name, network in (("muon", model()), ("adam", model())))
    for index, (ours, adams) in enumerate(zip(moved, plain, strict=True)):
        if index == 2:  # kernel of the second convolution
            values = np.linalg.svd(ours.reshape(-1, 6), compute_uv=False) / (1e-2 * muon.RATIO)
            assert np.all((values > 0.6) & (values < 1.3))
        else:
            np.testing.assert_allclose(ours, adams, rtol=1e-5)


def test_state_comes_back(tmp_path) -> None:
    def fresh() -> tuple[keras.Model, keras.optimizers.Optimizer, tf.train.Checkpoint]:
        network, optimizer = model(), made("muon")
        optimizer.build(network.trainable_variables)
        return network, optimizer, tf.train.Checkpoint(network=network, optimizer=optimizer)

    network, optimizer, checkpoint = fresh()
    step(network, optimizer, 0)
    path = checkpoint.save(str(tmp_path / "state"))
    expected = step(network, optimizer, 1)
    network, optimizer, checkpoint = fresh()
    checkpoint.restore(path).assert_consumed()
    for ours, theirs in zip(step(network, optimizer, 1), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)
