"""Colour transform, subsampling and DCT against libjpeg's own and against slow loops."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from q1net_msroi.msroi.encoder import blocks


def test_zigzag_is_the_standards() -> None:
    assert blocks.ZIGZAG[:10].tolist() == [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]
    assert blocks.ZIGZAG[-3:].tolist() == [55, 62, 63]
    assert (blocks.ZIGZAG[blocks.NATURAL] == np.arange(64)).all()


def test_the_transform_is_the_orthonormal_dct() -> None:
    plane = np.random.default_rng(0).normal(0, 50, (24, 40)).astype(np.float32)
    spectrum = blocks.to_spectrum(plane)
    for row in range(3):
        for column in range(5):
            expected = dctn(plane[8 * row : 8 * row + 8, 8 * column : 8 * column + 8], norm="ortho").reshape(64)
            assert np.allclose(spectrum[:, 5 * row + column], expected[blocks.ZIGZAG], atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 16), (17, 33)])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_coefficients_are_libjpegs(size: tuple[int, int], subsampling: str, textured) -> None:
    """At quality 100 libjpeg's file holds the coefficients rounded to whole steps of 1."""
    jpeglib = pytest.importorskip("jpeglib")
    pixels = textured(*size)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=100, subsampling=subsampling)
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(buffer.getvalue())
        file.flush()
        with jpeglib.version("turbo210"):
            theirs = jpeglib.read_dct(file.name)
            theirs.load()
    ours = blocks.components_of(blocks.planes_of(pixels, subsampling), subsampling)
    for component, expected in zip(ours, (theirs.Y, theirs.Cb, theirs.Cr), strict=True):
        assert expected.shape[:2] == (component.rows, component.columns)
        natural = component.spectrum[blocks.NATURAL].T.reshape(expected.shape)
        assert np.abs(natural - expected).max() < 4  # libjpeg rounds pixels, sums and coefficients on the way
        assert np.abs(natural - expected).mean() < 0.7


def test_no_transform_for_other_subsamplings() -> None:
    with pytest.raises(ValueError, match="4:2:2"):
        blocks.planes_of(np.zeros((8, 8, 3), np.uint8), "4:2:2")


def test_block_means_repeat_the_edge() -> None:
    plane = np.arange(30, dtype=np.float32).reshape(5, 6)
    assert blocks.block_means(plane, 4, 2, 2)[0] == plane[:4, :4].mean()
    assert blocks.block_means(plane, 4, 2, 2)[2] == np.repeat(plane[4:5, :4], 4, axis=0).mean()
