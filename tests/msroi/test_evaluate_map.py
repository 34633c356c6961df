import csv
import json

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi import evaluate_map
from q1net_msroi.msroi.roi import baselines, evaluation
from q1net_msroi.utils.errors import run_command


def run(*arguments):
    return run_command("evaluate_map.py", evaluate_map.main, [str(a) for a in arguments])


@pytest.fixture
def folders(tmp_path):
    """Three pictures of a noisy square on gray, their masks, a table of gaze points inside the squares."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    rows = []
    for number in range(3):
        pixels, mask = np.full((96, 128, 3), 110, np.uint8), np.zeros((96, 128), np.uint8)
        top, left = 10 + 10 * number, 20 + 15 * number
        mask[top : top + 40, left : left + 40] = 255
        pixels[mask > 0] = rng.integers(0, 256, (1600, 3))
        Image.fromarray(pixels).save(tmp_path / "images" / f"p{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"p{number}.png")
        rows += [(f"p{number}.png", left + 20, top + 20), (f"p{number}.png", left + 10, top + 30)]
    with (tmp_path / "points.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("file", "x", "y"), *rows])
    return tmp_path


def test_masks(folders, capsys):
    out = folders / "out"
    arguments = ("--images", folders / "images", "--masks", folders / "masks", "--scales", "256,128t")
    assert run(*arguments, "--out_path", out, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads((out / "maps.json").read_text())
    assert record["images"] == 3
    assert list(record["scores"]) == ["energy", "topk", "threshold", *baselines.BASELINES]
    energy, flat = record["scores"]["energy"], record["scores"]["flat"]
    assert energy["auc"]["low"] <= energy["auc"]["mean"] <= energy["auc"]["high"]
    assert energy["auc"]["mean"] > 0.8 > flat["auc"]["mean"] == 0.5
    assert set(energy) == {"auc", "max_f", "mae", "pointing", "max_f_dataset"}
    table = list(csv.DictReader((out / "maps.csv").open()))
    assert len(table) == 3 * 6
    mean = np.mean([float(row["auc"]) for row in table if row["map"] == "energy"])
    assert mean == pytest.approx(energy["auc"]["mean"], abs=1e-4)
    with Image.open(out / "maps.png") as sheet:
        margin = sheet.width - 3 * 240
        assert margin > 60
        rows = np.asarray(sheet.convert("L"))[22:, :margin].reshape(3, 180, margin)
        assert (rows.max(axis=(1, 2)) > 150).all()  # each of the three is named


def test_gaze(folders, capsys):
    arguments = ("--images", folders / "images", "--density", folders / "masks", "--points", folders / "points.csv")
    assert run(*arguments, "--method", "energy", "--scales", "256", "--out_path", folders / "out") == 0
    scores = json.loads((folders / "out" / "maps.json").read_text())["scores"]
    assert set(scores["energy"]) == {"auc_judd", "nss", "cc"}
    assert scores["flat"]["nss"]["mean"] == 0
    assert scores["energy"]["auc_judd"]["mean"] > 0.8
    assert "means with 95 % intervals" in capsys.readouterr().out


def test_a_picture_that_cannot_be_scored_is_named_and_the_rest_done(folders, capsys):
    Image.new("L", (10, 10), 255).save(folders / "masks" / "p1.png")
    Image.new("L", (128, 96)).save(folders / "masks" / "p2.png")
    arguments = ("--images", folders / "images", "--masks", folders / "masks", "--method", "topk")
    assert run(*arguments, "--out_path", folders / "o") == 1
    error = capsys.readouterr().err
    assert "p1.png is 10x10, but its picture 128x96 pixels" in error
    assert "p2.png: the mask is empty" in error
    assert json.loads((folders / "o" / "maps.json").read_text())["images"] == 1


def test_wrong_use_is_one_line(folders, capsys):
    pictures = folders / "images"
    (folders / "bad.csv").write_text("name,x\na,1\n")
    other = folders / "other"
    other.mkdir()
    Image.new("L", (4, 4)).save(other / "z.png")
    cases = {
        "give either --masks": ["--images", pictures],
        "--workers 0: at least 1": ["--images", pictures, "--masks", folders / "masks", "--workers", "0"],
        "--threshold lies in 0..1": ["--images", pictures, "--masks", folders / "masks", "--threshold", "nan"],
        "give long sides": ["--images", pictures, "--masks", folders / "masks", "--scales", "0"],
        "has a file of the same name": ["--images", pictures, "--masks", other],
        "columns file, x, y are needed": ["--images", pictures, "--points", folders / "bad.csv"],
        "does not exist": ["--images", pictures, "--points", folders / "none.csv"],
    }
    for message, arguments in cases.items():
        assert run(*arguments, "--out_path", folders / "o") == 2, message
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_baselines():
    pixels = np.full((60, 90, 3), 100, np.uint8)
    pixels[10:20, 60:70] = 250
    centre = baselines.centre_prior(pixels)
    assert np.unravel_index(centre.argmax(), centre.shape) == (29, 44)
    assert (centre == centre[::-1, ::-1]).all()
    assert np.ptp(baselines.flat(pixels)) == 0
    residual = baselines.spectral_residual(pixels)
    row, column = np.unravel_index(residual.argmax(), residual.shape)
    assert 5 <= row <= 25
    assert 55 <= column <= 75


def test_gaze_outside_the_picture_is_left_out(tmp_path):
    Image.new("RGB", (10, 8)).save(tmp_path / "a.png")
    item = evaluation.Item(tmp_path / "a.png", None, np.array([[3.7, 2.2], [-1.0, 2.0], [10.0, 1.0]]))
    assert evaluation.read_truth(item, (8, 10), True).points.tolist() == [[2, 3]]
