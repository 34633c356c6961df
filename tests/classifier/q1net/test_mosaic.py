"""Compressing only what is needed gives exactly the pixels of the whole picture's JPEG."""

from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.classifier.q1net import mosaic, patches
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

SIZES = [(24, 24), (25, 31), (32, 48), (47, 33), (64, 64), (97, 131), (144, 160), (150, 449), (300, 451)]


def whole(picture: np.ndarray, quality: int, offset: tuple[int, int] = (0, 0)) -> np.ndarray:
    return patches.cut_grid(jpeg.compress(picture, quality)[offset[0] :, offset[1] :])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("quality", [1, 10, 50, 75, 92, 100])
def test_patches_equal_those_of_the_whole_pictures_jpeg(
    photograph: np.ndarray, size: tuple[int, int], quality: int
) -> None:
    picture = np.ascontiguousarray(photograph[: size[0], : size[1]])
    got = mosaic.picture_mosaic(picture).compressed_patches(quality)
    np.testing.assert_array_equal(got, whole(picture, quality))


@pytest.mark.parametrize("offset", [(0, 1), (1, 0), (3, 5), (7, 7), (4, 4), (8, 16), (20, 11)])
def test_cropped_after_compression(photograph: np.ndarray, offset: tuple[int, int]) -> None:
    for size in ((44, 40), (97, 131), (300, 451)):
        picture = np.ascontiguousarray(photograph[: size[0], : size[1]])
        got = mosaic.picture_mosaic(picture, offset).compressed_patches(40)
        np.testing.assert_array_equal(got, whole(picture, 40, offset), err_msg=str(size))


def test_random_sizes_offsets_and_noise(textured: Callable[..., np.ndarray]) -> None:
    random = np.random.default_rng(7)
    for round_number in range(25):
        height, width = random.integers(32, 420, 2)
        picture = textured(height, width, round_number)
        if round_number % 5 == 0:
            picture = random.integers(0, 256, picture.shape, np.uint8)
        offset = tuple(int(v) for v in random.integers(0, 8, 2))
        quality = int(random.integers(1, 101))
        got = mosaic.picture_mosaic(picture, offset).compressed_patches(quality)
        np.testing.assert_array_equal(got, whole(picture, quality, offset), err_msg=f"{height}x{width} {offset}")


def test_a_big_picture_costs_no_more_than_a_small_one(textured: Callable[..., np.ndarray]) -> None:
    big = np.tile(textured(200, 200), (8, 10, 1))
    grid = mosaic.picture_mosaic(big)
    assert grid.pixels.shape[0] <= 16 * 3 * 16
    assert grid.pixels.shape[1] <= 16 * 3 * 16
    np.testing.assert_array_equal(grid.compressed_patches(30), whole(big, 30))


def test_too_large_a_crop_is_said(photograph: np.ndarray) -> None:
    for offset in ((280, 0), (0, 440), (5000, 5000)):
        with pytest.raises(UserError, match="is too short; at least 24"):
            mosaic.picture_mosaic(photograph, offset)


@pytest.mark.parametrize(("length", "offset"), [(24, 0), (31, 0), (100, 0), (257, 0), (451, 0), (60, 11), (451, 11)])
def test_needed_units_against_a_loop(length: int, offset: int) -> None:
    starts = patches.grid_starts(length - offset) + offset
    needed = set()
    for start in starts:
        for pixel in range(max(0, start - 1), min(length, start + 17)):
            unit = pixel // 16 * 16
            needed |= set(range(unit, min(unit + 16, length)))
    indices, inside = mosaic.needed_units(starts, length)
    assert indices.tolist() == sorted(needed)
    assert indices[inside].tolist() == starts.tolist()


@pytest.mark.parametrize("length", [48, 49, 63, 64, 200, 451])
def test_places_lie_inside_whole_units(length: int) -> None:
    count = mosaic.place_count(length)
    window, area = mosaic.place_window(np.arange(count))
    assert (window % 16 == 0).all()
    assert (window >= 0).all()
    assert (window + 48 <= length // 16 * 16).all()
    np.testing.assert_array_equal(window + area, (np.arange(count) + 1) * 8)
    assert (area >= 8).all()  # one unit's margin at least on the upper side
    assert (area + 24 <= 48 - 8).all()
    beyond = mosaic.place_window(np.array([count]))[0]
    assert beyond[0] + 48 > length // 16 * 16  # there is no further place


def test_no_window_in_a_short_side() -> None:
    with pytest.raises(UserError, match="a side of 47 pixels is too short; at least 48"):
        mosaic.place_count(47)


@pytest.mark.parametrize("count", [1, 2, 14, 15, 16, 30, 150, 151])
def test_tile_and_untile(count: int) -> None:
    windows = np.random.default_rng(count).integers(0, 256, (count, 48, 48, 3), np.uint8)
    tiled = mosaic.tile(windows)
    assert tiled.shape == (-(-count // 15) * 48, 720, 3)
    np.testing.assert_array_equal(mosaic.untile(tiled, count), windows)
    for index in {0, count // 2, count - 1}:
        top, left = index // 15 * 48, index % 15 * 48
        np.testing.assert_array_equal(tiled[top : top + 48, left : left + 48], windows[index])


def test_area_patches_against_a_loop() -> None:
    random = np.random.default_rng(0)
    windows = random.integers(0, 256, (5, 48, 48, 3), np.uint8)
    areas = random.integers(0, 25, (5, 2))
    everywhere = np.array([(dy, dx) for dy in range(-4, 4) for dx in range(-4, 4)])
    own = random.integers(-4, 4, (5, 3, 2))
    for perturbations in (everywhere, own):
        expected = []
        for index in range(5):
            for dy, dx in perturbations if perturbations.ndim == 2 else perturbations[index]:
                y, x = areas[index] + 4 + (dy, dx)
                expected.append(windows[index, y : y + 16, x : x + 16])
        np.testing.assert_array_equal(mosaic.area_patches(windows, areas, perturbations), expected)


@pytest.mark.parametrize("quality", [1, 7, 50, 83, 100])
def test_windows_compressed_together_equal_the_whole_pictures_jpeg(photograph: np.ndarray, quality: int) -> None:
    """Every one of the 64 perturbations, for places all over a photograph, and of another laid beside."""
    down, across = (mosaic.place_count(side) for side in photograph.shape[:2])
    grid = np.stack(np.meshgrid(np.arange(down), np.arange(across), indexing="ij"), axis=-1).reshape(-1, 2)
    places = np.concatenate([grid[:: len(grid) // 140], grid[[across - 1, -across, -1]]])
    (tops, rows), (lefts, columns) = mosaic.place_window(places[:, 0]), mosaic.place_window(places[:, 1])
    windows = np.stack([photograph[t : t + 48, x : x + 48] for t, x in zip(tops, lefts, strict=True)])
    decoded = mosaic.untile(jpeg.compress(mosaic.tile(windows), quality), len(windows))
    perturbations = np.array([(dy, dx) for dy in range(-4, 4) for dx in range(-4, 4)])
    got = mosaic.area_patches(decoded, np.stack([rows, columns], axis=1), perturbations)
    expected = jpeg.compress(photograph, quality)
    tops_of_patches = ((places[:, :1] + 1) * 8 + 4 + perturbations[:, 0]).ravel()
    lefts_of_patches = ((places[:, 1:] + 1) * 8 + 4 + perturbations[:, 1]).ravel()
    wanted = [expected[y : y + 16, x : x + 16] for y, x in zip(tops_of_patches, lefts_of_patches, strict=True)]
    assert len(got) == 64 * len(places)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("start", range(16, 33))
def test_every_patch_has_a_pixel_of_margin_on_both_sides(start: int) -> None:
    """Smooth upsampling of chroma reaches one sample into the neighbouring unit."""
    indices, inside = mosaic.needed_units(np.array([start]), 200)
    assert indices[0] == (start - 1) // 16 * 16
    assert indices[-1] == (start + 16) // 16 * 16 + 15
    assert indices[inside[0]] == start
