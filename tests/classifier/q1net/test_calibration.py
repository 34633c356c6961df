"""The search for a threshold finds what the data say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from classifier.q1net import calibration, fusion
from classifier.q1net.calibration import THRESHOLDS, UNKNOWN_COST, Row


def pictures(seed: int, count: int = 25) -> list[tuple[int, np.ndarray]]:
    """Patches whose error grows as their confidence falls below 92."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        quality = int(random.integers(1, 101))
        confidence = random.uniform(70, 100, 60)
        error = np.where(confidence > 92, random.normal(0, 0.5, 60), 8 + random.normal(0, 2, 60))
        made.append((quality, np.stack([confidence, quality + error], axis=1).astype(np.float32)))
    return made


def test_search_against_a_loop() -> None:
    collected = pictures(0)
    rows = calibration.search(collected)
    assert [row.threshold for row in rows] == THRESHOLDS.tolist()
    for row in rows[::13]:
        answers = [(quality, fusion.fuse(values, row.threshold).quality) for quality, values in collected]
        known = [(q, a) for q, a in answers if a is not None]
        costs = [UNKNOWN_COST if a is None else min(UNKNOWN_COST, abs(a - q)) for q, a in answers]
        assert row.answered == pytest.approx(len(known) / len(answers))
        assert row.mae == pytest.approx(sum(abs(a - q) for q, a in known) / len(known))
        assert row.cost == pytest.approx(sum(costs) / len(costs))
        assert row.within_2 == pytest.approx(sum(abs(math.floor(a + 0.5) - q) <= 2 for q, a in known) / len(answers))


def test_the_share_answered_never_grows_with_the_threshold() -> None:
    answered = [row.answered for row in calibration.search(pictures(1))]
    assert answered == sorted(answered, reverse=True)


def test_choose_finds_where_confidence_begins_to_tell() -> None:
    best = calibration.choose(calibration.search(pictures(2, 30)))
    assert 85 <= best.threshold <= 98
    assert best.mae < 1
    assert best.answered > 0.9


def test_one_lucky_threshold_does_not_win() -> None:
    costs = np.full(len(THRESHOLDS), 2.0)
    costs[10] = 1.0  # lucky
    costs[40:50] = 1.5  # good all around
    rows = [Row(float(t), float(c), float(c), 0.9, 1.0) for t, c in zip(THRESHOLDS, costs, strict=True)]
    assert calibration.choose(rows) in rows[40:50]


def test_unknown_everywhere() -> None:
    nothing = [(50, np.array([[10.0, 50.0]], np.float32))]
    rows = calibration.search(nothing)
    assert {row.cost for row in rows} == {UNKNOWN_COST}
    assert {row.answered for row in rows} == {0.0}
    assert calibration.choose(rows) in rows


def test_entry_is_what_the_card_keeps() -> None:
    row = Row(94.5, 1.0, 0.123456, 0.98764, 0.999)
    assert calibration.entry(row, 20, [10, 20], "val") == {
        "threshold": 94.5,
        "mae": 0.1235,
        "within_2": 0.9876,
        "answered": 0.999,
        "pictures": 20,
        "qualities": 2,
        "data": "val",
    }
