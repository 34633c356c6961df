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
    for index, (component, expected) in enumerate(zip(ours, (theirs.Y, theirs.Cb, theirs.Cr), strict=True)):
        assert expected.shape[:2] == (component.rows, component.columns)
        if index and subsampling == "4:2:0":  # halved otherwise, see below
            continue
        natural = component.spectrum[blocks.NATURAL].T.reshape(expected.shape)
        assert np.abs(natural - expected).max() < 4  # libjpeg rounds pixels, sums and coefficients on the way
        assert np.abs(natural - expected).mean() < 0.7


@pytest.mark.parametrize("size", [(2, 2), (6, 4), (16, 22), (7, 9)])
def test_halved_chroma_is_the_best_that_interpolation_can_double(size: tuple[int, int]) -> None:
    """No other samples give a smaller squared error: each change of one makes it larger, as does the mean of 2x2."""
    random = np.random.default_rng(3)
    plane = random.normal(0, 30, size).astype(np.float32)
    even = np.pad(plane, ((0, size[0] % 2), (0, size[1] % 2)), mode="edge")
    halved = blocks.halve(plane)

    def error(samples: np.ndarray) -> float:
        return float(np.square(blocks.doubled(samples.astype(np.float32)) - even).sum())

    least = error(halved)
    means = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean(axis=(1, 3))
    assert least <= error(means) + 1e-3
    for _ in range(20):
        changed = halved.copy()
        changed[tuple(random.integers(0, halved.shape))] += random.choice([-1.0, 1.0])
        assert error(changed) > least


def test_doubling_is_the_decoders(textured) -> None:
    """Chroma that libjpeg decodes from a 4:2:0 file is what interpolation makes of the chroma stored in it."""
    pixels = textured(32, 48)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=100, subsampling="4:2:0")
    decoded = Image.open(io.BytesIO(buffer.getvalue()))
    decoded.draft("YCbCr", decoded.size)
    theirs = np.asarray(decoded)[..., 1].astype(np.float32) - 128
    means = blocks.planes_of(pixels, "4:4:4")[1].reshape(16, 2, 24, 2).mean(axis=(1, 3))
    assert np.abs(blocks.doubled(means) - theirs).max() < 4
    assert np.abs(blocks.doubled(means) - theirs).mean() < 0.8


def test_no_transform_for_other_subsamplings() -> None:
    with pytest.raises(ValueError, match="4:2:2"):
        blocks.planes_of(np.zeros((8, 8, 3), np.uint8), "4:2:2")


def test_block_means_repeat_the_edge() -> None:
    plane = np.arange(30, dtype=np.float32).reshape(5, 6)
    assert blocks.block_means(plane, 4, 2, 2)[0] == plane[:4, :4].mean()
    assert blocks.block_means(plane, 4, 2, 2)[2] == np.repeat(plane[4:5, :4], 4, axis=0).mean()
