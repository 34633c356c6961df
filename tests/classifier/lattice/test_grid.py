"""The grid's phase: found on crops, (0, 0) wherever nothing else is decisive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import grid
from q1net_msroi.utils import jpeg


@pytest.mark.parametrize("quality", [8, 40, 75, 92, 100])
@pytest.mark.parametrize("offset", [(3, 5), (0, 1), (7, 0)])
def test_the_phase_of_a_crop(photograph: np.ndarray, quality: int, offset: tuple[int, int]) -> None:
    decoded = jpeg.compress(photograph, quality)
    found = grid.find_phase(decoded[offset[0] :, offset[1] :])
    assert found.phase == ((-offset[0]) % 8, (-offset[1]) % 8)
    assert found.nats > 15


@pytest.mark.parametrize("quality", [5, 50, 90, 99])
def test_an_uncropped_picture_stays_where_it_is(photograph: np.ndarray, quality: int) -> None:
    found = grid.find_phase(jpeg.compress(photograph, quality))
    assert found.phase == (0, 0)
    assert found.nats > 15


def test_a_small_crop(photograph: np.ndarray) -> None:
    decoded = jpeg.compress(photograph, 60)
    assert grid.find_phase(decoded[101:165, 203:267]).phase == (3, 5)


def test_nothing_to_find(textured: Callable[..., np.ndarray]) -> None:
    for pixels in (
        textured(120, 90),  # never compressed
        np.full((80, 80, 3), 117, np.uint8),
        np.zeros((64, 64, 3), np.uint8),  # all clipped
        textured(14, 300),  # no window holds all phases
        textured(1, 1),
    ):
        found = grid.find_phase(pixels)
        assert found.phase == (0, 0)
        assert found.nats < 15
        assert grid.score_phases(pixels)[0].shape == (8, 8)


def test_any_inside_against_a_loop() -> None:
    mask = np.random.default_rng(0).random((3, 15, 14)) < 0.02
    expected = [[[m[y : y + 8, x : x + 7].any() for x in range(8)] for y in range(8)] for m in mask]
    np.testing.assert_array_equal(grid._any_inside(mask, 8, 7), expected)


def test_sum_inside_against_a_loop() -> None:
    values = np.random.default_rng(1).random((2, 15, 15))
    expected = [[[v[y : y + 8, x : x + 8].sum() for x in range(8)] for y in range(8)] for v in values]
    np.testing.assert_allclose(grid._sum_inside(values), expected)


def test_edges_stand_out_where_blocks_begin(photograph: np.ndarray) -> None:
    rows, columns = grid.edges(jpeg.compress(photograph, 20)[3:, 6:])
    assert (rows.argmax(), columns.argmax()) == (5, 2)
    assert min(rows.max(), columns.max()) > 5


def test_block_edges_are_visible_only_where_blocks_are(
    photograph: np.ndarray, textured: Callable[..., np.ndarray]
) -> None:
    found = grid.block_edges(jpeg.compress(photograph, 20)[3:, 6:])
    assert (found.phase, found.visible) == ((5, 2), True)
    for pixels in (textured(120, 90), np.full((80, 80, 3), 117, np.uint8), textured(1, 1)):
        assert not grid.block_edges(pixels).visible
