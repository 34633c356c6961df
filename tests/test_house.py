"""The rules of the house: who may import whom, what starts without TensorFlow, what --help says."""

from __future__ import annotations

import argparse
import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from q1net_msroi.utils import files

ROOT = files.REPOSITORY
COMMANDS = ("predict_cls", "evaluate_cls", "gen_data", "train", "calibrate_cls", "to_tflite", "train_baseline")
CONTRACT = {
    "predict_cls": {"in_path": None, "comp_type": "jpeg_paper", "json": False},
    "evaluate_cls": {"in_path": None, "hdf5_val_path": None, "comp_type": "jpeg_paper", "out_path": "out"},
    "gen_data": {"in_path": ".", "out_path": ".", "num_samples": 1_000_000, "hdf5_name": None,
                 "comp_type": "jpeg_paper", "save_image": False, "perturb": 8, "quality_division": 1,
                 "perturb_division": 1},
    "train": {"hdf5_train_path": None, "hdf5_val_path": None, "comp_type": "jpeg_paper", "base_weights": None,
              "batch_size": 256, "epochs": 50, "steps_per_epoch": None, "out_path": "out"},
    "calibrate_cls": {"comp_type": "jpeg_paper"},
    "to_tflite": {"comp_type": "jpeg_paper", "batch": 256},
    "train_baseline": {"in_path": None, "batch_size": 128, "epochs": 20},
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize(("package", "forbidden"), [("utils", {"classifier", "msroi"}), ("classifier", {"msroi"}),
                                                    ("msroi", {"classifier"})])  # fmt: skip
def test_who_may_import_whom(package: str, forbidden: set[str]) -> None:
    found = {path: imported(path) & (forbidden | {"tests"}) for path in (ROOT / package).rglob("*.py")}
    if not found:
        pytest.skip(f"{package} is not there yet")
    assert not {str(path): names for path, names in found.items() if names}


def test_arrows_go_down_inside_the_classifier() -> None:
    """The network's own modules need no command; only those that judge whole pictures need an estimator."""
    for path in (ROOT / "classifier" / "q1net").glob("*.py"):
        for command in COMMANDS:
            assert f"from q1net_msroi.classifier.{command}" not in path.read_text()
            assert f"from q1net_msroi.classifier import {command}" not in path.read_text()


def test_tensorflow_has_one_door() -> None:
    """Apart from utils/training.py, TensorFlow is imported inside functions only."""
    for package in ("utils", "classifier"):
        for path in (ROOT / package).rglob("*.py"):
            if path == ROOT / "utils" / "training.py":
                continue
            top = [n for n in ast.parse(path.read_text()).body if isinstance(n, (ast.Import, ast.ImportFrom))]
            named = {alias.name.split(".")[0] for n in top if isinstance(n, ast.Import) for alias in n.names}
            named |= {(n.module or "").split(".")[0] for n in top if isinstance(n, ast.ImportFrom)}
            assert not named & {"tensorflow", "tf_keras", "keras"}, path


NO_TENSORFLOW = """
import sys
from q1net_msroi.classifier import {command}
from q1net_msroi.utils.errors import run_command
code = run_command("{command}.py", {command}.main, sys.argv[1:])
heavy = {{"tensorflow", "tf_keras", "keras"}} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


@pytest.mark.parametrize("command", ["predict_cls", "evaluate_cls", "calibrate_cls", "gen_data"])
def test_no_tensorflow(
    run: Callable[..., Any], photographs: Path, save_path: Path, tmp_path: Path, command: str
) -> None:
    flags: dict[str, list[Any]] = {
        "predict_cls": ["--save_path", save_path],
        "evaluate_cls": ["--save_path", save_path, "--qualities", "50", "--out_path", tmp_path],
        "calibrate_cls": ["--save_path", save_path, "--qualities", "50"],
        "gen_data": ["--out_path", tmp_path, "--num_samples", "1", "--perturb", "1"],
    }
    done = run("-c", NO_TENSORFLOW.format(command=command), "--in_path", photographs, *flags[command])
    assert done.code == 0, done.err


def test_predict_starts_without_what_it_does_not_need(run: Callable[..., Any]) -> None:
    code = (
        "import sys; from q1net_msroi.classifier.predict_cls import main; main(sys.argv[1:])\n"
        "heavy = {'matplotlib', 'scipy', 'pandas', 'h5py', 'cv2'} & set(sys.modules); assert not heavy, heavy"
    )
    sample = ROOT / "sample_image" / "chelsea.png"
    if not (ROOT / "save" / "jpeg_paper" / "comp_cls.tflite").exists():
        pytest.skip("no weights are shipped in save/jpeg_paper")
    done = run("-c", code, "--in_path", sample)
    assert done.code == 0, done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_and_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"q1net_msroi.classifier.{command}")
    parser: argparse.ArgumentParser = module.build_parser()
    actions = {action.dest: action for action in parser._actions if action.dest != "help"}
    for name, default in CONTRACT[command].items():
        assert f"--{name}" in actions[name].option_strings
        assert actions[name].default == default, name
    with pytest.raises(SystemExit) as stop:
        module.main(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"usage: {command}.py" in text
    for name, action in actions.items():
        assert f"--{name}" in text
        assert action.help, f"--{name} is not explained"
        if action.default is not None and not isinstance(action.default, bool) and name != "save_path":
            assert "default" in action.help or action.default in (0, 1, 0.0), f"--{name}'s default is not told"


def test_every_test_file_has_a_module_or_command() -> None:
    """Tests mirror the tree."""
    for path in (ROOT / "tests" / "utils").glob("test_*.py"):
        assert (ROOT / "utils" / path.name.removeprefix("test_")).exists(), path.name
    for path in (ROOT / "tests" / "classifier").rglob("test_*.py"):
        below = path.relative_to(ROOT / "tests")
        assert (ROOT / below.parent / path.name.removeprefix("test_")).exists(), path.name
