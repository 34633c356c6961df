"""Blocks that the border cuts: found where rounding alone does not find them, and decoded as they were."""

import numpy as np
import pytest

from q1net_msroi.classifier.recovery import coefficients
from q1net_msroi.classifier.recovery.layout import Layout
from q1net_msroi.utils import jpeg

FACTORS = {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1)}


@pytest.mark.fast(2)
@pytest.mark.parametrize("size", [(291, 437), (293, 435)])
@pytest.mark.parametrize("way", FACTORS)
def test_any_size(photograph: np.ndarray, size: tuple[int, int], way: str) -> None:
    pixels = jpeg.compress(np.ascontiguousarray(photograph[: size[0], : size[1]]), 50, way)
    layout, tables = Layout(*size, FACTORS[way]), jpeg.standard_tables()[49]
    found = coefficients.recover(pixels, layout, tables)
    rounded = coefficients.recover(pixels, layout, tables, rounds=0)
    assert found.fits.all(), found.told
    assert not rounded.fits.all()
