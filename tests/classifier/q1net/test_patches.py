"""Where patches lie: the rule of the original, against the plainest loop."""

from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.classifier.q1net import patches
from q1net_msroi.utils.errors import UserError


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


def obvious_activity(picture: np.ndarray, top: int, left: int) -> int:
    block = picture[top + 4 : top + 12, left + 4 : left + 12, 1].astype(int)
    down = sum(abs(int(block[i + 1, j] - block[i, j])) for i in range(7) for j in range(8))
    return down + sum(abs(int(block[i, j + 1] - block[i, j])) for i in range(8) for j in range(7))


def test_activity_against_a_loop(textured: Callable[..., np.ndarray]) -> None:
    picture = textured(60, 75)
    expected = [[obvious_activity(picture, 8 * i + 4, 8 * j + 4) for j in range(7)] for i in range(5)]
    np.testing.assert_array_equal(patches.activity(picture), expected)
    np.testing.assert_array_equal(patches.activity(picture, (2, 3)), np.array(expected)[::2, ::3])


@pytest.mark.parametrize("size", [(24, 24), (30, 200), (300, 451), (144, 143)])
def test_texture_takes_the_best_of_each_cell(photograph: np.ndarray, size: tuple[int, int]) -> None:
    picture = photograph[: size[0], : size[1]]
    counts = [(8 * (length // 8) - 24) // 8 + 1 for length in size]
    edges = [[n * i // min(16, n) for i in range(min(16, n) + 1)] for n in counts]
    rows, columns = patches.texture_starts(picture)
    at = 0
    for a, b in zip(edges[0], edges[0][1:], strict=False):
        for c, d in zip(edges[1], edges[1][1:], strict=False):
            cell = {(i, j): obvious_activity(picture, 8 * i + 4, 8 * j + 4) for i in range(a, b) for j in range(c, d)}
            place = ((rows[at] - 4) // 8, (columns[at] - 4) // 8)
            assert cell[place] == max(cell.values())
            at += 1
    assert at == len(rows) == len(patches.cut_grid(picture))
    expected = [picture[y : y + 16, x : x + 16] for y, x in zip(rows, columns, strict=True)]
    np.testing.assert_array_equal(patches.cut_texture(picture), expected)


def test_texture_of_a_large_picture_is_on_the_grid_and_quick() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (2000, 3000, 3), np.uint8)
    rows, columns = patches.texture_starts(picture)
    assert len(rows) == 256
    assert ((rows % 8 == 4) & (columns % 8 == 4)).all()
    assert rows.max() + 20 <= 2000
    assert columns.max() + 20 <= 3000


def test_texture_is_found(textured: Callable[..., np.ndarray]) -> None:
    picture = np.full((512, 512, 3), 90, np.uint8)
    picture[136:160, 136:160] = textured(24, 24)
    rows, columns = patches.texture_starts(picture)
    assert len(rows) <= 4  # the flat cells are left out
    assert any(132 <= y <= 148 and 132 <= x <= 148 for y, x in zip(rows, columns, strict=True))


@pytest.mark.parametrize(("side", "step"), [(600, 1), (1040, 1), (1050, 2), (2080, 3)])
def test_up_to_eight_blocks_a_cell_are_looked_at_along_a_side(
    textured: Callable[..., np.ndarray], side: int, step: int
) -> None:
    """Every block of a picture of 128 blocks a side, then every second, every third."""
    for block in range(1, 7):
        picture = np.full((side, side, 3), 90, np.uint8)
        top = 8 * block + 8
        picture[top : top + 8, top : top + 8] = textured(8, 8, block)
        rows, columns = patches.texture_starts(picture)
        seen = (8 * block + 4 in rows) and (8 * block + 4 in columns)
        assert seen == (block % step == 0), block
