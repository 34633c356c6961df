"""What is named on the command line: every picture once, in order, and what is skipped is said."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from q1net_msroi.utils import inputs
from q1net_msroi.utils.errors import UserError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b/y.jpg",
        "b/c/z.webp",
        "a.png",
        "b/x.png",
        "b/n.psd",
        "b/.h.png",
        "a[1].png",
        "m.mov",
        "e/n.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*words: str, recursive: bool = False) -> list[str]:
    with inputs.given(words, recursive) as given:
        assert not given.one
        return [given.name(path) for path in given.paths]


def test_one_file_is_one(tree: Path) -> None:
    for word in ("a.png", "b/n.psd", "a[1].png"):  # the last looks like a pattern, but is there
        with inputs.given([word]) as given:
            assert (given.one, given.paths) == (True, [Path(word)])
    with pytest.raises(UserError, match="none does not exist"), inputs.given(["none"]):
        pass


def test_folders_files_and_patterns(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert names("b") == ["b/x.png", "b/y.jpg"]
    assert capsys.readouterr().err == "skipped 1 .psd\n"
    assert names("b", recursive=True) == ["b/c/z.webp", "b/x.png", "b/y.jpg"]
    assert names("b/y.jpg", "b", "a.png", "missing.png") == ["b/y.jpg", "b/x.png", "a.png", "missing.png"]
    capsys.readouterr()
    assert names("*") == ["a.png", "a[1].png", "b/x.png", "b/y.jpg"]
    assert sorted(capsys.readouterr().err[8:-1].split(", ")) == ["1 .mov", "1 .psd", "1 .txt"]
    assert names("b/**/*.*p*g", "**/z.webp") == ["b/x.png", "b/y.jpg", "b/c/z.webp"]
    assert names("**", "b") == ["a.png", "a[1].png", "b/c/z.webp", "b/x.png", "b/y.jpg"]


def test_nothing_is_found(tree: Path) -> None:
    for words, said in (
        (("*.gif",), "nothing matches"),
        (("m.m*",), "no pictures in m.m.*; skipped 1 .mov"),
        (("e", "e*"), "no pictures in e, e.*; skipped 1 .txt"),
        (("-", "a.png"), "give it alone"),
    ):
        with pytest.raises(UserError, match=said), inputs.given(words) as given:
            pytest.fail(f"{words}: {given}")


def test_a_picture_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"bytes"), isatty=lambda: False))
    with inputs.given(["-"]) as given:
        (path,) = given.paths
        assert (given.one, given.name(path), path.read_bytes()) == (True, "-", b"bytes")
    assert not path.exists()
    with pytest.raises(UserError, match=r"^- is damaged$"), inputs.given(["-"]) as given:
        raise UserError(f"{given.paths[0]} is damaged")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(UserError, match="pipe one in"), inputs.given(["-"]):
        pass
