"""fit_lattice.py: a row a threshold with both folders' alarms; what was measured is not measured again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError
from scripts import fit_lattice
from tests.golden import pictures


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    for folder, names in (("fit", ("rocket", "coffee")), ("val", ("astronaut",))):
        (tmp_path / folder).mkdir()
        for name in names:
            Image.fromarray(pictures.photographs()[name]).save(tmp_path / folder / f"{name}.png")
    return [
        "--in_path",
        str(tmp_path / "fit"),
        "--val_path",
        str(tmp_path / "val"),
        "--out_path",
        str(tmp_path / "out"),
    ]


def test_rows_and_a_run_that_is_taken_up(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fit_lattice.main([*folders, "--only", "edges_visible", "tie"]) == 0
    printed = capsys.readouterr().out
    rows = json.loads((tmp_path / "out" / "fit_lattice.json").read_text())["result"]
    assert [(row["setting"], row["value"], row["target"]) for row in rows] == [
        ("edges_visible", 5, 0.01),
        ("tie", 5, 0.01),
    ]
    assert [row["fit"]["values"] for row in rows] == [2 * 4, 2 * 2]
    assert [row["val"]["values"] for row in rows] == [4, 2]
    assert all(row["fit"]["alarms"] == 0 < row["fit"]["bound"] < 1 for row in rows)
    monkeypatch.setattr(fit_lattice, "cases", lambda *_: pytest.fail("measured again"))
    assert fit_lattice.main([*folders, "--only", "tie", "edges_visible"]) == 0
    assert capsys.readouterr().out == printed


def test_a_name_that_is_no_threshold(folders: list[str]) -> None:
    with pytest.raises(UserError, match="--only knows ac_presence"):
        fit_lattice.main([*folders, "--only", "flat_repeats"])


@pytest.mark.parametrize("text", ["luma\n1 2 3\n", "luma,chroma\n1 2 3,4 5 6\n", "luma,chroma\na,b\n", "", None])
def test_what_holds_no_tables(folders: list[str], tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "tables.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"tables\.csv does not hold tables"):
        fit_lattice.main([*folders, "--tables", str(path)])


@pytest.fixture
def others(tmp_path: Path) -> list[fit_lattice.Tables]:
    """Tables of a CSV: two that a baseline file can hold, one of larger steps, one of zeros."""
    rows = [(range(3, 67), range(5, 69)), (range(66, 2, -1), [17] * 64), ([256] * 64, [1] * 64), ([0] * 64, [1] * 64)]
    path = tmp_path / "some.csv"
    lines = [f"{' '.join(map(str, luma))},{' '.join(map(str, chroma))},7" for luma, chroma in rows]
    path.write_text("\n".join(["luma,chroma,files", *lines]))
    return fit_lattice.read_tables(str(path))


def test_tables_that_a_baseline_file_can_hold(others: list[fit_lattice.Tables]) -> None:
    assert others == [([*range(3, 67)], [*range(5, 69)]), ([*range(66, 2, -1)], [17] * 64)]


@pytest.mark.parametrize(("target", "alarms", "needed"), [(0.05, 5, 94.0), (0.01, 5, 98.0), (0.001, 5, None)])
def test_the_value_that_a_rate_needs(target: float, alarms: int, needed: float | None) -> None:
    """Of 100 values 0..99, five lie above 94; a rate of 1 in 1000 cannot be seen in so few."""
    found = fit_lattice.judged([float(v) for v in range(100)], 94.0, target)
    assert (found["values"], found["alarms"], found["extreme"]) == (100, alarms, 99.0)
    assert found["needed"] == pytest.approx(needed, abs=1) if needed is not None else found["needed"] is None
    assert found["bound"] == pytest.approx(0.1022, abs=5e-4)  # Clopper and Pearson's one-sided limit of 5 in 100


def test_alarms_below_a_threshold() -> None:
    """Of 100 values 0..99, five lie below 5, and no more than one in twenty below 5."""
    found = fit_lattice.judged([float(v) for v in range(100)], 5.0, 0.05, below=True)
    assert (found["alarms"], found["extreme"]) == (5, 0.0)
    assert found["needed"] == pytest.approx(5, abs=1)
    assert fit_lattice.judged([], 5.0, 0.05)["alarms"] == 0


KINDS = ["never"] * 4 + ["overexposed", "wrong", "single", "single", "near", "double"]


def test_cases_are_what_they_say(others: list[fit_lattice.Tables]) -> None:
    made = list(fit_lattice.cases(pictures.photographs()["coffee"], np.random.default_rng(0), others))
    assert [case.kind for case in made] == [*KINDS, "table", "table"]
    for case in made[6:8]:
        assert case.aligned.scores.best == pytest.approx(case.quality, abs=1)
        assert not any(case.wrong_steps()) or max(case.wrong_steps()) < 10
        assert abs(case.own_excess()) < 0.2
    for case in made[6:]:
        assert case.stored is not None
        luma = jpeg.standard_tables()[:, 0].reshape(100, 64)
        known = [list(one) for one, _ in others] if case.kind == "table" else luma.tolist()
        assert (list(case.table) in known) is (case.kind != "near")
    wrong = made[5]
    assert wrong.phase != (0, 0)
    assert fit_lattice.score.read(wrong.pixels, wrong.phase).nats > wrong.aligned.nats
    assert [case.kind for case in fit_lattice.cases(wrong.pixels, np.random.default_rng(0))] == KINDS


@pytest.mark.slow
def test_every_statistic_is_a_number_on_its_cases(others: list[fit_lattice.Tables]) -> None:
    made = list(fit_lattice.cases(pictures.photographs()["rocket"], np.random.default_rng(1), others))
    for name, (kinds, statistic) in fit_lattice.MEASURES.items():
        if name == "clipped_presence":
            continue  # a second each
        values = [statistic(case) for case in made if case.kind in kinds]
        assert values, name
        numbers = np.hstack([value for value in values if value is not None])
        assert np.isfinite(numbers).all(), name


def test_a_pair_is_an_alarm_where_there_was_none(tmp_path: Path) -> None:
    """The statistics are what the code compares: an actual pair is above them, a single one below."""
    photograph = pictures.photographs()["cat 60,100"]
    table = tuple(jpeg.standard_tables()[89, 0].ravel().tolist())

    def case(pixels: np.ndarray) -> fit_lattice.Case:
        path = tmp_path / "case.jpg"
        path.write_bytes(jpeg.encode(pixels, 90))
        stored = jpeg.luma_coefficients(path, LATTICE.most_stored)
        return fit_lattice.Case("single", jpeg.decode(path.read_bytes()), 90, table, stored=stored)

    twice, once = case(jpeg.compress(photograph, 50)), case(photograph)
    assert min(twice.pair_gains()) > LATTICE.pair_presence > max(once.pair_gains())
    assert min(twice.pair_shares()) > LATTICE.pair_share > max(once.pair_shares())
    moved = case(np.ascontiguousarray(jpeg.compress(photograph, 50)[3:, 5:]))
    assert moved.period(beside=False) > LATTICE.period_presence > once.period(beside=False)
    assert moved.period(beside=True) == 0
    beside = case(np.ascontiguousarray(jpeg.compress(photograph, 50)[:, 5:]))
    assert beside.period(beside=True) > 0 == beside.period(beside=False)


def test_statistics_of_fit_deny_other_tables_and_changed_pixels() -> None:
    pixels = jpeg.compress(pictures.photographs()["cat 60,100"], 70)
    right, wrong = (
        fit_lattice.Case("single", pixels, q, tuple(jpeg.standard_tables()[q - 1, 0].ravel().tolist()))
        for q in (70, 90)
    )
    noise = np.random.default_rng(0).integers(-2, 3, pixels.shape)
    noisy = replace(right, pixels=np.clip(pixels + noise, 0, 255).astype(np.uint8))
    assert right.own_excess() < LATTICE.alone_excess < LATTICE.fit_excess < wrong.own_excess()
    assert right.foreign_entry() < LATTICE.entry_denial < wrong.foreign_entry()
    assert right.explained() < -LATTICE.standard_denial
    assert right.free_spread() < LATTICE.free_spread
    untouched, touched = right.left_untouched(), noisy.left_untouched()
    assert untouched is not None
    assert touched is None or touched < LATTICE.untouched < untouched
    assert (right.missed(as_share=False), right.missed(as_share=True)) == (0, 0)
