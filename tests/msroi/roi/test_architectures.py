"""The tables of layers give the published numbers of parameters, and what is built agrees with them."""

import itertools

import numpy as np
import pytest

from q1net_msroi.msroi.roi import architectures
from q1net_msroi.utils.errors import UserError


def parameters(layers):
    return sum(int(np.prod(layer.kernel_shape)) + layer.outputs for layer in layers)


def test_vgg16_has_the_parameters_of_its_table():
    sizes = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    features = sum(9 * a * b + b for a, b in itertools.pairwise(sizes))
    assert parameters(architectures.vgg16_layers()) == features == 14_714_688  # published, without the dense layers
    head = (9 * 512 * 32 + 32) + (9 * 32 * 32 + 1024) + (9 * 1024 * 1024 + 1024)
    assert parameters(architectures.head_layers(512)) == head == 24_573_792 - features - 1024 * 257


def test_mobilenet_v2_has_the_published_parameters():
    layers = list(architectures.mobilenet_v2_layers())
    assert len(layers) == 52
    # 2,257,984 with batch normalisation's four numbers a channel; folded, one bias a channel is left of them.
    assert parameters(layers) == 2_257_984 - 3 * sum(layer.outputs for layer in layers)


def test_unknown_architecture_is_named():
    with pytest.raises(UserError, match="there is no architecture resnet; choose one of mobilenet_v2, vgg16"):
        architectures.get_architecture("resnet")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "weights"), [("vgg16", 26), ("mobilenet_v2", 104)])
def test_built_networks_agree_with_the_arithmetic(name, weights):
    channels = architectures.ARCHITECTURES[name].channels
    features, head = architectures.build_features(name), architectures.build_head(channels, 257)
    layers = architectures.vgg16_layers() if name == "vgg16" else architectures.mobilenet_v2_layers()
    assert features.count_params() == parameters(layers)
    assert head.count_params() == parameters(architectures.head_layers(channels)) + 1024 * 257
    assert (len(features.weights), len(head.weights)) == (weights, 7)  # kernels and biases; the class matrix has none
    assert features.output.shape[-1] == head.input.shape[-1] == channels
    maps, scores = head.output
    assert (maps.shape[-1], scores.shape[-1]) == (1024, 257)


@pytest.mark.slow
def test_a_vgg16_training_step_changes_every_weight():
    from q1net_msroi.utils.training import keras, make_step, make_strategy

    features = architectures.build_features("vgg16")
    model = keras.Model(features.input, architectures.build_head(512, 4)(features.output))
    before = model.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    step = make_step(
        make_strategy("none"), model, keras.optimizers.Adam(1e-3), lambda labels, output: loss(labels, output[1])
    )
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    assert np.isfinite(float(step(pictures, np.array([1, 2]))))
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))
