"""Goodness of fit of one table: its own coefficients fit, neighbours, scaled ones and no lattice do not; loops."""

import math

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import blocks, fit, likelihood, score, tables
from q1net_msroi.classifier.lattice.noise import NOISES, RESOLUTION, expected
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg


def standard(quality: int) -> np.ndarray:
    return jpeg.standard_tables()[quality - 1, 0].ravel()


def histograms(coefficients: np.ndarray) -> np.ndarray:
    """Histograms (64, bins) of |c| of coefficients (blocks, 64)."""
    return blocks.count(coefficients.astype(np.float32))


def drawn(steps: np.ndarray, number: int = 400, seed: int = 0, most: int = 3) -> np.ndarray:
    """Coefficients on the lattices of `steps`, as a decoder's rounding leaves them."""
    random = np.random.default_rng(seed)
    wide = random.random((number, 64)) < NOISES["exact"].tail
    sigma = np.where(wide, NOISES["exact"].tail_sigma, NOISES["exact"].sigma)
    return steps * random.integers(-most, most + 1, (number, 64)) + random.normal(0, sigma)


def of_picture(pixels: np.ndarray) -> fit.Fit:
    """How all standard tables fit a picture."""
    return fit.Residuals(score.read(pixels, (0, 0)).counts.textured).fit(tables.luma_tables())


@pytest.mark.parametrize("quality", [10, 20, 35, 50, 65, 75, 85, 90, 95, 100])
def test_a_decoded_photographs_own_table_fits_and_no_other_does(photograph: np.ndarray, quality: int) -> None:
    """But steps of 1 and 2, which fit whatever there is, and at strong compression tables whose low steps are alike."""
    fits = of_picture(jpeg.compress(photograph, quality))
    assert not fits.denied[quality - 1]
    assert not fits.loose[quality - 1]
    assert fits.excess[quality - 1] < 0.15
    assert fits.spread[quality - 1] < 0.06
    fitting = np.flatnonzero(~(fits.denied | fits.loose)) + 1
    fitting = fitting[(fitting > 4) & (fitting < 93)]  # steps so coarse that few coefficients lie beyond zero
    alike = 4 if quality <= 10 else 0  # multiples of its steps
    assert len(np.setdiff1d(fitting, [quality])) <= alike
    assert not {quality - 1, quality + 1} & set(fitting)


@pytest.mark.parametrize("contrast", [0.8, 0.9, 1.1, 1.2])
@pytest.mark.parametrize("quality", [30, 50, 75, 90])
def test_no_table_fits_after_a_change_of_contrast(photograph: np.ndarray, quality: int, contrast: float) -> None:
    """But where another quality has the scaled steps: 20 scaled by 0.8 is 25."""
    decoded = jpeg.compress(photograph, quality).astype(float)
    scaled = np.clip(np.rint(128 + (decoded - 128) * contrast), 0, 255).astype(np.uint8)
    fits = of_picture(scaled)
    assert (fits.denied | fits.loose)[6:94].all()
    assert fits.excess[quality - 1] > 3


@pytest.mark.parametrize("quality", [10, 50, 75, 90])
def test_a_drawn_lattice_has_no_excess_and_no_offset(quality: int) -> None:
    steps = standard(quality)
    fits = fit.Residuals(histograms(drawn(steps))).fit(steps[None])
    assert abs(fits.excess[0]) < 3 / math.sqrt(fits.number[0]) + 0.01  # and what bins of 1/8 take
    assert fits.spread[0] < 0.04
    assert fits.entries[0] >= min(63, (steps[1:] < 125).sum() - (steps[1:] < 3).sum())
    assert not fits.denied[0]
    assert not fits.loose[0]


def test_tables_that_are_a_step_off_are_loose() -> None:
    steps = standard(60)
    residuals = fit.Residuals(histograms(drawn(steps)))
    for change in (-1, 1):
        assert residuals.fit((steps + change)[None]).loose[0]


def test_excess_that_few_coefficients_have_by_chance() -> None:
    """Four nats over the root of their number: of four, two and a half nats each may be chance."""
    for number, most in ((4, 2.5), (100, 0.9), (1e8, 0.5004)):
        excess = np.array([0.999 * most, 1.001 * most])
        made = fit.Fit(np.full(2, number), excess, np.zeros(2), np.full(2, 9))
        assert made.loose.tolist() == [False, True]
    none = fit.Fit(np.zeros(1), np.array([4.4]), np.zeros(1), np.zeros(1, int))
    assert not none.loose[0]


@pytest.mark.parametrize(("spread", "denied"), [(0.149, False), (0.151, True)])
def test_the_spread_that_denies(spread: float, denied: bool) -> None:
    assert fit.Fit(np.ones(1), np.zeros(1), np.array([spread]), np.ones(1, int)).denied[0] == denied


def test_entries_of_another_step() -> None:
    """A single step of all is another one, where many coefficients say so; an unknown ratio denies nothing."""
    steps = standard(60)
    counts = histograms(drawn(steps))
    residuals, ratios = fit.Residuals(counts), likelihood.ratios(counts, "exact")
    for row, change, number in ((9, 1, 1), (9, -1, 1), (20, 2, 1), (0, 3, 0)):  # never DC
        table = steps.copy()
        table[row] += change
        assert residuals.foreign(ratios, np.stack([steps, table])).tolist() == [0, number]
    several = np.where(np.arange(64) % 9 == 4, steps + 1, steps)
    assert residuals.foreign(ratios, several[None])[0] == 7
    assert residuals.foreign(np.zeros_like(ratios), several[None])[0] == 0


def test_thirty_nats_make_an_entry_foreign() -> None:
    """Both its distance from the table's step and the ratio of the other step to it."""
    table = np.full(64, 22)
    residuals = fit.Residuals(histograms(np.full((40, 64), 20.0)))
    ratios = np.zeros((64, 255))
    for better, number in ((29.9, 0), (30.1, 63)):
        ratios[:, 19] = better
        assert residuals.foreign(ratios, table[None])[0] == number
    ratios[:, 19] = 1000
    few = np.zeros((400, 64))
    few[:5] = 21  # a few coefficients, one grey level off
    assert fit.Residuals(histograms(few)).foreign(ratios, table[None])[0] == 0
    few[:12] = 21
    assert fit.Residuals(histograms(few)).foreign(ratios, table[None])[0] == 63
    few[:] = 22  # most lie on the table's step
    few[:60] = 21
    many = fit.Residuals(histograms(few))
    assert many.excess[5, 21] > 30
    assert many.foreign(ratios, table[None])[0] == 0
    ratios[:, 21] = 980  # the table's own steps explain nearly as much
    few[:] = 21
    assert fit.Residuals(histograms(few)).foreign(ratios, table[None])[0] == 0


def loop(coefficients: np.ndarray, steps: np.ndarray) -> tuple[int, float, float, int]:
    """Number, excess, spread and entries seen, one coefficient after the other, those up to 128.

    The square of the spread is that of the peaks' offsets, less the error of a mean of so many coefficients.
    """
    noise = NOISES["exact"]
    excess, number = 0.0, 0
    peaks = []
    for frequency in range(1, 64):
        step = int(steps[frequency])
        if step == 0:
            continue
        beyond, first = 0, []
        for c in np.abs(coefficients[:, frequency]):
            value = math.floor(c * RESOLUTION + 0.5) / RESOLUTION
            if value > 128:
                continue
            if value > step / 2:
                beyond += 1
                distance = value - step * math.floor(value / step + 0.5)
                density = 0.0
                for m in range(-6, 7):
                    for share, sigma in ((1 - noise.tail, noise.sigma), (noise.tail, noise.tail_sigma)):
                        x = (distance + m * step) / sigma
                        density += share * math.exp(-x * x / 2) / (sigma * math.sqrt(2 * math.pi))
                density = (1 - noise.outliers) * density + noise.outliers / step
                excess += expected("exact")[step - 1] - math.log(density)
            if abs(value - step) <= min(1.6, (step * RESOLUTION // 2 - 1) / RESOLUTION):
                first.append(value - step)
        number += beyond
        if len(first) >= max(10, 0.05 * beyond) and step >= 3:
            mean = sum(first) / len(first)
            error = sum((value - mean) ** 2 for value in first) / len(first) ** 2
            peaks.append((min(len(first), 200), mean, error))
    total = max(sum(weight for weight, _, _ in peaks), 1)
    middle = sum(weight * mean for weight, mean, _ in peaks) / total
    square = sum(weight * ((mean - middle) ** 2 - error) for weight, mean, error in peaks) / total
    return number, excess / max(number, 1), math.sqrt(max(square, 0)) if len(peaks) >= 4 else 0.0, len(peaks)


@pytest.mark.parametrize(
    ("made", "asked", "number"), [(50, 50, 60), (50, 51, 120), (80, 78, 150), (96, 92, 300), (90, 95, 250), (30, 30, 9)]
)
def test_a_fit_against_a_loop(made: int, asked: int, number: int) -> None:
    coefficients = drawn(standard(made), number, made)
    steps = standard(asked).copy()
    steps[::7] = 0  # not known
    found = fit.Residuals(histograms(coefficients)).fit(steps[None])
    number, excess, spread, entries = loop(coefficients, steps)
    assert found.excess[0] == pytest.approx(excess, rel=1e-3, abs=2e-3)
    assert found.spread[0] == pytest.approx(spread, abs=1e-4)
    assert (found.number[0], found.entries[0]) == (number, entries)


@pytest.mark.parametrize(("number", "entries"), [(9, 0), (10, 63)])
def test_ten_coefficients_make_a_peak(number: int, entries: int) -> None:
    found = fit.Residuals(histograms(np.full((number, 64), 12.0))).fit(np.full((1, 64), 12))
    assert found.entries[0] == entries


def test_no_peak_weighs_more_than_two_hundred() -> None:
    """Three entries with a hundred times as many coefficients do not hide three others beside their step."""
    values = np.zeros((20_000, 64))
    values[:, 1:4] = 12
    values[:200, 4:7] = 13
    found = fit.Residuals(histograms(values)).fit(np.full((1, 64), 12))
    assert (found.entries[0], found.spread[0]) == (6, pytest.approx(0.5, abs=1e-3))


def test_a_peak_is_a_twentieth_of_what_lies_beyond_zero() -> None:
    for number, entries in ((10, 63), (9, 0)):
        values = np.full((200, 64), 24.0)
        values[: 2 * number] = 12  # of 400 in all, twice `number`
        values = np.concatenate([values, np.full((200, 64), 36.0)])
        found = fit.Residuals(histograms(values)).fit(np.full((1, 64), 12))
        assert found.entries[0] == entries


def test_steps_of_one_and_two_have_no_peak() -> None:
    residuals = fit.Residuals(histograms(np.tile(np.repeat(np.arange(1.0, 5.0), 100)[:, None], (1, 64))))
    assert [int(residuals.fit(np.full((1, 64), step)).entries[0]) for step in (1, 2, 3)] == [0, 0, 63]


def test_what_is_not_known_is_not_looked_at() -> None:
    steps = standard(50)
    right = drawn(steps, 200)
    wrong = right.copy()
    wrong[:, 5:] = np.random.default_rng(1).uniform(-200, 200, wrong[:, 5:].shape)
    known = np.where(np.arange(64) < 5, steps, 0)
    some = fit.Residuals(histograms(wrong)).fit(np.stack([known, steps]))
    assert some.entries.tolist()[0] == 4
    assert some.excess[0] < 0.1 < LATTICE.fit_excess < some.excess[1]
    dc = right.copy()
    dc[:, 0] += 5  # DC is never looked at
    for values in (right, dc):
        assert fit.Residuals(histograms(values)).fit(steps[None]).excess[0] < 0.05
    nothing = fit.Residuals(histograms(right)).fit(np.zeros((1, 64), int))
    assert (nothing.number[0], nothing.excess[0], nothing.spread[0], nothing.entries[0]) == (0, 0, 0, 0)


def test_the_spread_is_what_chance_does_not_give() -> None:
    """Peaks of ten coefficients at their steps are as far apart as the error of ten; those of others are further."""
    apart = np.where(np.arange(64) % 2, 0.3, -0.3)
    found = []
    for seed in range(20):
        values = np.full((10, 64), 20.0) + np.random.default_rng(seed).normal(0, 0.3, (10, 64))
        both = (fit.Residuals(histograms(made)).fit(np.full((1, 64), 20)) for made in (values, values + apart))
        found.append([fits.spread[0] ** 2 for fits in both])
    alone, moved = np.mean(found, axis=0)
    assert alone < 0.2 * 0.3**2 / 10  # where the square is below zero the spread is zero
    assert moved == pytest.approx(0.3**2, rel=0.1)


def test_fewer_than_four_peaks_have_no_spread() -> None:
    steps = np.zeros(64, int)
    for number in (3, 4):
        steps[1 : 1 + number] = 12
        values = drawn(np.full(64, 12), 100)
        values[:, 1] += np.sign(values[:, 1])  # one peak a grey level beside its step
        found = fit.Residuals(histograms(values)).fit(steps[None])
        assert (found.spread[0] > 0.2) == (number == 4)


@pytest.mark.parametrize("value", [0.0, 1e4])
def test_hostile_histograms(value: float) -> None:
    """No coefficients but zero, or all beyond the histogram; steps larger than eight bits can hold."""
    residuals = fit.Residuals(histograms(np.full((30, 64), value)))
    found = residuals.fit(np.stack([np.full(64, step) for step in (1, 16, 255, 4000, 65535)]))
    assert np.isfinite(found.excess).all()
    assert np.isfinite(found.spread).all()
    if value == 0:
        assert not found.denied.any()
        assert not found.loose.any()


def test_another_noise_expects_more() -> None:
    """Coefficients further from their points than a decoder leaves them deny its noise, not a wider one."""
    steps = standard(30)
    random = np.random.default_rng(4)
    counts = histograms(steps * random.integers(-3, 4, (300, 64)) + random.normal(0, 1.5, (300, 64)))
    exact, coarse = (fit.Residuals(counts, noise).fit(steps[None]) for noise in ("exact", "coarse"))
    assert exact.loose[0]
    assert not coarse.loose[0]
    assert abs(coarse.excess[0]) < 0.3
