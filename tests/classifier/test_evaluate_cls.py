"""evaluate_cls.py: printed lines, files and hostile inputs."""

import csv
import errno
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.q1net import weights

EVALUATE = "classifier.evaluate_cls"
KEYS = {
    "comp_type",
    "predictions",
    "answered",
    "mae",
    "bias",
    "std",
    "exact",
    "within_1",
    "within_2",
    "worst_1_percent",
    "interval_coverage",
    "seconds",
}
PROCESSED = re.compile(r"Images processed: +\d+/3: (\d+\.\d\d|unknown)")

Call = Callable[..., Any]

pytestmark = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


@pytest.fixture
def patches(tmp_path: Path, textured: Callable[..., np.ndarray]) -> Path:
    path = tmp_path / "val.hdf5"
    with h5py.File(path, "w") as file:
        file["x_noise"] = textured(16 * 30, 16).reshape(30, 16, 16, 3)
        file["y_quality"] = np.repeat(np.array([10, 50, 100], np.uint8), 10)
    return path


def test_pictures(call: Call, photographs: Path, tmp_path: Path) -> None:
    done = call(
        EVALUATE, "--in_path", photographs, "--out_path", tmp_path / "out", "--qualities", "10,90", "--threshold", "0"
    )
    assert (done.code, done.err) == (0, "")
    assert all(PROCESSED.fullmatch(line) for line in done.lines[:3])
    assert done.lines[0].startswith("Images processed:   1/3: ")
    assert re.fullmatch(r"mae \d+\.\d\d, std of error \d+\.\d\d", done.lines[3])
    assert done.lines[4].startswith("6 predictions, 0 unknown, exact ")
    picture = Image.open(tmp_path / "out" / "confusion_matrix.png")
    assert min(picture.size) > 500
    with (tmp_path / "out" / "by_quality.csv").open(newline="") as handle:
        assert [(row["quality"], row["predictions"]) for row in csv.DictReader(handle)] == [("10", "3"), ("90", "3")]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_json(call: Call, photographs: Path, tmp_path: Path) -> None:
    def evaluate(*flags: str) -> dict[str, Any]:
        done = call(
            EVALUATE,
            "--in_path",
            photographs,
            "--out_path",
            tmp_path / "out",
            "--qualities",
            "30",
            "--threshold",
            "0",
            "--json",
            *flags,
        )
        assert (done.code, len(done.lines)) == (0, 1)
        record: dict[str, Any] = json.loads(done.out)
        assert set(record) == KEYS
        record.pop("seconds")
        return record

    aligned = evaluate()
    assert (aligned["comp_type"], aligned["predictions"], aligned["answered"]) == ("jpeg_paper", 3, 3)
    assert evaluate("--workers", "1") == aligned
    assert evaluate("--crop_offset", "random", "--seed", "1") == evaluate("--crop_offset", "random", "--seed", "1")
    assert evaluate("--crop_offset", "3,5") != aligned


@pytest.mark.parametrize("comp_type", ["jpeg_lattice", pytest.param("auto", marks=pytest.mark.slow)])
def test_other_estimators(call: Call, photographs: Path, tmp_path: Path, comp_type: str) -> None:
    flags = ["--in_path", photographs, "--out_path", tmp_path / "out", "--qualities", "30,75", "--comp_type", comp_type]
    for offset in ("0,0", "3,5"):
        done = call(EVALUATE, *flags, "--crop_offset", offset, "--json")
        assert (done.code, done.err) == (0, "")
        record = json.loads(done.out)
        assert set(record) == KEYS
        assert (record["comp_type"], record["predictions"]) == (comp_type, 6)
        assert record["answered"] >= 5
        assert record["exact"] >= 4 / 6
        assert record["interval_coverage"] >= 4 / 6


@pytest.mark.slow
def test_the_networks_own_choices(call: Call, photographs: Path, tmp_path: Path) -> None:
    """Whole pictures or only what the grid needs: the same answers; other patches and fusion: others."""
    flags = [
        "--in_path",
        photographs,
        "--out_path",
        tmp_path / "out",
        "--qualities",
        "40",
        "--threshold",
        "0",
        "--json",
    ]

    def mae(*more: str) -> float:
        done = call(EVALUATE, *flags, *more)
        assert (done.code, done.err) == (0, "")
        return float(json.loads(done.out)["mae"])

    assert mae("--find_grid") == pytest.approx(mae(), abs=1e-4)  # uncropped pictures: the answer does not change
    maes = {
        mae("--patches", patches, "--fusion", rule) for patches in ("grid", "texture") for rule in ("mode", "median")
    }
    assert len(maes) > 2


def test_jpeg_files_are_said_once(call: Call, photographs: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.open(photographs / f"{name}.png").save(photographs / f"{name}.jpg", quality=90)
    done = call(EVALUATE, "--in_path", photographs, "--out_path", tmp_path / "out", "--qualities", "40")
    assert done.code == 0
    assert done.err.splitlines() == [
        "a.jpg is a JPEG file, compressed before at a quality that is not known: measure on photographs that never were"
    ]


def test_patches_take_a_network(call: Call, patches: Path, tmp_path: Path) -> None:
    flags = ["--hdf5_val_path", patches, "--out_path", tmp_path / "out"]
    call(EVALUATE, *flags, "--comp_type", "jpeg_lattice").fails(2, "jpeg_lattice judges whole pictures")


def test_nothing_is_known(call: Call, photographs: Path, tmp_path: Path) -> None:
    flags = ["--in_path", photographs, "--out_path", tmp_path / "out", "--qualities", "30", "--threshold", "100"]
    done = call(EVALUATE, *flags)
    assert done.code == 0
    assert done.lines[0] == "Images processed:   1/3: unknown"
    assert done.lines[3] == "mae unknown: no picture has an answer"
    record = json.loads(call(EVALUATE, *flags, "--json").out)
    assert (record["mae"], record["answered"], record["predictions"]) == (None, 0, 3)


def test_patches(call: Call, patches: Path, tmp_path: Path) -> None:
    flags = ["--hdf5_val_path", patches, "--out_path", tmp_path / "out"]
    done = call(EVALUATE, *flags)
    assert (done.code, done.err) == (0, "")
    for line, quality in zip(done.lines, (" 10", " 50", "100"), strict=False):
        assert re.fullmatch(rf"quality {quality}: mae [ \d]\d, bias [ \d-]?\d+, std [ \d]\d", line)
    assert re.fullmatch(r"MAE: \d+\.\d\d", done.lines[3])
    assert (tmp_path / "out" / "by_quality.csv").exists()
    record = json.loads(call(EVALUATE, *flags, "--json").out)
    assert {"comp_type", "mae", "seconds", "patches", "loss"} <= set(record)
    assert done.lines[3] == f"MAE: {record['mae']:.2f}"


def test_bad_pictures_are_named_and_the_rest_is_done(call: Call, photographs: Path, tmp_path: Path) -> None:
    (photographs / "b2.png").write_bytes((photographs / "b.png").read_bytes()[:500])
    (photographs / "line\nbreak.png").write_bytes(b"text")
    Path(os.fsdecode(os.fsencode(photographs) + b"/\xff\xfe.png")).write_bytes(b"text")
    Image.new("RGB", (23, 24)).save(photographs / "small.png")
    done = call(EVALUATE, "--in_path", photographs, "--out_path", tmp_path / "out", "--qualities", "20")
    assert done.code == 1
    said = done.err.splitlines()
    assert len(said) == 5
    assert all(line.isprintable() for line in said)
    assert said[-1] == "evaluate_cls.py: 4 of 7 pictures could not be used"
    for word in ("b2.png is damaged", "line\\nbreak.png", "\\xff\\xfe.png", "small.png is 23x24"):
        assert any(word in line for line in said), word
    assert sum("Images processed" in line for line in done.lines) == 3
    assert (tmp_path / "out" / "confusion_matrix.png").exists()


def test_no_picture_is_usable(call: Call, photographs: Path, tmp_path: Path) -> None:
    done = call(EVALUATE, "--in_path", photographs, "--out_path", tmp_path / "out", "--crop_offset", "140,0")
    assert done.code == 2
    assert "too short" in done.err
    assert done.err.splitlines()[-1] == "evaluate_cls.py: none of the 3 pictures could be evaluated"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--qualities", "0"), "--qualities 0"),
        (("--qualities", "5-95:0"), "--qualities"),
        (("--crop_offset", "3"), "--crop_offset 3"),
        (("--workers", "-1"), "--workers"),
        (("--crop_offset", "random", "--seed", "-1"), "--seed"),
        (("--hdf5_val_path", "x.hdf5"), "either --in_path"),
        (("--comp_type", "x"), "--comp_type"),
    ],
)
def test_wrong_flags(call: Call, photographs: Path, tmp_path: Path, flags: tuple[str, ...], word: str) -> None:
    done = call(EVALUATE, "--in_path", photographs, "--out_path", tmp_path / "out", *flags)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert word in done.err.splitlines()[-1]


def test_nothing_given_and_nothing_there(call: Call, tmp_path: Path) -> None:
    call(EVALUATE).fails(2, "give either --in_path FOLDER or --hdf5_val_path FILE")
    call(EVALUATE, "--in_path", tmp_path / "missing").fails(2, "missing does not exist")
    call(EVALUATE, "--in_path", tmp_path).fails(2, "no pictures")
    call(EVALUATE, "--hdf5_val_path", tmp_path / "missing.hdf5").fails(2, "missing.hdf5 does not exist")


def test_broken_patch_files(call: Call, patches: Path, tmp_path: Path) -> None:
    with h5py.File(patches, "a") as file:
        del file["y_quality"]
        file["y_quality"] = np.full(30, np.nan)
    call(EVALUATE, "--hdf5_val_path", patches, "--out_path", tmp_path / "out").fails(2, "val.hdf5", "NaN")
    patches.write_bytes(patches.read_bytes()[:5000])
    call(EVALUATE, "--hdf5_val_path", patches, "--out_path", tmp_path / "out").fails(2, "not a whole HDF5 file")


def test_missing_model(call: Call, photographs: Path, patches: Path, tmp_path: Path) -> None:
    for source in (("--in_path", photographs), ("--hdf5_val_path", patches)):
        done = call(EVALUATE, *source, "--out_path", tmp_path / "out", "--save_path", tmp_path / "nowhere")
        done.fails(2, "comp_cls.tflite is missing")


def test_where_the_result_cannot_go(
    call: Call, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    flags = ["--in_path", photographs, "--qualities", "30"]
    call(EVALUATE, *flags, "--out_path", tmp_path / "file").fails(2, "file is a file; choose another output folder")
    (tmp_path / "taken" / "confusion_matrix.png").mkdir(parents=True)
    call(EVALUATE, *flags, "--out_path", tmp_path / "taken").fails(2, "confusion_matrix.png is a folder")

    def full(path: Path, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    done = call(EVALUATE, *flags, "--out_path", tmp_path / "out")
    done.fails(2, "the disk is full while writing")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk(call: Call, photographs: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(1_000_000))
    done = call(EVALUATE, "--in_path", photographs, "--qualities", "30", "--out_path", small_disk)
    done.fails(2, "the disk is full while writing")
    assert not (small_disk / "confusion_matrix.png").exists()
    assert not list(small_disk.glob(".*"))


@pytest.mark.slow
def test_two_runs_into_the_same_folder(start: Call, photographs: Path, tmp_path: Path) -> None:
    flags = ["--in_path", photographs, "--qualities", "30", "--out_path", tmp_path / "out"]
    processes = [start(EVALUATE, *flags) for _ in range(2)]
    assert [p.communicate(timeout=120)[1] for p in processes] == ["", ""]
    assert [p.returncode for p in processes] == [0, 0]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "by_quality.csv",
        "confusion_matrix.csv",
        "confusion_matrix.png",
    ]
    Image.open(tmp_path / "out" / "confusion_matrix.png").load()


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        signal.SIGKILL,
    ],
)
def test_stopped_in_the_middle(start: Call, photographs: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = start(EVALUATE, "--in_path", photographs, "--qualities", "1-40", "--out_path", tmp_path / "out")
    process.stdout.readline()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    assert "Traceback" not in said
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.data
@pytest.mark.slow
def test_kodak_within_the_stated_time(call: Call, data_folder: Path, tmp_path: Path) -> None:
    """The table of the README: 24 pictures, a few qualities of the hundred."""
    kodak = next((p for p in sorted(data_folder.glob("kodak*")) if p.is_dir()), None)
    if kodak is None:
        pytest.skip(f"no Kodak pictures in {data_folder}")
    done = call(EVALUATE, "--in_path", kodak, "--recursive", "--qualities", "5-95:30", "--out_path", tmp_path, "--json")
    assert done.code == 0
    record = json.loads(done.out)
    assert record["predictions"] == 24 * 4
    assert record["answered"] > 0
    assert record["mae"] < 25
