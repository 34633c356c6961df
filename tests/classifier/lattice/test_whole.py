"""Both tables of a picture, there and back: standard, known, left out of the list, two qualities, turned, changed."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.lattice import known, search, steps, whole
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg
from tests.golden import pictures

STANDARD = whole.standard_tables()
PHOTOSHOP = next(n for n, pair in enumerate(known.pairs()) if pair.name == "Photoshop save 8")
CAT = "cat 60,100"


def saved(pixels: np.ndarray, luma: np.ndarray, chroma: np.ndarray, subsampling: str = "4:4:4") -> np.ndarray:
    """Return pixels after a JPEG with tables (64,) of luma and chroma."""
    buffer = io.BytesIO()
    tables = [np.ravel(table).tolist() for table in (luma, chroma)]
    Image.fromarray(pixels).save(buffer, "JPEG", qtables=tables, subsampling=subsampling)
    return jpeg.decode(buffer.getvalue())


def read(pixels: np.ndarray, without: int | None = None) -> whole.Whole:
    reading = search.find(pixels)
    luma = whole.read(reading, without)
    return whole.with_chroma(luma, whole.colour(pixels, reading.phase, luma.turned), without)


def check(told: np.ndarray | None, true: np.ndarray, least: int) -> None:
    """Assert that at least so many entries are right, and none is wrong but DC."""
    assert told is not None
    wrong = (told > 0) & (told != true)
    assert wrong[1:].sum() == 0
    assert (told == true).sum() >= least


@pytest.mark.parametrize(("name", "quality"), [(CAT, 30), ("coffee", 50), ("rocket", 75), ("cat 33,201", 90)])
def test_standard_tables(name: str, quality: int) -> None:
    told = read(jpeg.compress(pictures.photographs()[name], quality))
    check(told.told[0], STANDARD[quality - 1, 0], 60)
    assert told.luma.standard[quality - 1] > 0.5
    assert told.nearest == quality
    assert told.interval[0] <= quality <= told.interval[1]
    assert told.name == ""


def test_a_known_pair_is_named_and_one_left_out_is_not() -> None:
    pair = known.tables(0)[PHOTOSHOP], known.tables(1)[PHOTOSHOP]
    pixels = saved(pictures.photographs()[CAT], *pair)
    told = read(pixels)
    assert told.name == "Photoshop save 8"
    check(told.told[0], pair[0], 64)
    check(told.told[1], pair[1], 64)
    assert told.subsampling == "4:4:4"
    left_out = read(pixels, PHOTOSHOP)
    assert left_out.name == ""
    check(left_out.told[0], pair[0], 45)
    check(left_out.told[1], pair[1], 10)


def test_a_name_needs_both_tables_and_no_other_pair() -> None:
    luma = steps.Steps(
        np.zeros((64, 255)), np.zeros(100), np.eye(len(known.pairs()))[PHOTOSHOP], 1.0, np.zeros(64, bool), 0
    )
    assert whole.Whole(luma).name == "Photoshop save 8"
    assert whole.Whole(luma, chroma=luma).name == "Photoshop save 8"
    other = replace(luma, known=np.zeros(len(known.pairs())))
    assert whole.Whole(luma, chroma=other).name == ""
    some = luma.known.copy()
    names = list(dict.fromkeys(pair.name for pair in known.pairs() if pair.name.startswith("Canon")))
    for name, expected in ((names[0], f"{names[0]} or Photoshop save 8"), (names[1], "")):  # three are no answer
        some[next(n for n, pair in enumerate(known.pairs()) if pair.name == name)] = 0.5
        assert whole.Whole(replace(luma, known=some)).name == expected
        assert whole.Whole(replace(luma, known=some), chroma=replace(luma, known=some)).name == expected
    nobody = next(n for n, pair in enumerate(known.pairs()) if not pair.name)
    assert whole.Whole(replace(luma, known=luma.known + np.eye(len(known.pairs()))[nobody])).name == ""
    assert whole.Whole(replace(luma, known=0.98 * luma.known)).name == ""
    libjpegs = (steps.prior(0).names < 100).nonzero()[0]  # luma's alone is libjpeg's
    for place in libjpegs:
        assert whole.Whole(replace(luma, known=np.eye(len(known.pairs()))[place])).name == ""


def test_turned_pictures_have_the_tables_as_they_lie() -> None:
    pair = known.tables(0)[PHOTOSHOP], known.tables(1)[PHOTOSHOP]
    turned = np.ascontiguousarray(saved(pictures.photographs()[CAT], *pair).swapaxes(0, 1))
    check(read(turned).told[0], pair[0].reshape(8, 8).T.ravel(), 40)
    standard = np.ascontiguousarray(jpeg.compress(pictures.photographs()[CAT], 60).swapaxes(0, 1))
    told = read(standard)
    assert told.turned
    check(told.told[0], STANDARD[59, 0].reshape(8, 8).T.ravel(), 60)
    check(told.luma.determined, STANDARD[59, 0], 60)


def test_a_table_turned_needs_more_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both explain a picture as well, it was not turned."""
    reading = replace(search.find(jpeg.compress(pictures.photographs()[CAT], 60)), turned=True)
    evidence = iter((LATTICE.turned_nats * 0.9, 0.0, LATTICE.turned_nats * 1.1, 0.0))
    base = whole.read(reading).luma
    monkeypatch.setattr(steps, "read", lambda *_: replace(base, evidence=next(evidence)))
    assert not whole.read(reading).turned
    assert whole.read(reading).turned


@pytest.mark.parametrize(("luma", "chroma"), [(72, 80), (80, 65)])
def test_chroma_of_another_quality(luma: int, chroma: int) -> None:
    pixels = saved(pictures.photographs()[CAT], STANDARD[luma - 1, 0], STANDARD[chroma - 1, 1])
    seen = whole.colour(pixels, (0, 0))
    assert whole.other_chroma(seen, (luma,)) == chroma
    assert whole.other_chroma(seen, (luma, chroma)) is None
    assert whole.standard_luma(search.find(pixels), (luma,))


def test_chroma_of_no_quality() -> None:
    off = STANDARD[79, 1].copy()
    off[[1, 2, 8, 9, 10, 16, 17]] += 4
    seen = whole.colour(saved(pictures.photographs()[CAT], STANDARD[79, 0], off), (0, 0))
    assert whole.other_chroma(seen, (80,)) == whole.OTHER


def test_denials_are_of_the_entries_that_differ() -> None:
    table = STANDARD[59, 0].copy()
    table[[1, 8, 9]] += 6
    reading = search.find(saved(pictures.photographs()[CAT], table, STANDARD[59, 1]))
    nats, number = whole.denials(reading.counts.textured, reading.scores.ratios, reading.noise, 0, LATTICE.entry_slack)
    assert 1 <= number[59] <= 3
    assert nats[59] > LATTICE.luma_denial
    none, left = whole.denials(reading.counts.textured, reading.scores.ratios, reading.noise, 0, 1e9)
    assert not none.any()
    assert not left.any()
    assert whole.standard_luma(reading, (60,)) is False


def test_standard_pictures_deny_nothing() -> None:
    reading = search.find(jpeg.compress(pictures.photographs()["coffee"], 70))
    nats, number = whole.denials(reading.counts.textured, reading.scores.ratios, reading.noise, 0, LATTICE.entry_slack)
    assert (nats[69], number[69]) == (0, 0)
    assert whole.standard_luma(reading, (70,))


def test_few_blocks_that_fit_others_as_well_name_no_standard_table(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = search.find(jpeg.compress(pictures.photographs()["coffee"], 70))
    told = whole.read(reading)

    def with_chance(chance: float) -> whole.Whole:
        standard = told.luma.standard / told.luma.standard.sum() * chance
        return replace(told, luma=replace(told.luma, standard=standard))

    textured = np.minimum(reading.scores.textured, LATTICE.few_nats - 1)
    few = replace(reading, scores=replace(reading.scores, textured=textured))
    for chance, expected in ((LATTICE.unsure_tables + 0.01, True), (LATTICE.unsure_tables - 0.01, None)):
        monkeypatch.setattr(whole, "read", lambda _, chance=chance: with_chance(chance))
        assert whole.standard_luma(few, (70,)) is expected
        assert whole.standard_luma(reading, (70,)) is True


def test_dc_of_another_step_is_another_table() -> None:
    table = STANDARD[76, 0].copy()
    table[0] = 6
    reading = search.find(saved(pictures.photographs()["coffee"], table, STANDARD[76, 1]))
    assert whole.standard_luma(reading, (77,)) is False
    assert whole.read(reading).luma.determined[0] == 6
