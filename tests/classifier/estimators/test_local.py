"""A part pasted from another JPEG stands out: of another quality, or on another grid."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import local
from q1net_msroi.classifier.estimators.local import Regions
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import files, jpeg

PREDICT = "classifier.predict_cls"
SAMPLE = files.REPOSITORY / "sample_image" / "chelsea.png"
PASTED = np.s_[64:160, 96:208]
INSIDE = np.s_[88:136, 128:176]  # windows there hold nothing else
Call = Callable[..., Any]
needs_weights = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


def composite(photograph: np.ndarray, quality: int, pasted: int, shift: tuple[int, int] = (0, 0)) -> np.ndarray:
    """The photograph at `quality` with a square from a JPEG at `pasted` whose grid is shifted."""
    photograph = np.ascontiguousarray(photograph[:224, :320])
    made = jpeg.compress(photograph, quality).copy()
    other = jpeg.compress(np.ascontiguousarray(photograph[shift[0] :, shift[1] :]), pasted)
    whole = photograph.copy()
    whole[shift[0] :, shift[1] :] = other
    made[PASTED] = whole[PASTED]
    return made


def auc(score: np.ndarray, truth: np.ndarray) -> float:
    """Share of pairs of a pasted and another pixel that are in order, halves for ties."""
    from scipy.stats import rankdata

    ranks = rankdata(np.nan_to_num(score).ravel())
    positive = truth.ravel()
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(ranks) - count)))


def score(found: Regions, shape: tuple[int, ...]) -> float:
    truth = np.zeros(shape[:2], bool)
    truth[PASTED] = True
    return auc(found.per_pixel(found.foreign, *shape[:2]), truth)


@needs_weights
def test_what_is_flat_says_nothing_to_the_network(photograph: np.ndarray) -> None:
    picture = jpeg.compress(np.ascontiguousarray(photograph[:224, :320]), 50).copy()
    picture[PASTED] = 0
    found = local.regions(picture, Asked("jpeg_paper"))
    assert np.isnan(found.nearest(found.quality, *picture.shape[:2])[112, 152])
    assert found.told(*picture.shape[:2]) == "main part 50, no regions unlike it"


def test_two_qualities_by_the_lattice(photograph: np.ndarray) -> None:
    picture = composite(photograph, 85, 55)
    found = local.regions(picture, Asked("jpeg_lattice", threads=2))
    assert score(found, picture.shape) > 0.9
    quality = found.nearest(found.quality, *picture.shape[:2])
    assert np.nanmedian(quality) == 85
    assert np.nanmedian(quality[INSIDE]) == 55


def test_two_grids_by_the_lattice(photograph: np.ndarray) -> None:
    picture = composite(photograph, 80, 80, (3, 5))
    found = local.regions(picture, Asked("jpeg_lattice", threads=2))
    assert score(found, picture.shape) > 0.9
    other = found.nearest(found.other_grid.astype(float), *picture.shape[:2])
    assert other[INSIDE].mean() > 0.4
    assert other[:32].mean() < 0.1
    quality = found.nearest(found.quality, *picture.shape[:2])
    assert np.nanmedian(quality[INSIDE]) == 80


@needs_weights
def test_two_qualities_by_the_network(photograph: np.ndarray) -> None:
    picture = composite(photograph, 90, 40)
    found = local.regions(picture, Asked("jpeg_paper", threads=2))
    assert score(found, picture.shape) > 0.9
    quality = found.nearest(found.quality, *picture.shape[:2])
    assert np.nanmedian(quality[:32]) == pytest.approx(90, abs=8)
    assert np.nanmedian(quality[INSIDE]) == pytest.approx(40, abs=8)


@pytest.mark.slow
def test_one_compression_shows_nothing(photograph: np.ndarray) -> None:
    picture = jpeg.compress(np.ascontiguousarray(photograph[:200, :260]), 75)
    found = local.regions(picture, Asked("jpeg_lattice", threads=2))
    assert not found.other_grid.any()
    assert (found.foreign > 25).mean() < 0.02
    assert (found.quality[~np.isnan(found.quality)] == 75).mean() > 0.95


def test_the_main_part_is_what_most_windows_are_of() -> None:
    nats = np.full((2, 3, 4, 100), -np.inf)
    nats[0] = -300.0
    nats[0, :, :, 79] = 500.0  # quality 80 on the first grid
    nats[0, :, :, 80] = 497.0  # nearly as good everywhere: still 80
    nats[0, 1, 1] = -300.0
    nats[1, 1, 1, 39] = 200.0  # 40 on the second
    nats[0, 2, 2] = -400.0  # never compressed
    nats[0, 0, 0] = 0.0  # flat: nothing to say
    starts = np.arange(4) * 32
    found = local.judge(starts[:3], starts, nats)
    expected = np.full((3, 4), 80.0)
    expected[1, 1], expected[2, 2], expected[0, 0] = 40, np.nan, np.nan
    np.testing.assert_array_equal(found.quality, expected)
    assert found.main == 80
    assert np.argwhere(found.other_grid).tolist() == [[1, 1]]
    assert np.argwhere(found.foreign > 25).tolist() == [[1, 1], [2, 2]]

    nats[0] = -300.0
    nats[0, 0, 1, 59] = 100.0  # one window of a JPEG in a picture that was none
    found = local.judge(starts[:3], starts, nats[:1])
    assert np.argwhere(found.foreign > 25).tolist() == [[0, 1]]
    assert found.main is None
    assert found.told(160, 160) == "main part without an answer, 1 region unlike it (about 60) at x 48..79, y 0..47"
    assert not found.other_grid.any()


@pytest.mark.parametrize("seed", range(3))
def test_weighted_medians_against_a_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    qualities, confidences = random.uniform(0, 100, (4, 5, 9)), random.uniform(80, 100, (4, 5, 9))
    got = local.weighted_medians(qualities, confidences, 97.0)
    for i in range(4):
        for j in range(5):
            kept = sorted(
                (q, 1 / max(100 - c, 0.25)) for q, c in zip(qualities[i, j], confidences[i, j], strict=True) if c > 97
            )
            half, below, expected = sum(w for _, w in kept) / 2, 0.0, float("nan")
            for quality, weight in kept:
                below += weight
                if below >= half:
                    expected = quality
                    break
            assert got[i, j] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(("length", "first"), [(64, 0), (65, 0), (100, 3), (512, 7), (40, 0)])
def test_windows_lie_on_one_grid_and_reach_the_end(length: int, first: int) -> None:
    starts = local.window_starts(length, first, 32)
    assert (starts % 8 == first % 8).all()
    assert (np.diff(starts) > 0).all()
    if length >= 72 + first:
        assert starts[-1] + 64 <= length < starts[-1] + 72


def test_per_pixel_and_nearest_against_loops() -> None:
    values = np.array([[1.0, 2.0], [np.nan, 4.0]])
    found = Regions(np.array([0, 4]), np.array([0, 4]), 8, values, values, values > 3, "nats")
    mean, near = found.per_pixel(values, 12, 12), found.nearest(values, 12, 12)
    for y in range(12):
        for x in range(12):
            over = [values[i, j] for i in (0, 1) for j in (0, 1) if 0 <= y - 4 * i < 8 and 0 <= x - 4 * j < 8]
            over = [v for v in over if not np.isnan(v)]
            assert mean[y, x] == pytest.approx(sum(over) / len(over) if over else np.nan, nan_ok=True)
            assert near[y, x] == pytest.approx(values[int(y >= 6), int(x >= 6)], nan_ok=True)
    assert np.array_equal(found.nearest(values, 12, 12, 4), [[1, 1, 2], [1, 1, 2], [np.nan, np.nan, 4]], True)


def test_a_large_map_is_drawn_and_told_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    starts, quality, foreign = np.arange(4) * 64, np.full((4, 4), 85.0), np.zeros((4, 4))
    quality[1, 2], foreign[1, 2] = 40.0, 99.0
    found = Regions(starts, starts, 64, quality, foreign, foreign > 0, "nats", 85.0)
    monkeypatch.setattr(local, "MOST_DRAWN", 256 * 256 // 16)
    assert local.drawn_step(256, 256) == 4
    assert found.told(256, 256).endswith("1 region unlike it (about 40) at x 128..191, y 64..127")


def test_what_is_told_of_a_map() -> None:
    starts, quality, foreign = np.arange(4) * 64, np.full((4, 4), 85.0), np.zeros((4, 4))
    nothing = np.zeros((4, 4), bool)
    plain = Regions(starts, starts, 64, quality, foreign, nothing, "nats", 85.0)
    assert plain.told(256, 256) == "main part 85, no regions unlike it"
    foreign[1, 2], quality[1, 2] = 100.0, 60.0
    foreign[3, 0], quality[3, 0] = 30.0, np.nan
    two = Regions(starts, starts, 64, quality, foreign, nothing, "nats", 85.0)
    parts = "(about 60) at x 128..191, y 64..127; (unknown) at x 0..63, y 192..255"
    assert two.told(256, 256) == f"main part 85, 2 regions unlike it {parts}"
    assert two.unlike(256, 256).sum() == 2 * 64 * 64
    everywhere = Regions(starts, starts, 64, quality, foreign + 99, nothing, "nats", 85.0)
    assert not everywhere.unlike(256, 256).any()


@pytest.mark.parametrize(("spread", "marked"), [(4.0, 0), (6.0, 1), (30.0, 1)])
def test_by_the_network_half_the_range_is_unlike(spread: float, marked: int) -> None:
    """At least five qualities, and half of what lies between the lowest and the highest region."""
    starts, quality = np.arange(3) * 64, np.full((3, 3), 80.0)
    quality[1, 1] -= spread
    quality[0, 0] -= 0.4 * spread
    found = Regions(starts, starts, 64, quality, 80.0 - quality, quality < 0, "difference of qualities", 80.0)
    assert found.unlike(192, 192).sum() == marked * 64 * 64


@needs_weights
def test_the_flag_says_what_was_found(call: Call, tmp_path: Path, photograph: np.ndarray) -> None:
    Image.fromarray(composite(photograph, 85, 55)).save(tmp_path / "x.png")
    out = tmp_path / "map.png"
    done = call(PREDICT, "--in_path", tmp_path / "x.png", "--comp_type", "jpeg_lattice", "--map", out)
    assert (done.code, done.err) == (0, "")
    assert done.lines[-1].startswith(f"{out}: main part 85, 1 region unlike it (about 55) at x ")


@pytest.mark.slow
@needs_weights
def test_the_flag(call: Call, tmp_path: Path, photograph: np.ndarray) -> None:
    Image.fromarray(composite(photograph, 85, 55)).save(tmp_path / "x.png")
    for comp_type in ("auto", "jpeg_paper"):
        out = tmp_path / f"{comp_type}.png"
        done = call(PREDICT, "--in_path", tmp_path / "x.png", "--comp_type", comp_type, "--map", out, "--json")
        assert (done.code, len(done.lines)) == (0, 1)
        json.loads(done.out)
        assert done.err.startswith(f"{out}: main part ")
        drawn = np.asarray(Image.open(out).convert("RGB"))
        assert min(drawn.shape[:2]) > 300
        assert drawn.std() > 10
    call(PREDICT, "--in_path", tmp_path, "--map", tmp_path / "y.png").fails(2, "--map takes one picture")
    call(PREDICT, "--in_path", tmp_path / "x.png", "--map", tmp_path).fails(2, "is a folder; give the name of a file")
    header = call(PREDICT, "--in_path", tmp_path / "x.png", "--comp_type", "jpeg_header", "--map", tmp_path / "y.png")
    header.fails(2, "--map is drawn by auto, jpeg_lattice or a network of patches, not by jpeg_header")
    assert not (tmp_path / "y.png").exists()


@pytest.mark.fast(1)
@needs_weights
@pytest.mark.parametrize("size", [(24, 24), (24, 300), (70, 66)])
def test_small_pictures(tmp_path: Path, photograph: np.ndarray, size: tuple[int, int]) -> None:
    picture = jpeg.compress(np.ascontiguousarray(photograph[: size[0], : size[1]]), 30)
    for comp_type in ("auto", "jpeg_paper"):
        found = local.regions(picture, Asked(comp_type))
        assert found.quality.shape == (len(found.rows), len(found.columns)) == found.foreign.shape
        local.draw(picture, found, tmp_path / "x.png", "x")
        assert (tmp_path / "x.png").stat().st_size > 1000
