"""fit_lattice.py: a row a threshold with both folders' alarms; what was measured is not measured again."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.parametrize(("target", "alarms", "needed"), [(0.05, 5, 94.0), (0.01, 5, 98.0), (0.001, 5, None)])
def test_the_value_that_a_rate_needs(target: float, alarms: int, needed: float | None) -> None:
    """Of 100 values 0..99, five lie above 94; a rate of 1 in 1000 cannot be seen in so few."""
    found = fit_lattice.judged([float(v) for v in range(100)], 94.0, target)
    assert (found["values"], found["alarms"], found["largest"]) == (100, alarms, 99.0)
    assert found["needed"] == pytest.approx(needed, abs=1) if needed is not None else found["needed"] is None
    assert found["bound"] == pytest.approx(0.1022, abs=5e-4)  # Clopper and Pearson's one-sided limit of 5 in 100


def test_cases_are_what_they_say() -> None:
    made = list(fit_lattice.cases(pictures.photographs()["coffee"], np.random.default_rng(0)))
    assert [case.kind for case in made] == ["never"] * 4 + [
        "overexposed",
        "wrong",
        "single",
        "single",
        "near",
        "double",
    ]
    for case in made[6:8]:
        assert case.aligned.scores.best == pytest.approx(case.quality, abs=1)
        assert not any(case.wrong_steps()) or max(case.wrong_steps()) < 10
    wrong = made[5]
    assert wrong.phase != (0, 0)
    assert fit_lattice.score.read(wrong.pixels, wrong.phase).nats > wrong.aligned.nats
