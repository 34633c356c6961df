"""VIFP against the published algorithm with explicit two-dimensional windows and a loop over positions."""

import math

import numpy as np
import pytest
from scipy.signal import correlate2d

from q1net_msroi.msroi.metrics import pixel, vif


def slow_vifp(reference: np.ndarray, other: np.ndarray) -> float:
    """Sheikh and Bovik's multi-scale pixel-domain algorithm, position by position."""
    seen = there = 0.0
    for scale in range(1, 5):
        side = 2 ** (5 - scale) + 1
        y, x = np.mgrid[:side, :side] - side // 2
        window = np.exp(-(x**2 + y**2) / (2 * (side / 5) ** 2))
        window /= window.sum()
        if scale > 1:
            reference = correlate2d(reference, window, mode="valid")[::2, ::2]
            other = correlate2d(other, window, mode="valid")[::2, ::2]
        means = [
            correlate2d(plane, window, mode="valid")
            for plane in (reference, other, reference * reference, other * other, reference * other)
        ]
        for mean_1, mean_2, square_1, square_2, product in zip(*(m.reshape(-1) for m in means), strict=True):
            variance_1, variance_2 = max(square_1 - mean_1**2, 0), max(square_2 - mean_2**2, 0)
            covariance = product - mean_1 * mean_2
            gain = covariance / (variance_1 + 1e-10)
            noise = variance_2 - gain * covariance
            if variance_1 < 1e-10:
                gain, noise, variance_1 = 0, variance_2, 0
            if variance_2 < 1e-10:
                gain, noise = 0, 0
            if gain < 0:
                gain, noise = 0, variance_2
            noise = max(noise, 1e-10)
            seen += math.log10(1 + gain**2 * variance_1 / (noise + 2))
            there += math.log10(1 + variance_1 / 2)
    return seen / there


def test_equals_the_loop_over_positions(pair: tuple[np.ndarray, np.ndarray]) -> None:
    reference, other = map(pixel.luma, pair)
    assert vif.vifp(reference, other) == pytest.approx(slow_vifp(reference, other), abs=1e-7)


def test_smallest_size_with_four_scales() -> None:
    random = np.random.default_rng(0)
    reference = random.integers(16, 236, (41, 41)).astype(float)
    other = reference + random.normal(0, 9, reference.shape)
    assert vif.vifp(reference, other) == pytest.approx(slow_vifp(reference, other), abs=1e-7)


def test_structure_turned_over_carries_no_information() -> None:
    reference = np.random.default_rng(0).integers(16, 236, (48, 48)).astype(float)
    turned = 251 - reference
    assert vif.vifp(reference, turned) == pytest.approx(slow_vifp(reference, turned), abs=1e-9)
    assert vif.vifp(reference, turned) < 0.01


def test_order_of_pictures_and_range() -> None:
    random = np.random.default_rng(0)
    reference = random.integers(16, 236, (96, 96)).astype(float)
    values = [vif.vifp(reference, reference + random.normal(0, sigma, reference.shape)) for sigma in (1, 10, 60)]
    assert 1 > values[0] > values[1] > values[2] > 0
    mean = reference.mean()
    assert vif.vifp(reference, mean + 1.3 * (reference - mean)) > 1  # more contrast than the reference
    assert vif.vifp(reference, np.full_like(reference, mean)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("side", [17, 20, 26, 30, 36, 40])
def test_small_pictures_use_the_scales_that_fit(side: int) -> None:
    random = np.random.default_rng(side)
    reference = random.integers(16, 236, (side, side + 9)).astype(float)
    assert 0 < vif.vifp(reference, reference + random.normal(0, 20, reference.shape)) < 1


def test_without_information_there_is_no_value() -> None:
    flat = np.full((40, 40), 90.0)
    assert vif.vifp(flat, flat) == 1.0
    assert np.isnan(vif.vifp(flat, flat + np.eye(40)))
    assert np.isnan(vif.vifp(flat[:16], flat[:16]))
