"""The level rules against a loop over pixels that says each rule in the obvious way."""

import numpy as np
import pytest

from q1net_msroi.msroi.encoder import levels


def slow_level(value: int, rule: int, saliency: np.ndarray, percentiles: dict[int, float]) -> int:
    """One pixel's level, each rule as it is worded in the paper's code, with the corrected cases named."""
    if rule == 1:
        level = 9 if value > saliency.mean() else 6
    elif rule == 2:
        level = (int(value) * 10 // int(saliency.max()) if saliency.max() else 0) + 2  # corrected: all black
    elif rule == 3:
        level = 9  # corrected: no percentile exceeds the maximum
        for index, percent in enumerate(sorted(percentiles)):
            if value < percentiles[percent]:
                level = 1 + index
                break
    elif rule == 4:
        level = 9
        for percent, below in ((90, 8), (60, 6), (20, 4)):
            if value < percentiles[percent]:
                level = below
    elif rule == 5:
        level = 2 if value < percentiles[50] else 8
    else:
        level = 7 if value < percentiles[50] else 9
    return min(max(level, 1), 9)


def maps() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    y, x = np.mgrid[:23, :31]
    return {
        "noise": random.integers(0, 256, (23, 31), dtype=np.uint8),
        "gradient": (x * 8 + y % 8).astype(np.uint8),
        "few values": random.choice(np.array([0, 7, 7, 200], np.uint8), (17, 19)),
        "mostly black": np.where(random.random((20, 20)) < 0.9, 0, 250).astype(np.uint8),
        "black": np.zeros((5, 7), np.uint8),
        "white": np.full((5, 7), 255, np.uint8),
        "flat": np.full((8, 8), 93, np.uint8),
        "one pixel": np.array([[17]], np.uint8),
        "two pixels": np.array([[17, 18]], np.uint8),
        "dark": random.integers(0, 3, (11, 13), dtype=np.uint8),
    }


@pytest.mark.parametrize("rule", levels.RULES)
@pytest.mark.parametrize("name", maps())
def test_equals_the_loop_over_pixels(rule: int, name: str) -> None:
    saliency = maps()[name]
    percentiles = {p: float(np.percentile(saliency, p)) for p in range(10, 101, 10)}
    expected = [[slow_level(value, rule, saliency, percentiles) for value in row] for row in saliency]
    result = levels.choose_levels(saliency, rule)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


def test_percentiles_are_numpys_bit_for_bit() -> None:
    random = np.random.default_rng(5)
    percents = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    for size in [*range(1, 60), 100, 101, 1001, 4096]:
        for top in (2, 40, 256):
            saliency = random.integers(0, top, (1, size), dtype=np.uint8)
            statistics = levels.MapStatistics.of(saliency)
            np.testing.assert_array_equal(statistics.percentiles(percents), np.percentile(saliency, percents))
            assert statistics.mean == saliency.mean()
            assert statistics.maximum == saliency.max()
            assert statistics.is_flat == (saliency.min() == saliency.max())


@pytest.mark.parametrize("rule", levels.RULES)
def test_a_brighter_pixel_never_gets_a_lower_level(rule: int) -> None:
    saliency = maps()["noise"]
    result = levels.choose_levels(saliency, rule)
    order = np.argsort(saliency.reshape(-1), kind="stable")
    assert (np.diff(result.reshape(-1)[order].astype(int)) >= 0).all()


def test_rule_3_uses_all_levels_about_equally_on_a_ramp() -> None:
    saliency = np.arange(250, dtype=np.uint8).reshape(10, 25)
    counts = np.bincount(levels.choose_levels(saliency, 3).reshape(-1), minlength=10)
    assert counts[1:9].tolist() == [25] * 8
    assert counts[9] == 50  # the ninth and tenth decile share the top level


def test_black_maps_lowest_level_of_rule_2() -> None:
    assert (levels.choose_levels(np.zeros((4, 4), np.uint8), 2) == 2).all()


def test_qualities_of_levels() -> None:
    assert [levels.quality_of(level) for level in range(1, 10)] == list(range(20, 101, 10))
