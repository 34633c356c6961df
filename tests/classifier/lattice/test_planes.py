"""The channels of RGB JPEGs show their lattice; those of other pictures do not."""

import io

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.lattice import blocks, planes, score, search
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg


@pytest.fixture
def pixels(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[:200, :280])


def rgb_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, keep_rgb=True)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("quality", [20, 55, 75, 90, 97])
def test_an_rgb_jpeg_is_read_exactly(pixels: np.ndarray, quality: int) -> None:
    """In the three channels together and in each alone; luma, a sum of three, says nothing."""
    decoded = rgb_jpeg(pixels, quality)
    reading = planes.read(decoded)
    assert search.tied(reading.scores) == (quality,)
    assert reading.nats > 1000
    assert score.read(decoded, (0, 0)).nats < LATTICE.presence
    for channel in range(3):
        assert search.likeliest(score.read(planes.as_gray(decoded, channel), (0, 0)).scores) == quality


def test_a_crop_is_read_on_its_grid(pixels: np.ndarray) -> None:
    decoded = np.ascontiguousarray(rgb_jpeg(pixels, 60)[3:, 5:])
    assert planes.read(decoded).nats < LATTICE.presence
    assert search.tied(planes.read(decoded, (5, 3)).scores) == (60,)
    assert search.find(planes.as_gray(decoded, 1)).phase == (5, 3)


def test_other_pictures_show_none(pixels: np.ndarray) -> None:
    assert planes.read(pixels).nats < -1000
    for quality, subsampling in ((75, "4:2:0"), (90, "4:2:0"), (95, "4:4:4")):
        assert planes.read(jpeg.compress(pixels, quality, subsampling)).nats < -500
    assert planes.read(pixels[:7]).scores.used == 0


def test_the_gray_picture_of_a_channel_has_it_as_luma(pixels: np.ndarray) -> None:
    for channel in range(3):
        gray = planes.as_gray(pixels, channel)
        assert gray.shape == pixels.shape
        np.testing.assert_array_equal(blocks.luma(gray), pixels[..., channel].astype(int) - 128)


def test_channels_are_read_together_unless_green_denies_a_lattice(pixels: np.ndarray) -> None:
    decoded = rgb_jpeg(pixels, 75)
    used = [score.read(planes.as_gray(decoded, channel), (0, 0)).scores.used for channel in range(3)]
    assert 2.5 * used[1] < planes.read(decoded).scores.used <= sum(used)
    assert 200 < planes.read(decoded, limit=300).scores.used <= 300
    assert planes.read(pixels).scores.used == score.read(planes.as_gray(pixels, 1), (0, 0)).scores.used
