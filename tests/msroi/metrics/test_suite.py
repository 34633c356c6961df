"""All metrics together: names, missing values, direction, speed."""

import time

import numpy as np
import pytest

from q1net_msroi.msroi.metrics import suite
from q1net_msroi.utils import jpeg


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_log_line_has_the_originals_six_in_their_order() -> None:
    assert [suite.METRICS[key].key.upper() for key in suite.LOG_LINE] == [
        "PSNR",
        "SSIM",
        "MSSSIM",
        "VIFP",
        "PSNRHVS",
        "PSNRHVSM",
    ]


def test_every_metric_falls_with_quality(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, _ = pair
    saliency = pixels[..., 1]
    reference = suite.Reference(pixels, saliency)
    good, bad = (suite.measure(reference, jpeg.compress(pixels, quality)) for quality in (90, 15))
    assert list(good) == [key for key, metric in suite.METRICS.items() if not metric.on_request]
    assert all(good[key] > bad[key] for key in good)


def test_without_a_map_there_is_no_psnr_s() -> None:
    pixels = noise(24, 24)
    assert "psnrs" not in suite.measure(suite.Reference(pixels), pixels)


def test_equal_pictures() -> None:
    pixels = noise(180, 200)
    values = suite.measure(suite.Reference(pixels, pixels[..., 0]), pixels)
    assert [values[key] for key in ("ssim", "msssim", "vifp")] == pytest.approx([1, 1, 1])
    assert all(values[key] == np.inf for key in ("psnr", "psnrhvs", "psnrhvsm", "psnrs"))


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (8, 8), (10, 11), (11, 11), (17, 16), (23, 24), (65, 1)])
def test_any_size_gives_numbers_or_nan(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    values = suite.measure(suite.Reference(pixels), jpeg.compress(pixels, 20))
    assert np.isfinite(values["psnr"])
    assert np.isfinite(values["ssim"]) == (min(size) >= 11)
    assert np.isfinite(values["vifp"]) == (min(size) >= 17)
    assert np.isfinite(values["psnrhvs"]) == (min(size) >= 8)


def test_sizes_that_differ_are_an_error() -> None:
    with pytest.raises(ValueError, match="sizes differ"):
        suite.measure(suite.Reference(noise(16, 16)), noise(16, 24))


@pytest.mark.slow
def test_a_kodak_sized_picture_takes_less_than_a_second_and_a_half() -> None:
    pixels = noise(512, 768)
    other = jpeg.compress(pixels, 50)
    reference = suite.Reference(pixels, pixels[..., 0])
    suite.measure(reference, other)  # imports
    start = time.process_time()
    suite.measure(reference, other)
    assert time.process_time() - start < 1.5
