"""The baselines' networks."""

import numpy as np
import pytest

from q1net_msroi.classifier.baselines import features, models

pytest.importorskip("tf_keras")


def test_block_corners() -> None:
    model = models.block_corners()
    assert model.count_params() == 35 * 2 + 36 * 64 + 65 * 64 + 65 * 32 + 33
    said = model(np.random.default_rng(0).normal(0, 3, (5, features.LENGTH)).astype(np.float32)).numpy()
    assert said.shape == (5, 1)
    assert ((said >= 0) & (said <= 100)).all()
