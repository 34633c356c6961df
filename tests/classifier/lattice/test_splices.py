"""Parts of a file with another first compression: likelihoods against a loop, composites, edits that make no part."""

import math
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import history, likelihood, prior, splices
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.lattice.splices import Splices
from q1net_msroi.utils import jpeg

PART = np.s_[96:208, 160:304]  # rows and columns of what is pasted, on the grid


def standard(quality: int) -> np.ndarray:
    return jpeg.standard_tables()[quality - 1, 0].ravel()


@pytest.fixture(scope="module")
def other(photograph: np.ndarray) -> np.ndarray:
    """What is pasted: the same photograph, moved off the grid and turned over."""
    return np.ascontiguousarray(photograph[293::-1, 447::-1])


def found(pixels: np.ndarray, last: int, folder: Path) -> Splices:
    """What a file of these pixels at quality `last` tells."""
    path = folder / "file.jpg"
    path.write_bytes(jpeg.encode(pixels, last))
    stored = jpeg.luma_blocks(path)
    assert stored is not None
    decoded = jpeg.decode(path.read_bytes())
    rows, columns = -(-decoded.shape[0] // 8), -(-decoded.shape[1] // 8)
    usable = splices.whole_and_unclipped(decoded, rows, columns)
    return splices.find(stored[:rows, :columns], standard(last), last - 4, usable)


def pasted(into: np.ndarray, what: np.ndarray) -> np.ndarray:
    made = into.copy()
    made[PART] = what[PART]
    return made


def overlap(told: Splices) -> float:
    """How far the marked blocks are those that were pasted: intersection over union."""
    truth = np.zeros((38, 57), bool)
    truth[tuple(slice(one.start // 8, one.stop // 8) for one in PART)] = True
    return float((told.marked & truth).sum() / (told.marked | truth).sum())


@pytest.mark.parametrize(("first", "part", "last"), [(50, None, 90), (None, 60, 90), (70, 40, 92)])
def test_a_pasted_part_is_found(
    photograph: np.ndarray, other: np.ndarray, tmp_path: Path, first: int | None, part: int | None, last: int
) -> None:
    into = photograph if first is None else jpeg.compress(photograph, first)
    told = found(pasted(into, other if part is None else jpeg.compress(other, part)), last, tmp_path)
    assert told.main == first
    assert [one.quality for one in told.parts] == [part]
    assert told.parts[0].nats > LATTICE.splice_proof
    left, top, right, bottom = told.parts[0].box
    for edge, true in zip((left, top, right, bottom), (160, 96, 304, 208), strict=True):
        assert abs(edge - true) <= 24
    assert overlap(told) > 0.6


@pytest.mark.parametrize("treatment", ["once", "twice", "noise", "brighter", "softer", "shifted"])
def test_what_is_of_one_piece_has_no_part(photograph: np.ndarray, tmp_path: Path, treatment: str) -> None:
    """A picture changed between two compressions keeps more of the first in one place than in another."""
    before = jpeg.compress(photograph, 50)
    noise = np.random.default_rng(0).normal(0, 1, before.shape)
    pixels = {
        "once": photograph,
        "twice": before,
        "noise": np.clip(before + noise, 0, 255).astype(np.uint8),
        "brighter": np.minimum(before.astype(int) + 8, 255).astype(np.uint8),
        "softer": ((2 * before.astype(int) + np.roll(before, 1, 1) + np.roll(before, -1, 1)) // 4).astype(np.uint8),
        "shifted": np.ascontiguousarray(before[3:, 5:]),
    }[treatment]
    assert found(pixels, 90, tmp_path).parts == ()


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
    only = np.where(np.isin(np.arange(64), sure), blocks, 0).astype(np.int16)
    got = splices.block_evidence(only, last, firsts, live)

    activity = [sum(math.log2(1 + abs(int(only[b, f]))) for f in sure) for b in range(80)]
    edges = np.quantile([activity[b] for b in range(80) if live[b]], np.arange(1, 6) / 6)
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
    assert not got[:, ~live].any()
    assert not got[0].any()
    np.testing.assert_allclose(got, expected, atol=2e-3)


@pytest.mark.parametrize("side", [3, 7])
def test_sums_over_squares_against_a_loop(side: int) -> None:
    values = np.random.default_rng(0).normal(0, 1, (2, 9, 5)).astype(np.float32)
    summed, half = splices.around_each(values, side), side // 2
    for i in range(9):
        for j in range(5):
            square = values[:, max(i - half, 0) : i + half + 1, max(j - half, 0) : j + half + 1]
            np.testing.assert_allclose(summed[:, i, j], square.sum((1, 2)), atol=1e-4)


def test_the_main_part_is_what_most_places_are_of() -> None:
    evidence = np.zeros((50, 40, 40), np.float32)
    assert splices.main_part(evidence) == 0
    evidence[1:] = -5
    evidence[20, :12, :12] = 30  # a part, however sure
    assert splices.main_part(evidence) == 0
    evidence[20] = 5
    evidence[40, :12, :12] = 30
    assert splices.main_part(evidence) == 20
    evidence[:, 8:] = 0  # most places cannot say
    evidence[20, 30, 4::8] = 20
    evidence[20, :, 36:] = 20
    assert splices.main_part(evidence) == 20


def test_clipped_and_cut_blocks_do_not_speak() -> None:
    pixels = np.full((20, 27, 3), 128, np.uint8)
    pixels[3, 9, 2], pixels[15, 17, 0] = 255, 0
    told = splices.whole_and_unclipped(pixels, 3, 4)
    np.testing.assert_array_equal(told, [[1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]])


def test_equal_blocks_speak_once_and_flat_ones_not_at_all(tmp_path: Path, photograph: np.ndarray) -> None:
    """A pattern that repeats is one surface: it proves no part of a picture that was compressed twice."""
    before = jpeg.compress(photograph, 50).copy()
    before[PART] = np.tile(photograph[96:112, 160:176], (7, 9, 1))
    assert found(before, 90, tmp_path).parts == ()
    flat = np.full_like(photograph, 90)
    told = found(flat, 90, tmp_path)
    assert (told.parts, told.main) == ((), None)
    assert not told.nats.any()


def test_few_blocks_and_few_qualities_tell_nothing() -> None:
    one = np.ones((1, 1, 64), np.int16)
    for blocks, below in ((one, 80), (one, 1), (np.repeat(one, 30, 0), -3), (np.zeros((9, 9, 64), np.int16), 80)):
        told = splices.find(blocks, standard(90), below, np.ones(blocks.shape[:2], bool))
        assert (told.parts, told.main) == ((), None)
        assert told.nats.shape == told.marked.shape == blocks.shape[:2]


def test_no_first_table_may_be_coarser(photograph: np.ndarray, tmp_path: Path) -> None:
    """Steps are 255 at most, so that at the lowest qualities no other is above."""
    told = found(photograph, 10, tmp_path)
    assert (told.parts, told.main) == ((), None)


def test_large_pictures_are_read_in_steps(
    photograph: np.ndarray, other: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert splices.stride_of(256, 256) == 1
    assert splices.stride_of(780, 1000) == 4
    monkeypatch.setattr(type(LATTICE), "splice_blocks", 600)
    into = jpeg.compress(np.tile(photograph, (2, 2, 1)), 50).copy()
    into[96:496, 160:560] = np.tile(other, (2, 2, 1))[96:496, 160:560]
    told = found(into, 90, tmp_path)
    assert told.stride == 4
    assert told.main == 50
    assert [part.quality for part in told.parts] == [None]
    for edge, true in zip(told.parts[0].box, (160, 96, 560, 496), strict=True):
        assert abs(edge - true) <= 96


def test_the_scale_of_a_prior_changes_no_evidence_of_zeros() -> None:
    """Smooth blocks hold zeros alone: whatever came before, they say nothing."""
    blocks = np.zeros((50, 64), np.int16)
    blocks[:25, 1:9] = np.random.default_rng(0).integers(-9, 10, (25, 8))
    got = splices.block_evidence(blocks, standard(90), likelihood.steps_of_quality()[:80] + 1, np.ones(50, bool))
    assert got[:, :25].any()
    assert not got[:, 25:].any()
