"""Every script explains itself, and none asks for data or writes anything before it does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from q1net_msroi.utils import files

FOLDER = files.REPOSITORY / "scripts"
PARTS = ("common.sh", "site_pages.py")  # of other scripts and of mkdocs
SCRIPTS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".py", ".sh") and path.name not in PARTS)
MEASURING = [path for path in SCRIPTS if path.suffix == ".sh" and "Q1NET_DATA" in path.read_text()]


def run(path: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {key: value for key, value in os.environ.items() if key not in ("Q1NET_DATA", "DIV2K")}
    known |= {"PYTHONPATH": str(files.REPOSITORY), "PYTHON": sys.executable, **environment}
    call = [sys.executable, path, *words] if path.suffix == ".py" else [path, *words]
    return subprocess.run(call, capture_output=True, text=True, check=False, env=known, cwd="/", timeout=300)


EVERY = [path if path.suffix == ".sh" else pytest.param(path, marks=pytest.mark.slow) for path in SCRIPTS]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.name)
def test_help(path: Path) -> None:
    done = run(path, "--help")
    if path.name == "train_torch.py" and "PyTorch is missing" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 60
    assert not done.stderr
    if path in MEASURING:
        assert "$Q1NET_DATA names a folder" in done.stdout
        assert "--commit" in done.stdout


@pytest.mark.parametrize("path", MEASURING, ids=lambda path: path.name)
def test_without_data_a_script_says_what_it_needs(path: Path, tmp_path: Path) -> None:
    for data in ({}, {"Q1NET_DATA": str(tmp_path)}):
        done = run(path, **data)
        assert done.returncode == 2
        assert done.stderr.startswith(f"{path.name}: there is no ")
        assert len(done.stderr.splitlines()) == 1


def test_figure_4_of_one_set_does_not_ask_for_the_other(tmp_path: Path) -> None:
    done = run(FOLDER / "reproduce_figure4.sh", DIV2K=str(tmp_path / "none"))
    assert "kodak" not in done.stderr
    assert str(tmp_path / "none") in done.stderr


@pytest.mark.parametrize("script", ["reproduce_figure4.sh", "reproduce_accuracy.sh", "reproduce_msroi.sh"])
def test_any_folder_may_be_given(script: str, tmp_path: Path) -> None:
    """Without data, a folder of photographs is enough: it is the pictures in it that are asked for."""
    done = run(FOLDER / script, str(tmp_path / "none"))
    assert (done.returncode, done.stderr) == (
        2,
        f"{script}: {tmp_path}/none is no folder; give a folder of photographs\n",
    )
    done = run(FOLDER / script, str(tmp_path))
    assert done.returncode == 2
    assert "kodak" not in done.stderr
    assert "no pictures (.avif, .bmp" in done.stderr
