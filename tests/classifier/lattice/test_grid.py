"""The grid's phase: found on crops, (0, 0) wherever nothing else is decisive."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import blocks, grid, likelihood, score
from q1net_msroi.utils import jpeg
from tests.golden import pictures


@pytest.mark.parametrize("quality", [8, 40, 75, 92, 100])
@pytest.mark.parametrize("offset", [(3, 5), (0, 1), (7, 0)])
def test_the_phase_of_a_crop(photograph: np.ndarray, quality: int, offset: tuple[int, int]) -> None:
    decoded = jpeg.compress(photograph, quality)
    found = grid.find_phase(decoded[offset[0] :, offset[1] :])
    assert found.phase == ((-offset[0]) % 8, (-offset[1]) % 8)
    assert found.nats > 15


@pytest.mark.parametrize("quality", [5, 50, 90, 99])
def test_an_uncropped_picture_stays_where_it_is(photograph: np.ndarray, quality: int) -> None:
    found = grid.find_phase(jpeg.compress(photograph, quality))
    assert found.phase == (0, 0)
    assert found.nats > 15


@pytest.mark.parametrize("quality", [30, 75])
@pytest.mark.parametrize("free", [False, True])
def test_the_phase_of_what_was_turned_or_has_other_tables(photograph: np.ndarray, quality: int, free: bool) -> None:
    """A standard table's lattice turned by a quarter, and one whose steps no standard table has."""
    random = np.random.default_rng(quality)
    table = jpeg.standard_tables()[quality - 1, 0].ravel()
    table = random.permutation(table).tolist() if free else table.tolist()
    made = pictures.saved(photograph, qtables=[table, table], subsampling="4:2:0").pixels
    cropped = np.rot90(made)[5:, 2:]
    scores, _ = grid.score_phases(np.ascontiguousarray(cropped))
    best = np.unravel_index(scores.argmax(), scores.shape)
    rows, columns = made.shape[:2]
    assert (rows, columns) == (300, 451)  # the first column is the last row of the turned picture
    assert best == ((columns - 5) % 8, 6)
    others = np.delete(scores.ravel(), scores.argmax())
    assert scores.max() > others.max() + 1000


def test_a_small_crop(photograph: np.ndarray) -> None:
    decoded = jpeg.compress(photograph, 60)
    assert grid.find_phase(decoded[101:165, 203:267]).phase == (3, 5)


def test_nothing_to_find(textured: Callable[..., np.ndarray]) -> None:
    for pixels in (
        textured(120, 90),  # never compressed
        np.full((80, 80, 3), 117, np.uint8),
        np.zeros((64, 64, 3), np.uint8),  # all clipped
        textured(14, 300),  # no window holds all phases
        textured(1, 1),
    ):
        found = grid.find_phase(pixels)
        assert found.phase == (0, 0)
        assert found.nats < 15
        assert grid.score_phases(pixels)[0].shape == (8, 8)


def test_any_inside_against_a_loop() -> None:
    mask = np.random.default_rng(0).random((3, 15, 14)) < 0.02
    expected = [[[m[y : y + 8, x : x + 7].any() for x in range(8)] for y in range(8)] for m in mask]
    np.testing.assert_array_equal(grid._any_inside(mask, 8, 7), expected)


def test_sum_inside_against_a_loop() -> None:
    values = np.random.default_rng(1).random((2, 15, 15))
    expected = [[[v[y : y + 8, x : x + 8].sum() for x in range(8)] for y in range(8)] for v in values]
    np.testing.assert_allclose(grid._sum_inside(values), expected)


def test_edges_stand_out_where_blocks_begin(photograph: np.ndarray) -> None:
    rows, columns = grid.edges(jpeg.compress(photograph, 20)[3:, 6:])
    assert (rows.argmax(), columns.argmax()) == (5, 2)
    assert min(rows.max(), columns.max()) > 5


def test_block_edges_are_visible_only_where_blocks_are(
    photograph: np.ndarray, textured: Callable[..., np.ndarray]
) -> None:
    found = grid.block_edges(jpeg.compress(photograph, 20)[3:, 6:])
    assert (found.phase, found.visible) == ((5, 2), True)
    for pixels in (textured(120, 90), np.full((80, 80, 3), 117, np.uint8), textured(1, 1)):
        assert not grid.block_edges(pixels).visible


@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket", "cat 33,201"])
def test_photographs_never_compressed_show_no_edges(name: str) -> None:
    assert not grid.block_edges(pictures.photographs()[name]).visible


def test_edges_are_visible_from_five_standard_errors_on() -> None:
    assert [grid.BlockEdges((0, 0), strength).visible for strength in (3.6, 4.9, 5.1)] == [False, False, True]


Found = dict[tuple[int, int], float]


def found_phase(monkeypatch: pytest.MonkeyPatch, nats: Found, scores: Found, faint: tuple[int, int]) -> tuple[int, int]:
    """Return the phase that is chosen where grids say `nats` of 100 blocks and have `scores` on the sample."""
    any_reading = score.read(np.zeros((16, 16, 3), np.uint8), (0, 0))

    def read(_: np.ndarray, phase: tuple[int, int]) -> score.Reading:
        said = replace(any_reading.scores, nats=np.full(100, nats[phase]), used=100)
        return replace(any_reading, phase=phase, scores=said)

    sampled = np.zeros((8, 8))
    for phase, value in scores.items():
        sampled[phase] = value
    monkeypatch.setattr(grid.score, "read", read)
    monkeypatch.setattr(grid, "score_phases", lambda _: (sampled, faint))
    return grid.find_phase(np.zeros((16, 16, 3), np.uint8)).phase


@pytest.mark.parametrize(
    ("nats", "ahead", "phase"), [(40.0, 40.0, (2, 3)), (14.0, 40.0, (0, 0)), (40.0, 14.0, (0, 0)), (9.0, 9.0, (0, 0))]
)
def test_another_phase_must_be_decisive(
    monkeypatch: pytest.MonkeyPatch, nats: float, ahead: float, phase: tuple[int, int]
) -> None:
    assert found_phase(monkeypatch, {(0, 0): 1.0, (2, 3): nats}, {(2, 3): ahead}, (2, 3)) == phase


@pytest.mark.parametrize(("nats", "phase"), [(90.0, (0, 0)), (110.0, (5, 6))])
def test_a_phase_that_only_its_own_blocks_prefer_needs_a_nat_a_block(
    monkeypatch: pytest.MonkeyPatch, nats: float, phase: tuple[int, int]
) -> None:
    assert found_phase(monkeypatch, {(0, 0): 1.0, (5, 6): nats}, {(0, 0): 5.0}, (5, 6)) == phase


def lone_cost(pixels: np.ndarray, phase: tuple[int, int]) -> float:
    """Nats that blocks cost the code without a grid, less 6 for each that is constant along one side only."""
    luma = np.pad(blocks.luma(pixels), ((1, 0), (1, 0)), mode="edge")
    places = blocks.choose(pixels[:-7, :-7], (0, 0), 640)
    values = np.stack([luma[y : y + 16, x : x + 16] for y, x in places])
    total = 0.0
    for (y, x), window, costs in zip(places, values, grid.predictive_cost(values), strict=True):
        if y == 0:  # the picture's edge has nothing above it: as costly as the next row
            costs[0] = costs[1]
        if x == 0:
            costs[:, 0] = costs[:, 1]
        block = window[1 + phase[0] : 9 + phase[0], 1 + phase[1] : 9 + phase[1]]
        down, across = (block[1:] != block[:-1]).any(), (block[:, 1:] != block[:, :-1]).any()
        total += costs[phase[0] : phase[0] + 8, phase[1] : phase[1] + 8].sum() - 6 * (down != across)
    return total


@pytest.mark.parametrize(("quality", "place", "number"), [(30, -4, 63), (92, -4, 63), (30, 0, 20)])
def test_the_scores_of_phases_against_a_loop(quality: int, place: int, number: int) -> None:
    """A score is the lattice against a code without grid, and against the same coefficients without lattice.

    Of the best phases all frequencies speak, of the worst the first 20. A lattice is of a standard table, upright or
    turned by a quarter, or of steps that are chosen one by one, each at the cost of one of 255.
    """
    pixels = np.clip(pictures.photographs()["coffee"][:40, :56], 1, 254)
    pixels = np.clip(jpeg.compress(np.ascontiguousarray(pixels), quality), 1, 254)
    pixels[:24, 16:40] = np.arange(100, 124, dtype=np.uint8)[:, None, None]  # lines
    scores = grid.score_phases(pixels)[0]
    tables, bins = jpeg.standard_tables()[:, 0].reshape(100, 64), blocks.BINS
    best = [(int(i) // 8, int(i) % 8) for i in np.roll(np.argsort(scores, axis=None), -place)[:4]]
    expected = []
    for phase in best:
        counts = blocks.histograms(blocks.cut(pixels[: 32 + phase[0], : 48 + phase[1]], phase)).textured
        counts = np.pad(counts, ((0, 0), (0, bins - counts.shape[1])))
        ratio = likelihood.ratios(counts[1:, :513], "exact")
        chosen = grid.zigzag()[:number]
        both = [*tables, *(table.reshape(8, 8).T.ravel() for table in tables)]
        known = max(sum(ratio[f - 1, table[f] - 1] for f in chosen) for table in both)
        free = sum(max(ratio[f - 1].max() - math.log(255), 0) for f in chosen)
        likeliest = max(known, free)
        coarse = np.add.reduceat(counts, grid.coarse_edges(bins)[:-1], 1)
        expected.append(2 * likeliest + lone_cost(pixels, phase) + likelihood.reference(coarse, bins)[1:].sum())
    assert (best[-1] == (0, 0)) == (place == -4)
    np.testing.assert_allclose(
        [scores[phase] - scores[best[0]] for phase in best], np.array(expected) - expected[0], atol=2
    )
