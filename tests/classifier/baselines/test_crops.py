"""Crops of pictures, and fresh ones for training whose pixels are those of whole JPEGs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.baselines import crops
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

Textured = Callable[..., np.ndarray]


@pytest.mark.parametrize("length", [64, 65, 71, 72, 100, 128, 512, 768, 5000])
def test_starts_are_distinct_on_the_grid_and_inside(length: int) -> None:
    found = crops.starts(length, 64)
    assert 1 <= len(found) <= crops.ACROSS
    assert (np.diff(found) > 0).all()
    assert (found % 8 == 0).all()
    assert found[0] == 0
    assert length - 64 - 8 < found[-1] <= length - 64
    assert len(found) == min(crops.ACROSS, (length - 64) // 8 + 1)


def test_too_small_a_picture() -> None:
    with pytest.raises(UserError, match="63 pixels is too short; at least 64"):
        crops.starts(63, 64)


def test_cut_takes_the_pixels_that_are_there_and_no_flat_crop(textured: Textured) -> None:
    pixels = textured(150, 200)
    expected = [pixels[y : y + 64, x : x + 64] for y in crops.starts(150, 64) for x in crops.starts(200, 64)]
    assert np.array_equal(crops.cut(pixels, 64), np.stack(expected))
    pixels[:, :72] = 7
    assert len(crops.cut(pixels, 64)) == len(expected) - int((crops.starts(200, 64) <= 8).sum()) * len(
        crops.starts(150, 64)
    )
    assert crops.cut(np.full((90, 90, 3), 200, np.uint8), 64).shape == (0, 64, 64, 3)


@pytest.mark.parametrize("side", [32, 64])
def test_a_window_s_crops_are_those_of_the_whole_jpeg(textured: Textured, side: int) -> None:
    """The oracle: one photograph as large as a window, so that every crop must be found in its own JPEG."""
    photograph = textured(side + 32, side + 32)
    source = crops.CropSource([photograph], 100, 3, 0.5, augment=False, windows_per_quality=2, side=side)
    made, qualities = source.round(0, 0)
    assert made.shape == (200, side, side, 3)
    assert np.array_equal(np.bincount(qualities), [0] + [2] * 100)
    aligned = 0
    for quality in (1, 30, 75, 100):
        whole = jpeg.compress(photograph, quality)
        views = np.lib.stride_tricks.sliding_window_view(whole, (side, side), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
        for crop in made[qualities == quality]:
            places = np.argwhere((views == crop).all(axis=(2, 3, 4)))
            assert len(places) == 1
            aligned += bool((places[0] % 8 == 0).all())
    assert aligned < 8


def test_aligned_crops_lie_on_the_grid(textured: Textured) -> None:
    photograph = textured(96, 96)
    source = crops.CropSource([photograph], 100, 3, 1.0, augment=False, windows_per_quality=1)
    made, qualities = source.round(0, 0)
    whole = jpeg.compress(photograph, 40)
    crop = made[qualities == 40][0]
    assert any(np.array_equal(whole[y : y + 64, x : x + 64], crop) for y in (8, 16, 24) for x in (8, 16, 24))


def test_rounds_depend_on_their_numbers_alone(textured: Textured) -> None:
    photographs = [textured(150, 130), textured(100, 140, 1)]
    one, two = (crops.CropSource(photographs, 64, 5, windows_per_quality=1, side=32) for _ in range(2))
    first = next(iter(one.batches(1, 0, 1)))
    again = next(iter(two.batches(1, 0, 1)))
    other = next(iter(two.batches(2, 0, 1)))
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])


def test_small_photographs_are_left_out(photographs: Path, tmp_path: Path) -> None:
    assert len(crops.load(str(photographs), 64)) == 3
    with pytest.raises(UserError, match="has 224x224 pixels"):
        crops.load(str(photographs), 192)


def test_validation_is_the_same_every_time(photographs: Path) -> None:
    batches = crops.validation_batches(str(photographs), 32, 100, 1.0)
    first, second = list(batches()), list(batches())
    assert sum(len(q) for _, q in first) == 100
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
