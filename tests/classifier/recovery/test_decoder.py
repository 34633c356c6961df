"""The model of the decoder against the decoder itself."""

import io

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.recovery.layout import Layout
from q1net_msroi.utils import jpeg, jpeg_writer

FACTORS = {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1), "gray": None}


@pytest.mark.parametrize("size", [(64, 80), (37, 45), (17, 21), (9, 33)])
@pytest.mark.parametrize("way", FACTORS)
def test_random_coefficients_decode_to_pillows_pixels(way: str, size: tuple[int, int]) -> None:
    random = np.random.default_rng(7)
    layout = Layout(*size, FACTORS[way])
    tables = jpeg.standard_tables()[49]
    levels = []
    for component in range(layout.components):
        rows, columns = layout.padded(component)
        each = random.laplace(0, 2, (rows // 8, columns // 8, 8, 8))
        each[..., 0, 0] *= 10
        levels.append(np.rint(each).astype(np.int16))
    sampling = [layout.factors or (1, 1), (1, 1), (1, 1)][: layout.components]
    content = jpeg_writer.write(levels, sampling, tables[: min(layout.components, 2)], size)
    theirs = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(layout.decoded(levels, tables), theirs)
