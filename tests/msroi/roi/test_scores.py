import numpy as np
import pytest

from q1net_msroi.msroi.roi import scores


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    return rng.integers(0, 40, (12, 10)).astype(np.uint8), rng.random((12, 10)) < 0.3


def test_pixel_auc_equals_counting_pairs(sample):
    values, mask = sample
    inside, outside = values[mask].astype(int), values[~mask].astype(int)
    pairs = (inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean()
    assert scores.pixel_auc(values, mask) == pytest.approx(pairs)


def test_pixel_auc_ends(sample):
    _, mask = sample
    assert scores.pixel_auc(mask.astype(np.uint8) * 255, mask) == 1
    assert scores.pixel_auc((~mask).astype(np.uint8) * 255, mask) == 0
    assert scores.pixel_auc(np.full(mask.shape, 9, np.uint8), mask) == 0.5
    assert np.isnan(scores.pixel_auc(mask.astype(np.uint8), np.zeros(mask.shape, bool)))


def test_f_measure_equals_the_loop_over_thresholds(sample):
    values, mask = sample
    best = 0.0
    for level in range(256):
        chosen = values >= level
        if (chosen & mask).any():
            precision, recall = (chosen & mask).sum() / chosen.sum(), (chosen & mask).sum() / mask.sum()
            best = max(best, 1.3 * precision * recall / (0.3 * precision + recall))
    curve = scores.precision_recall(values, mask)
    assert scores.f_measure(*curve).max() == pytest.approx(best)
    assert scores.maximum_f([curve, curve]) == pytest.approx(best)


def test_mean_absolute_error_and_pointing():
    mask = np.array([[True, False], [False, False]])
    assert scores.mean_absolute_error(np.array([[255, 0], [0, 255]], np.uint8), mask) == 0.25
    assert scores.pointing(np.array([[255, 0], [0, 9]], np.uint8), mask) == 1
    assert scores.pointing(np.array([[255, 0], [0, 255]], np.uint8), mask) == 0.5


def test_gaze_scores():
    values = np.arange(20, dtype=np.uint8).reshape(4, 5)
    points = np.array([[3, 4], [3, 3]])
    assert scores.auc_judd(values, points) == 1
    assert scores.nss(values, points) == pytest.approx((18.5 - 9.5) / np.std(np.arange(20)))
    assert scores.nss(np.ones((4, 5)), points) == 0
    assert scores.correlation(values, 3.0 * values + 2) == pytest.approx(1)
    assert scores.correlation(values, np.ones((4, 5))) == 0


def test_interval_holds_the_mean_and_is_the_same_every_time():
    values = np.random.default_rng(5).normal(0.7, 0.1, 100).tolist()
    low, high = scores.interval([*values, float("nan")])
    assert low < np.mean(values) < high
    assert high - low == pytest.approx(2 * 1.96 * 0.01, rel=0.25)
    assert scores.interval(values) == scores.interval(values)
