"""The correction takes away what all photographs have in common, never decreases, and can be stored."""

import json

import numpy as np
import pytest

from q1net_msroi.classifier.q1net import correction
from q1net_msroi.classifier.q1net.fusion import Fused


def shrunk(seed: int, count: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """True qualities and answers drawn towards 55 by up to three, with a little noise and some wild ones."""
    random = np.random.default_rng(seed)
    truth = random.integers(1, 101, count).astype(float)
    answers = truth + (55 - truth) * 0.06 + random.normal(0, 0.3, count)
    wild = random.random(count) < 0.05
    answers[wild] = random.uniform(0, 100, int(wild.sum()))
    return np.clip(answers, 0, 100), truth


def test_unseen_answers_get_better() -> None:
    fitted = correction.fit(*shrunk(0))
    answers, truth = shrunk(1)
    corrected = np.array([fitted.quality(answer) for answer in answers])
    inner = (truth > 4) & (truth < 97)
    assert np.median(np.abs(answers - truth)[inner]) > 1.2
    assert np.median(np.abs(corrected - truth)[inner]) < 0.35  # wild answers did not draw it away


def test_the_line_never_decreases_and_stays_in_range() -> None:
    random = np.random.default_rng(2)
    fitted = correction.fit(random.uniform(0, 100, 300), random.integers(1, 101, 300))
    said = [fitted.quality(answer) for answer in np.linspace(-5, 105, 300)]
    assert (np.diff(said) >= -1e-9).all()
    assert min(said) >= 0
    assert max(said) <= 100


@pytest.mark.parametrize("answers", [[], [40.0], [40.0, 40.0, 90.0]])
def test_little_evidence_changes_little(answers: list[float]) -> None:
    fitted = correction.fit(answers, [round(answer) for answer in answers])
    assert all(np.isfinite(fitted.values))
    for answer in np.linspace(0, 100, 30):
        assert fitted.quality(answer) == pytest.approx(answer, abs=0.01)


def test_least_absolute_errors_against_a_search() -> None:
    """No small move of one knot (that keeps the order) makes the cost less."""
    answers, truth = shrunk(3, 200)
    slopes = np.diff(np.eye(len(correction.KNOTS)), axis=0) / np.diff(correction.KNOTS)[:, None]

    def cost(values: np.ndarray) -> float:
        bends = np.abs(np.diff(slopes @ values)).sum()
        at_knots = np.abs(values - correction.KNOTS)
        errors = np.concatenate([np.abs(np.interp(answers, correction.KNOTS, values) - truth), at_knots]).mean()
        return float(errors + 0.003 * bends)

    best = np.array(correction.fit(answers, truth).values)
    for knot in range(len(best)):
        for move in (-0.2, 0.2):
            other = best.copy()
            other[knot] = np.clip(other[knot] + move, 0, 100)
            if (np.diff(other) >= 0).all():
                assert cost(other) >= cost(best) - 1e-9


def test_round_trip_and_unknown() -> None:
    fitted = correction.fit(*shrunk(4))
    stored = correction.from_record(json.loads(json.dumps(fitted.record())))
    for answer in (0.0, 3.3, 50.0, 99.9, 100.0):
        assert stored.quality(answer) == pytest.approx(fitted.quality(answer), abs=2e-3)
        assert correction.NONE.quality(answer) == pytest.approx(answer)
    assert fitted.apply(Fused(None, 0, None)) == Fused(None, 0, None)
    assert fitted.apply(Fused(50.0, 9, 1.0, 2.0)) == Fused(fitted.quality(50.0), 9, 1.0, 2.0)


@pytest.mark.parametrize(("asking", "lifted"), [(62, False), (63, True)])
def test_a_bend_costs_three_thousandths(asking: int, lifted: bool) -> None:
    """Answers of 50 ask for 54, all others are right, 61 of 50 among them.

    A knot lifted by 4 between neighbours 10 away bends the line by 0.4, 0.8 and 0.4, at a cost of 0.003 * 1.6 = 0.0048.
    Among 1,039 answers it saves 4 / 1039 = 0.0038 for each that asks beyond the 61 which do not.
    """
    right = np.tile(correction.KNOTS, 60)  # and once more inside `fit`
    answers, truth = (np.concatenate([right, np.full(asking, value)]) for value in (50.0, 54.0))
    assert correction.fit(answers, truth).quality(50.0) == pytest.approx(54 if lifted else 50, abs=0.01)
