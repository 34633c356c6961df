"""The walk-throughs of CONTRIBUTING.md, performed in a copy of the tree: its pieces of code, then its commands."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"```(python|sh)\n(.*?)```", re.DOTALL)
MOST_FILES = {"Add a codec": 1, "Add an estimator": 2, "Add a metric": 1, "Add a level rule": 1}
SECTIONS = dict(
    part.split("\n", 1) for part in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("\n## ")[1:]
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages; what is only read is linked."""
    for name in ("classifier", "msroi", "utils"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "results", "out"))
    (tmp_path / "q1net_msroi").mkdir()
    for path in (ROOT / "q1net_msroi").iterdir():
        if path.is_symlink():
            (tmp_path / "q1net_msroi" / path.name).symlink_to(tmp_path / path.name)
        elif path.suffix == ".py":
            shutil.copy(path, tmp_path / "q1net_msroi")
    for name in ("save", "sample_image"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def perform(section: str, tree: Path) -> tuple[set[Path], list[str]]:
    """Do what a section says in `tree`; return which files its code went to and what its commands printed."""
    changed, printed = set(), []
    for kind, text in FENCE.findall(SECTIONS[section]):
        if kind == "python":
            head, code = text.split("\n", 1)
            name, _, anchor = head.removeprefix("# ").partition(", after: ")
            path = tree / name
            changed.add(path)
            if not anchor:
                path.write_text(code, encoding="utf-8")
                continue
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            (place,) = [number for number, line in enumerate(lines) if line.strip() == anchor]
            path.write_text("".join([*lines[: place + 1], code, *lines[place + 1 :]]), encoding="utf-8")
        else:
            for command in text.splitlines():
                words = [sys.executable if word == "python3" else word for word in command.split()]
                environment = {**os.environ, "PYTHONPATH": str(tree)}
                done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{command}: {done.stderr}"
                printed.append(done.stdout)
    return changed, printed


def test_every_walk_through_is_known() -> None:
    assert {name for name in SECTIONS if name.startswith("Add ")} == set(MOST_FILES)


@pytest.mark.slow
@pytest.mark.parametrize("section", list(MOST_FILES))
def test_walk_through(section: str, tree: Path) -> None:
    changed, printed = perform(section, tree)
    assert 1 <= len(changed) <= MOST_FILES[section]
    if section == "Add a codec":
        assert (tree / "out" / "jpeg_paper.hdf5").exists()
    elif section == "Add an estimator":
        assert "most pictures are saved at 75; this one was not looked at" in printed[0]
        assert "habit: quality 75" in printed[0]
        assert "mae 12.50" in printed[1]
    elif section == "Add a metric":
        assert set(json.loads(printed[1])["metrics"]["plain"]) >= {"psnr", "mae"}
        assert "MAE" in (tree / "out" / "report.html").read_text(encoding="utf-8")
    else:
        assert (tree / "output" / "_compressed_chelsea.png_.jpg").exists()
