"""prepare_data.py: tables from class folders, and what it says of what does not belong there."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COMMAND = "msroi.prepare_data"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two classes, of 14 and 8 pictures."""
    random = np.random.default_rng(0)
    for name, count in (("002.dog", 8), ("001.cat", 14)):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for n in range(count):
            Image.fromarray(random.integers(0, 256, (12, 15, 3), np.uint8)).save(folder / f"{n:02}.png")
    return tmp_path / "pictures"


def test_tables_hold_every_picture_once(call, folders: Path, tmp_path: Path) -> None:
    done = call(COMMAND, "--in_path", folders, "--out_path", tmp_path / "tables")
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith("2 classes, 16 pictures to train on, 6 to test on")
    train, test = rows(tmp_path / "tables" / "train.csv"), rows(tmp_path / "tables" / "test.csv")
    assert sorted(row["file"] for row in train + test) == sorted(str(p) for p in folders.rglob("*.png"))
    assert {(row["class"], row["label"]) for row in train} == {("cat", "0"), ("dog", "1")}
    assert rows(tmp_path / "tables" / "classes.csv") == [
        {"label": "0", "class": "cat", "train": "10", "test": "4"},
        {"label": "1", "class": "dog", "train": "6", "test": "2"},
    ]


def test_seed_decides_the_split(call, folders: Path, tmp_path: Path) -> None:
    texts = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        call(COMMAND, "--in_path", folders, "--out_path", tmp_path / name, "--seed", seed)
        texts.append((tmp_path / name / "test.csv").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_original_split_takes_the_last_ten(call, folders: Path, tmp_path: Path) -> None:
    done = call(COMMAND, "--in_path", folders, "--out_path", tmp_path, "--original_split")
    assert done.code == 0
    train = [Path(row["file"]).name for row in rows(tmp_path / "train.csv")]
    assert train == ["00.png", "01.png", "02.png", "03.png", "00.png"]
    assert len(rows(tmp_path / "test.csv")) == 10 + 7
    # Pictures inside the tables' folder are named relative to it, so that both can be moved together.
    assert rows(tmp_path / "train.csv")[0]["file"] == "pictures/001.cat/00.png"


def test_what_does_not_belong_is_named_and_the_rest_done(call, folders: Path, tmp_path: Path) -> None:
    (folders / "003.empty").mkdir()
    (folders / "004.broken").mkdir()
    (folders / "004.broken" / "x.jpg").write_bytes(b"")
    cut = (folders / "001.cat" / "03.png").read_bytes()
    (folders / "001.cat" / "03.png").write_bytes(cut[: len(cut) // 2])
    (folders / "002.dog" / "notes.txt").write_text("about dogs")
    (folders / "002.dog" / "puppies").mkdir()
    done = call(COMMAND, "--in_path", folders, "--out_path", tmp_path / "tables")
    assert done.code == 1
    said = done.err.splitlines()
    for name in ("003.empty is empty", "x.jpg", "004.broken holds no readable", "03.png", "notes.txt", "puppies"):
        assert sum(name in line for line in said) == 1, name
    assert len(said) == 6
    assert [row["class"] for row in rows(tmp_path / "tables" / "classes.csv")] == ["cat", "dog"]
    assert sum(len(rows(tmp_path / "tables" / f"{name}.csv")) for name in ("train", "test")) == 21


def test_non_pictures_alone_are_no_failure(call, folders: Path, tmp_path: Path) -> None:
    (folders / "001.cat" / "Thumbs.db").write_bytes(b"x")
    done = call(COMMAND, "--in_path", folders, "--out_path", tmp_path / "tables")
    assert done.code == 0
    assert len(done.err.splitlines()) == 1


def test_single_picture_class_is_for_training(call, folders: Path, tmp_path: Path) -> None:
    (folders / "bird").mkdir()
    Image.new("RGB", (9, 9)).save(folders / "bird" / "only.png")
    done = call(COMMAND, "--in_path", folders, "--out_path", tmp_path)
    assert done.code == 0
    assert "bird" in done.err
    assert "bird" in {row["class"] for row in rows(tmp_path / "train.csv")}
    assert "bird" not in {row["class"] for row in rows(tmp_path / "test.csv")}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--test_share", "1"), "--test_share"),
        (("--test_share", "nan"), "--test_share"),
        (("--seed", "-1"), "--seed"),
        (("--workers", "0"), "--workers"),
        (("--in_path", "nowhere"), "nowhere"),
    ],
)
def test_wrong_use_is_one_line(call, folders: Path, tmp_path: Path, arguments: tuple[str, str], word: str) -> None:
    call(COMMAND, "--in_path", folders, "--out_path", tmp_path, *arguments).fails(2, word)
    assert not (tmp_path / "train.csv").exists()


def test_folder_of_pictures_without_classes_is_refused(call, photographs: Path, tmp_path: Path) -> None:
    call(COMMAND, "--in_path", photographs, "--out_path", tmp_path).fails(2, "class folders")


def test_output_that_is_a_file_is_refused(call, folders: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    call(COMMAND, "--in_path", folders, "--out_path", tmp_path / "file").fails(2, "is a file")
