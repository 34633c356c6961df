"""What several tests of the network start from."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def normalised_network() -> Any:
    """A network whose BatchNorm layers have statistics worth folding; nobody may change it."""
    architecture = pytest.importorskip("q1net_msroi.classifier.q1net.architecture")
    keras = pytest.importorskip("q1net_msroi.utils.training").keras
    keras.utils.set_random_seed(2)
    network, random = architecture.build(8), np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([random.uniform(0.5, 1.5, shape), random.normal(0, 1, shape),
                               random.normal(0, 5, shape), random.uniform(0.5, 40, shape)])  # fmt: skip
    return network


@pytest.fixture(scope="session")
def random_patches() -> np.ndarray:
    """Random pixels."""
    return np.random.default_rng(1).integers(0, 256, (32, 16, 16, 3)).astype(np.float32)
