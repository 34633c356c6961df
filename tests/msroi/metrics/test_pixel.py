"""Luma, PSNR, SSIM and MS-SSIM against published numbers, scikit-image and explicit sums over windows."""

import numpy as np
import pytest

from q1net_msroi.msroi.metrics import pixel


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), 235),
        ((0, 0, 0), 16),
        ((255, 0, 0), 81),
        ((0, 255, 0), 145),
        ((0, 0, 255), 41),
        ((255, 255, 0), 210),
        ((0, 255, 255), 170),
        ((255, 0, 255), 106),
    ],
)
def test_luma_of_the_bt601_colour_bars(colour: tuple[int, int, int], expected: int) -> None:
    assert pixel.luma(np.array([[colour]], np.uint8))[0, 0] == expected


def test_psnr_of_known_errors() -> None:
    plane = np.full((16, 16), 100.0)
    assert pixel.psnr(plane, plane + 1) == pytest.approx(48.1308, abs=1e-4)
    assert pixel.psnr(plane, plane + 255) == pytest.approx(0.0, abs=1e-12)
    assert pixel.psnr(plane, plane) == np.inf


def test_psnr_and_ssim_equal_scikit_images(pair: tuple[np.ndarray, np.ndarray]) -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity  # a second to import

    reference, other = map(pixel.luma, pair)
    assert pixel.psnr(reference, other) == pytest.approx(peak_signal_noise_ratio(reference, other, data_range=255))
    expected = structural_similarity(
        reference, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert pixel.ssim(reference, other) == pytest.approx(expected, abs=1e-9)


def window_sums(plane: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums over every window inside the plane, by a sum over the window's cells."""
    side = len(weights)
    height, width = plane.shape[0] - side + 1, plane.shape[1] - side + 1
    total = np.zeros((height, width))
    for y in range(side):
        for x in range(side):
            total += weights[y, x] * plane[y : y + height, x : x + width]
    return total


def slow_ms_ssim(reference: np.ndarray, other: np.ndarray, scales: int) -> float:
    """Wang's definition with an explicit two-dimensional window."""
    y, x = np.mgrid[-5:6, -5:6]
    weights = np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    weights /= weights.sum()
    exponents = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333][:scales])
    exponents = exponents / exponents.sum()
    result = 1.0
    for scale in range(scales):
        mean_1, mean_2 = window_sums(reference, weights), window_sums(other, weights)
        variance_1 = window_sums(reference * reference, weights) - mean_1 * mean_1
        variance_2 = window_sums(other * other, weights) - mean_2 * mean_2
        covariance = window_sums(reference * other, weights) - mean_1 * mean_2
        similarity = (2 * covariance + 58.5225) / (variance_1 + variance_2 + 58.5225)
        if scale == scales - 1:
            similarity = similarity * (2 * mean_1 * mean_2 + 6.5025) / (mean_1**2 + mean_2**2 + 6.5025)
        result *= max(similarity.mean(), 0) ** exponents[scale]
        height, width = reference.shape[0] // 2, reference.shape[1] // 2
        reference, other = (
            np.array([[p[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(width)] for i in range(height)])
            for p in (reference, other)
        )
    return result


@pytest.mark.parametrize(
    ("height", "width", "scales"), [(176, 190, 5), (175, 190, 4), (50, 61, 3), (22, 30, 2), (11, 40, 1)]
)
def test_ms_ssim_equals_the_explicit_one_with_as_many_scales_as_fit(height: int, width: int, scales: int) -> None:
    random = np.random.default_rng(1)
    reference = random.integers(16, 236, (height, width)).astype(float)
    other = np.clip(reference + random.normal(0, 25, reference.shape), 16, 235).round()
    assert pixel.ms_ssim(reference, other) == pytest.approx(slow_ms_ssim(reference, other, scales), abs=1e-9)


def test_negative_structure_counts_as_nothing_in_common() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(float)
    assert pixel.ms_ssim(plane, 255 - plane) == 0.0


@pytest.mark.parametrize("metric", [pixel.ssim, pixel.ms_ssim])
def test_equal_pictures_and_too_small_ones(metric: object) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(float)
    assert metric(plane, plane) == pytest.approx(1.0)
    assert np.isnan(metric(plane[:10], plane[:10]))


def test_region_is_where_the_map_is_above_its_mean() -> None:
    saliency = np.array([[0, 0, 10, 30]], np.uint8)
    assert pixel.salient_region(saliency).tolist() == [[False, False, False, True]]
    assert pixel.salient_region(np.full((2, 3), 9, np.uint8)).all()


def test_psnr_inside_sees_only_the_region() -> None:
    reference = np.full((8, 8), 100.0)
    other = reference.copy()
    other[:4] += 2
    region = np.zeros((8, 8), bool)
    region[:2] = True
    assert pixel.psnr_inside(reference, other, region) == pytest.approx(20 * np.log10(255 / 2))
    assert pixel.psnr_inside(reference, other, ~region) > pixel.psnr_inside(reference, other, region)
    assert np.isnan(pixel.psnr_inside(reference, other, np.zeros((8, 8), bool)))
    assert pixel.psnr_inside(reference, other, np.ones((8, 8), bool)) == pixel.psnr(reference, other)
