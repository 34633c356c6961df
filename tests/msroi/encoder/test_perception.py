"""The metrics in the DCT domain against the metrics themselves."""

import numpy as np
import pytest

from q1net_msroi.msroi.encoder import blocks, perception
from q1net_msroi.msroi.metrics import hvs, pixel
from q1net_msroi.utils import jpeg

STUDIO_RANGE = 219 / 255  # luma 16..235 of the metric against 0..255 of JPEG


def test_masking_is_the_metrics(photograph: np.ndarray) -> None:
    pixels = np.ascontiguousarray(photograph[:120, :160])
    plane = blocks.planes_of(pixels, "4:2:0")[0]
    ours = perception.block_masking(plane, blocks.to_spectrum(plane)) * STUDIO_RANGE
    luma = hvs._blocks(plane.astype(np.float64) * STUDIO_RANGE)
    from scipy.fft import dctn

    theirs = hvs._masking(luma, dctn(luma, axes=(-2, -1), norm="ortho"))
    assert np.allclose(ours, theirs, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("quality", [20, 40, 60])  # at high ones the rounding of decoded pixels counts too
def test_the_estimate_is_near_the_metric(photograph: np.ndarray, quality: int) -> None:
    pixels = np.ascontiguousarray(photograph[:296, :448])
    plane = blocks.planes_of(pixels, "4:2:0")[0]
    spectrum = blocks.to_spectrum(plane)
    table = jpeg.standard_tables()[quality - 1, 0].reshape(64)[blocks.ZIGZAG, None]
    error = np.abs(spectrum - table * np.rint(spectrum / table))
    hidden = np.multiply.outer(perception.THRESHOLD, perception.block_masking(plane, spectrum))
    seen = np.square(np.maximum(error - hidden, 0))
    decoded = pixel.luma(jpeg.compress(pixels, quality))
    _, metric = hvs.psnr_hvs_pair(pixel.luma(pixels), decoded)
    mean = float(perception.SENSITIVITY @ seen.mean(axis=1)) / 64
    assert pixel.psnr_of(mean) == pytest.approx(metric, abs=0.5)


def test_no_texture_hides_a_change_of_brightness(photograph: np.ndarray) -> None:
    """The metric itself of blocks whose mean alone is off by 3 grey levels, in the metric's range."""
    luma = pixel.luma(np.ascontiguousarray(photograph[:120, :160]))
    _, metric = hvs.psnr_hvs_pair(luma, luma + 3 * STUDIO_RANGE)
    error = np.zeros(64, np.float32)
    error[0] = 3 * 8
    seen = np.square(np.maximum(error - 1e6 * perception.THRESHOLD, 0))
    assert pixel.psnr_of(float(perception.SENSITIVITY @ seen) / 64) == pytest.approx(metric, abs=0.01)


def test_rgb_weights_are_those_of_random_errors() -> None:
    random = np.random.default_rng(0)
    errors = random.normal(0, 1, (100_000, 3))
    back = np.linalg.inv(blocks.RGB_TO_YCC.astype(float))
    measured = np.square(errors @ back.T).sum(axis=1).mean()
    assert perception.rgb_weights().sum() == pytest.approx(measured, rel=0.01)
    assert perception.rgb_weights()[0] == pytest.approx(3, rel=1e-4)


def test_upsampling_gain_is_the_decoders() -> None:
    """An error of one chroma coefficient, decoded by libjpeg, has the energy that the gain says."""
    gain = perception.upsampling_gain()
    assert gain[0] == pytest.approx(4, rel=0.02)
    assert (gain <= 4.001).all()
    for place in (1, 4, 12):
        spectrum = np.zeros((64, 1), np.float32)
        spectrum[place] = 300
        block = (blocks.DCT.T @ spectrum[blocks.NATURAL, 0].reshape(8, 8) @ blocks.DCT).astype(np.float64)
        padded = np.pad(block, 1, mode="symmetric")
        fine = np.zeros((16, 16))
        for dy in (0, 1):
            for dx in (0, 1):
                near, beside = padded[1:-1, 1:-1], (2 * dy, 2 * dx)
                rows = slice(beside[0], beside[0] + 8)
                columns = slice(beside[1], beside[1] + 8)
                fine[dy::2, dx::2] = (
                    9 * near + 3 * padded[rows, 1:-1] + 3 * padded[1:-1, columns] + padded[rows, columns]
                ) / 16
        assert np.square(fine).sum() / 300**2 == pytest.approx(gain[place], rel=0.01)


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_structure_tells_what_errors_take_from_ssim(photograph: np.ndarray, quality: int) -> None:
    pixels = np.ascontiguousarray(photograph[:296, :448])
    plane = blocks.planes_of(pixels, "4:2:0")[0]
    spectrum = blocks.to_spectrum(plane)
    table = jpeg.standard_tables()[quality - 1, 0].reshape(64)[blocks.ZIGZAG, None]
    rounded = table * np.rint(spectrum / table)
    squared = np.square(spectrum - rounded).sum(axis=0)
    estimate = float(perception.ssim_sensitivity(plane)[0] @ squared) / plane.size
    back = jpeg.dct_matrix()
    coefficients = np.empty_like(rounded)
    coefficients[blocks.ZIGZAG] = rounded
    made = back.T @ coefficients.T.reshape(-1, 8, 8) @ back
    height, width = plane.shape
    decoded = made.reshape(height // 8, width // 8, 8, 8).transpose(0, 2, 1, 3).reshape(height, width)
    lost = 1 - pixel.ssim(plane.astype(np.float64) + 128, decoded.astype(np.float64) + 128)
    assert estimate == pytest.approx(lost, rel=0.35)


def test_structure_is_least_in_texture() -> None:
    plane = np.zeros((32, 64), np.float32)
    plane[:, 32:] = np.random.default_rng(0).normal(0, 40, (32, 32))
    found = perception.ssim_sensitivity(plane)[0].reshape(4, 8)
    assert found[:, 0] == pytest.approx(np.full(4, 1 / pixel.C2), rel=1e-3)
    assert found[:, 6:].max() < 0.05 / pixel.C2


@pytest.mark.parametrize("place", [0, 1, 2, 7, 30])
def test_what_is_left_in_means_of_pixels(place: int) -> None:
    """A block of one coefficient, averaged: its energy per pixel beside that of the whole."""
    spectrum = np.zeros(64)
    spectrum[place] = 1
    block = jpeg.dct_matrix().T @ spectrum[blocks.NATURAL].reshape(8, 8) @ jpeg.dct_matrix()
    for side, left in zip(perception.SCALES, perception.scale_spectra()[:, place], strict=True):
        means = block.reshape(8 // side, side, 8 // side, side).mean(axis=(1, 3))
        assert left == pytest.approx(np.square(means).sum() * side**2, abs=1e-5)


@pytest.mark.parametrize(("scale", "quality"), [(1, 30), (2, 30), (2, 70)])
def test_structure_at_coarser_scales(photograph: np.ndarray, scale: int, quality: int) -> None:
    """SSIM of means of 2 and 4 pixels, within half of what the coefficients say."""
    plane = blocks.planes_of(np.ascontiguousarray(photograph[:288, :448]), "4:2:0")[0]
    spectrum = blocks.to_spectrum(plane)
    table = jpeg.standard_tables()[quality - 1, 0].reshape(64)[blocks.ZIGZAG, None]
    rounded = table * np.rint(spectrum / table)
    squared = perception.scale_spectra()[scale] @ np.square(spectrum - rounded)
    side = perception.SCALES[scale]
    estimate = float(perception.ssim_sensitivity(plane)[scale] @ squared) / plane.size
    back = jpeg.dct_matrix()
    coefficients = np.empty_like(rounded)
    coefficients[blocks.ZIGZAG] = rounded
    made = back.T @ coefficients.T.reshape(-1, 8, 8) @ back
    height, width = plane.shape
    decoded = made.reshape(height // 8, width // 8, 8, 8).transpose(0, 2, 1, 3).reshape(height, width)
    small = [
        each.reshape(height // side, side, width // side, side).mean(axis=(1, 3)).astype(np.float64) + 128
        for each in (plane, decoded)
    ]
    assert estimate == pytest.approx(1 - pixel.ssim(*small), rel=0.5)


def test_curves_of_frequency_go_through_their_knots() -> None:
    knots, values = (0, 1, 4, 9.9), (10.0, 20.0, 30.0, 90.0)
    found = perception.radial(knots, values)
    natural = found[blocks.NATURAL].reshape(8, 8)
    assert natural[0, [0, 1, 4]] == pytest.approx([10, 20, 30])
    assert natural == pytest.approx(natural.T)
    assert natural[7, 7] == pytest.approx(90, rel=1e-3)
    halved = perception.radial(knots, values, 2)[blocks.NATURAL].reshape(8, 8)
    assert halved[0, 2] == pytest.approx(20)  # the second wave of a block of halved chroma is the first of a full one


def test_black_and_white_are_moved_beyond_what_pixels_hold() -> None:
    plane = np.full((32, 48), 127, np.float32)
    plane[12:20, 20:28] = -128
    found = perception.overshot(plane, 2.0, 30.0)
    assert np.clip(found, -128, 127) == pytest.approx(plane)  # a decoder shows the same
    assert found[16, 29] == pytest.approx(157)
    assert found[16, 22] == pytest.approx(-158)
    assert found[0, 0] == pytest.approx(127, abs=1e-3)  # far from any edge
    gray = np.full((16, 16), 20, np.float32)
    assert perception.overshot(gray, 2.0, 30.0) is gray


def test_errors_count_more_where_it_is_dark() -> None:
    found = perception.darkness(np.array([-1024, -500, 0, 1000], np.float32), 0.3)
    assert (np.diff(found) < 0).all()
    assert (perception.darkness(np.array([-1024, 1000], np.float32), 0.0) == 1).all()


@pytest.mark.parametrize("size", [(5, 7), (8, 300), (150, 40)])
@pytest.mark.parametrize(("sigma", "radius"), [(1.5, 5), (3.0, 9)])
def test_means_are_scipys(size: tuple[int, int], sigma: float, radius: int) -> None:
    from scipy.ndimage import gaussian_filter

    plane = np.random.default_rng(2).normal(0, 40, size).astype(np.float32)
    expected = gaussian_filter(plane.astype(float), sigma, radius=radius)
    assert perception.blurred(plane, sigma, radius) == pytest.approx(expected, abs=1e-3)
