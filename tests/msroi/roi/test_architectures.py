import itertools

import pytest

from q1net_msroi.msroi.roi import architectures
from q1net_msroi.utils.errors import UserError


def test_vgg16_has_the_parameters_of_its_table():
    sizes = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    features = sum(9 * a * b + b for a, b in itertools.pairwise(sizes))
    assert features == 14_714_688  # the published VGG16 without its fully connected layers
    head = (9 * 512 * 32 + 32) + (9 * 32 * 32 + 1024) + (9 * 1024 * 1024 + 1024) + 1024 * 257
    assert architectures.parameter_count("vgg16", 257) == features + head == 24_573_792


def test_mobilenet_v2_has_the_published_parameters():
    layers = architectures.feature_layers("mobilenet_v2")
    assert len(layers) == 52
    # 2,257,984 with batch normalisation's four numbers a channel; folded, one bias a channel is left of them.
    channels = sum(layer.outputs for layer in layers)
    assert sum(layer.parameters for layer in layers) == 2_257_984 - 3 * channels


def test_unknown_architecture_is_named():
    with pytest.raises(UserError, match="there is no architecture resnet; choose one of mobilenet_v2, vgg16"):
        architectures.parameter_count("resnet", 10)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "weights"), [("vgg16", 33), ("mobilenet_v2", 111)])
def test_built_networks_agree_with_the_arithmetic(name, weights):
    model = architectures.build_network(name, 257)
    assert model.count_params() == architectures.parameter_count(name, 257)
    assert len(model.weights) == weights  # vgg16: 16 kernels, 16 biases, the class matrix
    architecture = architectures.ARCHITECTURES[name]
    maps, scores = model.output
    assert maps.shape[-1] == 1024
    assert scores.shape[-1] == 257
    assert model.get_layer("msroi_head").input.shape[-1] == architecture.channels


@pytest.mark.slow
def test_a_vgg16_training_step_changes_every_weight():
    import numpy as np

    from q1net_msroi.utils.training import keras, make_step, make_strategy

    model = architectures.build_vgg16(4)
    before = model.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    step = make_step(
        make_strategy("none"), model, keras.optimizers.Adam(1e-3), lambda labels, output: loss(labels, output[1])
    )
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    assert np.isfinite(float(step(pictures, np.array([1, 2]))))
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))
