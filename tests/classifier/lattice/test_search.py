"""From a reading to a verdict: the rules on made scores, and on small parts of several photographs."""

from dataclasses import replace

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import chroma, grid, score, search
from q1net_msroi.classifier.lattice.score import Reading, Scores
from q1net_msroi.utils import jpeg
from tests.golden import pictures


@pytest.fixture(scope="module")
def reading() -> Reading:
    """Any reading, to be given other scores."""
    return score.read(pictures.photographs()["rocket"][:32, :32], (0, 0))


def scored(reading: Reading, nats: np.ndarray, used: int = 500) -> Reading:
    return replace(reading, scores=replace(reading.scores, nats=nats, used=used))


def ramp(best: int, top: float = 100.0, slope: float = 1.0) -> np.ndarray:
    """Nats that fall by `slope` a quality from `best` on, both ways."""
    return top - slope * np.abs(np.arange(1, 101.0) - best)


@pytest.mark.parametrize(
    ("used", "nats", "never"), [(200, -58.0, False), (200, -62.0, True), (99, -900.0, False), (100, -31.0, True)]
)
def test_never_needs_many_blocks_that_deny_every_lattice(reading: Reading, used: int, nats: float, never: bool) -> None:
    assert search.says_never(scored(reading, ramp(50, nats), used)) is never


def test_a_tie_set_is_what_lies_within_five_nats(reading: Reading) -> None:
    assert search.tied(scored(reading, ramp(60, slope=2.0)).scores) == (58, 59, 60, 61, 62)


@pytest.mark.parametrize(
    ("ties", "answer"),
    [
        (range(40, 52), True),
        (range(40, 53), False),  # more than a dozen
        ((30, 70), True),
        ((30, 71), False),  # too far apart
    ],
)
def test_long_tie_sets_are_no_answer(ties: range | tuple[int, ...], answer: bool) -> None:
    assert search.is_answer(tuple(ties)) is answer


@pytest.mark.parametrize(("ahead", "quality"), [(0.4, 75), (0.6, 76)])
def test_a_round_number_needs_less(reading: Reading, ahead: float, quality: int) -> None:
    nats = np.zeros(100)
    nats[74:76] = 50, 50 + ahead
    assert search.likeliest(scored(reading, nats).scores) == quality


def test_qualities_whose_steps_are_as_fine_as_noise_never_win(reading: Reading) -> None:
    nats = ramp(99, slope=1.0)
    strong = search.strong_only(scored(reading, nats)).scores.nats
    assert strong.argmax() + 1 == 94
    np.testing.assert_array_equal(strong[:94], nats[:94])
    assert (strong[94:] <= strong[:94].min()).all()


def colour(best: int, top: float) -> chroma.Chroma:
    return chroma.Chroma(ramp(best, top, 3.0), chroma.WAYS[0], (0, 0), np.zeros((64, 255)), np.zeros((64, 9)), 100)


def test_chroma_decides_only_among_what_luma_leaves(reading: Reading) -> None:
    luma: Scores = scored(reading, ramp(60)).scores
    both = search.with_chroma(luma, colour(66, 200))
    assert both.nats.argmax() + 1 == 66
    assert search.with_chroma(luma, colour(90, 200)).nats.argmax() + 1 == 74  # 90 is 30 nats behind
    far = np.abs(np.arange(1, 101) - 60) >= 15
    assert both.nats[far].max() <= luma.nats.max() - 30
    assert search.with_chroma(luma, colour(66, 14)) is luma  # no lattice in chroma
    assert search.with_chroma(luma, None) is luma


def test_what_is_denied_never_wins(reading: Reading) -> None:
    allowed = np.arange(1, 101) >= 70
    left = search.without(scored(reading, ramp(60)).scores, allowed)
    assert left.nats.argmax() + 1 == 70
    assert search.tied(left) == (70, 71, 72, 73, 74, 75)
    assert np.isneginf(left.nats[:69]).all()


def noisy(name: str, side: int, quality: int) -> np.ndarray:
    """A small JPEG with noise of one grey level."""
    pixels = np.ascontiguousarray(pictures.photographs()[name][:side, :side])
    decoded = jpeg.compress(pixels, quality).astype(int)
    return np.clip(decoded + np.random.default_rng(0).integers(-1, 2, decoded.shape), 0, 255).astype(np.uint8)


def test_changed_pixels_need_sixty_nats() -> None:
    """Noise of one grey level over small JPEGs: what an inexact lattice gains by chance is not believed."""
    tempting = believed = 0
    for name in ("astronaut", "coffee", "rocket"):
        for side, quality in ((24, 50), (32, 20), (32, 50), (96, 40)):
            found = search.find(noisy(name, side, quality))
            assert found.noise == "exact"
            others = [search.strong_only(score.with_noise(found, kind)).nats for kind in ("blurred", "noisy", "coarse")]
            other = search.inexact(found)
            assert (other is not None) is (max(others) > max(60, found.nats))
            if other is not None:
                believed += 1
                assert other.nats == max(others)
                assert other.noise == ("blurred", "noisy", "coarse")[int(np.argmax(others))]
            tempting += 20 < max(others) < 60
    assert tempting >= 5
    assert believed >= 2


@pytest.mark.parametrize("quality", [20, 60, 88, 92])
def test_a_glance_denies_photographs_that_never_were_compressed_not_changed_ones(quality: int) -> None:
    """The other kinds of noise are asked about what may be a changed JPEG alone."""
    photograph = np.ascontiguousarray(pictures.photographs()["astronaut"][:256, :256])
    never = score.read(photograph, (0, 0))
    assert search._denied_at_a_glance(never)
    assert search.inexact(never) is None
    changed = score.read(noisy("astronaut", 256, quality), (0, 0))
    assert not search._denied_at_a_glance(changed)


def test_changed_pixels_need_more_than_an_exact_lattice_says(monkeypatch: pytest.MonkeyPatch, reading: Reading) -> None:
    monkeypatch.setattr(
        search.score, "with_noise", lambda found, noise: replace(scored(found, ramp(50, 90)), noise=noise)
    )
    other = search.inexact(scored(reading, ramp(50, 89)))
    assert other is not None
    assert (other.noise, other.nats) == ("blurred", 90)
    assert search.inexact(scored(reading, ramp(50, 91))) is None


def test_an_inexact_lattice_is_never_a_fine_one(reading: Reading) -> None:
    found = search.inexact(reading)
    assert found is None or found.scores.best <= 94


@pytest.mark.parametrize(("nats", "free", "fits", "searched"), [
    (1001.0, 0.0, False, False),
    (999.0, 0.0, False, True),
    (50.0, 1001.0, True, False),  # tables that are not standard
    (50.0, 1001.0, False, True),
    (50.0, 999.0, True, True),
])  # fmt: skip
def test_no_other_grid_is_looked_for_where_one_is_sure(
    monkeypatch: pytest.MonkeyPatch, reading: Reading, nats: float, free: float, fits: bool, searched: bool
) -> None:
    first, second = scored(reading, ramp(50, nats)), scored(reading, ramp(70, 2000.0))
    monkeypatch.setattr(search.score, "read", lambda *_: first)
    monkeypatch.setattr(search.tables, "free_nats", lambda _: free)
    monkeypatch.setattr(search.tables, "others", lambda *_: "tables" if fits else None)
    monkeypatch.setattr(search.grid, "find_phase", lambda *_: second)
    assert search.find(np.zeros((32, 32, 3), np.uint8)) is (second if searched else first)


@pytest.mark.parametrize(("nats", "seen"), [(-10.0, False), (1.0, False), (3.0, True)])
def test_visible_edges_alone_name_no_quality(
    monkeypatch: pytest.MonkeyPatch, reading: Reading, nats: float, seen: bool
) -> None:
    weak = scored(reading, ramp(30, nats))
    monkeypatch.setattr(search.score, "read", lambda *_: weak)
    monkeypatch.setattr(search.tables, "others", lambda *_: None)
    monkeypatch.setattr(search.grid, "find_phase", lambda *_: weak)
    monkeypatch.setattr(search.grid, "block_edges", lambda _: grid.BlockEdges((0, 0), 9.0))
    assert search.find(np.zeros((32, 32, 3), np.uint8)).grid_seen is seen


@pytest.mark.parametrize(("used", "drawn"), [(39, True), (40, False)])
def test_a_drawing_has_few_blocks_that_differ(reading: Reading, used: int, drawn: bool) -> None:
    assert search.is_drawn(scored(reading, ramp(50), used), 100) is drawn


@pytest.mark.parametrize(
    ("used", "nats", "points", "clipped", "proved"),
    [
        (40, 1.0, 0, 0, True),  # no drawing
        (39, 1.0, 0, 0, False),
        (19, 31.0, 4, 0, True),
        (19, 29.0, 4, 0, False),
        (19, 31.0, 4, 1, True),
        (19, 900.0, 3, 0, False),  # too few coefficients, whatever they gain,
        (19, 29.0, 3, 1, False),
        (19, 31.0, 3, 1, True),  # but for those of clipped blocks, which are not counted
    ],
)
def test_what_proves_a_lattice_in_a_drawing(
    reading: Reading, used: int, nats: float, points: int, clipped: int, proved: bool
) -> None:
    """The nats are those handed over, be it of a standard table or of free steps, not those of the reading."""
    said = replace(scored(reading, ramp(50, 1000 - nats), used), clipped=clipped)
    assert search.proves(said, 100, nats, points) is proved
    assert search.proves(replace(said, grid_seen=True), 100, nats, points)  # edges of blocks prove it


@pytest.mark.parametrize(("nats", "proved"), [(199.0, False), (201.0, True)])
def test_clipped_blocks_alone_prove_more_slowly_on_another_grid(reading: Reading, nats: float, proved: bool) -> None:
    said = replace(scored(reading, ramp(50, 1000 - nats), 19), clipped=1, phase=(0, 3))
    assert search.proves(said, 100, nats, 0) is proved


@pytest.mark.parametrize("quality", [20, 60, 90])
def test_coefficients_beyond_zero_against_a_loop(quality: int) -> None:
    """Those of textured blocks and of lines, DC left out, rounded to eighths."""
    pixels = jpeg.compress(np.ascontiguousarray(np.clip(pictures.photographs()["coffee"][:48, :48], 100, 150)), quality)
    pixels = pixels.copy()
    pixels[:8] = np.arange(60, 108, dtype=np.uint8)[None, :, None]  # lines, the same ramp at other heights
    read = score.read(pixels, (0, 0))
    table = jpeg.standard_tables()[read.scores.best - 1, 0].ravel()
    matrix, expected, lines = jpeg.dct_matrix().astype(float), 0, set()
    for y in range(0, 48, 8):
        for x in range(0, 48, 8):
            block = search.blocks.luma(pixels[y : y + 8, x : x + 8]).astype(float)
            down, across = (block == block[:, :1]).all(), (block == block[:1]).all()
            if down and across:
                continue
            if down or across:
                line = (down, *(block[:, 0] if down else block[0]))
                if line in lines:
                    continue
                lines.add(line)
            coefficients = np.floor(np.abs(matrix @ block @ matrix.T) * 8 + 0.5).ravel() / 8
            expected += int((2 * coefficients > table)[1:].sum())
    assert len(lines) > 1
    assert search.beyond_zero(read) == expected >= 18
