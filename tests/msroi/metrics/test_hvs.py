"""PSNR-HVS and PSNR-HVS-M against the published tables and a loop over blocks and coefficients."""

import math

import numpy as np
import pytest

from q1net_msroi.msroi.metrics import hvs, pixel

# As printed with the authors' psnrhvsm.m.
CSF = [
    [1.608443, 2.339554, 2.573509, 1.608443, 1.072295, 0.643377, 0.504610, 0.421887],
    [2.144591, 2.144591, 1.838221, 1.354478, 0.989811, 0.443708, 0.428918, 0.467911],
    [1.838221, 1.979622, 1.608443, 1.072295, 0.643377, 0.451493, 0.372972, 0.459555],
    [1.838221, 1.513829, 1.169777, 0.887417, 0.504610, 0.295806, 0.321689, 0.415082],
    [1.429727, 1.169777, 0.695543, 0.459555, 0.378457, 0.236102, 0.249855, 0.334222],
    [1.072295, 0.735288, 0.467911, 0.402111, 0.317717, 0.247453, 0.227744, 0.279729],
    [0.525206, 0.402111, 0.329937, 0.295806, 0.249855, 0.212687, 0.214459, 0.254803],
    [0.357432, 0.279729, 0.270896, 0.262603, 0.229778, 0.257351, 0.249855, 0.259950],
]
MASK_FIRST_ROWS = [
    [0.390625, 0.826446, 1.000000, 0.390625, 0.173611, 0.062500, 0.038447, 0.026874],
    [0.694444, 0.694444, 0.510204, 0.277008, 0.147929, 0.029727, 0.027778, 0.033058],
]


def test_tables_are_the_published_ones() -> None:
    np.testing.assert_allclose(hvs.SENSITIVITY, CSF, atol=1.1e-6)
    np.testing.assert_allclose(hvs.MASKING[:2], MASK_FIRST_ROWS, atol=1.1e-6)


def slow_dct(block: np.ndarray) -> np.ndarray:
    matrix = np.array(
        [
            [math.sqrt((1 if k == 0 else 2) / 8) * math.cos(math.pi * k * (2 * n + 1) / 16) for n in range(8)]
            for k in range(8)
        ]
    )
    return matrix @ block @ matrix.T


def spread(values: np.ndarray) -> float:
    mean = values.mean()
    return sum((value - mean) ** 2 for value in values.reshape(-1)) / (values.size - 1) * values.size


def slow_masking(block: np.ndarray, spectrum: np.ndarray) -> float:
    energy = sum(spectrum[k, m] ** 2 * hvs.MASKING[k, m] for k in range(8) for m in range(8) if k or m)
    whole = spread(block)
    if whole:
        parts = spread(block[:4, :4]) + spread(block[:4, 4:]) + spread(block[4:, 4:]) + spread(block[4:, :4])
        whole = parts / whole
    return math.sqrt(energy * whole) / 32


def slow_pair(reference: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    plain = masked = 0.0
    count = 0
    for y in range(0, reference.shape[0] - 7, 8):
        for x in range(0, reference.shape[1] - 7, 8):
            a, b = reference[y : y + 8, x : x + 8], other[y : y + 8, x : x + 8]
            dct_a, dct_b = slow_dct(a), slow_dct(b)
            mask = max(slow_masking(a, dct_a), slow_masking(b, dct_b))
            for k in range(8):
                for m in range(8):
                    error = abs(dct_a[k, m] - dct_b[k, m])
                    plain += (error * CSF[k][m]) ** 2
                    if k or m:
                        error = max(error - mask / hvs.MASKING[k, m], 0)
                    masked += (error * CSF[k][m]) ** 2
            count += 64
    return 10 * math.log10(255**2 * count / plain), 10 * math.log10(255**2 * count / masked)


def test_equals_the_loop_over_blocks(pair: tuple[np.ndarray, np.ndarray]) -> None:
    reference, other = map(pixel.luma, pair)
    assert hvs.psnr_hvs_pair(reference, other) == pytest.approx(slow_pair(reference, other), abs=2e-5)


def test_a_change_of_brightness_is_weighted_and_never_masked() -> None:
    plane = np.random.default_rng(0).integers(50, 200, (32, 40)).astype(float)
    expected = 20 * math.log10(255 / 1.608443)
    assert hvs.psnr_hvs_pair(plane, plane + 1) == pytest.approx((expected, expected), abs=1e-6)


def test_noise_is_masked_by_texture_but_not_by_flatness() -> None:
    random = np.random.default_rng(0)
    error = random.normal(0, 3, (64, 64))
    error -= error.reshape(8, 8, 8, 8).mean(axis=(1, 3)).repeat(8, axis=0).repeat(8, axis=1)
    texture, flat = random.normal(128, 40, (64, 64)), np.full((64, 64), 128.0)
    gain_textured = np.diff(hvs.psnr_hvs_pair(texture, texture + error))[0]
    gain_flat = np.diff(hvs.psnr_hvs_pair(flat, flat + error))[0]
    assert gain_textured > gain_flat + 3


def test_equal_pictures_and_too_small_ones() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (16, 16)).astype(float)
    assert hvs.psnr_hvs_pair(plane, plane) == (np.inf, np.inf)
    assert all(np.isnan(hvs.psnr_hvs_pair(plane[:7], plane[:7])))
