"""Pairs of compressions on one grid, on drawn coefficients and on a photograph."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import blocks, likelihood, pairs, score
from q1net_msroi.classifier.lattice.noise import RESOLUTION
from q1net_msroi.utils import jpeg
from tests.golden import pictures


def searched(pixels: np.ndarray) -> pairs.Pair | None:
    counts = blocks.histograms(blocks.cut(pixels))
    scores = score.table_scores(counts)
    return pairs.search(counts.textured, scores.textured, scores.misfit)


def drawn(*qualities: int, number: int = 4000) -> np.ndarray:
    """Histograms of coefficients that were quantised at each quality in turn, with the rounding of pixels between."""
    random = np.random.default_rng(0)
    scale = 60 / (1 + np.arange(64) // 8 + np.arange(64) % 8)
    values = random.laplace(0, scale, (number, 64))
    for quality in qualities:
        table = jpeg.standard_tables()[quality - 1, 0].ravel()
        values = np.rint(values / table) * table + random.normal(0, 0.28, values.shape)
    return blocks.count(values.astype(np.float32))


@pytest.mark.parametrize(("first", "last"), [(20, 60), (50, 80), (70, 92)])
def test_gains_peak_at_the_first_quality(first: int, last: int) -> None:
    gains = pairs.gains(drawn(first, last), last)
    assert gains.shape == (last - 1,)
    assert gains.argmax() + 1 == first
    assert gains.max() > 1000


@pytest.mark.parametrize("quality", [12, 40, 60, 80, 92, 97])
def test_a_single_compression_gains_nothing_from_a_pair(quality: int, photograph: np.ndarray) -> None:
    gains = pairs.gains(drawn(quality), quality)[: quality - 8]
    assert gains.max() < 0
    assert searched(jpeg.compress(photograph, quality)) is None


def test_a_pair_on_a_photograph(photograph: np.ndarray) -> None:
    pair = searched(jpeg.compress(jpeg.compress(photograph, 35), 75))
    assert pair is not None
    assert (pair.first, pair.last) == (35, 75)
    assert pair.gain > 10
    assert pair.margin > 0


@pytest.mark.parametrize(("first", "last"), [(25, 95), (53, 96), (64, 93)])
def test_a_fine_last_quality(photograph: np.ndarray, first: int, last: int) -> None:
    pair = searched(jpeg.compress(jpeg.compress(photograph, first), last))
    assert pair is not None
    assert (pair.first, pair.last) == (first, last)


def test_what_cannot_be_told_apart(textured: Callable[..., np.ndarray]) -> None:
    """The tables of 1 and 2 differ in one step, those of 39 and 40 hardly where few coefficients are left."""
    pair = searched(jpeg.compress(jpeg.compress(textured(160, 200), 2), 40))
    assert pair is not None
    assert (pair.first_ties, pair.last_ties) == ((1, 2), (39, 40))
    assert 0 <= pair.margin < 5


def test_nothing_at_all() -> None:
    counts = np.zeros((64, 1025), np.float32)
    assert pairs.search(counts, np.zeros(100), np.zeros(100)) is None
    np.testing.assert_array_equal(pairs.gains(counts, 30), 0)


def obvious_gain(counts: np.ndarray, first: int, last: int) -> float:
    """The gain of a pair by a loop over frequencies, cells of the last lattice and points of the first."""
    tables = jpeg.standard_tables()[:, 0].reshape(100, 64)
    tails = likelihood.prior_tails(counts, np.arange(64) == 0).astype(float)

    def mass(frequency: int, k: int, step: int) -> float:
        above = tails[frequency]
        low = 1.0 if k == 0 else above[min((2 * k - 1) * step, len(above) - 1)]
        return float(low - above[min((2 * k + 1) * step, len(above) - 1)])

    def below(x: float) -> float:
        return 1 / (1 + math.exp(-max(min(1.702 * x, 60), -60)))

    total = 0.0
    for frequency in range(64):
        step1, step2 = int(tables[first - 1, frequency]), int(tables[last - 1, frequency])
        bins = np.flatnonzero(counts[frequency])
        cells = np.rint(bins / RESOLUTION / step2 + 1e-9).astype(int)  # halves belong to the upper cell
        for k2 in np.unique(cells):
            reached = 0.0
            for k1 in range(k2 * step2 // step1 + 3):
                away = k2 * step2 - k1 * step1
                share = below((away + step2 / 2) / 0.289) - below((away - step2 / 2) / 0.289)
                reached += mass(frequency, k1, step1) * share
            alone = mass(frequency, int(k2), step2) + 1e-9
            total += counts[frequency, bins[cells == k2]].sum() * math.log(0.99 * reached / alone + 0.01)
    return total


@pytest.mark.parametrize(("first", "last"), [(20, 45), (31, 70), (60, 66)])
def test_gains_against_a_loop(first: int, last: int) -> None:
    counts = drawn(first, last, number=300)
    gains = pairs.gains(counts, last)
    for tried in (first, first + 3, last - 1):
        assert gains[tried - 1] == pytest.approx(obvious_gain(counts, tried, last), rel=0.02, abs=5)


def test_two_compressions_as_close_as_that_are_not_told(photograph: np.ndarray) -> None:
    """The first is at least eight qualities below the last: nearer ones leave hardly a hole."""
    for first, last in ((70, 75), (64, 70)):
        counts = drawn(first, last)
        scores = score.table_scores(counts_of(counts))
        pair = pairs.likeliest(counts, scores.textured, scores.misfit)
        assert pair is None or pair.first < pair.last - 7


def counts_of(textured: np.ndarray) -> blocks.Histograms:
    return blocks.Histograms(textured, np.zeros((16, 1025), np.float32), np.zeros(256, np.float32), 4000, 0)


@pytest.mark.parametrize(
    ("last", "gain", "believed"), [(80, 9.0, False), (80, 11.0, True), (86, 190.0, False), (86, 210.0, True)]
)
def test_a_pair_must_be_decisive(monkeypatch: pytest.MonkeyPatch, last: int, gain: float, believed: bool) -> None:
    """More so above 85: the errors of a fast inverse transform look like a second, fine quantisation."""
    pair = pairs.Pair(40, last, gain, 500.0 + gain, (40,))
    monkeypatch.setattr(pairs, "likeliest", lambda *_: pair)
    found = pairs.search(np.zeros((64, 1025), np.float32), np.full(100, 500.0), np.zeros(100))
    assert found == (pair if believed else None)
    assert pairs.lead(pair, np.full(100, -3.0)) == gain  # no lead over none counts for more than the gain
    assert pairs.lead(pair, np.full(100, 520.0)) == gain - 20


def test_last_qualities_worth_a_look() -> None:
    """The likeliest, what is nearly as likely, and what fits clearly better however unlikely."""
    nats, misfit = np.full(100, -900.0), np.full(100, 1.0)
    nats[[59, 70, 71, 98]] = 100, 90, 80, 99
    misfit[[59, 40, 41, 99]] = 0.5, 0.47, 0.49, 0.0
    assert sorted(pairs._last_ones(nats, misfit)) == [40, 59, 70]


@pytest.mark.parametrize("quality", [40, 75, 92])
@pytest.mark.parametrize("name", ["cat 33,201", "astronaut", "coffee", "rocket"])
def test_no_grid_shifted_both_ways_stands_out_of_one_compression(name: str, quality: int) -> None:
    places = pairs.standing_out(jpeg.compress(pictures.photographs()[name], quality), (0, 0))
    assert all(0 in place for place in places)
