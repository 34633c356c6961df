"""The pictures of a tree, without the folders that are written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from q1net_msroi.utils import images, journal
from q1net_msroi.utils.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.png", "a/x.jpg", "a/out/y.jpg", "out/z.jpg", ".hidden/h.png", "notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def names(*arguments: object) -> list[str]:
    return [str(path) for path in images.find_pictures(*arguments)]  # type: ignore[arg-type]


def test_places_in_the_tree(root: Path) -> None:
    assert names(root) == ["b.png"]
    assert names(root, True) == ["a/out/y.jpg", "a/x.jpg", "b.png", "out/z.jpg"]
    assert names(root, True, [root / "out", root.parent]) == ["a/out/y.jpg", "a/x.jpg", "b.png"]
    assert names(root, True, [root / "a" / ".." / "a"]) == ["b.png", "out/z.jpg"]


def test_relative_and_linked_folders(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (root.parent / "link").symlink_to(root)
    for folder in (Path(), Path("../link")):
        assert names(folder, True, [root / "out", Path("a/out")]) == ["a/x.jpg", "b.png"]


def test_nothing_left_and_wrong_use(root: Path) -> None:
    with pytest.raises(UserError, match="is the input folder too"):
        names(root, True, [root / "a" / ".."])
    (root / "b.png").unlink()
    with pytest.raises(UserError, match="--recursive looks into its subfolders"):
        names(root)
    with pytest.raises(UserError, match="but those that were written there"):
        names(root, True, [root / "a", root / "out"])
    with pytest.raises(UserError, match="does not exist"):
        names(root / "absent", True, [root])


def test_the_outputs_of_a_folder_job_are_no_pictures(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "a" / f"x{journal.SUFFIX}").touch()
    (root / f"y{journal.SUFFIX}").touch()  # the folder that was asked for is taken all the same
    assert names(root, True) == ["b.png", "out/z.jpg"]
    assert capsys.readouterr().err == f"left out: {root}/a, whose pictures were written by a folder job\n"
