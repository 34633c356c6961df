"""The wider network computes what the narrower one does, and its copies of a channel differ in what they feed."""

import numpy as np
import pytest

widening = pytest.importorskip("q1net_msroi.classifier.q1net.widening")
from q1net_msroi.classifier.q1net.architecture import build  # noqa: E402


@pytest.fixture(scope="module")
def narrow():
    """A small network with biases worth copying."""
    network = build(4)
    random = np.random.default_rng(0)
    network.set_weights([values + random.normal(0, 0.05, values.shape) for values in network.get_weights()])
    for layer in network.layers:
        if hasattr(layer, "moving_variance"):
            layer.moving_variance.assign(random.uniform(0.5, 3, layer.moving_variance.shape))
    return network


@pytest.mark.parametrize("width", [pytest.param(4, marks=pytest.mark.slow), 6, pytest.param(9, marks=pytest.mark.slow)])
def test_the_function_stays(narrow, width: int) -> None:
    patches = np.random.default_rng(1).integers(0, 256, (16, 16, 16, 3)).astype(np.float32)
    wide = widening.widened_model(narrow, width, seed=3)
    assert wide.count_params() == build(width).count_params()
    np.testing.assert_allclose(wide(patches, training=False), narrow(patches, training=False), atol=2e-3)


def test_statistics_settle_and_the_function_stays(narrow) -> None:
    random = np.random.default_rng(1)
    batches = [random.integers(0, 256, (32, 16, 16, 3)).astype(np.float32) for _ in range(2)]
    wide = widening.widened_model(narrow, 6, seed=3)
    before = wide(batches[0], training=False).numpy()
    widening.settle_statistics(wide, batches)
    np.testing.assert_allclose(wide(batches[0], training=False), before, atol=2e-3)
    # Statistics of the very patches: normalising by the batch itself gives the same.
    widening.settle_statistics(wide, batches[:1])
    np.testing.assert_allclose(wide(batches[0], training=True), before, atol=2e-2)


def test_copies_get_different_shares(narrow) -> None:
    kernel, _ = widening.widen_pairs(widening.fold(narrow), 6, seed=3)[1]
    assert kernel.shape == (1, 1, 6, 6)
    columns = [tuple(np.round(row, 6)) for row in kernel[0, 0]]
    assert len(set(columns)) == len(columns)


def test_narrower_is_refused(narrow) -> None:
    with pytest.raises(ValueError, match="less than"):
        widening.widen_pairs(widening.fold(narrow), 2, seed=0)
