"""Intervals hold as often as they say, wherever errors differ in size."""

import json

import numpy as np
import pytest

from q1net_msroi.classifier.evaluation import intervals
from q1net_msroi.classifier.q1net.fusion import Fused
from q1net_msroi.classifier.q1net.intervals import Intervals, expected_error, from_record


def answers(seed: int, count: int = 2000) -> tuple[list[Fused], list[int]]:
    """Answers whose error is as large as they expect, and skewed."""
    random = np.random.default_rng(seed)
    truth = random.integers(20, 80, count)
    expected = random.uniform(0.2, 12, count)
    error = expected / 4 * (random.exponential(1, count) - 0.5)
    return [
        Fused(float(t + e), 16, 1.0, float(x)) for t, e, x in zip(truth, error, expected, strict=True)
    ], truth.tolist()


def test_coverage_on_answers_never_seen() -> None:
    fitted = intervals.fit(*answers(0))
    unseen, truth = answers(1)
    around = [fitted.around(a) for a in unseen]
    hits = np.array([r is not None and r[0] <= t <= r[1] for r, t in zip(around, truth, strict=True)])
    assert 0.87 < hits.mean() < 0.93
    for low, high in ((0.2, 4), (4, 8), (8, 12)):  # also where errors are small, and where they are large
        part = [low <= (a.expected or 0) < high for a in unseen]
        assert 0.84 < hits[part].mean() < 0.97
    widths = np.array([r[1] - r[0] for r in around if r is not None])
    expected = np.array([a.expected or 0 for a in unseen])
    assert widths[expected > 8].mean() > 2 * widths[expected < 4].mean()


def test_against_a_loop() -> None:
    found, truth = answers(2, 500)
    fitted = intervals.fit(found, truth, bins=4)
    assert len(fitted.edges) == 3
    for number, answer in enumerate(found[:50]):
        score = ((answer.expected or 0) + (answer.spread or 0)) / answer.confident**0.5
        low, high = fitted.offsets[sum(score >= edge for edge in fitted.edges)]
        expected = tuple(min(100.0, max(1.0, (answer.quality or 0) + offset)) for offset in (low, high))
        assert fitted.around(found[number]) == pytest.approx(expected, abs=0.006)


def test_ends_and_unknown() -> None:
    fitted = Intervals((), ((-3.0, 4.0),))
    assert fitted.around(Fused(None, 0, None)) is None
    assert fitted.around(Fused(2.0, 5, 1.0, 1.0)) == (1.0, 6.0)
    assert fitted.around(Fused(98.5, 5, 1.0, 1.0)) == (95.5, 100.0)


def test_a_record_comes_back() -> None:
    fitted = intervals.fit(*answers(3))
    again = from_record(json.loads(json.dumps(fitted.record())))
    assert again == fitted


@pytest.mark.parametrize("count", [0, 1, 5, 41])
def test_few_answers(count: int) -> None:
    found, truth = answers(4, count)
    fitted = intervals.fit(found, truth)
    for answer, quality in zip(found, truth, strict=True):
        around = fitted.around(answer)
        assert around is not None
        if count < 20:
            assert around[0] - 0.01 <= quality <= around[1] + 0.01  # too few to leave one out


@pytest.mark.parametrize(("count", "outside"), [(19, 0), (45, 1), (85, 3), (105, 4)])
def test_the_conformal_quantiles_are_those_of_their_number(count: int, outside: int) -> None:
    """Of n errors floor(0.05 (n + 1)) are the tail; the bound is its last one, so one fewer lies beyond."""
    errors = np.random.default_rng(count).permutation(count) - count // 2
    found = [Fused(50.0, 16, 1.0, 1.0)] * count
    low, high = intervals.fit(found, [50 + int(error) for error in errors], bins=1).offsets[0]
    ordered = sorted(errors)
    assert (low, high) == (ordered[outside], ordered[-1 - outside])


def test_the_error_to_expect_grows_with_both_errors_and_falls_with_the_number() -> None:
    assert expected_error(Fused(50.0, 16, 2.0, 6.0)) == 2.0
    assert expected_error(Fused(50.0, 4, 2.0, 6.0)) == 4.0
    assert expected_error(Fused(50.0, 16, 6.0, 6.0)) == 3.0
    assert expected_error(Fused(50.0, 16, 2.0, 14.0)) == 4.0
    assert expected_error(Fused(50.0, 0, None, None)) == 0.0
