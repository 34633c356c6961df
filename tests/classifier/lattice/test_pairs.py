"""Pairs of compressions on one grid, on drawn coefficients and on a photograph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import blocks, pairs, score
from q1net_msroi.utils import jpeg


def searched(pixels: np.ndarray) -> pairs.Pair | None:
    counts = blocks.histograms(blocks.cut(pixels))
    scores = score.table_scores(counts)
    return pairs.search(counts.textured, scores.textured, scores.misfit)


def drawn(*qualities: int) -> np.ndarray:
    """Histograms of coefficients that were quantised at each quality in turn, with the rounding of pixels between."""
    random = np.random.default_rng(0)
    scale = 60 / (1 + np.arange(64) // 8 + np.arange(64) % 8)
    values = random.laplace(0, scale, (4000, 64))
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
