"""measure_accuracy.py: a row an estimator and condition; what is missing is left out or said."""

import json
from pathlib import Path

import pytest

from q1net_msroi.classifier.estimators.lattice_evidence import Earlier, LatticeEvidence
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils.errors import UserError
from scripts import measure_accuracy

pytestmark = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


def measured(photographs: Path, out: Path, *words: str) -> list[dict]:
    arguments = ["--in_path", str(photographs), "--qualities", "30,80", "--out", str(out / "c.json"), *words]
    assert measure_accuracy.main(arguments) == 0
    return json.loads((out / "c.json").read_text())["result"]


@pytest.mark.slow
def test_rows(photographs: Path, tmp_path: Path) -> None:
    conditions = ("uncropped", "crop 64", "never compressed")
    rows = measured(
        photographs, tmp_path, "--conditions", *conditions, "--estimators", "jpeg_paper", "jpeg_lattice", "jpeg_header"
    )
    assert [(row["condition"], row["estimator"]) for row in rows] == [
        (c, e) for c in conditions for e in ("jpeg_paper", "jpeg_lattice", "jpeg_header")
    ]
    by = {(row["condition"], row["estimator"]): row for row in rows}
    assert by["uncropped", "jpeg_header"]["exact"] == by["uncropped", "jpeg_lattice"]["exact"] == 1
    assert by["crop 64", "jpeg_header"]["answered"] == 0
    assert by["crop 64", "jpeg_header"]["milliseconds"] is None
    assert by["uncropped", "jpeg_paper"]["predictions"] == 6
    assert by["never compressed", "jpeg_paper"]["predictions"] == 3
    assert by["never compressed", "jpeg_header"]["below_95"] == 0


def test_row_counts_what_is_called_compressed() -> None:
    answers = [measure_accuracy.Answer(100, Estimate(quality)) for quality in (94.9, 95.0, None)]
    row = measure_accuracy.row(measure_accuracy.NEVER, "x", answers)
    assert (row["below_95"], row["answered"], row["predictions"]) == (1, 2, 3)
    assert "below_95" not in measure_accuracy.row("uncropped", "x", answers)


def test_row_counts_both_compressions() -> None:
    def answer(last: float | None, earlier: int | None, first: int | None = 40) -> measure_accuracy.Answer:
        found = None if earlier is None else Earlier(earlier, (0, 0), 99.0)
        evidence = LatticeEvidence(verdict="compressed", earlier=found)
        return measure_accuracy.Answer(90, Estimate(last, evidence=evidence), first)

    answers = [answer(90, 40), answer(90, 41), answer(40, None), answer(None, None), answer(89.4, 40)]
    row = measure_accuracy.row("twice, aligned", "x", answers)
    assert (row["called_twice"], row["both_exact"]) == (0.6, 0.2)
    row = measure_accuracy.row("uncropped", "x", [answer(90, None, None), answer(90, 30, None)])
    assert row["called_twice"] == 0.5
    assert "both_exact" not in row


def test_what_is_missing_is_left_out_unless_it_was_named(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(measure_accuracy, "ESTIMATORS", ("jpeg_header", "identify"))
    rows = measured(photographs, tmp_path, "--conditions", "uncropped")
    assert {row["estimator"] for row in rows} == {"jpeg_header"}
    assert "identify is left out: identify (ImageMagick) is not on the PATH" in capsys.readouterr().err
    with pytest.raises(UserError, match="not on the PATH"):
        measured(photographs, tmp_path, "--estimators", "identify")


@pytest.mark.parametrize(("flag", "word"), [("--conditions", "condition"), ("--estimators", "estimator")])
def test_unknown_names(photographs: Path, tmp_path: Path, flag: str, word: str) -> None:
    with pytest.raises(UserError, match=f"unknown {word} upside down; known are "):
        measured(photographs, tmp_path, flag, "upside down")
