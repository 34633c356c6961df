"""Scores of all steps from histograms, against the plain formula on single coefficients."""

import itertools
import math

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import likelihood, prior
from q1net_msroi.classifier.lattice.noise import NOISES, RESOLUTION, noise_table
from q1net_msroi.classifier.lattice.settings import Noise
from q1net_msroi.utils import jpeg


def histogram(values: np.ndarray) -> np.ndarray:
    index = (np.abs(values) * RESOLUTION + 0.5).astype(int)
    return np.bincount(index, minlength=256 * RESOLUTION + 1)[None].astype(np.float32)


def obvious_density(c: float, step: int, noise: Noise) -> float:
    """Density of c given that the lattice's nearest point is its own, all points' blur folded in."""
    nearest = c - step * round(c / step)
    blur = 0.0
    for m in range(-20, 21):
        for share, sigma in ((1 - noise.tail, noise.sigma), (noise.tail, noise.tail_sigma)):
            x = (nearest + m * step) / sigma
            blur += share * math.exp(-x * x / 2) / (sigma * math.sqrt(2 * math.pi))
    return (1 - noise.outliers) * blur + noise.outliers / step


@pytest.mark.parametrize("name", list(NOISES))
def test_noise_table_against_the_formula(name: str) -> None:
    table = noise_table(name)
    for step in (1, 2, 3, 7, 16, 99, 255):
        for c in (0.0, 0.125, 0.5, 1.0, 8.0, 49.5, 127.5, 254.875, 1024.0):
            expected = math.log(obvious_density(c, step, NOISES[name]))
            assert table[round(c * RESOLUTION), step - 1] == pytest.approx(expected, abs=2e-3), (step, c)


def test_components_are_the_blurred_laplacians_and_normals() -> None:
    bins = 256 * RESOLUTION + 1
    components, edges = prior.coarse_components(bins), prior.coarse_edges(bins)
    random = np.random.default_rng(0)
    for j, drawn in ((2, random.laplace(0, 1.2, 400_000)), (4, random.laplace(0, 7.5, 400_000)),
                     (9 + 2, random.normal(0, 0.7, 400_000))):  # fmt: skip
        values = histogram(drawn + random.normal(0, NOISES["exact"].sigma, len(drawn)))[0]
        share = np.add.reduceat(values[:bins], edges[:-1]) / len(drawn)
        np.testing.assert_allclose(components[j], share, atol=0.004)


def test_cells_of_a_lattice_hold_everything_once() -> None:
    bins = 128 * RESOLUTION + 1
    low, high, first, mass = prior.cells(bins)
    ends = np.append(first[1:], len(low)) - 1
    assert (low[first] == 0).all()
    assert (high[ends] == bins).all()
    inner = np.setdiff1d(np.arange(len(low)), first)
    assert (low[inner] == high[inner - 1]).all()
    both = np.where(np.isin(np.arange(len(low)), first), mass[0], 2 * mass[0])
    np.testing.assert_allclose(np.add.reduceat(both, first), 1, atol=1e-4)  # a spike lies within every lattice


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8, 13, 24, 60])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_the_step_that_made_the_coefficients_wins(step: int, scale: float) -> None:
    random = np.random.default_rng(step)
    values = np.rint(random.laplace(0, scale * step, 3000) / step) * step + random.normal(0, 0.289, 3000)
    ratios = likelihood.ratios(histogram(values[np.abs(values) < 255]), "exact")[0]
    assert ratios.argmax() + 1 == step
    assert ratios[step - 1] > 50


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0, 30.0])
def test_no_lattice_wins_where_there_is_none(scale: float) -> None:
    random = np.random.default_rng(7)
    values = random.laplace(0, scale, 4000) + random.normal(0, 0.289, 4000)
    assert likelihood.ratios(histogram(values), "exact")[0, :40].max() < 4


def test_only_zeros_say_nothing() -> None:
    values = np.random.default_rng(3).normal(0, 0.28, 2000)
    ratios = likelihood.ratios(histogram(values), "exact")[0]
    assert np.ptp(ratios[3:]) < 1


def test_flat_blocks_are_tested_exactly() -> None:
    table = likelihood.flat_table()
    for step in (1, 7, 16, 40, 99, 255):
        reachable = {round(128 + k * step / 8) for k in range(-1200, 1200) if abs(k * step / 8 % 1 - 0.5) > 1e-9}
        for value in (0, 1, 100, 117, 128, 130, 255):
            if value in reachable:
                assert table[value, step - 1] > math.log(0.9 * min(step / 8, 1) / 2) - 1
    assert table[128, 254] == pytest.approx(math.log(0.998 * 255 / 8 + 0.002), abs=1e-5)
    assert table[129, 254] == pytest.approx(math.log(0.002), abs=1e-5)


def test_sum_along_the_tables_against_a_loop() -> None:
    ratio = np.random.default_rng(5).random((64, 255))
    for channel in (0, 1):
        got = likelihood.sum_tables(ratio, np.arange(64), channel)
        tables = jpeg.standard_tables()[:, channel]
        expected = [sum(ratio[8 * v + u, t[v, u] - 1] for v in range(8) for u in range(8)) for t in tables]
        np.testing.assert_allclose(got, expected)


def obvious_fit(histogram: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Expectation-maximisation, 20 rounds, with a twentieth of a coefficient added to each component."""
    weights = [1 / len(components)] * len(components)
    for _ in range(20):
        shares = []
        for j, component in enumerate(components):
            total = 0.0
            for b, count in enumerate(histogram):
                total += (
                    count * weights[j] * component[b] / sum(w * c[b] for w, c in zip(weights, components, strict=True))
                )
            shares.append(total + 0.05)
        weights = [share / sum(shares) for share in shares]
    return np.array(weights)


@pytest.mark.parametrize(("number", "scale"), [(4, 1.0), (200, 6.0)])
def test_the_fit_and_the_reference_against_a_loop(number: int, scale: float) -> None:
    """Few coefficients leave every component alive; one far out costs what the uniform share allows."""
    values = np.random.default_rng(number).laplace(0, scale, number)
    counts = histogram(np.append(values, 200.0))
    bins = counts.shape[1]
    components, edges = prior.coarse_components(bins), prior.coarse_edges(bins)
    coarse = np.array([[counts[0, low:high].sum() for low, high in itertools.pairwise(edges)]])
    weights = obvious_fit(coarse[0], components.astype(float))
    np.testing.assert_allclose(prior.fit(coarse.astype(np.float32), components)[0], weights, atol=2e-4)
    expected = 0.0
    for b, count in enumerate(coarse[0]):
        width = (2 * edges[b + 1] - 1 if b == 0 else 2 * (edges[b + 1] - edges[b])) / RESOLUTION
        expected += count * math.log((1 - 1e-4) * (weights @ components[:, b]) / width + 1e-4 / 2048)
    assert likelihood.reference(coarse.astype(np.float32), bins)[0] == pytest.approx(expected, abs=0.02)
