"""A journal knows what is finished, also after a kill, a change, and two writers at once."""

import os
import threading
from pathlib import Path

import pytest

from q1net_msroi.utils.journal import Journal, fingerprint

SETTINGS = {"model": 3, "sizes": (1, 2), "modifier": "ä"}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    source, output = tmp_path / "in.png", tmp_path / "out" / "sub" / "o.jpg"
    output.parent.mkdir(parents=True)
    source.write_bytes(b"12345")
    output.write_bytes(b"123")
    return source, output


def done(tmp_path: Path, source: Path, settings: dict = SETTINGS, key: str = "in.png") -> bool:
    return Journal.open(tmp_path / "out" / "j").finished(key, fingerprint([source]), settings) is not None


def add(tmp_path: Path, source: Path, output: Path, key: str = "in.png") -> None:
    Journal.open(tmp_path / "out" / "j").add(key, fingerprint([source]), SETTINGS, [output], {"bytes": 3})


def test_finished_until_something_changes(tmp_path: Path, files: tuple[Path, Path]) -> None:
    source, output = files
    assert not done(tmp_path, source)
    add(tmp_path, source, output)
    assert done(tmp_path, source)
    assert not done(tmp_path, source, {**SETTINGS, "model": 4})
    assert not done(tmp_path, source, key="other.png")
    assert Journal.open(tmp_path / "out" / "j").entries["in.png"].record == {"bytes": 3}
    output.write_bytes(b"12")
    assert not done(tmp_path, source)
    output.unlink()
    assert not done(tmp_path, source)
    output.write_bytes(b"123")
    assert done(tmp_path, source)
    changed = source.stat().st_mtime_ns - 10**12  # replaced by an older file of the same size
    os.utime(source, ns=(changed, changed))
    assert not done(tmp_path, source)
    add(tmp_path, source, output)
    assert done(tmp_path, source)


def test_the_folder_may_move(tmp_path: Path, files: tuple[Path, Path]) -> None:
    source, output = files
    add(tmp_path, source, output)
    moved = (tmp_path / "out").rename(tmp_path / "elsewhere")
    assert Journal.open(moved / "j").finished("in.png", fingerprint([source]), SETTINGS)


def test_a_line_cut_at_any_byte_costs_that_line_only(tmp_path: Path, files: tuple[Path, Path]) -> None:
    source, output = files
    for key in ("a", "b"):
        add(tmp_path, source, output, key)
    journal = tmp_path / "out" / "j"
    whole = journal.read_bytes()
    second = whole.index(b"\n", 2) + 1
    for cut in range(second, len(whole) - 1):
        journal.write_bytes(whole[:cut])
        add(tmp_path, source, output, "c")
        assert done(tmp_path, source, key="a")
        assert done(tmp_path, source, key="c")
        assert not done(tmp_path, source, key="b")
    journal.write_bytes(b"\xff\x00{}\n[1]\nnull\n" + whole)
    assert done(tmp_path, source, key="b")


def test_names_that_are_not_utf_8(tmp_path: Path, files: tuple[Path, Path]) -> None:
    source, _ = files
    output = tmp_path / "out" / os.fsdecode(b"a\xff\n.jpg")
    output.write_bytes(b"1")
    key = os.fsdecode(b"a\xff\n.png")
    add(tmp_path, source, output, key)
    assert done(tmp_path, source, key=key)


def test_two_writers(tmp_path: Path, files: tuple[Path, Path]) -> None:
    source, output = files

    def write(name: str) -> None:
        for number in range(100):
            add(tmp_path, source, output, f"{name}{number}")

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(Journal.open(tmp_path / "out" / "j").entries) == 200


def test_a_missing_input(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint([tmp_path / "absent"])
