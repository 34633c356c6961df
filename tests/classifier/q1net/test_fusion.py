"""The median of the confident patches, against a loop."""

import math

import numpy as np
import pytest

from q1net_msroi.classifier.q1net import fusion


def middle(values: list[float], share: float) -> float:
    ordered, at = sorted(values), share * (len(values) - 1)
    low = int(at)
    return ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


@pytest.mark.parametrize("count", [1, 2, 3, 10, 255, 256])
@pytest.mark.parametrize("threshold", [0.0, 50.0, 96.0])
def test_against_a_loop(count: int, threshold: float) -> None:
    predictions = np.random.default_rng(count).uniform(0, 100, (count, 2)).astype(np.float32)
    kept = [float(quality) for confidence, quality in predictions if confidence > threshold]
    fused = fusion.fuse(predictions, threshold)
    assert fused.confident == len(kept)
    if kept:
        assert fused.quality == pytest.approx(middle(kept, 0.5), abs=1e-4)
        assert fused.spread == pytest.approx(middle(kept, 0.75) - middle(kept, 0.25), abs=1e-4)
    else:
        assert fused.quality is None
        assert fused.spread is None


def test_nobody_is_confident() -> None:
    assert fusion.fuse(np.array([[96.0, 20.0], [10.0, 30.0]], np.float32), 96.0) == fusion.Fused(None, 0, None)


def test_the_order_of_patches_does_not_matter() -> None:
    predictions = np.random.default_rng(0).uniform(0, 100, (101, 2)).astype(np.float32)
    assert fusion.fuse(predictions, 40) == fusion.fuse(predictions[::-1], 40)


def obvious(rule: str, kept: list[tuple[float, float]]) -> float:
    """The rules as loops; `kept` holds (confidence, quality)."""
    qualities = [q for _, q in kept]
    centre = middle(qualities, 0.5)
    if rule == "median":
        return centre
    if rule == "inlier_mean":
        limit = max(0.5, 2 * 1.4826 * middle([abs(q - centre) for q in qualities], 0.5))
        inside = [q for q in qualities if abs(q - centre) <= limit + 1e-5]
        return sum(inside) / len(inside)
    if rule == "mode":
        places = [p / 20 for p in range(2001)]
        return max(places, key=lambda p: sum(math.exp(-((p - round(q * 20) / 20) ** 2) / 2) for q in qualities))
    ordered = sorted((q, 1 / max(100 - c, 0.25)) for c, q in kept)
    half, below = sum(w for _, w in ordered) / 2, 0.0
    previous = (ordered[0][0], -math.inf)
    for quality, weight in ordered:
        place = below + weight / 2
        if place >= half:
            share = (half - previous[1]) / (place - previous[1]) if previous[1] > -math.inf else 1.0
            return previous[0] + share * (quality - previous[0])
        previous, below = (quality, place), below + weight
    return previous[0]


@pytest.mark.parametrize("rule", list(fusion.RULES))
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_rules_against_loops(rule: str, count: int) -> None:
    random = np.random.default_rng(count)
    predictions = np.stack(
        [random.uniform(80, 100, count), np.clip(random.normal(60, 8, count), 0, 100)], axis=1
    ).astype(np.float32)
    kept = [(float(c), float(q)) for c, q in predictions if c > 85]
    fused = fusion.fuse(predictions, 85, rule)
    if not kept:
        assert fused.quality is None
        return
    assert fused.quality == pytest.approx(obvious(rule, kept), abs=0.051 if rule == "mode" else 1e-3)
    assert fused.expected == pytest.approx(sum(100 - c for c, _ in kept) / len(kept), abs=1e-3)


@pytest.mark.parametrize("rule", list(fusion.RULES))
def test_every_rule_finds_where_the_patches_agree(rule: str) -> None:
    random = np.random.default_rng(5)
    quality = np.concatenate([random.normal(70, 0.5, 80), random.uniform(0, 100, 15)])
    confidence = np.concatenate([random.uniform(95, 99, 80), random.uniform(94, 95, 15)])
    fused = fusion.fuse(np.stack([confidence, quality], axis=1).astype(np.float32), 90, rule)
    assert fused.quality == pytest.approx(70, abs=0.6)


def test_equal_confidence_makes_the_weighted_median_the_median() -> None:
    for count in (1, 2, 9, 10):
        qualities = np.random.default_rng(count).uniform(0, 100, count)
        predictions = np.stack([np.full(count, 97.0), qualities], axis=1).astype(np.float32)
        assert fusion.fuse(predictions, 90, "weighted_median").quality == pytest.approx(
            fusion.fuse(predictions, 90).quality, abs=1e-4
        )


def test_a_patch_must_be_more_confident_than_the_threshold() -> None:
    predictions = np.array([[96.0, 20.0], [96.1, 30.0]], np.float32)
    fused = fusion.fuse(predictions, 96.0)
    assert (fused.confident, fused.quality) == (1, 30.0)
    assert fused.expected == pytest.approx(3.9, abs=1e-5)


def test_an_expected_error_below_a_quarter_counts_as_a_quarter() -> None:
    predictions = np.array([[99.99, 10.0], [99.75, 50.0], [99.75, 60.0]], np.float32)
    assert fusion.fuse(predictions, 90, "weighted_median").quality == pytest.approx(50, abs=1e-3)
    light = np.array([[99.75, 10.0], [97.5, 50.0], [97.5, 60.0]], np.float32)  # weights 4, 0.4 and 0.4, at 2, 4.2, 4.6
    assert fusion.fuse(light, 90, "weighted_median").quality == pytest.approx(10 + 40 * (2.4 - 2) / (4.2 - 2), abs=1e-3)


def test_the_mode_tells_apart_what_lies_three_apart() -> None:
    """Two heaps of four and three under a kernel of one quality; a kernel of two would make one heap in between."""
    qualities = [50.0] * 4 + [53.0] * 3
    predictions = np.array([[97.0, quality] for quality in qualities], np.float32)
    assert fusion.fuse(predictions, 90, "mode").quality == pytest.approx(50, abs=0.1)


def test_inliers_lie_within_two_robust_deviations() -> None:
    qualities = [48.0, 49.0, 50.0, 51.0, 52.0, 53.5, 46.5]  # deviation of the median 2: limit 5.9
    predictions = np.array([[97.0, quality] for quality in [*qualities, 57.0]], np.float32)
    kept = [q for q in qualities]
    middle_of_all = float(np.median([*qualities, 57.0]))
    mad = float(np.median(np.abs(np.array([*qualities, 57.0]) - middle_of_all)))
    assert 2 * 1.4826 * mad < 57 - middle_of_all < 3 * 1.4826 * mad
    assert fusion.fuse(predictions, 90, "inlier_mean").quality == pytest.approx(sum(kept) / len(kept), abs=1e-4)
