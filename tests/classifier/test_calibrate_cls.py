"""calibrate_cls.py: one row a threshold, the chosen one stored with the weights and used from then on."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.evaluation import calibration
from q1net_msroi.classifier.evaluation.calibration import THRESHOLDS
from q1net_msroi.classifier.q1net import fusion, patches, weights
from q1net_msroi.classifier.q1net.configs import get_config

CALIBRATE = "classifier.calibrate_cls"
Call = Callable[..., Any]
ROW = re.compile(r"threshold \d\d\.\d\d: mae +(\d+\.\d\d|-), within 2 +\d+\.\d%, answered +\d+\.\d%(  <- chosen)?")
BEST = re.compile(r"(grid|texture) +\w+ +threshold \d\d\.\d\d: mae .*, answered +\d+\.\d%")
CORRECTED = re.compile(r" +corrected +: mae .*, answered +\d+\.\d%(  <- best)?")


def test_lines_and_card(call: Call, photographs: Path, save_path: Path, tmp_path: Path) -> None:
    flags = ["--in_path", photographs, "--save_path", save_path, "--qualities", "20,80"]
    folder = save_path / "jpeg_paper"
    before = weights.read_card(folder)
    done = call(CALIBRATE, *flags)
    assert (done.code, done.err) == (0, "")
    rows, best = done.lines[: len(THRESHOLDS)], done.lines[len(THRESHOLDS) : -1]
    assert all(ROW.fullmatch(line) for line in rows)
    assert sum(line.endswith("<- chosen") for line in rows) == 1
    assert all(BEST.fullmatch(line) for line in best[::2])
    assert all(CORRECTED.fullmatch(line) for line in best[1::2])
    assert len(best) == 2 * len(fusion.RULES) * len(patches.CHOICES)
    assert sum(line.endswith("<- best") for line in best) == 1
    chosen = weights.threshold(get_config("jpeg_paper"), folder)
    assert done.lines[-1] == f"threshold {chosen:g} stored in {folder}/model.json"
    card = weights.read_card(folder)
    assert card["calibration"]["float32"]["pictures"] == 3
    assert card["calibration"]["float32"]["qualities"] == 2
    assert card["calibration"]["float32"]["data"] == "photographs"
    measured = {"calibration", "fusion", "made_by"}
    assert {k: v for k, v in card.items() if k not in measured} == {
        k: v for k, v in before.items() if k not in measured
    }
    fused = card["fusion"]["float32"]
    assert fused["grid/median"]["threshold"] == chosen
    assert fused["best"] in fused
    for entry in (v for k, v in fused.items() if k != "best"):
        assert len(entry["interval"]["offsets"]) == len(entry["interval"]["edges"]) + 1
        assert set(entry["interval"]["measured_coverage"]) <= {"whole", "crops"}

    kept = tmp_path / "search.json"
    printed = [json.loads(line) for line in call(CALIBRATE, *flags, "--json", "--record", kept).lines]
    assert len(printed) == len(best) // 2 * len(THRESHOLDS)
    assert {"patches", "fusion", "threshold", "cost", "mae", "within_2", "answered", "chosen"} <= set(printed[0])
    paper = [row for row in printed if (row["patches"], row["fusion"]) == ("grid", "median")]
    assert [row["threshold"] for row in paper] == THRESHOLDS.tolist()
    assert [row["threshold"] for row in paper if row["chosen"]] == [chosen]
    searched = json.loads(kept.read_text())
    assert searched["command"].startswith(f"python3 classifier/calibrate_cls.py --in_path {photographs} ")
    assert searched["weights"]
    assert sum(row["best"] for row in searched["result"]) == 1

    record = json.loads(
        call("classifier.predict_cls", "--in_path", photographs / "a.png", "--save_path", save_path, "--json").out
    )
    assert record["evidence"]["network"]["threshold"] == chosen
    assert record["interval"][0] <= record["quality"] <= record["interval"][1] or record["quality"] is None
    other = call(
        "classifier.predict_cls", "--in_path", photographs / "a.png", "--save_path", save_path, "--json",
        "--fusion", "weighted_median", "--patches", "texture",
    )  # fmt: skip
    network = json.loads(other.out)["evidence"]["network"]
    assert (network["fusion"], network["patches"]) == ("weighted_median", "texture")
    assert network["threshold"] == fused["texture/weighted_median"]["threshold"]


def test_json_is_json(call: Call, photographs: Path, save_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An MAE that does not exist is null: `Infinity` is not JSON."""
    from q1net_msroi.classifier.evaluation import calibration

    monkeypatch.setattr(calibration, "THRESHOLDS", np.array([80.0, 90.0, 100.4]))
    done = call(CALIBRATE, "--in_path", photographs, "--save_path", save_path, "--qualities", "20", "--json")
    assert done.code == 0

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    read = [json.loads(line, parse_constant=refuse) for line in done.lines]
    assert {row["mae"] is None for row in read} == {False, True}


@pytest.mark.slow
def test_bad_pictures_are_left_out(call: Call, photographs: Path, save_path: Path) -> None:
    (photographs / "broken.png").write_bytes(b"text")
    flags = ["--save_path", save_path, "--qualities", "50"]
    done = call(CALIBRATE, "--in_path", photographs, *flags)
    assert done.code in (0, 1)
    assert done.err.splitlines()[0].startswith("left out: ")
    assert "broken.png" in done.err
    assert weights.read_card(save_path / "jpeg_paper")["calibration"]["float32"]["pictures"] == 3
    card = (save_path / "jpeg_paper" / "model.json").read_bytes()
    for path in photographs.glob("?.png"):
        path.unlink()
    call(CALIBRATE, "--in_path", photographs, *flags).fails(2, "none of the 1 pictures can be used")
    assert (save_path / "jpeg_paper" / "model.json").read_bytes() == card


def test_what_is_wrong(call: Call, photographs: Path, save_path: Path, tmp_path: Path) -> None:
    flags = ["--in_path", photographs, "--save_path", save_path]
    call(CALIBRATE, *flags, "--qualities", "101").fails(2, "--qualities 101")
    call(CALIBRATE, *flags, "--workers", "-1").fails(2, "--workers")
    call(CALIBRATE, *flags, "--comp_type", "jpeg_paper_k12").fails(2, "jpeg_paper_k12/comp_cls.tflite is missing")
    call(CALIBRATE, "--in_path", tmp_path / "x", "--save_path", save_path).fails(2, "x does not exist")
    (save_path / "jpeg_paper" / "comp_cls.tflite").write_bytes(b"half")
    call(CALIBRATE, *flags).fails(2, "comp_cls.tflite is damaged")
    shutil.rmtree(save_path)
    call(CALIBRATE, *flags).fails(2, "comp_cls.tflite is missing")
    assert call(CALIBRATE).code == 2


def test_a_network_that_is_confident_of_nothing_gets_no_threshold(
    call: Call, photographs: Path, save_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = calibration.search_all

    def unsure(samples: Any) -> Any:
        return {key: [replace(row, answered=0.0, mae=None) for row in rows] for key, rows in search(samples).items()}

    monkeypatch.setattr(calibration, "search_all", unsure)
    before = weights.read_card(save_path / "jpeg_paper")
    done = call(CALIBRATE, "--in_path", photographs, "--save_path", save_path, "--qualities", "50")
    assert done.out == ""
    done.fails(2, "is confident of no picture, whatever the threshold; nothing was stored")
    assert weights.read_card(save_path / "jpeg_paper") == before


@pytest.mark.slow
def test_a_network_that_learnt_nothing_gets_no_threshold(
    call: Call, photographs: Path, save_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says 50 of everything is as good as one answer for all; of one quality that cannot be told."""
    flags = ("--in_path", photographs, "--save_path", save_path, "--qualities")
    predict = NetworkEstimator.predict_patches

    def fifty(self: NetworkEstimator, rgb: Any) -> Any:
        said = predict(self, rgb)
        said[:, 0], said[:, 1] = 99, 50
        return said

    monkeypatch.setattr(NetworkEstimator, "predict_patches", fifty)
    before = weights.read_card(save_path / "jpeg_paper")
    done = call(CALIBRATE, *flags, "20,80")
    assert done.out == ""
    done.fails(2, "has learnt nothing: it is off by 30.0 on average, the same answer for all pictures by 30.0")
    assert weights.read_card(save_path / "jpeg_paper") == before
    assert call(CALIBRATE, *flags, "50").code == 0


@pytest.mark.slow
def test_the_shipped_weights_are_not_written_to(
    call: Call, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made of them goes to out/save, which other commands take as --save_path."""
    monkeypatch.chdir(tmp_path)
    shipped = {path: path.read_bytes() for path in (weights.SAVE / "jpeg_paper").iterdir() if path.is_file()}
    done = call(CALIBRATE, "--in_path", photographs, "--qualities", "20,80")
    assert (done.code, done.err) == (0, "")
    assert done.lines[-1].endswith(" stored in out/save/jpeg_paper/model.json")
    assert {path: path.read_bytes() for path in (weights.SAVE / "jpeg_paper").iterdir() if path.is_file()} == shipped
    asked = ("classifier.predict_cls", "--in_path", photographs / "a.png", "--json")
    first, second = (json.loads(call(*asked, *more).out) for more in ((), ("--save_path", "out/save")))
    thresholds = [record["evidence"]["network"]["threshold"] for record in (first, second)]
    assert thresholds[1] == float(done.lines[-1].split()[1])
    other = call(CALIBRATE, "--in_path", photographs, "--qualities", "20,80", "--out_path", "other")
    assert other.lines[-1].endswith(" stored in other/jpeg_paper/model.json")


def test_intervals_alone(call: Call, photographs: Path, save_path: Path, tmp_path: Path) -> None:
    """With tables of real files intervals are fitted again; thresholds and corrections stay."""
    path = tmp_path / "known.csv"
    path.write_text(f"files,luma,chroma\n2,{' '.join(['12'] * 64)},{' '.join(['20'] * 64)}\n")
    folder = save_path / "jpeg_paper"
    before = weights.read_card(folder)
    flags = ["--in_path", photographs, "--save_path", save_path, "--tables", path]
    done = call(CALIBRATE, *flags, "--chains", "4", "--record", tmp_path / "record.json")
    assert (done.code, done.err) == (0, "")
    assert done.lines[-1] == f"intervals stored in {folder}/model.json"
    card = weights.read_card(folder)
    assert card["calibration"] == before["calibration"]
    for key, entry in card["fusion"]["float32"].items():
        if key != "best":
            old = before["fusion"]["float32"][key]
            assert {**entry, "interval": None} == {**old, "interval": None}
            made_on = {name: entry["interval"][name] for name in ("chains", "data", "tables")}
            assert made_on == {"chains": 4, "data": "photographs", "tables": "known.csv"}
            assert len(entry["interval"]["offsets"]) == len(entry["interval"]["edges"]) + 1
    assert card["fusion"]["int8"] == before["fusion"]["int8"]
    rows = json.loads((tmp_path / "record.json").read_text())["result"]
    assert len(rows) == len(card["fusion"]["float32"]) - 1 == len(done.lines) - 1
    call(CALIBRATE, *flags, "--chains", "0").fails(2, "--chains")
