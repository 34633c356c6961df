"""measure_wild.py: rows of every set, a run that goes on where it stopped, what is missing is said."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError
from scripts import measure_wild

pytestmark = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


@pytest.fixture
def files(photograph: np.ndarray, tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg.encode(photograph, 75))
    (folder / "b.jpg").write_bytes(jpeg.encode(jpeg.compress(photograph, 40), 90))
    (tmp_path / "origins.csv").write_text("file,origin\na.jpg,phone\n")
    return folder


def words(files: Path, *more: str) -> list[str]:
    out = files.parent / "out" / "wild.json"
    origins = files.parent / "origins.csv"
    return ["--images", str(files), "--origins", str(origins), "--out", str(out), "--workers", "1", *more]


@pytest.mark.slow
def test_real_files(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = words(files, "--sets", "real", "--treatments", "file", "decoded")
    assert measure_wild.main(asked) == 0
    out = files.parent / "out"
    record = json.loads((out / "wild.json").read_text())
    assert record["command"].startswith("python3 scripts/measure_wild.py --images")
    rows = {(row["group"], row["treatment"]): row for row in record["result"]["rows"]}
    assert set(rows) == {(group, name) for group in ("all", "phone", "files") for name in ("file", "decoded")}
    assert rows["all", "file"]["exact"] == 2
    assert rows["phone", "decoded"]["exact"] == 1
    assert rows["phone", "file"]["true history"] == 0
    assert rows["files", "file"]["true history"] == 1
    with (out / "wild.csv").open(newline="") as handle:
        cases = list(csv.DictReader(handle))
    assert [(row["source"], row["treatment"]) for row in cases] == [
        ("a.jpg 0", "file"), ("a.jpg 0", "decoded"), ("b.jpg 1", "file"), ("b.jpg 1", "decoded"),
    ]  # fmt: skip
    assert [float(row["earlier"] or 0) for row in cases][::2] == [0, 40]
    printed = capsys.readouterr().out
    (files / "b.jpg").write_bytes((files / "a.jpg").read_bytes())
    assert measure_wild.main(asked) == 0
    said = capsys.readouterr()
    assert "1 of 2 pictures were finished before" in said.err
    assert said.out != printed
    (files / "b.jpg").write_bytes(b"\xff\xd8 no picture")
    assert measure_wild.main(asked) == 1
    assert json.loads((out / "wild.json").read_text())["result"]["failed"] == 1


@pytest.mark.slow
def test_sets_of_photographs(files: Path, photographs: Path) -> None:
    sets = ("never", "double", "changed", "turned", "drawn", "drawn_jpeg")
    more = ("--photographs", str(photographs), "--comp_type", "jpeg_lattice", "--limit", "1", "--sets", *sets)
    assert measure_wild.main(words(files, *more)) == 0
    rows = json.loads((files.parent / "out" / "wild.json").read_text())["result"]["rows"]
    assert {row["set"] for row in rows} == set(sets)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--sets", "upside_down"), "unknown set upside_down; known are real, "),
        (("--sets", "double"), "nothing to measure"),
        (("--limit", "0"), "at least 1"),
        (("--sets", "real", "--treatments", "burnt"), "no case was measured"),
    ],
)
def test_wrong_use(files: Path, more: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        measure_wild.main(words(files, *more))


def test_a_set_without_its_inputs_is_said(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_wild.main(words(files, "--sets", "real", "single_known", "--treatments", "file")) == 0
    assert "single_known is left out: it needs --photographs and --tables" in capsys.readouterr().err
