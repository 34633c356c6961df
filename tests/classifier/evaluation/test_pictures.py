"""Scores against the plainest loops, and the parsing of what to evaluate."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.evaluation import pictures
from q1net_msroi.classifier.evaluation.pictures import Scores, parse_crop_offset, parse_qualities
from q1net_msroi.utils import results
from q1net_msroi.utils.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10,20,30", [10, 20, 30]),
        ("5-95:10", [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]),
        ("1-100", list(range(1, 101))),
        ("50", [50]),
        ("90-92,5,5,91", [5, 90, 91, 92]),
        ("1-100:99", [1, 100]),
        (" 7 , 8 ", [7, 8]),
    ],
)
def test_parse_qualities(text: str, expected: list[int]) -> None:
    assert parse_qualities(text) == expected


@pytest.mark.parametrize(
    "text", ["", ",", "0", "101", "0-10", "90-101", "a", "5-", "-5", "10-5", "5-95:0", "5-95:-10", "1.5", "5:x", "1--3"]
)
def test_qualities_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match=r"--qualities .*: give numbers 1\.\.100 like 10,20,30 or 5-95:10"):
        parse_qualities(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("0,0", (0, 0)), ("3,5", (3, 5)), (" 12 , 7", (12, 7)), ("random", None)]
)
def test_parse_crop_offset(text: str, expected: tuple[int, int] | None) -> None:
    assert parse_crop_offset(text) == expected


@pytest.mark.parametrize("text", ["", "3", "3,5,7", "-1,2", "a,b", "1.5,2", "Random"])
def test_crop_offsets_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match=r"--crop_offset .*: give random or two numbers"):
        parse_crop_offset(text)


def random_scores(seed: int, count: int = 300) -> Scores:
    random = np.random.default_rng(seed)
    scores = Scores()
    for _ in range(count):
        truth = int(random.integers(1, 101))
        predicted = truth + float(np.round(random.normal(0, 3) * 2) / 2)  # halves occur
        scores.add(truth, None if random.random() < 0.1 else min(100.0, max(0.0, predicted)))
    return scores


def half_up(value: float) -> int:
    return math.floor(value + 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_summary_against_a_loop(seed: int) -> None:
    scores = random_scores(seed)
    rows = list(zip(scores.truth, scores.predicted, strict=True))
    errors = [p - t for t, p in rows if not math.isnan(p)]
    steps = [abs(half_up(p) - t) for t, p in rows if not math.isnan(p)]
    bias = sum(errors) / len(errors)
    worst = sorted((abs(e) for e in errors), reverse=True)[: round(len(errors) / 100)]
    expected = {
        "predictions": 300,
        "answered": len(errors),
        "mae": sum(abs(e) for e in errors) / len(errors),
        "bias": bias,
        "std": math.sqrt(sum((e - bias) ** 2 for e in errors) / len(errors)),
        "exact": sum(s == 0 for s in steps) / 300,
        "within_1": sum(s <= 1 for s in steps) / 300,
        "within_2": sum(s <= 2 for s in steps) / 300,
        "worst_1_percent": sum(worst) / len(worst),
    }
    assert scores.summary() == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_confusion_against_a_loop(seed: int) -> None:
    scores = random_scores(seed)
    expected = np.zeros((100, 100), int)
    for truth, predicted in zip(scores.truth, scores.predicted, strict=True):
        if not math.isnan(predicted):
            expected[truth - 1, min(100, max(1, half_up(predicted))) - 1] += 1
    np.testing.assert_array_equal(scores.confusion(), expected)
    assert scores.confusion().sum() == scores.summary()["answered"]


def test_halves_round_up_and_ends_are_clipped() -> None:
    assert pictures.round_half_up(np.array([0.5, 1.5, 2.5, 2.49, 99.5])).tolist() == [1, 2, 3, 2, 100]
    scores = Scores([1, 100, 20], [0.0, 100.0, 20.5])
    assert np.argwhere(scores.confusion()).tolist() == [[0, 0], [19, 20], [99, 99]]
    assert scores.summary()["exact"] == pytest.approx(1 / 3)


def test_only_unknown_answers() -> None:
    scores = Scores()
    scores.add(50, None)
    summary = scores.summary()
    assert summary["mae"] is summary["bias"] is summary["std"] is summary["worst_1_percent"] is None
    assert (summary["predictions"], summary["answered"], summary["exact"], summary["within_2"]) == (1, 0, 0, 0)
    assert scores.confusion().sum() == 0


def test_by_quality_adds_up(tmp_path: Path) -> None:
    scores = random_scores(9)
    rows = scores.by_quality()
    assert [row["quality"] for row in rows] == sorted(set(scores.truth))
    for row in rows:
        part = Scores()
        for truth, predicted in zip(scores.truth, scores.predicted, strict=True):
            if truth == row["quality"]:
                part.add(truth, None if math.isnan(predicted) else predicted)
        assert row == {"quality": row["quality"], **part.summary()}
    results.write_csv(tmp_path / "a.csv", rows)
    with (tmp_path / "a.csv").open(newline="") as handle:
        read = list(csv.DictReader(handle))
    assert [int(row["quality"]) for row in read] == [row["quality"] for row in rows]
    assert {"predictions", "mae", "bias", "std", "exact", "within_1", "within_2"} <= set(read[0])
    for got, row in zip(read, rows, strict=True):
        assert got["mae"] == ("" if row["mae"] is None else f"{row['mae']:.4f}")
