"""The median of the confident patches, against a loop."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.q1net import fusion


def middle(values: list[float], share: float) -> float:
    ordered, at = sorted(values), share * (len(values) - 1)
    low = int(at)
    return ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


@pytest.mark.parametrize("count", [1, 2, 3, 10, 255, 256])
@pytest.mark.parametrize("threshold", [0.0, 50.0, 96.0])
def test_against_a_loop(count: int, threshold: float) -> None:
    predictions = np.random.default_rng(count).uniform(0, 100, (count, 2)).astype(np.float32)
    kept = [float(quality) for confidence, quality in predictions if confidence > threshold]
    fused = fusion.fuse(predictions, threshold)
    assert fused.confident == len(kept)
    if kept:
        assert fused.quality == pytest.approx(middle(kept, 0.5), abs=1e-4)
        assert fused.spread == pytest.approx(middle(kept, 0.75) - middle(kept, 0.25), abs=1e-4)
    else:
        assert fused.quality is None
        assert fused.spread is None


def test_nobody_is_confident() -> None:
    assert fusion.fuse(np.array([[96.0, 20.0], [10.0, 30.0]], np.float32), 96.0) == fusion.Fused(None, 0, None)


def test_the_order_of_patches_does_not_matter() -> None:
    predictions = np.random.default_rng(0).uniform(0, 100, (101, 2)).astype(np.float32)
    assert fusion.fuse(predictions, 40) == fusion.fuse(predictions[::-1], 40)
