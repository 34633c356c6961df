"""The mixture against whole pictures of every level."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.encoder import mixture
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.codecs import JPEG


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (max(height // 8, 1), max(width // 8, 1), 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(smooth + random.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8)


def slow_mixture(pixels: np.ndarray, levels: np.ndarray) -> np.ndarray:
    decoded = []
    for quality in range(10, 101, 10):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        decoded.append(np.asarray(Image.open(buffer)))
    mixed = np.empty_like(pixels)
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            mixed[y, x] = decoded[levels[y, x]][y, x]
    return mixed


@pytest.mark.parametrize(("height", "width"), [(40, 56), (33, 17), (1, 1), (8, 100)])
def test_equals_the_loop_over_pixels(height: int, width: int) -> None:
    pixels = picture(height, width)
    levels = np.random.default_rng(1).integers(1, 10, (height, width)).astype(np.uint8)
    np.testing.assert_array_equal(mixture.mix(pixels, levels), slow_mixture(pixels, levels))


def test_encodes_only_levels_that_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    codec = replace(JPEG, encode=lambda pixels, quality: (used.append(quality), jpeg.encode(pixels, quality))[1])
    monkeypatch.setattr(mixture, "JPEG", codec)
    levels = np.where(np.arange(64).reshape(8, 8) < 20, 2, 8).astype(np.uint8)
    mixture.mix(picture(8, 8), levels)
    assert sorted(used) == [30, 90]


def test_does_not_change_its_input() -> None:
    pixels = picture(24, 24)
    before = pixels.copy()
    mixture.mix(pixels, np.full((24, 24), 1, np.uint8))
    np.testing.assert_array_equal(pixels, before)
