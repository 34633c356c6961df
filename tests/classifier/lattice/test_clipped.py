"""The lattice in blocks with clipped pixels: pages of text, against loops that are slow and plain."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.classifier.lattice import blocks, clipped, score
from q1net_msroi.utils import jpeg


@pytest.fixture(scope="module")
def page() -> np.ndarray:
    """Black text on white paper: hardly a block without white pixels, (240, 320, 3)."""
    image = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(14)
    words = ["every", "archive", "keeps", "pages", "that", "somebody", "once", "saved", "as", "small", "as", "possible"]
    random = np.random.default_rng(0)
    for line in range(14):
        draw.text((9, 6 + 16 * line), " ".join(random.choice(words, 8)), fill=(20, 20, 30), font=font)
    return np.asarray(image)


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 90])
@pytest.mark.parametrize("offset", [(0, 0), (3, 5)])
def test_a_page_of_text(page: np.ndarray, quality: int, offset: tuple[int, int]) -> None:
    pixels = jpeg.compress(page, quality)[offset[0] :, offset[1] :]
    answer = LatticeEstimator().estimate(pixels)
    assert answer.quality == quality
    assert answer.evidence.phase == (-offset[0] % 8, -offset[1] % 8)
    assert answer.evidence.blocks > 30


def test_a_page_that_was_never_compressed(page: np.ndarray) -> None:
    picture = clipped.Picture(page)
    assert max(clipped.nats(picture.cut((y, x))).max() for y in range(0, 8, 3) for x in range(8)) < 0
    assert LatticeEstimator().estimate(page).quality is None


def test_no_clipped_pixel_says_nothing(photograph: np.ndarray) -> None:
    pixels = np.clip(photograph, 1, 254)
    found = clipped.Picture(pixels).cut((0, 0))
    assert found.values.shape == (0, 64)
    np.testing.assert_array_equal(clipped.nats(found), 0)
    reading = score.read(pixels, (0, 0))
    assert clipped.read_more(pixels, reading) is reading


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (8, 8), (9, 15)])
def test_small_pictures(page: np.ndarray, size: tuple[int, int]) -> None:
    pixels = page[10 : 10 + size[0], 10 : 10 + size[1]]
    reading = score.read(pixels, (0, 0))
    assert np.isfinite(clipped.read_more(pixels, reading).nats)


@pytest.mark.parametrize("phase", [(0, 0), (2, 7)])
def test_blocks_against_a_loop(page: np.ndarray, phase: tuple[int, int]) -> None:
    pixels = jpeg.compress(page, 60)[:60, :90]
    expected = []
    for top in range(phase[0], 60 - 7, 8):
        for left in range(phase[1], 90 - 7, 8):
            block = pixels[top : top + 8, left : left + 8].reshape(64, 3)
            known = [all(0 < value < 255 for value in pixel) for pixel in block]
            luma = blocks.luma(block)[known]
            if 16 <= sum(known) < 64 and luma.min() < luma.max():
                expected.append((sum(known), tuple(blocks.luma(block))))
    found = clipped.Picture(pixels).cut(phase, 1000)
    got = [(int(known.sum()), tuple(values)) for known, values in zip(found.known, found.values, strict=True)]
    assert sorted(got) == sorted(expected)
    assert [number for number, _ in got] == sorted((number for number, _ in got), reverse=True)
    assert (found.low <= found.values).all()
    assert (found.high >= found.values).all()
    assert np.isfinite(found.low[found.known]).all()
    white = (found.values >= 126.5) & ~found.known
    assert np.isinf(found.high[white]).all()


def test_filling_in_against_a_loop(page: np.ndarray) -> None:
    """At the right quality the known pixels of most blocks agree with the lattice that a plain loop finds."""
    quality = 50
    found = clipped.Picture(jpeg.compress(page, quality)).cut((0, 0), 40)
    matrix, table = jpeg.dct_matrix().astype(float), jpeg.standard_tables()[quality - 1, 0]
    agreeing = 0
    for values, low, high, known in zip(found.values, found.low, found.high, found.known, strict=True):
        current = values.astype(float)
        for _ in range(8):
            coefficients = matrix @ current.reshape(8, 8) @ matrix.T
            fitted = (matrix.T @ (np.rint(coefficients / table) * table) @ matrix).ravel()
            current = np.where(known, values, np.clip(fitted, low, high))
        agreeing += bool((np.abs(fitted - values)[known] < 0.8).all())
    nats = clipped.nats(found)
    assert nats.argmax() + 1 == quality
    assert agreeing > 30
    unexplained = np.log(0.02)
    assert nats[quality - 1] > 20 * agreeing + unexplained * (40 - agreeing)
    assert nats[quality + 20] < 0
