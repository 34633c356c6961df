"""All kinds of blocks of one grid together, on photographs whose brightness was changed and whose areas are flat."""

import io

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.lattice import blocks, score
from q1net_msroi.utils import jpeg
from tests.golden import pictures

AC = np.arange(1, 64)


def part(name: str, side: int) -> np.ndarray:
    return np.ascontiguousarray(np.clip(pictures.photographs()[name][:side, :side], 30, 220))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat 60,100"])
def test_brightness_changed_in_a_small_picture(name: str) -> None:
    """A few hundred nats of AC are enough to see that DC does not fit: it is left out, and the quality is right."""
    decoded = np.clip(jpeg.compress(part(name, 48), 60), 0, 245)
    reading = score.read(decoded + np.uint8(10), (0, 0))
    ac = score.likelihood.sum_tables(score.table_scores(blocks.histograms(blocks.cut(decoded))).ratios[1:], AC).max()
    assert 200 < ac < 2000
    assert not reading.counts.textured[0].any()
    assert not reading.counts.flat.any()
    assert reading.scores.best == pytest.approx(60, abs=1)
    assert reading.nats > 100


@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket"])
@pytest.mark.parametrize("quality", [30, 75, 92])
def test_dc_stays_where_nothing_was_changed(name: str, quality: int) -> None:
    reading = score.read(jpeg.compress(part(name, 96), quality), (0, 0))
    assert reading.counts.textured[0].any()
    assert reading.scores.best == quality


def test_the_margin_is_to_the_next_quality() -> None:
    scores = score.read(jpeg.compress(part("coffee", 96), 70), (0, 0)).scores
    others = np.delete(scores.nats, scores.best - 1)
    assert scores.margin == pytest.approx(scores.nats[69] - others.max())


def test_a_flat_area_weighs_as_one_block() -> None:
    """A poster of one colour says no more than one of its blocks, however large."""
    flat = np.full((8, 8, 3), 117, np.uint8)
    small, large = (score.read(np.tile(flat, (n, n, 1)), (0, 0)).scores for n in (1, 9))
    np.testing.assert_allclose(small.nats, large.nats, atol=1e-4)
    assert (small.used, large.used) == (1, 1)


@pytest.mark.parametrize("turn", ["upright", "half", "quarter", "mirrored"])
@pytest.mark.parametrize("quality", [20, 50, 75, 90])
def test_a_quarter_turn_is_seen_and_turned_back(quality: int, turn: str) -> None:
    """The standard tables are not symmetric; a half turn and a mirror from left to right leave rows and columns."""
    pixels = jpeg.compress(part("coffee", 96), quality)
    made = {
        "upright": pixels,
        "half": pixels[::-1, ::-1],
        "quarter": np.rot90(pixels),
        "mirrored": pixels.swapaxes(0, 1),
    }[turn]
    reading = score.read(np.ascontiguousarray(made), (0, 0))
    assert reading.turned is (turn in ("quarter", "mirrored"))
    assert reading.scores.best == quality


@pytest.mark.parametrize(("ahead", "turned"), [(14.9, False), (15.1, True)])
@pytest.mark.parametrize("least", [-300.0, 0.0, 80.0])
def test_a_turn_needs_the_presence_of_a_lattice(ahead: float, turned: bool, least: float) -> None:
    """Turned tables must be ahead of upright ones and of none."""
    table = jpeg.standard_tables()[59, 0]
    ratios = np.full((64, 255), -1000.0)
    ratios[np.arange(64), table.T.ravel() - 1] = (max(least, 0) + ahead) / 64
    any_scores = score.read(part("coffee", 16), (0, 0)).scores
    scores = score.replace(any_scores, ratios=ratios, textured=np.full(100, least))
    assert score.is_turned(scores) is turned


def test_never_compressed_pictures_are_not_turned() -> None:
    for name in pictures.SAMPLES:
        assert not score.read(pictures.photographs()[name], (0, 0)).turned


@pytest.mark.parametrize(("step", "grey", "other"), [(6, 0, True), (7, 0, False), (7, 3, False), (7, -10, False)])
def test_dc_of_another_step_is_no_change_of_brightness(step: int, grey: int, other: bool) -> None:
    """AC of standard 77, whose DC has the step 7."""
    table = jpeg.standard_tables()[76].copy()
    table[0, 0, 0] = step
    buffer = io.BytesIO()
    Image.fromarray(part("coffee", 120)).save(
        buffer, "JPEG", qtables=table.reshape(2, 64).tolist(), subsampling="4:4:4"
    )
    pixels = np.clip(jpeg.decode(buffer.getvalue()).astype(int) + grey, 0, 255).astype(np.uint8)
    reading = score.read(pixels, (0, 0))
    assert (reading.dc is not None) == other
    assert not other or int(reading.dc.argmax()) + 1 == step
    assert reading.scores.best == 77
