"""The search for a threshold finds what the data say."""

import math

import numpy as np
import pytest

from q1net_msroi.classifier.evaluation import calibration
from q1net_msroi.classifier.evaluation.calibration import THRESHOLDS, UNKNOWN_COST, Row, Sample
from q1net_msroi.classifier.q1net import correction, fusion, patches


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
    row, corrected = Row(94.5, 1.0, 0.123456, 0.98764, 0.999), Row(94.5, 1.0, 0.1, 0.99, 0.999)
    chosen = calibration.Chosen(row, correction.NONE, corrected, None, {})
    measured = calibration.Calibration({}, {calibration.PAPER: chosen}, 20, 2, "val", 25.0)
    assert measured.entry(calibration.PAPER) == {
        "threshold": 94.5,
        "mae": 0.1,
        "within_2": 0.99,
        "uncorrected_mae": 0.1235,
        "uncorrected_within_2": 0.9876,
        "answered": 0.999,
        "pictures": 20,
        "qualities": 2,
        "data": "val",
    }


def samples(seed: int, count: int = 60) -> list[Sample]:
    made = [
        Sample(number // 2, quality, number % 2 == 0, dict.fromkeys(patches.CHOICES, values))
        for number, (quality, values) in enumerate(pictures(seed, count))
    ]
    never = np.array([[95.0, 97.0], [99.0, 93.0], [99.0, 94.0]], np.float32)
    return [*made, Sample(0, None, True, dict.fromkeys(patches.CHOICES, never))]


def test_every_combination_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "THRESHOLDS", THRESHOLDS[::20])
    made = samples(3, 20)
    searched = calibration.search_all(made)
    assert set(searched) == {(choice, rule) for choice in patches.CHOICES for rule in fusion.RULES}
    whole = [(s.truth, s.predictions["grid"]) for s in made if s.whole and s.truth]
    for rule in fusion.RULES:
        assert searched["grid", rule] == calibration.search(whole, rule)
        for row in searched["grid", rule]:
            answers = [(quality, fusion.fuse(values, row.threshold, rule).quality) for quality, values in whole]
            errors = [abs(a - q) for q, a in answers if a is not None]
            assert row.mae == pytest.approx(sum(errors) / len(errors))


def test_intervals_are_measured_on_photographs_that_did_not_make_them() -> None:
    made = samples(4, 400)
    record = calibration.measure_intervals(made, "grid", "median", 92.0, correction.NONE)
    assert 0.8 < record["measured_coverage"]["whole"] < 0.98
    assert 0.8 < record["measured_coverage"]["crops"] < 0.98
    assert record["most_spread"] is None  # tables of one kind do not tell what is unusual
    assert calibration.lowest_never(made, "grid", "median", 98.0, correction.NONE) == 93.5
    assert calibration.lowest_never(made, "grid", "median", 99.9, correction.NONE) is None


def test_patches_that_differ_more_than_at_standard_tables_get_no_interval() -> None:
    """The limit keeps 98 % of the answers at standard tables; those of other tables spread five times as far."""
    random, made = np.random.default_rng(6), []
    for number in range(400):
        kind, spread = (("standard", 1.0), ("other", 5.0))[number % 2]
        truth = int(random.integers(20, 80))
        confidence = np.full(40, 99.0)
        quality = truth + spread * random.uniform(0.5, 1.5) * np.linspace(-1, 1, 40)
        said = np.stack([confidence, quality], axis=1).astype(np.float32)
        made.append(Sample(number // 8, truth, False, {"grid": said}, kind))
    record = calibration.measure_intervals(made, "grid", "median", 92.0, correction.NONE)
    usual = [np.subtract(*np.quantile(s.predictions["grid"][:, 1], [0.75, 0.25])) for s in made[::2]]
    assert record["most_spread"] == pytest.approx(np.quantile(usual, 0.98), abs=0.01)
    assert record["answers"] in (195, 196)  # one lies at the limit, which is kept rounded
    assert list(record["measured_coverage"]) == ["standard"]
    few = [Sample(s.picture, s.truth, False, {"grid": s.predictions["grid"] * [0.9, 1]}, s.kind) for s in made[4:]]
    assert calibration.measure_intervals(made[:4] + few, "grid", "median", 92.0, correction.NONE)["answers"] <= 2


def test_the_correction_is_judged_by_photographs_that_did_not_make_it() -> None:
    lifted = [
        Sample(s.picture, s.truth, s.whole, {name: values + np.array([0, 2]) for name, values in s.predictions.items()})
        for s in samples(5, 400)
    ]
    fitted, judged = calibration.correct(lifted, "grid", "median", 92.0)
    assert fitted.quality(52.0) == pytest.approx(50, abs=0.3)
    whole = [(s.truth, s.predictions["grid"]) for s in lifted if s.whole and s.truth]
    (before,) = [row for row in calibration.search(whole) if row.threshold == 92.0]
    assert before.mae is not None
    assert judged.mae is not None
    assert judged.mae < before.mae / 3
    assert judged.answered == before.answered
    one_photograph = [Sample(0, s.truth, s.whole, s.predictions) for s in lifted]  # none is left to fit on
    assert calibration.correct(one_photograph, "grid", "median", 92.0)[1].mae == pytest.approx(before.mae, abs=0.05)


@pytest.mark.parametrize("size", [(24, 24), (40, 300), (300, 40), (300, 451)])
def test_crops_lie_in_the_picture(photograph: np.ndarray, size: tuple[int, int]) -> None:
    picture, random = photograph[: size[0], : size[1]], np.random.default_rng(0)
    sizes = set()
    for _ in range(60):
        part = calibration.crop(picture, random)
        assert min(part.shape[:2]) >= 24
        assert part.shape[0] <= size[0]
        sizes.add(part.shape[:2])
    assert len(sizes) > 1 or size == (24, 24)
