"""Folding BatchNorm and unfolding it again change nothing that the network computes."""

from __future__ import annotations

import numpy as np
import pytest

folding = pytest.importorskip("classifier.q1net.folding")
from classifier.q1net.architecture import build  # noqa: E402

WIDTH = 4


@pytest.fixture(scope="module")
def model():
    """A network whose BatchNorm layers have statistics worth folding."""
    folding.keras.utils.set_random_seed(2)
    network, random = build(WIDTH), np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, folding.keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([random.uniform(0.5, 1.5, shape), random.normal(0, 1, shape),
                               random.normal(0, 5, shape), random.uniform(0.5, 40, shape)])  # fmt: skip
    return network


@pytest.fixture(scope="module")
def patches() -> np.ndarray:
    """Random pixels."""
    return np.random.default_rng(1).integers(0, 256, (32, 16, 16, 3)).astype(np.float32)


def test_folding_changes_nothing(model, patches) -> None:
    folded = folding.folded_model(model, WIDTH)
    assert not [layer for layer in folded.layers if isinstance(layer, folding.keras.layers.BatchNormalization)]
    np.testing.assert_allclose(folded(patches), model(patches, training=False), atol=1e-3)


def test_what_the_folded_network_learned_is_in_the_unfolded_one(model, patches) -> None:
    folded = folding.folded_model(model, WIDTH)
    random = np.random.default_rng(3)
    folded.set_weights([values + random.normal(0, 0.02, values.shape) for values in folded.get_weights()])
    other = build(WIDTH)
    other.set_weights(model.get_weights())
    before = {v.name: v.numpy() for v in other.non_trainable_variables}
    folding.unfold(folded, other)
    np.testing.assert_allclose(other(patches, training=False), folded(patches), atol=2e-3)
    assert all((before[v.name] == v.numpy()).all() for v in other.non_trainable_variables), "statistics stay"


@pytest.mark.slow
def test_a_switched_off_channel_can_be_unfolded(patches) -> None:
    network = build(WIDTH)
    layer = next(layer for layer in network.layers if isinstance(layer, folding.keras.layers.BatchNormalization))
    layer.gamma.assign(np.zeros(WIDTH))
    folded = folding.folded_model(network, WIDTH)
    first = folded.get_weights()
    first[0] = first[0] + 0.01
    folded.set_weights(first)
    folding.unfold(folded, network)
    assert all(np.isfinite(values).all() for values in network.get_weights())
    np.testing.assert_allclose(network(patches, training=False), folded(patches), atol=0.5)
