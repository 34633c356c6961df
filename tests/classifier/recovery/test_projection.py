"""The upsampling and its inverse against plain matrices."""

import numpy as np
import pytest

from q1net_msroi.classifier.recovery import projection


def matrix(count: int, length: int) -> np.ndarray:
    """The triangle filter, written out."""
    made = np.zeros((2 * count, count))
    for pixel in range(2 * count):
        own = pixel // 2
        other = min(max(own + (1 if pixel % 2 else -1), 0), count - 1)
        made[pixel, own] += 0.75
        made[pixel, other] += 0.25
    return made[:length]


@pytest.mark.parametrize("length", [1, 2, 3, 6, 7, 40, 41])
def test_upsampling_and_its_least_squares_inverse(length: int) -> None:
    random = np.random.default_rng(length)
    count = -(-length // 2)
    samples, pixels = random.normal(size=(count, 3)), random.normal(size=(length, 3))
    np.testing.assert_allclose(projection.upsample(samples, 0, length), matrix(count, length) @ samples, atol=1e-6)
    wanted = np.linalg.lstsq(matrix(count, length), pixels, rcond=None)[0]
    np.testing.assert_allclose(projection.downsample(pixels, 0), wanted, atol=1e-5)
    np.testing.assert_allclose(projection.downsample(pixels.T, 1), wanted.T, atol=1e-5)


def test_the_transform_is_undone() -> None:
    plane = np.random.default_rng(0).normal(128, 30, (16, 24)).astype(np.float32)
    np.testing.assert_allclose(projection.inverse(projection.forward(plane)), plane, atol=1e-3)
