"""measure_splices.py: composites are what they are said to be, and a row a case is recorded."""

import json
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.utils import jpeg
from scripts import measure_splices


@pytest.mark.parametrize("case", measure_splices.PASTED)
def test_a_composite_differs_from_its_photograph_where_it_was_pasted(photograph: np.ndarray, case: str) -> None:
    random = np.random.default_rng(3)
    other = np.ascontiguousarray(photograph[::-1, ::-1])
    made = measure_splices.composite(photograph, other, case, random)
    rows, columns = np.nonzero(made.truth)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert made.truth.sum() == height * width
    assert 96 <= min(height, width) <= max(height, width) <= 256
    differs = np.abs(jpeg.decode(made.content).astype(int) - photograph).mean(axis=2)
    assert differs[made.truth].mean() > 2 * differs[~made.truth].mean()
    if measure_splices.PASTED[case][2]:
        assert rows.min() % 8 == columns.min() % 8 == 0


def test_what_becomes_of_a_photograph_in_one_piece(photograph: np.ndarray) -> None:
    kinds = dict(measure_splices.whole(photograph[:160, :160], np.random.default_rng(0)))
    assert len(kinds) == 10
    assert {pixels.dtype for pixels in kinds.values()} == {np.dtype(np.uint8)}
    assert all(pixels.shape[2] == 3 and min(pixels.shape[:2]) > 150 for pixels in kinds.values())
    for name, pixels in kinds.items():
        if name not in {"twice, cut", "texture alone, once", "once"}:
            assert 0 < np.abs(pixels.astype(int) - photograph[:160, :160])[80:].mean() < 40


def test_the_area_under_the_curve_against_a_loop() -> None:
    random = np.random.default_rng(0)
    score, truth = random.integers(0, 9, (6, 7)).astype(np.float32), random.random((6, 7)) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in score[truth] for b in score[~truth]]
    assert measure_splices.auc(score, truth) == pytest.approx(np.mean(pairs))


@pytest.mark.slow
def test_a_row_a_case(photograph: np.ndarray, tmp_path: Path) -> None:
    from PIL import Image

    for number, pixels in enumerate((photograph, photograph[::-1])):
        Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / f"{number}.png")
    words = ["--images", str(tmp_path), "--pictures", "3", "--seed", "1", "--out", str(tmp_path / "out" / "s.json")]
    assert measure_splices.main(words) == 0
    rows = json.loads((tmp_path / "out" / "s.json").read_text())["result"]
    assert [row["case"] for row in rows][:4] == list(measure_splices.PASTED)
    assert all(row["pictures"] == 3 for row in rows)
    assert all("auc" in row for row in rows[:4])
    assert sum(row["outlined"] for row in rows[4:]) == 0
