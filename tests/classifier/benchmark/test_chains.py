"""What becomes of photographs in the world: truth that the pixels bear out, tables as often as they are found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark import chains, truth
from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.utils import jpeg


def tables(quality: int, more: int = 0) -> list[list[int]]:
    """Both standard tables of a quality, their steps enlarged."""
    return (jpeg.standard_tables()[quality - 1].reshape(2, 64) + more).tolist()


FOUND = chains.Chains([tables(50, 2), tables(85, 3)], [3.0, 0.0])


def made(photograph: np.ndarray, seed: int) -> tuple[np.ndarray, int, str]:
    return FOUND.picture(photograph, np.random.default_rng(seed))


def test_chains_are_drawn_by_their_seed_alone(photograph: np.ndarray) -> None:
    several = [made(photograph, seed) for seed in range(6)]
    pixels, quality, kind = made(photograph, 3)
    np.testing.assert_array_equal(pixels, several[3][0])
    assert (quality, kind) == several[3][1:]
    assert len({quality for _, quality, _ in several}) > 2
    for pixels, quality, kind in several:
        assert pixels.dtype == np.uint8
        assert all(24 <= side <= most for side, most in zip(pixels.shape[:2], chains.LARGEST, strict=True))
        assert 1 <= quality <= 100
        assert kind in ("standard", "other")


def test_the_quality_is_the_one_that_the_lattice_reads(photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "OTHER_SHARE", 0.0)
    monkeypatch.setattr(chains, "ALIGNED_SHARE", 0.0)
    monkeypatch.setattr(chains, "LAST", (30, 90))
    monkeypatch.setattr(chains, "CUTS", {"grid": 0.5, "anywhere": 0.5})
    for seed in range(4):
        pixels, quality, kind = made(photograph, seed)
        answer = LatticeEstimator().estimate(pixels)
        assert kind == "standard"
        assert answer.quality == quality or quality in answer.tie_set


def test_tables_of_files_are_drawn_as_often_as_they_were_found(
    photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains, "OTHER_SHARE", 1.0)
    expected = truth.truth_of(truth.with_tables(photograph[:32, :32], FOUND.tables[0], "4:2:0"), "a file").quality
    assert {made(photograph, seed)[1:] for seed in range(4)} == {(expected, "other")}
    second = replace(FOUND, files=[0.0, 1.0]).picture(photograph, np.random.default_rng(0))
    assert second[1] > expected + 10


def test_tables_and_their_numbers_are_read(tmp_path: Path) -> None:
    luma, chroma = (" ".join(map(str, table)) for table in tables(70))
    wide = luma.replace(luma.split()[0], "300", 1)
    path = tmp_path / "tables.csv"
    path.write_text(f"files,luma,chroma\n7,{luma},{chroma}\n5,{wide},\n,{luma},\n")
    assert truth.read_counted(path) == ([tables(70), tables(70)[:1]], [7.0, 1.0])
    assert truth.read_tables(path) == [tables(70), tables(70)[:1]]
