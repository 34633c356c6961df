"""Standard tables, mozjpeg's and unknown ones, told from made coefficients and ratios, and on photographs."""

import math
from dataclasses import replace

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import blocks, fit, history, score, tables
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg
from tests.golden import pictures

TURNED = blocks.TRANSPOSED


def table_of(quality: int) -> np.ndarray:
    return jpeg.standard_tables()[quality - 1, 0].ravel()


def residuals(steps: np.ndarray, number: int = 300, seed: int = 0) -> fit.Residuals:
    """Of coefficients on the lattices of `steps`."""
    random = np.random.default_rng(seed)
    values = steps * random.integers(-2, 3, (number, 64)) + random.normal(0, 0.28, (number, 64))
    return fit.Residuals(blocks.count(np.clip(values, -1000, 1000).astype(np.float32)))


def reading(
    steps: np.ndarray, nats: float = 200.0, others: np.ndarray | None = None, share: float = 0.0, turned: bool = False
) -> score.Reading:
    """A reading whose steps are `nats` ahead; those of another table have a share of that."""
    ratios = np.full((64, 255), -5.0)
    if others is not None:
        ratios[np.arange(64), others - 1] = share * nats
    ratios[np.arange(64), np.minimum(steps, 255) - 1] = nats
    any_reading = score.read(pictures.photographs()["rocket"][:16, :16], (0, 0))
    return replace(any_reading, scores=replace(any_reading.scores, ratios=ratios), turned=turned)


def others(steps: np.ndarray, *arguments: float, **how: float) -> tables.Tables | None:
    return tables.others(reading(steps, **how), residuals(steps), *arguments)  # type: ignore[arg-type]


def mixed(quality: int, spread: int = 10, seed: int = 3) -> np.ndarray:
    """Tables whose every step is of another quality, up to `spread` from the one given: no standard table has many."""
    qualities = np.random.default_rng(seed).integers(quality - spread, quality + spread + 1, 64)
    return jpeg.standard_tables()[:, 0].reshape(100, 64)[qualities - 1, np.arange(64)]


def test_free_steps_and_what_denies_them_against_a_loop() -> None:
    random = np.random.default_rng(2)
    for low in (-30.0, -4.0):
        ratios = random.normal(low, 10, (64, 255))
        free, shown, denying = 0.0, 0.0, 0.0
        for frequency in range(1, 64):  # never DC
            best = max(ratios[frequency])
            free += max(best - math.log(255), 0)
            shown += max(best, 0)
            denying += min(best, 0)
        assert tables.free_nats(ratios) == pytest.approx(free)
        assert tables.untouched(ratios) == (shown + denying >= 0.8 * shown)


@pytest.mark.parametrize(("against", "whole"), [(-100.0, True), (-190.0, True), (-210.0, False)])
def test_a_fifth_of_the_nats_may_speak_against_a_lattice(against: float, whole: bool) -> None:
    ratios = np.full((64, 255), -300.0)
    ratios[1:11, 7] = 100.0  # a thousand nats
    ratios[11:, 3] = 0.0  # a few coefficients show nothing
    ratios[12, 3] = against
    assert tables.untouched(ratios) is whole


def test_never_compressed_pixels_are_no_decoders_own() -> None:
    for name in pictures.SAMPLES:
        assert not tables.untouched(score.read(pictures.photographs()[name], (0, 0)).scores.ratios), name


@pytest.mark.parametrize(
    ("explained", "total", "fine", "missed"),
    [
        (0.0, 99.0, False, False),
        (0.0, 101.0, False, True),
        (380.0, 500.0, False, False),  # 120 nats, less than half
        (260.0, 500.0, False, False),
        (240.0, 500.0, False, True),
        (-50.0, 70.0, False, True),  # the standard story explains less than none does
        (410.0, 500.0, True, False),
        (390.0, 500.0, True, True),
        (2860.0, 3000.0, True, False),
        (2840.0, 3000.0, True, True),
    ],
)
def test_standard_tables_must_miss_half_and_a_hundred_nats(
    explained: float, total: float, fine: bool, missed: bool
) -> None:
    """Of a fine table, before which no other compression shows, a twentieth is enough."""
    said = reading(table_of(50), 0.0)
    said.scores.ratios[:] = 0.0
    said.scores.ratios[5, 8] = total + math.log(255)
    assert tables.missed(said, explained, fine) is missed


@pytest.mark.parametrize("quality", [30, 60, 85])
def test_standard_tables_miss_nothing(quality: int) -> None:
    said = reading(table_of(quality))
    assert not tables.missed(said, 63 * 200.0)
    said = score.read(jpeg.compress(pictures.photographs()["coffee"], quality), (0, 0))
    found = tables.standard(said, fit.Residuals(said.counts.textured))
    assert found is not None
    assert not tables.missed(said, found.nats)


def read(pixels: np.ndarray) -> tuple[score.Reading, tables.Standard | None]:
    said = score.read(pixels, (0, 0))
    return said, tables.standard(said, fit.Residuals(said.counts.textured))


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 95, 98])
def test_the_standard_table_of_a_photograph(photograph: np.ndarray, quality: int) -> None:
    said, found = read(jpeg.compress(photograph, quality))
    assert found is not None
    assert (found.quality, found.ties, found.partly, found.first) == (quality, (quality,), False, None)
    nats = [sum(said.scores.ratios[f, table_of(q)[f] - 1] for f in range(1, 64)) for q in range(1, 101)]
    assert found.nats == pytest.approx(nats[quality - 1], rel=1e-5)
    rivals = [n for q, n in enumerate(nats, 1) if q != quality and found.allowed[q - 1]]
    assert found.margin == pytest.approx(min(found.nats - max(rivals), found.nats), rel=1e-4)
    assert found.allowed[quality - 1]
    assert not found.allowed[[q - 1 for q in (quality - 1, quality + 1) if q < 93]].any()


@pytest.mark.parametrize("quality", [40, 60, 80])
@pytest.mark.parametrize("contrast", [0.8, 1.2])
def test_a_picture_scaled_since_is_of_no_coarse_table(photograph: np.ndarray, quality: int, contrast: float) -> None:
    decoded = jpeg.compress(photograph, quality).astype(float)
    said, found = read(np.clip(np.rint(128 + (decoded - 128) * contrast), 0, 255).astype(np.uint8))
    assert found is None or found.partly or not found.allowed[:93].any()
    assert found is None or found.nats < LATTICE.presence or tables.missed(said, found.nats)


def test_all_denied_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    said = reading(table_of(50))
    nothing = fit.Fit(np.full(100, 1e6), np.zeros(100), np.full(100, 0.16), np.full(100, 9))
    monkeypatch.setattr(fit.Residuals, "fit", lambda *_: nothing)
    assert tables.standard(said, residuals(table_of(50))) is None
    monkeypatch.setattr(fit.Residuals, "fit", lambda *_: replace(nothing, spread=np.full(100, 0.14)))
    found = tables.standard(said, residuals(table_of(50)))
    assert found is not None
    assert (found.quality, found.partly) == (50, False)


def test_a_table_that_fails_in_parts_is_told_so(photograph: np.ndarray) -> None:
    """Noise over a sixth of the picture: coefficients between the points, peaks where they were."""
    pixels = jpeg.compress(photograph, 60).astype(int)
    pixels[:48] += np.random.default_rng(0).integers(-2, 3, pixels[:48].shape)
    said = score.read(np.clip(pixels, 1, 254).astype(np.uint8), (0, 0))
    fits = fit.Residuals(said.counts.textured).fit(tables.luma_tables())
    assert (bool(fits.denied[59]), bool(fits.loose[59])) == (False, True)
    found = tables.standard(said, fit.Residuals(said.counts.textured))
    assert found is not None
    assert (found.quality, found.partly, found.first) == (60, True, None)


def test_the_last_of_two_is_told(photograph: np.ndarray) -> None:
    """The story of two compressions outweighs that of the first alone, whose lattice is the stronger one."""
    said, found = read(jpeg.compress(jpeg.compress(photograph, 30), 90))
    assert said.scores.best == 30
    assert found is not None
    assert found.first is not None
    assert (found.quality, found.first.quality, found.ties) == (90, 30, (90,))
    alone = sum(said.scores.ratios[f, table_of(90)[f] - 1] for f in range(1, 64))
    assert found.nats == pytest.approx(alone + found.first.gain, rel=1e-4)


def stories(
    monkeypatch: pytest.MonkeyPatch, excess: dict[int, float], nats: dict[int, float], first: dict[int, int],
    foreign: dict[int, int] | None = None, *, entries: int = 9, dc: bool = True,
) -> tables.Standard:  # fmt: skip
    """What is told of made fits: qualities not in `nats` are denied, `first` are those of an earlier compression.

    `foreign` are numbers of entries; without `dc` the reading left DC out.
    """
    fits = fit.Fit(np.full(100, 1e8), np.zeros(100), np.full(100, 1.0), np.full(100, entries))
    ratios = np.full((64, 255), -5.0)
    ratios[1:, 0] = 20.0  # some free steps
    for quality in nats:
        fits.spread[quality - 1] = 0
        fits.excess[quality - 1] = excess.get(quality, 0.0)
    monkeypatch.setattr(fit.Residuals, "fit", lambda *_: fits)
    numbers = np.array([(foreign or {}).get(quality, 0) for quality in range(1, 101)])
    monkeypatch.setattr(fit.Residuals, "foreign", lambda *_: numbers)
    sums = np.array([nats.get(quality, 0.0) for quality in range(1, 101)])
    monkeypatch.setattr(tables.likelihood, "sum_tables", lambda *_: sums)

    def earlier(_: score.Reading, quality: int) -> history.First | None:
        return history.First(first[quality], (0, 0), 500.0, 0.9) if quality in first else None

    monkeypatch.setattr(tables, "_first", earlier)
    said = reading(table_of(50))
    textured = said.counts.textured.copy()
    textured[0] = dc
    said = replace(said, counts=replace(said.counts, textured=textured))
    found = tables.standard(replace(said, scores=replace(said.scores, ratios=ratios)), residuals(table_of(50)))
    assert found is not None
    return found


def told(found: tables.Standard) -> tuple[int, int | None]:
    return found.quality, None if found.first is None else found.first.quality


@pytest.mark.parametrize(
    ("last", "excess", "two"),
    [
        (80, 0.19, True),
        (80, 0.21, False),
        (95, 0.19, True),
        (95, 0.21, False),
        (96, 0.01009, True),  # a hundredth, and one over the root of 1e8 coefficients
        (96, 0.01011, False),
    ],
)
def test_the_last_lattice_of_two_must_fit(monkeypatch: pytest.MonkeyPatch, last: int, excess: float, two: bool) -> None:
    """The finer it is, the better: any coefficient is near to a point of steps of 1 and 2."""
    found = stories(monkeypatch, {last: excess, 40: 0.6}, {last: 300.0, 40: 700.0}, {last: 40})
    assert told(found) == ((last, 40) if two else (40, None))


@pytest.mark.parametrize(("nats", "two"), [(51.0, False), (52.0, True)])
def test_the_last_lattice_of_two_shows_by_itself(monkeypatch: pytest.MonkeyPatch, nats: float, two: bool) -> None:
    """A twentieth of the free steps' nats at least, here 63 steps of 20 nats less log 255."""
    total = 63 * (20 - math.log(255))
    scale = 0.05 * total / 51.5
    found = stories(monkeypatch, {40: 0.6}, {80: nats * scale, 40: 400.0}, {80: 40})
    assert told(found) == ((80, 40) if two else (40, None))


@pytest.mark.parametrize(("nats", "two"), [(29.0, False), (31.0, True)])
def test_the_last_lattice_of_two_has_thirty_nats(monkeypatch: pytest.MonkeyPatch, nats: float, two: bool) -> None:
    """Also where a twentieth of the free steps' nats is less."""
    monkeypatch.setattr(tables, "free_nats", lambda _: 500.0)
    found = stories(monkeypatch, {40: 0.6}, {80: nats, 40: 400.0}, {80: 40})
    assert told(found) == ((80, 40) if two else (40, None))


@pytest.mark.parametrize(
    ("last", "excess", "nats", "two"),
    [
        (80, 0.49, 400.0, False),
        (80, 0.51, 400.0, True),  # the first does not fit by itself
        (90, 0.11, 786.0, False),
        (91, 0.11, 786.0, True),
        (96, 0.09, 400.0, True),  # a fine last one hardly moves coefficients: two explain 800 nats
        (96, 0.09, 666.0, True),  # a hundred nats more and a twentieth
        (96, 0.09, 668.0, False),
        (96, 0.0, 400.0, False),
        (96, 0.11, 786.0, True),
    ],
)
def test_a_first_lattice_that_fits_by_itself_explains_all(
    monkeypatch: pytest.MonkeyPatch, last: int, excess: float, nats: float, two: bool
) -> None:
    found = stories(monkeypatch, {40: excess}, {last: 300.0, 40: nats}, {last: 40})
    assert told(found) == ((last, 40) if two else (40, None))


def test_a_table_with_two_foreign_entries_explains_nothing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """But it may be the last of two: an earlier compression moves the coefficients. Clipping may make three foreign."""
    nats = {60: 300.0, 61: 400.0}
    for dc, most in ((True, 1), (False, 3)):
        assert told(stories(monkeypatch, {}, nats, {}, {61: most + 1}, dc=dc)) == (60, None)
        assert told(stories(monkeypatch, {}, nats, {}, {61: most}, dc=dc)) == (61, None)
        assert told(stories(monkeypatch, {}, nats, {61: 30}, {61: most + 1}, dc=dc)) == (61, 30)


@pytest.mark.parametrize("whole", [True, False])
def test_where_pixels_were_touched(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    """Steps of 1 and 2 fit whatever there is: they need a peak. Foreign entries may come from what was done."""
    monkeypatch.setattr(tables, "untouched", lambda _: whole)
    nats = {60: 100.0, 95: 150.0, 96: 300.0}
    assert stories(monkeypatch, {}, nats, {}, entries=0).quality == (96 if whole else 95)
    assert stories(monkeypatch, {}, nats, {}).quality == 96
    assert stories(monkeypatch, {}, nats, {}, foreign={96: 9}).quality == (95 if whole else 96)


def test_the_first_of_two_is_no_rival_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """The story of two has no other to be ahead of but none at all."""
    found = stories(monkeypatch, {40: 0.11}, {96: 300.0, 40: 799.0}, {96: 40})
    assert (told(found), found.ties, found.margin) == ((96, 40), (96,), 800.0)


@pytest.mark.parametrize(("nats", "allowed"), [(-29.0, True), (-31.0, False)])
def test_thirty_nats_deny_a_table(monkeypatch: pytest.MonkeyPatch, nats: float, allowed: bool) -> None:
    found = stories(monkeypatch, {}, {60: nats, 90: 1.0}, {})
    assert found.allowed[59] == allowed


def test_a_tie_of_last_qualities_is_within_five_nats(monkeypatch: pytest.MonkeyPatch) -> None:
    found = stories(monkeypatch, {}, {60: 300.0, 61: 295.5, 62: 294.5, 90: 100.0}, {})
    assert (found.quality, found.ties, found.margin) == (60, (60, 61), 4.5)


def test_two_lattices_of_which_one_is_partly_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loose table needs the presence of a lattice more than the firm one."""
    for ahead, partly in ((14.0, False), (16.0, True)):
        found = stories(monkeypatch, {30: 0.6}, {70: 200.0, 30: 200.0 + ahead}, {})
        assert found.partly is partly


@pytest.mark.parametrize(("share", "family"), [(1.0, "mozjpeg"), (0.81, "mozjpeg"), (0.79, "unknown")])
def test_tables_of_a_known_encoder_may_miss_a_fifth(share: float, family: str) -> None:
    """Half of the steps are its own, the others are likelier elsewhere, though hardly a coefficient shows them."""
    mozjpeg = np.minimum(tables.mozjpeg_tables()[59], 255)
    odd = np.arange(64) % 2 == 1
    said = reading(np.where(odd, mozjpeg, mozjpeg + 5), others=mozjpeg, share=2 * share - 1)
    found = tables.others(said, residuals(np.where(odd, mozjpeg, 0)))
    assert found is not None
    assert found.family == family
    if family == "mozjpeg":
        distance = ((jpeg.standard_tables() - tables.mozjpeg_tables()[59].reshape(8, 8)) ** 2).sum((1, 2, 3))
        assert found.nearest == distance.argmin() + 1
        assert found.interval is not None
        assert found.interval[0] <= found.nearest <= found.interval[1] <= found.interval[0] + 3


def test_tables_of_a_known_encoder_must_fit_too() -> None:
    mozjpeg = tables.mozjpeg_tables()[84]
    steps = mozjpeg + 2
    found = tables.others(reading(steps, others=mozjpeg, share=0.9), residuals(steps))
    assert found is not None
    assert found.family == "unknown"


@pytest.mark.parametrize("quality", [20, 50, 75, 90])
def test_the_quality_nearest_to_mozjpegs(quality: int) -> None:
    own = tables.mozjpeg_tables()[quality - 1]
    expected = np.maximum(
        (jpeg.MOZJPEG_BASE.ravel() * (5000 // quality if quality < 50 else 200 - 2 * quality) + 50) // 100, 1
    )
    np.testing.assert_array_equal(own, expected)
    distance = [
        ((np.stack([table_of(q), jpeg.standard_tables()[q - 1, 1].ravel()]) - own) ** 2).sum() for q in range(1, 101)
    ]
    assert tables.nearest_to_mozjpeg()[1, quality - 1] == int(np.argmin(distance)) + 1


def test_steps_of_unknown_tables_are_counted() -> None:
    found = others(mixed(60))
    assert found is not None
    assert (found.family, found.determined, found.interval) == ("unknown", 63, None)


def test_what_is_missed_is_told() -> None:
    found = others(mixed(60), 1000.0)
    assert found is not None
    assert found.missed == pytest.approx(63 * (200 - math.log(255)) - 1000)


def test_without_a_standard_lattice_ten_steps_are_needed() -> None:
    for number, named in ((9, False), (10, True)):
        steps = mixed(60, 3)
        few = reading(steps)
        few.scores.ratios[number + 1 :, 150] = 199.0
        few = replace(few, scores=replace(few.scores, nats=np.full(100, 50.0)))
        found = tables.others(few, residuals(steps))
        assert found is not None
        assert found.determined == number
        weak = replace(few, scores=replace(few.scores, nats=np.full(100, 14.0)))  # no lattice of standard ones either
        assert (tables.others(weak, residuals(steps)) is not None) is named


def test_steps_are_read_off_where_they_are_ten_nats_ahead() -> None:
    ratios = np.full((64, 255), -3.0)
    for frequency, (best, second) in enumerate([(99, 0), (11, 0), (9, -40), (30, 25), (30, 19)]):
        ratios[frequency, 9], ratios[frequency, 40] = best, second
    assert (tables.step_margins(ratios) > 10).nonzero()[0].tolist() == [1, 4]  # never DC


@pytest.mark.parametrize(
    ("contrast", "other"), [(1.0, True), (1.009, True), (1.016, False), (1.04, False), (1.3, False)]
)
def test_pixels_off_every_lattice_show_no_tables(contrast: float, other: bool) -> None:
    """Free steps are chosen one by one, so that their peaks must lie closer than those of a standard table."""
    steps = np.where(np.arange(64) % 2, 4, 20)
    random = np.random.default_rng(0)
    values = contrast * steps * random.integers(-1, 2, (300, 64)) + random.normal(0, 0.28, (300, 64))
    made = fit.Residuals(blocks.count(values.astype(np.float32)))
    assert (tables.others(reading(steps), made) is not None) is other


def test_entries_that_deny_every_lattice_show_no_tables() -> None:
    steps = mixed(60)
    said = reading(steps)
    said.scores.ratios[40:] = -250.0
    assert tables.others(said, residuals(steps)) is None


def test_tables_of_a_turned_picture_are_turned_back() -> None:
    """A reading is turned where standard tables fit better so; the steps of other ones are told as they lie."""
    steps = mixed(60)
    upright, turned = others(steps), tables.others(reading(steps, turned=True), residuals(steps))
    assert upright is not None
    assert turned is not None
    assert turned.determined == upright.determined
    mozjpeg = np.minimum(tables.mozjpeg_tables()[59], 255)
    found = tables.others(reading(mozjpeg[TURNED], turned=True), residuals(mozjpeg[TURNED]))
    assert found is not None
    assert found.family == "mozjpeg"


@pytest.mark.parametrize("value", [0, 90, 255])
def test_flat_pictures_have_no_tables(value: int) -> None:
    for side in (1, 8, 64):
        said, found = read(np.full((side, side, 3), value, np.uint8))
        assert found is None or (found.first is None and found.nats < LATTICE.presence)
        assert not tables.missed(said, 0.0)
        assert tables.others(said, fit.Residuals(said.counts.textured)) is None


def steps_of(quality: int) -> np.ndarray:
    """Standard luma steps that are not clipped to eight bits."""
    return np.maximum((table_of(50) * (5000 // quality) + 50) // 100, 1)


@pytest.mark.parametrize("quality", [1, 2, 3, 4, 5, 10])
def test_steps_over_255(quality: int) -> None:
    """Told for qualities whose clipped steps would be other ones, where all coefficients lie on their lattice."""
    random = np.random.default_rng(quality)
    steps = steps_of(quality)
    values = steps * ((random.random((200, 64)) < 0.05) & (steps < 1000)) + random.normal(0, 0.28, (200, 64))
    found = tables.of_16_bits(blocks.count(values.astype(np.float32)))
    assert found == (quality if quality < 5 else None)


@pytest.mark.parametrize(("number", "off", "told"), [(9, 0, None), (10, 0, 3), (100, 4, 3), (100, 6, None)])
def test_how_many_coefficients_show_steps_over_255(number: int, off: int, told: int | None) -> None:
    steps = steps_of(3)
    values = np.zeros((200, 64))
    values[:number, 1] = steps[1]
    values[:off, 1] = steps[1] + 2.0  # beyond the reach of a peak
    assert tables.of_16_bits(blocks.count(values.astype(np.float32))) == told
    assert tables.of_16_bits(blocks.count(np.zeros((0, 64), np.float32))) is None


@pytest.mark.parametrize("side", [64, 96])
def test_one_coarse_compression_is_not_two(photograph: np.ndarray, side: int) -> None:
    """The steps of 50 are half of those of 25: all coefficients of one compression at 25 lie on both lattices."""
    for row, column in ((40, 100), (100, 160), (180, 260)):
        _, found = read(jpeg.compress(photograph[row : row + side, column : column + side], 25))
        assert found is None or found.first is None
