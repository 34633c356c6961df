"""The search: its decoding of one block among its neighbours is the whole plane's, and it finds what was moved."""

import numpy as np
import pytest

from q1net_msroi.classifier.recovery import coefficients, decoder, search
from q1net_msroi.classifier.recovery.layout import Layout
from q1net_msroi.utils import jpeg


@pytest.mark.parametrize("factors", [(1, 1), (1, 2), (2, 2)])
def test_a_block_among_its_neighbours(factors: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    values = np.rint(random.laplace(0, 20, (3, 4, 8, 8))).astype(np.int32)
    plane = decoder.plane(decoder.samples(values))
    down, across = 8 * factors[0], 8 * factors[1]
    whole = decoder.upsampled(plane, factors, (3 * down, 4 * across))
    around = np.lib.stride_tricks.sliding_window_view(search._padded(values), (10, 10))[::8, ::8]
    made = search._region(values, around, factors)
    for row in range(3):
        for column in range(4):
            wanted = whole[row * down :, column * across :][:down, :across]
            np.testing.assert_array_equal(made[row, column], wanted)


@pytest.mark.parametrize("factors", [(1, 1), (1, 2), (2, 2)])
def test_moved_coefficients_are_found(factors: tuple[int, int]) -> None:
    random = np.random.default_rng(2)
    table = jpeg.standard_tables()[84, 1]
    true = np.rint(random.laplace(0, 1, (6, 6, 8, 8))).astype(np.int16)
    size = 48 * factors[0], 48 * factors[1]
    target = decoder.upsampled(decoder.plane(decoder.samples(true * table)), factors, size).astype(np.int32)
    moved, chosen = true.copy(), np.zeros((6, 6), bool)
    chosen[1::2, 1::2] = True
    moved[1::2, 1::2, 2, 1] += 1
    moved[1::2, 1::2, 0, 3] -= 1
    found = search.improve(moved, chosen, table, target, np.ones(size, bool), factors)
    np.testing.assert_array_equal(found, true)


@pytest.mark.parametrize("way", ["4:4:4", "4:2:0"])
def test_fine_steps(photograph: np.ndarray, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, tables = jpeg.compress(photograph[:96, :128], 95, way), jpeg.standard_tables()[94]
    layout = Layout(96, 128, {"4:4:4": (1, 1), "4:2:0": (2, 2)}[way])
    found = coefficients.recover(pixels, layout, tables)
    assert found.fits.mean() > 0.9
    monkeypatch.setattr(search, "improve", lambda levels, *_: levels)
    assert coefficients.recover(pixels, layout, tables).fits.mean() < found.fits.mean() - 0.1
