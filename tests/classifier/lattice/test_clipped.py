"""The lattice in blocks with clipped pixels: pages of text, against loops that are slow and plain."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.classifier.lattice import blocks, clipped, likelihood, score
from q1net_msroi.utils import jpeg

SLOW = pytest.mark.slow


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


@pytest.mark.fast(1)
@pytest.mark.parametrize(
    ("quality", "offset"),
    [
        (5, (0, 0)),
        (50, (0, 0)),
        pytest.param(90, (0, 0), marks=SLOW),
        (30, (3, 5)),
        pytest.param(75, (3, 5), marks=SLOW),
    ],
)
def test_a_page_of_text(page: np.ndarray, quality: int, offset: tuple[int, int]) -> None:
    pixels = jpeg.compress(page, quality)[offset[0] : 160, offset[1] : 240]
    answer = LatticeEstimator().estimate(pixels)
    assert answer.quality == quality
    assert answer.evidence.phase == (-offset[0] % 8, -offset[1] % 8)
    assert answer.evidence.blocks > 30


@pytest.mark.slow
def test_a_page_that_was_never_compressed(page: np.ndarray) -> None:
    part = page[:120, :160]
    picture = clipped.Picture(part)
    assert max(clipped.nats(picture.cut((y, x))).max() for y in (0, 3, 6) for x in (0, 1, 5)) < 0
    assert LatticeEstimator().estimate(part).quality is None


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


def obvious_nats(found: clipped.PartlyClipped, table: np.ndarray) -> float:
    """The nats of one table by a loop over blocks: missing values filled in eight times, pixels and coefficients."""
    matrix = jpeg.dct_matrix().astype(float)
    spectra = np.stack([(matrix @ values.reshape(8, 8) @ matrix.T).ravel() for values in found.values.astype(float)])
    tails = likelihood.prior_tails(blocks.count(spectra.astype(np.float32)), np.arange(64) == 0).astype(float)

    def log_mass(points: np.ndarray, steps: np.ndarray) -> float:
        total = 0.0
        for frequency, (k, step) in enumerate(zip(np.abs(points).astype(int), steps, strict=True)):
            above, last = tails[frequency], tails.shape[1] - 1
            low = above[min(max(2 * k - 1, 0) * step, last)]
            total += math.log((low - above[min((2 * k + 1) * step, last)]) / (2 if k else 1) + 1e-9)
        return total

    total = 0.0
    for block, spectrum in enumerate(spectra):
        known, values = found.known[block], found.values[block].astype(float)
        current = values
        for _ in range(8):
            points = np.rint(matrix @ current.reshape(8, 8) @ matrix.T / table)
            fitted = (matrix.T @ (points * table) @ matrix).ravel()
            current = np.where(known, values, np.clip(fitted, found.low[block], found.high[block]))
        miss = np.abs(fitted - values)[known]
        agreement = sum(math.log(1 / (1 + math.exp(min(1.702 / 0.12 * (m - 0.5), 60))) + 1e-4) for m in miss)
        smooth = log_mass(np.rint(spectrum), np.ones(64, int)) * known.mean()
        ahead = agreement + log_mass(points.ravel(), table.ravel()) - max(smooth, found.plain[block])
        total += np.logaddexp(math.log(0.98) + ahead, math.log(0.02))
    return total


@pytest.mark.parametrize("quality", [30, 50, 85])
def test_nats_against_a_loop(page: np.ndarray, quality: int) -> None:
    found = clipped.Picture(jpeg.compress(page, 50)).cut((0, 0), 24)
    table = jpeg.standard_tables()[quality - 1, 0]
    assert clipped.nats(found)[quality - 1] == pytest.approx(obvious_nats(found, table), rel=0.01, abs=1)


def test_a_damaged_block_costs_its_share_of_outliers(page: np.ndarray) -> None:
    found = clipped.Picture(jpeg.compress(page, 50)).cut((0, 0), 1)
    noise = np.random.default_rng(0).integers(-40, 41, found.values.shape).astype(np.float32)
    damaged = replace(found, values=np.where(found.known, found.values + noise, found.values))
    np.testing.assert_allclose(clipped.nats(damaged), math.log(0.02), atol=0.02)


@pytest.mark.parametrize(("mozjpeg", "believed"), [(900.0, False), (300.0, True)])
def test_what_mozjpegs_tables_explain_better_is_not_standard(
    monkeypatch: pytest.MonkeyPatch, page: np.ndarray, mozjpeg: float, believed: bool
) -> None:
    """Its coarse steps are multiples of fine standard ones, which then seem to fit too."""
    reading = score.read(page, (0, 0))
    standard = abs(reading.nats) + 600.0
    said = {True: np.full(100, standard), False: np.full(100, standard + mozjpeg - 600)}
    monkeypatch.setattr(clipped, "nats", lambda _, tables=None: said[tables is None])
    assert (clipped.read_more(page, reading) is not reading) is believed
