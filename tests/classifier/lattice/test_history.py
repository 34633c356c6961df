"""An earlier compression: two stories of one grid and periods of the others, against loops; pairs, singles, repeats."""

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.lattice import blocks, fit, grid, history, prior, score, tables
from q1net_msroi.classifier.lattice.noise import RESOLUTION
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg
from tests.golden import pictures


def standard(quality: int) -> np.ndarray:
    return jpeg.standard_tables()[quality - 1, 0].ravel()


def stored(content: bytes, folder: Path) -> np.ndarray:
    path = folder / "stored.jpg"
    path.write_bytes(content)
    found = jpeg.luma_coefficients(path, LATTICE.most_stored)
    assert found is not None
    return found


def from_file(content: bytes, folder: Path, below: int = 101) -> history.First | None:
    """What a file's coefficients tell of a compression on its own grid, of a quality below `below`."""
    last = jpeg.quantization_tables(content)[0].ravel()
    number = history.stored_points(stored(content, folder), history.reach(last))
    return history.Aligned(number, last).first(below)


def from_pixels(pixels: np.ndarray) -> tables.Standard:
    """What a decoder's own pixels tell."""
    reading = score.read(pixels, (0, 0))
    found = tables.standard(reading, fit.Residuals(reading.counts.textured))
    assert found is not None
    return found


PAIRS = [(45, 50), (70, 75), (85, 90), (60, 68), (80, 88), (87, 95), (30, 50), (70, 90), (20, 80), (35, 95), (15, 75)]


@pytest.mark.parametrize(("first", "last"), PAIRS)
def test_two_compressions_on_one_grid(photograph: np.ndarray, tmp_path: Path, first: int, last: int) -> None:
    """Qualities 5, 8, 20 and 60 apart, told from the file and from the pixels alone."""
    content = jpeg.encode(jpeg.compress(photograph, first), last)
    seen = from_pixels(jpeg.decode(content))
    assert (seen.quality, seen.partly) == (last, False)
    for found in (from_file(content, tmp_path, last - 4), seen.first):
        assert found is not None
        assert (found.quality, found.tie_set, found.phase) == (first, (first,), (0, 0))
        assert found.share > 0.3


@pytest.mark.parametrize("quality", range(3, 101, 7))
@pytest.mark.parametrize("near", [False, True])
def test_one_compression_tells_of_no_other(photograph: np.ndarray, tmp_path: Path, quality: int, near: bool) -> None:
    """With standard tables, and with ones of which every fifth step is off by one."""
    off = np.random.default_rng(quality).choice([-1, 0, 1], 64, p=[0.1, 0.8, 0.1]) if near else 0
    table = np.clip(standard(quality) + off, 1, 255).tolist()
    content = pictures.saved(photograph, qtables=[table, table], subsampling="4:2:0").file
    assert content is not None
    assert from_file(content, tmp_path) is None  # not even of a higher quality
    if not near:
        seen = from_pixels(jpeg.decode(content))
        assert (seen.quality, seen.first, seen.partly) == (quality, None, False)


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95])
def test_twice_the_same_quality_is_once(photograph: np.ndarray, tmp_path: Path, quality: int) -> None:
    content = jpeg.encode(jpeg.compress(photograph, quality), quality)
    assert from_file(content, tmp_path, quality) is None
    assert from_pixels(jpeg.decode(content)).first is None


@pytest.mark.parametrize(("first", "last"), [(90, 50), (75, 30), (95, 80)])
def test_a_weaker_compression_before_leaves_no_trace(
    photograph: np.ndarray, tmp_path: Path, first: int, last: int
) -> None:
    content = jpeg.encode(jpeg.compress(photograph, first), last)
    assert from_file(content, tmp_path) is None
    seen = from_pixels(jpeg.decode(content))
    assert (seen.quality, seen.first) == (last, None)


def test_only_qualities_below_are_told(photograph: np.ndarray, tmp_path: Path) -> None:
    content = jpeg.encode(jpeg.compress(photograph, 70), 90)
    found = from_file(content, tmp_path, 71)
    assert found is not None
    assert found.quality == 70
    other = from_file(content, tmp_path, 70)
    assert other is None or other.quality < 70
    for below in (1, 0, -3):
        assert from_file(content, tmp_path, below) is None


def test_what_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty nats and a fifth of what any story could gain."""
    told = history.Aligned(np.zeros((64, 33)), np.full(64, 16))
    for gain, share, believed in ((60, 0.2, True), (59.9, 0.9, False), (900, 0.199, False)):
        first = history.First(40, (2, 3), gain, share)
        monkeypatch.setattr(history.Aligned, "likeliest", lambda *_, first=first: first)
        assert (told.first(50, (2, 3)) is first) is believed


@pytest.mark.parametrize(("entries", "believed"), [(2, False), (3, True)])
def test_three_entries_must_speak_for_two(entries: int, believed: bool) -> None:
    """Quality 20 before 80 in a few entries; the others are empty."""
    number = np.zeros((64, 33))
    for row in range(1, 1 + entries):
        points = np.rint(np.arange(4) * standard(20)[row] / standard(80)[row]).astype(int)
        number[row, points] = 400, 300, 100, 30
    first = history.Aligned(number, standard(80)).likeliest(76)
    assert (first is not None) is believed


def tail(component: int, x: float) -> float:
    """What a component of the prior has above x, of both signs."""
    if component < len(LATTICE.laplacian_scales):
        return math.exp(-x / LATTICE.laplacian_scales[component])
    return math.erfc(x / LATTICE.normal_sigmas[component - len(LATTICE.laplacian_scales)] / math.sqrt(2))


COMPONENTS = len(LATTICE.laplacian_scales) + len(LATTICE.normal_sigmas)


def cell(component: int, step: int, k: int) -> float:
    """What a component puts next to the points k and -k of a lattice."""
    return (1 if k == 0 else tail(component, (k - 0.5) * step)) - tail(component, (k + 0.5) * step)


@pytest.mark.parametrize(("third", "entries"), [((9, 1, 0, 0), 2), ((1500, 900, 450, 150), 3)])
def test_an_entry_must_gain_three_nats_to_speak(third: tuple[int, ...], entries: int) -> None:
    """Of three entries one, with a single coefficient beyond zero, gains something, but less."""
    number = np.zeros((64, 33))
    for row, numbers in ((1, (1500, 900, 450, 150)), (2, (1500, 900, 450, 150)), (3, third)):
        number[row, np.rint(np.arange(4) * standard(20)[row] / standard(80)[row]).astype(int)] = numbers
    three, two = (
        history.Aligned(kept, standard(80))._gains(standard(20)[None], 64, LATTICE.fit_rounds)[:, 0]
        for kept in (number, number * (np.arange(64) < 3)[:, None])
    )
    assert three[0] > two[0]
    assert (two[2], three[2]) == (2, entries)


@pytest.mark.parametrize("last", [1, 2, 3, 16, 61])
def test_the_mass_of_one_story_against_a_loop(last: int) -> None:
    expected = [[cell(j, last, k) for k in range(33)] for j in range(COMPONENTS)]
    np.testing.assert_allclose(history.mass(last), expected, atol=1e-5)


@pytest.mark.parametrize(("last", "first"), [(2, 3), (2, 7), (3, 4), (5, 12), (10, 15), (16, 17), (40, 99)])
def test_the_mass_of_two_stories_against_a_loop(last: int, first: int) -> None:
    """Every point of the first lattice is rounded to points of the last, pixels between having been rounded too.

    From zero as many get to -k as to k, and both count as |k|.
    """

    def below(x: float) -> float:
        return (1 + math.erf(x / LATTICE.pixel_sigma / math.sqrt(2))) / 2

    expected = np.zeros((COMPONENTS, 33))
    for j in range(COMPONENTS):
        for m in range(33 * last // first + 3):
            mass = cell(j, first, m)
            for k in range(33):
                reached = below((k + 0.5) * last - m * first) - below((k - 0.5) * last - m * first)
                expected[j, k] += mass * reached * (2 if k > m == 0 else 1)
    np.testing.assert_allclose(history.mass(last, first), expected, atol=0.01)  # the logistic function is as near


def test_both_stories_of_equal_lattices_are_one() -> None:
    np.testing.assert_allclose(history.mass(12, 12), history.mass(12), atol=1e-5)


def obvious_fit(numbers: np.ndarray, masses: np.ndarray, rounds: int) -> float:
    """Expectation-maximisation of one entry and the log-likelihood of its numbers."""
    weights = [1 / len(masses)] * len(masses)
    for _ in range(rounds):
        shares = []
        for j in range(len(masses)):
            total = LATTICE.component_hint
            for k, count in enumerate(numbers):
                if count:
                    density = sum(w * masses[i][k] for i, w in enumerate(weights))
                    total += count * weights[j] * masses[j][k] / (density + 1e-12)
            shares.append(total)
        weights = [share / sum(shares) for share in shares]
    density = [sum(w * masses[i][k] for i, w in enumerate(weights)) + 1e-12 for k in range(len(numbers))]
    return sum(n * math.log(d / sum(density)) for n, d in zip(numbers, density, strict=True) if n)


@pytest.mark.parametrize("most", [2, 64])
def test_the_gains_against_a_loop(most: int) -> None:
    """Of entries whose first step is larger than the last; DC, unknown and empty ones say nothing."""
    random = np.random.default_rng(3)
    last = np.zeros(64, int)
    last[:6] = 5, 5, 6, 7, 90, 0
    number = np.zeros((64, 33))
    number[:7, :12] = random.poisson(np.linspace(60, 1, 12), (7, 12))
    number[1, 1:12:2] = 0  # as a first lattice twice as wide leaves it
    number[3] = 0
    number[3, 0] = 50  # only zeros
    told = history.Aligned(number, last)
    qualities = np.array([20, 55, 95])
    found = told._gains(np.stack([standard(quality) for quality in qualities.tolist()]), most, 7)
    rows = sorted((1, 2, 4), key=lambda row: -number[row, 1:].sum())[:most]
    for place, quality in enumerate(qualities):
        gain = missing = entries = 0.0
        for row in rows:
            step = int(standard(quality)[row])
            if step <= last[row]:
                continue
            own = history.mass(int(last[row])).astype(float)
            both = (1 - LATTICE.pair_outliers) * history.mass(int(last[row]), step) + LATTICE.pair_outliers * own
            alone = obvious_fit(number[row], own, LATTICE.fit_rounds)
            ahead = obvious_fit(number[row], both, 7) - alone
            best = sum(n * math.log(n / number[row].sum()) for n in number[row] if n)
            gain, missing = gain + ahead, missing + best - alone - (number[row] > 0).sum() / 2
            entries += ahead > LATTICE.entry_gain
        np.testing.assert_allclose(found[:, place], (gain, missing, entries), atol=0.02, rtol=1e-3)
    assert found[0, 0] != 0
    assert found[:, 2].tolist() == [0, 0, 0]  # finer than the last


@pytest.mark.parametrize(
    ("known", "reach"), [((1, 4, 90), 32), ((4, 3, 90), 128), ((3, 4, 0), 32), ((4, 1, 0), 128), ((1, 0, 0), 32)]
)
def test_more_points_are_counted_of_fine_steps(known: tuple[int, int, int], reach: int) -> None:
    """Of AC steps below 4; 0 is an unknown step."""
    steps = np.zeros(64, int)
    steps[[0, 9, 63]] = known
    assert history.reach(steps) == reach


@pytest.mark.parametrize(("finest", "most"), [(4, 32), (1, 128)])
def test_points_against_a_loop(finest: int, most: int) -> None:
    random = np.random.default_rng(8)
    steps = random.integers(finest, 60, 64)
    steps[5] = 0  # not known: anything
    steps[8] = finest
    values = random.laplace(0, 30, (40, 64)).astype(np.float32)
    values[:8] = steps * np.arange(8)[:, None]
    values[8:12] = (np.arange(4)[:, None] + 0.5) * steps  # half way: to the lower point
    values[:, 0] = 0  # DC is not looked at
    expected = np.zeros((64, most + 1))
    for frequency in range(64):
        for value in values[:, frequency]:
            rounded = math.floor(abs(value) * RESOLUTION + 0.5) / RESOLUTION
            k = math.ceil(rounded / max(steps[frequency], 1) - 0.5)
            if k <= most:
                expected[frequency, k] += 1
    np.testing.assert_array_equal(history.points(blocks.count(values), steps), expected)


def test_points_of_steps_beyond_eight_bits() -> None:
    counts = blocks.count(np.random.default_rng(1).laplace(0, 300, (50, 64)).astype(np.float32))
    number = history.points(counts, np.full(64, 65535))
    assert (number[:, 0] == 50).all()
    assert not number[:, 1:].any()


@pytest.mark.parametrize("most", [32, 128])
def test_stored_points_against_a_loop(most: int) -> None:
    """Equal blocks count once, values beyond the last point not at all."""
    random = np.random.default_rng(9)
    some = np.rint(random.laplace(0, most / 3, (30, 64))).astype(np.int16)
    some[3, 7], some[4, 7] = -32768, 32767
    repeated = np.concatenate([some, some[:10], np.zeros((50, 64), np.int16)])
    expected = np.zeros((64, most + 1))
    for block in {tuple(block.tolist()) for block in repeated}:
        for frequency, k in enumerate(block):
            if abs(k) <= most:
                expected[frequency, abs(k)] += 1
    found = history.stored_points(repeated, most)
    np.testing.assert_array_equal(found, expected)
    assert found[7].sum() < 31
    np.testing.assert_array_equal(history.stored_points(repeated[:, ::-1], most)[::-1], expected)  # in any layout


def test_a_file_and_its_pixels_tell_the_same_points(photograph: np.ndarray, tmp_path: Path) -> None:
    """But for blocks that are constant along a side; none is clipped here."""
    content = jpeg.encode((40 + photograph[:296, :448] * 0.6).astype(np.uint8), 75)
    coefficients = stored(content, tmp_path).reshape(-1, 8, 8)
    textured = coefficients[:, 1:].any((1, 2)) & coefficients[:, :, 1:].any((1, 2))
    kept = history.stored_points(coefficients[textured].reshape(-1, 64))
    seen = history.points(score.read(jpeg.decode(content), (0, 0)).counts.textured, standard(75))
    assert np.abs(seen - kept)[1:].sum() < 0.001 * kept[1:].sum()


SHIFTED = [((3, 5), 40, 75), ((4, 4), 60, 90), ((7, 1), 25, 60)]


@pytest.mark.parametrize(("offset", "first", "last"), SHIFTED)
def test_an_earlier_compression_on_another_grid(
    photograph: np.ndarray, offset: tuple[int, int], first: int, last: int
) -> None:
    cropped = jpeg.compress(photograph, first)[offset[0] :, offset[1] :]
    pixels = jpeg.compress(np.ascontiguousarray(cropped), last)
    found = history.shifted(pixels, (0, 0), last - 4)
    assert found is not None
    assert found.phase == (-offset[0] % 8, -offset[1] % 8)
    assert found.quality == pytest.approx(first, abs=2)
    assert found.gain > LATTICE.period_presence
    assert 0 < found.share < 1


@pytest.mark.parametrize("quality", [8, 29, 50, 71, 92])
def test_one_compression_has_no_period_on_other_grids(photograph: np.ndarray, quality: int) -> None:
    assert history.shifted(jpeg.compress(photograph, quality), (0, 0), quality - 4) is None
    cropped = np.ascontiguousarray(jpeg.compress(photograph, quality)[2:, 5:])
    assert history.shifted(cropped, (6, 3), quality - 4) is None


@pytest.mark.parametrize(
    ("phase", "glance", "gain", "next_one", "believed"),
    [
        ((3, 5), 4.0, 8.9, 1.0, False),
        ((3, 5), 4.0, 9.0, 1.0, True),
        ((3, 5), 3.9, 90.0, 1.0, False),  # not worth a second look
        ((3, 5), 4.0, 14.9, 10.0, False),
        ((3, 5), 4.0, 15.0, 10.0, True),
        ((1, 5), 4.0, 24.9, 1.0, False),
        ((1, 5), 4.0, 25.0, 1.0, True),
        ((3, 2), 4.0, 24.9, 1.0, False),
    ],
)
def test_a_grid_that_shares_edges_must_stand_out_more(
    monkeypatch: pytest.MonkeyPatch, phase: tuple[int, int], glance: float, gain: float, next_one: float, believed: bool
) -> None:
    """And any half as far again as the next one."""
    first = history.First(40, phase, gain, 0.3)
    looks = iter([(history.First(39, (7, 7), glance, 0.3), 0.0), (first, next_one)])
    monkeypatch.setattr(history, "standing_out", lambda *_: next(looks))
    assert (history.shifted(np.zeros((64, 64, 3), np.uint8), (1, 2), 60) is first) is believed


def obvious_periods(pixels: np.ndarray, own: tuple[int, int], below: int) -> dict[tuple[int, int, int], float]:
    """By how many standard errors the lattice of each grid (y, x) and quality stands out from the other grids'."""
    luma = blocks.luma(pixels).astype(float)
    rows, columns = ((side - 7) // 8 for side in pixels.shape[:2])  # 8 blocks and the 7 pixels of shifted ones
    corners = [(8 * y, 8 * x) for y in range(rows) for x in range(columns)]
    places = [(y, x) for y, x in corners if np.ptp(pixels[y : y + 8 : 2, x : x + 8 : 2, 1]) > LATTICE.textured_range]
    windows = {luma[y : y + 15, x : x + 15].tobytes(): luma[y : y + 15, x : x + 15] for y, x in places}
    matrix = jpeg.dct_matrix().astype(float)
    errors = np.zeros((64, below - 1))
    for place in range(64):
        y, x = divmod(place, 8)
        made = np.array([(matrix @ w[y : y + 8, x : x + 8] @ matrix.T).ravel() for w in windows.values()])
        values = np.floor(np.abs(made) * RESOLUTION + 0.5) / RESOLUTION
        for quality in range(1, below):
            total = number = 0.0
            for frequency in grid.zigzag()[:20]:
                step = int(standard(quality)[frequency])
                column = values[:, frequency]
                beyond = column[(column > step / 2) & (column <= 64)]
                total += np.cos(2 * np.pi * beyond / step).sum()
                number += len(beyond)
            errors[place, quality - 1] = total / math.sqrt(max(number, 30) / 2)
    others = [place for place in range(64) if divmod(place, 8) != own]
    ahead = {}
    for quality in range(1, below):
        column = errors[others, quality - 1]
        middle = np.median(column)
        deviation = max(1.4826 * np.median(np.abs(column - middle)), 1)
        for place, value in zip(others, column, strict=True):
            ahead[(*divmod(place, 8), quality)] = (value - middle) / deviation
    return ahead


def test_what_stands_out_against_a_loop(photograph: np.ndarray) -> None:
    cropped = jpeg.compress(photograph[100:200, 100:232], 45)[3:, 6:]
    pixels = jpeg.compress(np.ascontiguousarray(cropped), 80).copy()
    pixels[16:48, 16:48] = 90  # flat: not looked at
    pixels[48:80, :40] = pixels[48:80, 40:80]  # repeated: looked at once
    expected = obvious_periods(pixels, (0, 0), 50)
    found, next_one = history.standing_out(pixels, (0, 0), 50, LATTICE.period_windows, 20)
    best = max(expected, key=lambda key: expected[key])
    assert (*found.phase, found.quality) == best
    assert found.phase == (5, 2)
    others = [value for key, value in expected.items() if key[2] == best[2] and key != best]
    assert next_one == pytest.approx(max(others), rel=1e-3)
    assert found.gain == pytest.approx(expected[best], rel=1e-3)


def test_how_far_made_periods_stand_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """All grids have the same coefficients, but one has them 30 and another 19 standard errors more on a lattice."""
    histograms = np.zeros((64, 5, history.PERIOD_REACH * RESOLUTION + 1), np.float32)
    step, number = int(standard(40)[grid.zigzag()[0]]), 4000
    histograms[:, 0, 2 * step * RESOLUTION + step * RESOLUTION // 4] = number  # a cosine of 0
    for place, errors in ((29, 30), (50, 19)):
        moved = round(errors * math.sqrt(number / 2))
        histograms[place, 0, 2 * step * RESOLUTION + step * RESOLUTION // 4] -= moved
        histograms[place, 0, 2 * step * RESOLUTION] += moved  # a cosine of 1
    monkeypatch.setattr(history, "_phase_histograms", lambda *_: histograms)
    monkeypatch.setattr(history.likelihood, "steps_of_quality", lambda: np.tile(standard(40) - 1, (100, 1)))
    for own, phase, gains in (((0, 0), (3, 5), (30, 19)), ((3, 5), (6, 2), (19, 0))):
        first, next_one = history.standing_out(np.zeros((64, 64, 3), np.uint8), own, 2, 100, 5)
        assert (first.phase, first.quality) == (phase, 1)
        assert (first.gain, next_one) == (pytest.approx(gains[0], rel=0.02), pytest.approx(gains[1], rel=0.02))
        assert first.share == pytest.approx(gains[0] / math.sqrt(2 * number), rel=0.02)


@pytest.mark.parametrize(
    ("height", "width", "value"), [(64, 64, 117), (64, 64, 0), (64, 64, 255), (8, 8, 90), (29, 300, 90), (1, 1, 5)]
)
def test_pictures_that_say_nothing(tmp_path: Path, height: int, width: int, value: int) -> None:
    pixels = np.full((height, width, 3), value, np.uint8)
    assert history.shifted(pixels, (0, 0), 60) is None
    assert from_file(jpeg.encode(pixels, 80), tmp_path) is None
    counts = score.read(pixels, (0, 0)).counts.textured
    assert history.Aligned(history.points(counts, standard(80)), standard(80)).first(76) is None


def test_little_pictures(photograph: np.ndarray, tmp_path: Path) -> None:
    """One block, a few, and a picture one row too small for other grids."""
    for height, width in ((8, 8), (16, 24), (29, 200), (30, 30)):
        pixels = np.ascontiguousarray(photograph[:height, :width])
        assert from_file(jpeg.encode(pixels, 80), tmp_path) is None
        assert history.shifted(pixels, (0, 0), 90) is None


def test_all_clipped(photograph: np.ndarray, tmp_path: Path) -> None:
    pixels = np.where(photograph > 120, np.uint8(255), np.uint8(0))
    counts = score.read(pixels, (0, 0)).counts.textured
    assert not counts.any()
    assert history.Aligned(history.points(counts, standard(80)), standard(80)).first(76) is None


@pytest.mark.parametrize("scale", [1, 16, 257])
def test_last_tables_of_sixteen_bits(photograph: np.ndarray, tmp_path: Path, scale: int) -> None:
    """Steps as large as any first one leave nothing to see; unknown steps are left out."""
    content = jpeg.encode(jpeg.compress(photograph, 40), 80)
    number = history.stored_points(stored(content, tmp_path))
    last = standard(80) * scale
    found = history.Aligned(number, last).first(76)
    assert (found is not None) == (scale == 1)
    assert history.Aligned(number, np.full(64, 65535)).first(101) is None
    assert history.Aligned(number, np.zeros(64, int)).first(101) is None
    some = np.where(np.arange(64) % 8 < 5, standard(80), 0)
    found = history.Aligned(number, some).first(76)
    assert found is not None
    assert found.quality == 40


def test_the_prior_reaches_as_far_as_the_masses_need() -> None:
    """The last tabled half unit is beyond what any component reaches visibly."""
    assert prior.half_tails(history.TAILS)[:, -1].max() < 1e-3


def test_what_one_compression_leaves_unexplained_and_blurred_pixels_explain(photograph: np.ndarray) -> None:
    """Once: hardly anything. Twice: much, most of it by the first table; if pixels were changed, by a blurred one."""
    before = jpeg.compress(photograph, 50)
    changed = np.clip(before + np.random.default_rng(0).normal(0, 1, before.shape), 0, 255).astype(np.uint8)
    told = {}
    for name, pixels in (("once", photograph), ("twice", before), ("changed", changed)):
        with tempfile.TemporaryDirectory() as folder:
            number = history.stored_points(stored(jpeg.encode(pixels, 90), Path(folder)))
        told[name] = history.Aligned(number, standard(90))
    assert told["once"].missing < 0.05
    assert told["twice"].missing > 0.5
    gain, missing = told["twice"].explained(standard(50))
    assert 0.9 < gain / missing < 1
    assert gain > told["twice"].explained(standard(50), 1.0)[0] > 0
    assert told["changed"].explained(standard(50))[0] < told["changed"].explained(standard(50), 1.0)[0]
    assert told["once"].explained(standard(50))[0] < 0
    assert history.Aligned(np.zeros((64, 33)), standard(90)).missing == 0


@pytest.mark.parametrize("scale", [0.8, 1.3])
def test_first_steps_chosen_one_by_one(photograph: np.ndarray, tmp_path: Path, scale: float) -> None:
    """A table of nobody's: nearly all steps that are told are right, and of one compression hardly any is."""
    first = np.rint(scale * (14 + 4 * np.sin(np.arange(64)))).astype(int)
    before = Image.fromarray(photograph)
    before.save(tmp_path / "first.jpg", qtables=[first.tolist()] * 2, subsampling="4:2:0")
    content = jpeg.encode(jpeg.decode((tmp_path / "first.jpg").read_bytes()), 92)
    found = history.Aligned(history.stored_points(stored(content, tmp_path)), standard(92)).free()
    assert np.count_nonzero(found) >= 12
    assert (found[found > 0] == first[found > 0]).mean() > 0.9
    once = history.stored_points(stored(jpeg.encode(photograph, 92), tmp_path))
    assert np.count_nonzero(history.Aligned(once, standard(92)).free()) <= 2
    assert not history.Aligned(np.zeros((64, 33)), standard(90)).free().any()
