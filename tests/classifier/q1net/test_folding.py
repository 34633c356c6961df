"""Folding BatchNorm and unfolding it again change nothing that the network computes."""

import numpy as np
import pytest

folding = pytest.importorskip("q1net_msroi.classifier.q1net.folding")
from q1net_msroi.classifier.q1net.architecture import build  # noqa: E402

WIDTH = 8


def test_folding_changes_nothing(normalised_network, random_patches) -> None:
    folded = folding.folded_model(normalised_network, WIDTH)
    assert not [layer for layer in folded.layers if isinstance(layer, folding.keras.layers.BatchNormalization)]
    np.testing.assert_allclose(folded(random_patches), normalised_network(random_patches, training=False), atol=1e-3)


def test_what_the_folded_network_learned_is_in_the_unfolded_one(normalised_network, random_patches) -> None:
    folded = folding.folded_model(normalised_network, WIDTH)
    random = np.random.default_rng(3)
    folded.set_weights([values + random.normal(0, 0.02, values.shape) for values in folded.get_weights()])
    other = build(WIDTH)
    other.set_weights(normalised_network.get_weights())
    before = {v.name: v.numpy() for v in other.non_trainable_variables}
    folding.unfold(folded, other)
    np.testing.assert_allclose(other(random_patches, training=False), folded(random_patches), atol=2e-3)
    assert all((before[v.name] == v.numpy()).all() for v in other.non_trainable_variables), "statistics stay"


@pytest.mark.slow
def test_a_switched_off_channel_can_be_unfolded(random_patches) -> None:
    network = build(WIDTH)
    layer = next(layer for layer in network.layers if isinstance(layer, folding.keras.layers.BatchNormalization))
    layer.gamma.assign(np.zeros(WIDTH))
    folded = folding.folded_model(network, WIDTH)
    first = folded.get_weights()
    first[0] = first[0] + 0.01
    folded.set_weights(first)
    folding.unfold(folded, network)
    assert all(np.isfinite(values).all() for values in network.get_weights())
    np.testing.assert_allclose(network(random_patches, training=False), folded(random_patches), atol=0.5)
