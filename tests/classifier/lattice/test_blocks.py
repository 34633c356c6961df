"""Blocks and histograms: the decoder's integer luma, clipped and constant blocks, the sample of a large picture."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.lattice import blocks
from q1net_msroi.utils import jpeg


def test_luma_is_the_decoders_own(photograph: np.ndarray) -> None:
    import io

    content = jpeg.encode(photograph, 80)
    image = Image.open(io.BytesIO(content))
    image.draft("YCbCr", image.size)
    decoded = jpeg.decode(content)
    kept = ((decoded > 0) & (decoded < 255)).all(-1)
    own = np.asarray(image)[..., 0].astype(int) - 128
    assert image.mode == "YCbCr"
    np.testing.assert_array_equal(blocks.luma(decoded)[kept], own[kept])


def test_dct_is_orthonormal() -> None:
    np.testing.assert_allclose(jpeg.dct_matrix() @ jpeg.dct_matrix().T, np.eye(8), atol=1e-6)


def test_cut_against_a_loop(photograph: np.ndarray) -> None:
    cut = blocks.cut(photograph[:45, :70], (2, 5))
    expected = [blocks.luma(photograph[y : y + 8, x : x + 8]).ravel() for y in range(2, 38, 8) for x in range(5, 63, 8)]
    np.testing.assert_array_equal(cut.values, expected)


def test_a_large_picture_gives_a_sample_of_its_texture(textured: Callable[..., np.ndarray]) -> None:
    pixels = np.full((400, 800, 3), 90, np.uint8)
    pixels[:, 400:] = textured(400, 400)
    cut = blocks.cut(pixels, limit=1000)
    assert len(cut.values) == 1000
    assert (cut.places[:, 1] >= 400).mean() > 0.99
    assert np.ptp(cut.places[:, 0]) > 380


def test_kinds_of_blocks() -> None:
    pixels = np.full((8, 48, 3), 100, np.uint8)
    pixels[:, 8:16] = np.arange(100, 108)[None, :, None]  # constant along columns: horizontal frequencies
    pixels[:, 16:24] = np.arange(100, 108)[:, None, None]
    pixels[:, 24:32] = np.random.default_rng(0).integers(50, 200, (8, 8, 1))
    pixels[3, 35] = 255  # clipped
    counts = blocks.histograms(blocks.cut(pixels))
    assert (counts.textured_blocks, counts.line_blocks, counts.flat[100]) == (1, 2, 1)
    assert counts.flat.sum() == 1  # the second of two is the same surface
    assert counts.textured.shape[0] == 64
    assert (counts.textured.sum(1) == 1).all()
    assert (counts.lines.sum(1) == 1).all()
    horizontal = counts.lines[8:, 1:].sum(1)
    vertical = counts.lines[:8, 1:].sum(1)
    np.testing.assert_array_equal(horizontal, vertical)  # the same ramp
    assert horizontal[1] == 1


def test_repeated_flat_and_line_blocks_count_little() -> None:
    ramp = np.repeat(np.arange(100, 108, dtype=np.uint8)[None, :, None], 3, axis=2)
    counts = blocks.histograms(blocks.cut(np.tile(ramp, (80, 10, 1))))
    assert counts.line_blocks == 1
    counts = blocks.histograms(blocks.cut(np.full((80, 80, 3), 60, np.uint8)))
    assert counts.flat.sum() == 1


def test_nothing_to_cut() -> None:
    counts = blocks.histograms(blocks.cut(np.zeros((7, 100, 3), np.uint8)))
    assert counts.textured_blocks == counts.line_blocks == counts.flat.sum() == 0


@pytest.mark.parametrize("shift", [0, 10, -10])
def test_values_clipped_before_brightness_was_changed(shift: int) -> None:
    random = np.random.default_rng(5)
    flat = random.integers(20, 230, (300, 192))
    flat[:40, :30] = 0
    flat[40:60, :30] = 255
    flat[60:] += random.integers(0, 10, (240, 192))
    moved = np.clip(flat + shift, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(np.flatnonzero(blocks.clipped_blocks(moved)), np.arange(60))


def test_a_least_value_is_not_clipped_by_itself() -> None:
    flat = np.random.default_rng(6).integers(20, 230, (300, 192)).astype(np.uint8)
    assert not blocks.clipped_blocks(flat).any()


@pytest.mark.parametrize(("times", "clipped"), [(2, False), (5, True)])
def test_clipping_shows_as_an_end_three_times_as_frequent_as_the_next_value(times: int, clipped: bool) -> None:
    flat = np.random.default_rng(7).integers(60, 200, (200, 192)).astype(np.uint8)
    flat[:, 0] = 50  # the least value, in every block
    flat[:, 1 : 1 + times] = 49
    assert blocks.clipped_blocks(flat).all() == clipped
    assert blocks.clipped_blocks(flat).any() == clipped
    assert not blocks.clipped_blocks(flat[:99]).any()  # too few blocks to tell


def test_what_repeats_is_one_surface() -> None:
    """A poster's flat areas and stripes weigh no more for being large."""
    stripes = np.repeat(np.arange(60, 124, 8, dtype=np.uint8)[:, None, None], 3, axis=2)
    small = np.concatenate([np.full((8, 8, 3), 90, np.uint8), np.broadcast_to(stripes, (8, 8, 3))], axis=1)
    one, many = (blocks.histograms(blocks.cut(picture)) for picture in (small, np.tile(small, (6, 8, 1))))
    np.testing.assert_array_equal(one.flat, many.flat)
    np.testing.assert_array_equal(one.lines, many.lines)
    assert (one.line_blocks, many.line_blocks) == (1, 1)


def test_equal_blocks_count_once(photograph: np.ndarray) -> None:
    """A texture that a drawing repeats is one surface, whatever lies between its blocks."""
    values = np.rint(np.random.default_rng(4).normal(0, 40, (20, 64))).astype(np.float32)
    some = values[[0, 3, 0, 5, 3, 3, 7]]
    np.testing.assert_array_equal(blocks.distinct(some), values[[0, 3, 5, 7]])
    for copies in range(2, 9):  # a matrix product may sum its last rows in another order
        assert len(blocks.distinct(np.tile(values[:13], (copies, 1)))) == 13
    assert blocks.distinct(values[:0]).shape == (0, 64)
    swapped = values[:1].copy()
    swapped[0, [0, 1]] = swapped[0, [1, 0]]  # the same values in another order are another block
    assert len(blocks.distinct(np.concatenate([values[:1], swapped]))) == 2
    part = photograph[:64, :64]
    one, many = (blocks.histograms(blocks.cut(picture)) for picture in (part, np.tile(part, (3, 2, 1))))
    np.testing.assert_array_equal(one.textured, many.textured)
    assert one.textured_blocks == many.textured_blocks


def test_turned_histograms_are_those_of_the_turned_picture(photograph: np.ndarray) -> None:
    part = photograph[:96, :96].copy()
    part[:8, :40] = np.arange(60, 68, dtype=np.uint8)[:, None, None]  # lines
    part[8:16, 8:32] = np.arange(60, 84, dtype=np.uint8)[None, :, None]
    part[40:48] = 90
    upright, across = (blocks.histograms(blocks.cut(picture)) for picture in (part, part.swapaxes(0, 1).copy()))
    back = blocks.turned(across)
    assert np.abs(back.textured - upright.textured).sum() < 0.002 * upright.textured.sum()  # rounding to bins
    np.testing.assert_array_equal(back.lines, upright.lines)
    np.testing.assert_array_equal(back.flat, upright.flat)
    assert (upright.line_blocks, upright.lines[:8, 8:].sum() != upright.lines[8:, 8:].sum()) == (4, True)
