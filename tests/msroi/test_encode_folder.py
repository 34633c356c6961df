"""scripts/encode_folder.sh: a tree of photographs becomes a tree of JPEGs."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import files, jpeg


def encode(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [files.REPOSITORY / "scripts" / "encode_folder.sh", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("out", ["photos/out", "-out dir"])
def test_a_tree(tmp_path: Path, textured: Callable[..., np.ndarray], out: str) -> None:
    for number, name in enumerate(("one.png", "trip/two.png", "trip/day 1/one.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(textured(64, 96, number)).save(path)
    (tmp_path / "photos" / "trip" / "bad.jpg").write_bytes(b"text")
    before = {path: path.read_bytes() for path in (tmp_path / "photos").rglob("*.*")}

    done = encode("photos", out, "-threshold_pct", "0", "--workers", "2", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    made = {str(path.relative_to(tmp_path / out)) for path in (tmp_path / out).rglob("_compressed_*")}
    names = ("", "one.png"), ("trip/", "two.png"), ("trip/day 1/", "one.png")
    assert made == {f"{where}_compressed_{name}_.jpg" for where, name in names}
    assert all((tmp_path / out / "maps" / where / f"map_{name}.jpg").is_file() for where, name in names)
    with (tmp_path / out / "summary.csv").open(newline="") as handle:
        status = {row["file"]: row["status"] for row in csv.DictReader(handle)}
    assert status == {
        "one.png": "done", "trip/bad.jpg": "failed", "trip/day 1/one.png": "done", "trip/two.png": "done"
    }  # fmt: skip
    assert before == {path: path.read_bytes() for path in before}

    Image.fromarray(textured(64, 96, 9)).save(tmp_path / "photos" / "trip" / "two.png")
    again = encode("photos", out, "-threshold_pct", "0", folder=tmp_path)
    assert again.returncode == 1
    first, second = again.stdout.splitlines()
    assert "map_two.png.jpg" in first
    assert "_compressed_two.png_.jpg" in second


@pytest.mark.slow
def test_no_bytes_above_what_a_photograph_has_been_through(tmp_path: Path, photograph: np.ndarray) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(jpeg.compress(photograph, 25)).save(tmp_path / "photos" / "was.png")
    (tmp_path / "photos" / "is.jpg").write_bytes(jpeg.encode(photograph, 25))
    Image.fromarray(photograph).save(tmp_path / "photos" / "never.png")
    done = encode("photos", "out", "-model", "7", "--target_quality", "75", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "summary.csv").open(newline="") as handle:
        quality = {row["file"]: int(row["plain_quality"]) for row in csv.DictReader(handle)}
    assert quality == {"was.png": 25, "is.jpg": 25, "never.png": 75}
    assert not list((tmp_path / "out").rglob("*.partial"))
    again = encode("photos", "out", "-model", "7", "--target_quality", "75", folder=tmp_path)
    assert (again.returncode, again.stdout) == (0, "")


def test_wrong_use(tmp_path: Path) -> None:
    assert encode("photos", folder=tmp_path).returncode == 2
    done = encode("absent", "out", folder=tmp_path)
    assert done.returncode == 2
    assert "absent does not exist" in done.stderr
    assert not (tmp_path / "out" / "summary.csv").exists()


@pytest.mark.slow
def test_what_was_a_jpeg_is_kept(tmp_path: Path, photograph: np.ndarray) -> None:
    (tmp_path / "photos").mkdir()
    pixels = jpeg.compress(np.ascontiguousarray(photograph[:240, :320]), 75)
    Image.fromarray(pixels).save(tmp_path / "photos" / "was.png")
    done = encode("photos", "out", "-model", "7", "-jpeg_compression", "75", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "_compressed_was.png_.jpg")), pixels)
