"""What becomes of a photograph under each condition."""

from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark.conditions import (
    CONDITIONS,
    FEWEST_APART,
    HIGHEST_SECOND,
    NEVER,
    make,
    nearest_quality,
)
from q1net_msroi.utils import jpeg

WITHOUT_FILE = {
    *("random crop offset", "crop 256", "crop 128", "crop 64"),
    *("noise of 1 after", "10 brighter after", "resized to 90 % after", NEVER),
}
WITH_LIBRARY = ("libjpeg 6b", "libjpeg 9e", "mozjpeg")


@pytest.fixture
def pixels(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[:280, :320])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_makes_a_picture_and_the_same_one_again(pixels: np.ndarray, condition: str) -> None:
    if condition in WITH_LIBRARY:
        pytest.importorskip("jpeglib")
    made, again = (make(condition, pixels, 60, np.random.default_rng(1)) for _ in range(2))
    assert made.pixels.dtype == np.uint8
    assert made.pixels.ndim == 3
    assert np.array_equal(made.pixels, again.pixels)
    assert (made.file is None) == (condition in WITHOUT_FILE)
    if made.file is not None:
        assert np.array_equal(jpeg.decode(made.file), made.pixels)
        assert nearest_quality(made.file) == made.quality
    if condition == NEVER:
        assert np.array_equal(made.pixels, pixels)


@pytest.mark.parametrize("side", [256, 128, 64])
def test_crops(pixels: np.ndarray, side: int) -> None:
    made = make(f"crop {side}", pixels, 60, np.random.default_rng(1)).pixels
    assert made.shape == (side, side, 3)
    whole = jpeg.compress(pixels, 60)
    rows = np.lib.stride_tricks.sliding_window_view(whole[: len(whole) - side + 1, :, 1], side, axis=1)
    places = np.argwhere((rows == made[0, :, 1]).all(axis=2))  # where the first row of the crop is found
    assert any(np.array_equal(whole[y : y + side, x : x + side], made) for y, x in places)


def test_a_random_offset_is_never_on_the_grid(pixels: np.ndarray) -> None:
    for seed in range(40):
        made = make("random crop offset", pixels, 60, np.random.default_rng(seed)).pixels
        top, left = pixels.shape[0] - made.shape[0], pixels.shape[1] - made.shape[1]
        assert 0 <= top < 8
        assert 0 <= left < 8
        assert (top, left) != (0, 0)


@pytest.mark.parametrize("quality", [1, 50, 100])
def test_twice_keeps_the_stated_distance(pixels: np.ndarray, quality: int) -> None:
    for condition in ("twice, aligned", "twice, shifted"):
        made = make(condition, pixels, quality, np.random.default_rng(3))
        assert FEWEST_APART + 2 <= made.quality <= HIGHEST_SECOND
        assert made.file is not None
        assert nearest_quality(made.file) == made.quality


def test_changes_afterwards(pixels: np.ndarray) -> None:
    plain = jpeg.compress(pixels, 60).astype(int)
    random: Callable[[], np.random.Generator] = lambda: np.random.default_rng(1)  # noqa: E731
    assert np.abs(make("noise of 1 after", pixels, 60, random()).pixels - plain).max() == 1
    assert np.array_equal(make("10 brighter after", pixels, 60, random()).pixels, np.minimum(plain + 10, 255))
    assert make("resized to 90 % after", pixels, 60, random()).pixels.shape == (252, 288, 3)


def test_gray_and_subsampling(pixels: np.ndarray) -> None:
    gray = make("gray", pixels, 60, np.random.default_rng(1)).pixels
    assert (gray[..., 0] == gray[..., 1]).all()
    assert np.array_equal(
        make("4:4:4", pixels, 60, np.random.default_rng(1)).pixels, jpeg.compress(pixels, 60, "4:4:4")
    )
