import numpy as np
import pytest

from q1net_msroi.msroi.roi import maps


def test_normalize_spans_0_to_1_and_flat_is_zero():
    result = maps.normalize(np.array([[-3.0, 1.0], [5.0, 2.0]]))
    assert result.min() == 0
    assert result.max() == 1
    assert not maps.normalize(np.full((2, 3), 7.0)).any()


def test_interpolation_rows_sum_to_one_and_keep_a_straight_line():
    matrix = maps.interpolation(200, 10, 320, 32, 31.0)
    assert matrix.sum(axis=1) == pytest.approx(1, abs=1e-6)
    places = ((np.arange(200) + 0.5) * 1.6 - 0.5 - 31) / 32
    inside = (places > 1) & (places < 8)
    assert (matrix @ np.arange(10.0))[inside] == pytest.approx(places[inside], abs=1e-5)


def test_place_puts_a_peak_where_its_receptive_field_lies():
    values = np.zeros((7, 10))
    values[3, 4] = 1
    placed = maps.place(values, (224, 320), (224, 320), 32, 31.0)
    assert np.unravel_index(placed.argmax(), placed.shape) == (31 + 3 * 32, 31 + 4 * 32)
    half = maps.place(values, (112, 160), (224, 320), 32, 31.0)
    row, column = np.unravel_index(half.argmax(), half.shape)
    assert abs(row - 63.25) < 1
    assert abs(column - 79.25) < 1


def test_box_mean_equals_the_loop():
    values = np.random.default_rng(0).random((9, 7))
    expected = np.empty_like(values)
    for row in range(9):
        for column in range(7):
            expected[row, column] = values[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].mean()
    assert maps.box_mean(values, 2) == pytest.approx(expected)


def test_guided_filter_keeps_a_map_that_follows_the_guide():
    guide = np.random.default_rng(1).random((40, 30))
    assert maps.guided_filter(2 * guide + 1, guide, guide, 4, 0) == pytest.approx(2 * guide + 1, abs=1e-4)


def test_guided_filter_averages_where_the_guide_is_flat():
    values = np.random.default_rng(2).random((20, 20))
    result = maps.guided_filter(values, np.full((20, 20), 0.5), np.full((20, 20), 0.5), 2, 1e-3)
    assert result == pytest.approx(maps.box_mean(maps.box_mean(values, 2), 2), abs=1e-5)


def test_guided_filter_moves_a_blurred_edge_to_the_guides():
    guide = np.zeros((32, 64))
    guide[:, 32:] = 1
    ramp = np.clip((np.arange(64) - 22) / 20, 0, 1)[None].repeat(32, 0)
    result = maps.guided_filter(ramp, guide, guide, 8, 1e-3)
    assert result[16, 32] - result[16, 31] > 5 * (ramp[16, 32] - ramp[16, 31])


def test_topk_equals_the_released_rule_step_by_step():
    rng = np.random.default_rng(3)
    class_maps = [rng.normal(size=(6, 5)) for _ in range(5)]

    def norm(m):
        return (m - m.min()) / (m.max() - m.min())

    result = 1.2 * norm(class_maps[4])
    for k in (3, 2, 1, 0):
        result = (result + norm(class_maps[k])) / 2
    assert maps.topk(class_maps) == pytest.approx(norm(result), abs=1e-6)
    assert maps.topk(class_maps[:1]) == pytest.approx(norm(class_maps[0]), abs=1e-6)


def test_threshold_sums_the_maps_of_the_classes_that_pass():
    rng = np.random.default_rng(4)
    features, matrix = rng.normal(size=(3, 4, 8)).astype(np.float32), rng.normal(size=(8, 6)).astype(np.float32)
    scores = np.array([0.0, 1.0, 5.0, 7.0, 10.0, 4.9])
    expected = sum(features @ matrix[:, k] for k in (2, 3, 4))
    assert maps.threshold(features, matrix, scores, 0.5) == pytest.approx(maps.normalize(expected), abs=1e-5)


def test_best_classes_and_softmax():
    assert maps.best_classes(np.array([1.0, 3.0, 3.0, 2.0]), 3).tolist() == [1, 2, 3]
    shares = maps.softmax(np.array([1000.0, 1000.0, -1000.0]))
    assert shares == pytest.approx([0.5, 0.5, 0])
