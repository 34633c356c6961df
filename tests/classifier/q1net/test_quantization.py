"""The 8-bit network: folding is exact, rounding is what it says, ranges come from the data."""

import numpy as np
import pytest

quantization = pytest.importorskip("q1net_msroi.classifier.q1net.quantization")
from q1net_msroi.classifier.q1net import folding  # noqa: E402

tf = quantization.tf


def test_without_rounding_it_is_the_network(normalised_network, random_patches) -> None:
    plain = quantization.QuantizedNetwork(folding.fold(normalised_network))
    expected = normalised_network(random_patches).numpy()
    np.testing.assert_allclose(plain(tf.constant(random_patches)).numpy(), expected, atol=1e-3)


def test_activations_are_rounded_to_256_steps_of_their_range(normalised_network, random_patches) -> None:
    pairs = folding.fold(normalised_network)
    limits = quantization.choose_limits(pairs, [random_patches], 99.9)
    seen: list = []
    quantization.QuantizedNetwork(pairs, limits)(tf.constant(random_patches), seen)
    # Nothing has more than 256 values; `seen` holds what goes into the rounding, the network's answer what came out.
    assert len(seen) == len(limits) == 2 * 25
    rounded = tf.quantization.fake_quant_with_min_max_args(seen[0], *limits[0], num_bits=8).numpy()
    assert len(np.unique(rounded)) <= 256
    step = (limits[0][1] - limits[0][0]) / 255
    inside = (seen[0].numpy() > limits[0][0]) & (seen[0].numpy() < limits[0][1])
    assert np.abs(rounded - seen[0].numpy())[inside].max() <= step


def test_ranges_hold_the_asked_share(normalised_network, random_patches) -> None:
    pairs = folding.fold(normalised_network)
    seen: list = []
    quantization.QuantizedNetwork(pairs)(tf.constant(random_patches), seen)
    wide, narrow = (quantization.choose_limits(pairs, [random_patches], percent) for percent in (100, 95))
    for values, (low, high), (inner_low, inner_high) in zip(seen, wide, narrow, strict=True):
        sampled = values.numpy().ravel()[::7]
        assert high >= sampled.max() - 1e-4
        assert low <= min(0, sampled.min()) + 1e-4
        assert inner_high <= high
        assert inner_low >= low


@pytest.mark.slow
def test_adapting_brings_the_rounded_network_nearer(normalised_network, random_patches) -> None:
    pairs = folding.fold(normalised_network)
    network = quantization.QuantizedNetwork(pairs, quantization.choose_limits(pairs, [random_patches], 98))
    wanted = normalised_network(random_patches, training=False).numpy()

    def difference() -> float:
        return float(np.abs(network(tf.constant(random_patches)).numpy() - wanted).mean())

    before = difference()
    quantization.adapt(network, normalised_network, [random_patches] * 40, 40)
    assert difference() < 0.8 * before
    np.testing.assert_array_equal(normalised_network(random_patches, training=False).numpy(), wanted)
