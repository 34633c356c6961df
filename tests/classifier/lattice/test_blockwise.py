"""What each block tells of a first compression: likelihoods and sums against loops, what does not speak."""

import math
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import blockwise, history, likelihood, prior
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg


def standard(quality: int) -> np.ndarray:
    return jpeg.standard_tables()[quality - 1, 0].ravel()


def mean_ratio(k: int, last: int, first: int) -> float:
    """Nats for a first step that DC, of which any value is as likely, lies at k times the step `last`."""

    def below(x: float) -> float:
        return 1 / (1 + math.exp(-1.702 * x / LATTICE.pixel_sigma)) if abs(x) < 10 else float(x > 0)

    reaching = sum(below((k + 0.5) * last - j * first) - below((k - 0.5) * last - j * first) for j in range(-400, 401))
    return math.log(0.99 * reaching * first / last + 0.01)


def test_likelihoods_of_blocks_against_a_loop() -> None:
    """Every block, frequency and first table by itself, from the prior of the blocks that are as active."""
    random = np.random.default_rng(3)
    last, firsts = standard(90), np.stack([standard(40), standard(89), standard(70)])
    blocks = np.rint(random.laplace(0, random.uniform(0.1, 3, (80, 1)), (80, 64))).astype(np.int16)
    live = random.random(80) < 0.8
    number = [sum(blocks[b, f] != 0 for b in range(80) if live[b]) for f in range(64)]
    frequencies = sorted(range(1, 64), key=lambda f: -number[f])[: LATTICE.splice_frequencies]
    # Of frequencies with as many coefficients any may be the last that is read.
    sure = [f for f in frequencies if number[f] > number[frequencies[-1]]]
    assert len(sure) < len(frequencies)
    read = [f for f in range(1, 64) if f in sure or number[f] == number[frequencies[-1]]]
    assert len(read) >= LATTICE.splice_frequencies
    blocks[:, 0] = random.integers(-340, 340, 80)
    only = np.where(np.isin(np.arange(64), [0, *sure]), blocks, 0).astype(np.int16)
    got = blockwise.evidence(only, last, firsts, live)

    activity = [sum(math.log2(1 + abs(int(only[b, f]))) for f in sure) for b in range(80)]
    ranked = sorted(activity[b] for b in range(80) if live[b])
    edges = [ranked[part * len(ranked) // LATTICE.splice_classes] for part in range(1, LATTICE.splice_classes)]
    kinds = [sum(edge < one - 1e-6 for edge in edges) for one in activity]
    expected = np.zeros((4, 80))
    for f in sure:
        for kind in range(LATTICE.splice_classes):
            ks = [abs(int(only[b, f])) for b in range(80) if live[b] and kinds[b] == kind]
            counted = np.array([[ks.count(k) for k in range(history.REACH + 1)]], np.float32)
            weights = prior.fit(counted, history.mass(int(last[f])))[0]
            once = weights @ history.mass(int(last[f]))
            for row, first in enumerate(firsts[:, f].tolist(), 1):
                if first <= last[f]:
                    continue
                twice = 0.99 * (weights @ history.mass(int(last[f]), first)) + 0.01 * once
                for b in range(80):
                    k = abs(int(only[b, f]))
                    if live[b] and kinds[b] == kind and 0 < k <= history.REACH:
                        expected[row, b] += math.log(twice[k] / twice[1:].sum()) - math.log(once[k] / once[1:].sum())
    for row, first in enumerate(firsts[:, 0].tolist(), 1):
        for b in np.flatnonzero(live):
            expected[row, b] += (
                mean_ratio(abs(int(only[b, 0])), int(last[0]), first) if only[b, 0] and first > last[0] else 0
            )
    assert not got[:, ~live].any()
    assert not got[0].any()
    np.testing.assert_allclose(got, expected, atol=2e-3)


@pytest.mark.parametrize("stride", [1, 3])
def test_pixels_still_tell_what_was_stored(photograph: np.ndarray, tmp_path: Path, stride: int) -> None:
    path = tmp_path / "file.jpg"
    path.write_bytes(jpeg.encode(photograph, 90))
    pixels, true = jpeg.decode(path.read_bytes()), jpeg.luma_blocks(path)
    assert true is not None
    got, decoded = blockwise.stored(pixels, standard(90), stride)
    usable = blockwise.whole_and_unclipped(pixels, 37, 56)
    assert decoded[usable[::stride, ::stride]].mean() > 0.98
    assert blockwise.stored(photograph, standard(50), stride)[1].mean() < 0.2
    equal = (got == true[:37:stride, :56:stride]).all(axis=2)
    assert equal[usable[::stride, ::stride]].mean() > 0.98


@pytest.mark.parametrize("side", [3, 7])
def test_sums_over_squares_against_a_loop(side: int) -> None:
    values = np.random.default_rng(0).normal(0, 1, (2, 9, 5)).astype(np.float32)
    summed, half = blockwise.around_each(values, side), side // 2
    for i in range(9):
        for j in range(5):
            square = values[:, max(i - half, 0) : i + half + 1, max(j - half, 0) : j + half + 1]
            np.testing.assert_allclose(summed[:, i, j], square.sum((1, 2)), atol=1e-4)


def test_clipped_and_cut_blocks_do_not_speak() -> None:
    pixels = np.full((20, 27, 3), 128, np.uint8)
    pixels[3, 9, 2], pixels[15, 17, 0] = 255, 0
    told = blockwise.whole_and_unclipped(pixels, 3, 4)
    np.testing.assert_array_equal(told, [[1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])


def test_the_scale_of_a_prior_changes_no_evidence_of_zeros() -> None:
    """Smooth blocks hold zeros alone: whatever came before, they say nothing."""
    blocks = np.zeros((50, 64), np.int16)
    blocks[:25, 1:9] = np.random.default_rng(0).integers(-9, 10, (25, 8))
    got = blockwise.evidence(blocks, standard(90), likelihood.steps_of_quality()[:80] + 1, np.ones(50, bool))
    assert got[:, :25].any()
    assert not got[:, 25:].any()
