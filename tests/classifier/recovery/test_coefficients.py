"""What was quantised comes back; what fits is what decodes to the same pixels."""

import io
from pathlib import Path

import jpeglib
import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.recovery import coefficients
from q1net_msroi.classifier.recovery.layout import Layout
from q1net_msroi.utils import jpeg

FACTORS = {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1)}


@pytest.mark.parametrize("quality", [20, 50, 75, 85])
@pytest.mark.parametrize("way", FACTORS)
def test_the_files_own_coefficients(photograph: np.ndarray, tmp_path: Path, way: str, quality: int) -> None:
    content = jpeg.encode(photograph[:288, :432], quality, way)
    (path := tmp_path / "file.jpg").write_bytes(content)
    pixels, tables = jpeg.decode(content), jpeg.standard_tables()[quality - 1]
    found = coefficients.recover(pixels, Layout(288, 432, FACTORS[way]), tables, 2)
    assert found.fits.all(), found.told
    stored = jpeglib.read_dct(str(path))
    assert (found.levels[0] == stored.Y).all((-1, -2)).mean() > 0.999
    if way == "4:4:4":  # where pixels are clipped, other coefficients of chroma decode to the same ones
        whole = coefficients.fitting(((pixels == 0) | (pixels == 255)).astype(np.uint8), np.zeros_like(pixels))
        for mine, theirs in zip(found.levels, (stored.Y, stored.Cb, stored.Cr), strict=True):
            same = (mine == theirs)[whole].reshape(-1, 64)
            assert same[:, 1:].all(1).mean() > 0.999
            assert same[:, 0].mean() > (0.999 if quality < 80 else 0.95)  # a step under 8 leaves flat blocks two DCs


def test_gray_with_clipped_pixels(photograph: np.ndarray) -> None:
    loud = np.clip(photograph[:288, :432].astype(int) * 3 - 250, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(loud).convert("L").save(buffer, "JPEG", quality=60)
    pixels = jpeg.decode(buffer.getvalue())
    assert ((pixels == 0) | (pixels == 255)).mean() > 0.03
    layout, tables = Layout(288, 432, None), jpeg.standard_tables()[59]
    once = coefficients.recover(pixels, layout, tables, rounds=0)
    found = coefficients.recover(pixels, layout, tables)
    assert not once.fits.all()
    assert found.fits.mean() > 0.998


@pytest.mark.parametrize("way", FACTORS)
def test_strips_are_one_picture(photograph: np.ndarray, way: str) -> None:
    tall = np.vstack([photograph[:288, :64]] * 2)
    pixels, tables = jpeg.compress(tall, 75, way), jpeg.standard_tables()[74]
    layout = Layout(*pixels.shape[:2], FACTORS[way])
    found = coefficients.recover(pixels, layout, tables, 2)
    np.testing.assert_array_equal(found.fits, coefficients.fitting(pixels, layout.decoded(found.levels, tables)))
    assert found.fits.all()


def test_a_changed_block_is_the_one_that_does_not_fit(photograph: np.ndarray) -> None:
    pixels, tables = jpeg.compress(photograph[:96, :96], 75, "4:4:4").copy(), jpeg.standard_tables()[74]
    pixels[40:44, 56:60] ^= 9
    fits = coefficients.recover(pixels, Layout(96, 96, (1, 1)), tables).fits
    assert np.argwhere(~fits).tolist() == [[5, 7]]


@pytest.mark.slow
def test_blocks_beside_a_changed_region_are_not_outlined(photograph: np.ndarray) -> None:
    """Units of chroma that the region cuts are found from what is left of them."""
    pixels, tables = jpeg.compress(photograph[:160, :160], 75).copy(), jpeg.standard_tables()[74]
    whole = pixels.copy()
    pixels[53:93, 45:85] = photograph[200:240, 300:340]
    found = coefficients.recover(pixels, Layout(160, 160, (2, 2)), tables)
    true = coefficients.differing(whole, pixels) > 0
    assert found.changed[true].all()
    assert (found.changed & ~true).sum() <= 1
    assert (~found.fits & ~true).sum() < 12
