"""Where patches lie: the rule of the original, against the plainest loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from classifier.q1net import patches
from utils.errors import UserError


def obvious_starts(length: int) -> list[int]:
    whole = 8 * (length // 8)
    n = (whole - 24) // 8 + 1
    starts: list[int] = []
    for i in range(16):
        start = 8 * ((i + 1) * n // 17) + 4
        if start not in starts:
            starts.append(start)
    return starts


@pytest.mark.parametrize("lengths", [range(24, 250), range(250, 475), range(475, 701), (1080, 2040, 65500)])
def test_grid_starts_are_the_originals_each_once(lengths: range) -> None:
    for length in lengths:
        starts = patches.grid_starts(length)
        assert starts.tolist() == obvious_starts(length)
        assert (np.diff(starts) > 0).all()
        assert (starts % 8 == 4).all()  # each holds a whole block and four pixels around it
        assert starts[0] >= 4
        assert starts[-1] + 16 <= length - 4
        if length >= 16 * 8 + 16:
            assert len(starts) == 16


@pytest.mark.parametrize("length", [-5, 0, 1, 23])
def test_too_short_a_side_is_said(length: int) -> None:
    with pytest.raises(UserError, match=f"a side of {length} pixels is too short; at least 24"):
        patches.grid_starts(length)


def test_the_smallest_picture_gives_one_patch(photograph: np.ndarray) -> None:
    small = photograph[:24, :24]
    np.testing.assert_array_equal(patches.cut_grid(small), small[None, 4:20, 4:20])


@pytest.mark.parametrize("size", [(24, 24), (100, 37), (300, 451), (144, 143)])
def test_cut_against_a_loop(photograph: np.ndarray, size: tuple[int, int]) -> None:
    picture = photograph[: size[0], : size[1]]
    expected = [picture[y : y + 16, x : x + 16] for y in obvious_starts(size[0]) for x in obvious_starts(size[1])]
    got = patches.cut_grid(picture)
    assert got.dtype == np.uint8
    assert 1 <= len(got) <= 256
    np.testing.assert_array_equal(got, expected)


def test_cut_takes_any_starts(textured: Callable[..., np.ndarray]) -> None:
    picture, random = textured(60, 70), np.random.default_rng(0)
    rows, columns = random.integers(0, 44, 5), random.integers(0, 54, 4)
    expected = [picture[y : y + 16, x : x + 16] for y in rows for x in columns]
    np.testing.assert_array_equal(patches.cut(picture, rows, columns), expected)


def test_channel_order() -> None:
    rgb = np.arange(2 * 16 * 16 * 3, dtype=np.uint8).reshape(2, 16, 16, 3)
    assert patches.to_channel_order(rgb, "RGB") is rgb
    bgr = patches.to_channel_order(rgb, "BGR")
    np.testing.assert_array_equal(bgr[..., 0], rgb[..., 2])
    np.testing.assert_array_equal(bgr[..., 1], rgb[..., 1])
    np.testing.assert_array_equal(bgr[..., 2], rgb[..., 0])
