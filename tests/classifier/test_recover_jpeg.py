"""The command: a picture, a folder, what it refuses."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import jpeg

Call = Callable[..., Any]


@pytest.fixture
def decoded(photograph: np.ndarray) -> np.ndarray:
    return jpeg.compress(photograph[:160, :240], 75)


def test_one_picture(call: Call, decoded: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(decoded).save(path := tmp_path / "cat.png")
    done = call("classifier.recover_jpeg", "--in_path", path, "--out_path", tmp_path / "out")
    assert done.code == 0, done.err
    assert "proven: these are the pixels of a JPEG of quality 75, 4:2:0" in done.out
    np.testing.assert_array_equal(jpeg.decode((tmp_path / "out" / "cat.jpg").read_bytes()), decoded)


def test_hostile_pictures_get_one_line(call: Call, decoded: np.ndarray, tmp_path: Path) -> None:
    image = Image.fromarray(decoded)
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    changed = decoded.copy()
    changed[50, 50] ^= 64
    clear = image.copy()
    clear.putalpha(128)
    deep = Image.fromarray(np.asarray(deep) + np.uint16(1))  # not written from 8 bits
    pictures = {"alpha": clear, "blocks could say": image.convert("P"), "16 bits": deep,
                "no block": image.crop((0, 0, 1, 160)), "fit": Image.fromarray(changed)}  # fmt: skip
    for said, picture in pictures.items():
        picture.save(path := tmp_path / "hostile.png")
        done = call("classifier.recover_jpeg", "--in_path", path, "--out_path", tmp_path / "out")
        assert done.code == 1
        assert len(done.out.splitlines()) == 1
        assert said in done.out
        assert not list((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_a_folder_is_resumed(call: Call, photograph: np.ndarray, decoded: np.ndarray, tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    Image.fromarray(decoded).save(folder / "cat.png")
    Image.fromarray(photograph).save(folder / "never.png")
    Image.fromarray(decoded).save(folder / "cat.jpg")
    (folder / "bad.png").write_bytes((folder / "cat.png").read_bytes()[:3000])
    command = ("classifier.recover_jpeg", "--in_path", folder, "--out_path", tmp_path / "out")
    done = call(*command, "--dry_run")
    assert "1 of 4 pictures were JPEGs" in done.err
    assert not (tmp_path / "out").exists()
    done = call(*command)
    assert done.code == 1
    assert "bad.png is damaged" in done.err
    made = tmp_path / "out" / "cat.png.jpg"  # cat.jpg has the same stem
    before = made.stat().st_mtime_ns
    again = call(*command)
    assert "3 of 4 pictures were finished before" in again.err
    assert made.stat().st_mtime_ns == before
    with (tmp_path / "out" / "recovered.csv").open() as table:
        rows = {row["file"]: row["recovered"] for row in csv.DictReader(table)}
    assert rows == {"bad.png": "0", "cat.jpg": "0", "cat.png": "1", "never.png": "0"}


def test_map_and_join(call: Call, decoded: np.ndarray, tmp_path: Path) -> None:
    changed = decoded.copy()
    changed[64:80, 96:112] = 255 - changed[64:80, 96:112]
    Image.fromarray(changed).save(path := tmp_path / "cat.png")
    out, shown = tmp_path / "out", tmp_path / "map.png"
    done = call("classifier.recover_jpeg", "--in_path", path, "--out_path", out, "--allow_residual", "--map", shown)
    assert done.code == 0, done.err
    white = np.asarray(Image.open(shown)) > 0
    assert white[64:80, 96:112].all()
    assert not white[:, 144:].any()
    joined = call("classifier.recover_jpeg", "--join", "--in_path", out / "cat.jpg", "--out_path", tmp_path / "back")
    assert joined.code == 0, joined.err
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "back" / "cat.png")), changed)


def test_wrong_use(call: Call, decoded: np.ndarray, tmp_path: Path) -> None:
    call("classifier.recover_jpeg", "--in_path", tmp_path / "none.png").fails(2, "does not exist")
    call("classifier.recover_jpeg", "--in_path", tmp_path, "--map", "m.png").fails(2, "take one picture")
    flags = ("--in_path", tmp_path, "--replace", "--dry_run")
    call("classifier.recover_jpeg", *flags).fails(2, "exclude each other")
