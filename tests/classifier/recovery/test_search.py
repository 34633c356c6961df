"""The search finds what was moved, in blocks of every kind of place, and what the steps of high qualities blur."""

import numpy as np
import pytest

from q1net_msroi.classifier.recovery import bounds, coefficients, decoder, joint, search
from q1net_msroi.classifier.recovery.layout import Layout
from q1net_msroi.classifier.recovery.settings import List
from q1net_msroi.utils import jpeg

LONG = List(64, 16, steps=True)


def made(layout: Layout, tables: np.ndarray, scale: float = 1, seed: int = 2) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    levels = []
    for component in range(layout.components):
        rows, columns = layout.padded(component)
        each = random.laplace(0, scale, (rows // 8, columns // 8, 8, 8)) / np.sqrt(tables[min(component, 1)] / 4)
        each[..., 0, 0] = random.normal(0, 300 / tables[min(component, 1)][0, 0], each.shape[:2])
        levels.append(np.rint(each).astype(np.int16))
    return levels


@pytest.mark.parametrize("size", [(48, 64), (43, 59)])
@pytest.mark.parametrize("factors", [(1, 1), (1, 2), (2, 2)])
def test_moved_coefficients_are_found(factors: tuple[int, int], size: tuple[int, int]) -> None:
    table, layout = jpeg.standard_tables()[84, 1], Layout(*size, factors)
    true = made(layout, np.stack([table, table]))[1]
    rows, columns = layout.seen(1)
    target = decoder.plane(decoder.samples(true * table.astype(np.int32)))[:rows, :columns]
    limit = decoder.upsampled(target, factors, size).astype(np.float32)
    moved, chosen = true.copy(), np.zeros(true.shape[:2], bool)
    chosen[::2, ::2] = True
    moved[::2, ::2, 2, 1] += 1
    moved[::2, ::2, 0, 3] -= 1
    limits = np.where(limit <= 0, -bounds.FREE, limit), np.where(limit >= 255, bounds.FREE, limit)
    found = search.improve(moved, chosen, table, limits, factors, LONG)
    whole = slice(None, rows // 8), slice(None, columns // 8)
    np.testing.assert_array_equal(found[whole], true[whole])
    sampled = decoder.plane(decoder.samples(found * table.astype(np.int32)))[:rows, :columns]
    np.testing.assert_array_equal(decoder.upsampled(sampled, factors, size), limit)


@pytest.mark.parametrize("factors", [(1, 1), (1, 2), (2, 2)])
def test_a_unit_with_clipped_channels(factors: tuple[int, int]) -> None:
    """Red alone is clipped everywhere, so no sample is known without the others; one unit's coefficients are moved."""
    tables, layout = jpeg.standard_tables()[59], Layout(48, 64, factors)
    true = made(layout, tables, 0.3)
    true[0][..., 0, 0] += np.int16(600 // tables[0][0, 0])
    true[2][..., 0, 0] += np.int16(400 // tables[1][0, 0])
    pixels = layout.decoded(true, tables)
    moved = [each.copy() for each in true]
    for each in moved:
        each[0, 0, 1, 1] += 1
        each[0, 0, 0, 0] -= 1
    chosen = np.zeros(true[1].shape[:2], bool)
    chosen[0, 0] = True
    asked = np.ones(pixels.shape[:2], bool)
    assert (layout.decoded(moved, tables) != pixels).any()
    found = joint.improve(pixels, layout, tables, moved, chosen, asked, LONG)
    np.testing.assert_array_equal(layout.decoded(found, tables), pixels)


def test_true_samples_lie_within_the_bounds(photograph: np.ndarray) -> None:
    loud = np.clip(photograph[:64, :96].astype(int) * 2 - 100, 0, 255).astype(np.uint8)
    layout, tables = Layout(64, 96, (2, 2)), jpeg.standard_tables()[79]
    levels = coefficients.recover(jpeg.compress(loud, 80), layout, tables, rounds=0).levels
    planes = layout.planes(levels, tables)
    pixels = layout.coloured(planes)
    assert ((pixels == 0) | (pixels == 255)).mean() > 0.03
    for component in range(3):
        low, high = bounds.bounds(pixels, planes, component)
        assert (planes[component] >= low).all()
        assert (planes[component] <= high).all()
        assert (low == high).mean() > 0.5


@pytest.mark.parametrize("way", ["4:4:4", "4:2:0"])
def test_fine_steps(photograph: np.ndarray, way: str) -> None:
    pixels, tables = jpeg.compress(photograph[:96, :128], 95, way), jpeg.standard_tables()[94]
    layout = Layout(96, 128, {"4:4:4": (1, 1), "4:2:0": (2, 2)}[way])
    assert coefficients.recover(pixels, layout, tables).fits.all()
    assert coefficients.recover(pixels, layout, tables, rounds=0).fits.mean() < 0.9


def test_saturated_chroma(photograph: np.ndarray) -> None:
    """Pure red is Cr of 255, clipped before it is upsampled."""
    pixels = photograph[:96, :128].copy()
    pixels[20:70, 30:90] = (255, 0, 0)
    made_pixels = jpeg.compress(pixels, 75)
    found = coefficients.recover(made_pixels, Layout(96, 128, (2, 2)), jpeg.standard_tables()[74])
    assert found.fits.all(), found.told
