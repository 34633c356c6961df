"""The 35 numbers of a crop, against an obvious loop."""

from collections.abc import Callable

import numpy as np

from q1net_msroi.classifier.baselines import features
from q1net_msroi.utils import jpeg

Textured = Callable[..., np.ndarray]


def slow_differences(crop: np.ndarray) -> list[list[int]]:
    """Pixel by pixel."""
    luma = np.rint(crop @ features.LUMA).astype(int)
    found: list[list[int]] = [[] for _ in features.KINDS]
    height, width = luma.shape
    for y in range(height):
        for x in range(width):
            row, column = y % 8 == 7, x % 8 == 7
            if y + 1 < height:
                found[1 if row else 0].append(abs(luma[y + 1, x] - luma[y, x]))
            if x + 1 < width:
                found[1 if column else 0].append(abs(luma[y, x + 1] - luma[y, x]))
            if y + 1 < height and x + 1 < width:
                mixed = luma[y, x] - luma[y, x + 1] - luma[y + 1, x] + luma[y + 1, x + 1]
                found[2 + row + column].append(abs(mixed))
    return found


def test_differences_are_those_of_a_loop(textured: Textured) -> None:
    crops = np.stack([textured(24, 32, seed) for seed in range(2)])
    found = features.differences(crops)
    assert len(found) == len(features.KINDS)
    for index, crop in enumerate(crops):
        for fast, slow in zip(found, slow_differences(crop), strict=True):
            assert sorted(fast[index].tolist()) == sorted(slow)


def test_features_of_a_loop(textured: Textured) -> None:
    crop = textured(32, 32)
    expected = []
    for sizes in slow_differences(crop):
        expected.append(np.log2(1 / 16 + np.mean(sizes)))
        expected += [np.mean([size <= limit for size in sizes]) for limit in features.LIMITS]
    found = features.features(crop[None])
    assert found.shape == (1, features.LENGTH)
    assert found.dtype == np.float32
    assert np.allclose(found[0], expected, atol=1e-6)


def test_stronger_compression_makes_steps_at_edges(photograph: np.ndarray) -> None:
    """What the features are for: across edges against inside, the more the lower the quality."""
    crop = np.ascontiguousarray(photograph[64:128, 96:160])
    steps = []
    for quality in (90, 50, 20, 5):
        found = features.features(jpeg.compress(crop, quality)[None])[0].reshape(len(features.KINDS), -1)
        steps.append(found[1, 0] - found[0, 0])
    assert steps == sorted(steps)
    assert steps[-1] > 1


def test_a_flat_crop_has_finite_features() -> None:
    assert np.isfinite(features.features(np.full((1, 64, 64, 3), 9, np.uint8))).all()
