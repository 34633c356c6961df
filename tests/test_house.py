"""The rules of the house: one name for every module, what starts without TensorFlow, what --help says."""

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


def test_imports_begin_with_the_one_name() -> None:
    """A module imported under two names would be two; import-linter holds who may import whom."""
    for package in ("utils", "classifier", "msroi", "q1net_msroi", "scripts", "tests"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    assert node.level == 0, f"{path}: imports are absolute"
                    names = [str(node.module)]
                assert not {name.split(".")[0] for name in names} & {"utils", "classifier", "msroi"}, path


def test_tensorflow_has_one_door() -> None:
    """Apart from utils/training.py, TensorFlow is imported inside functions only."""
    for package in ("utils", "classifier", "msroi", "q1net_msroi"):
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


@pytest.mark.parametrize(
    "command", ["predict_cls", "evaluate_cls", pytest.param("calibrate_cls", marks=pytest.mark.slow), "gen_data"]
)
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


@pytest.mark.parametrize("comp_type", ["jpeg_paper", "auto"])
def test_predict_starts_without_what_it_does_not_need(run: Callable[..., Any], comp_type: str) -> None:
    code = (
        "import sys; from q1net_msroi.classifier.predict_cls import main; main(sys.argv[1:])\n"
        "heavy = {'matplotlib', 'scipy', 'pandas', 'h5py', 'cv2', 'numpy.ma'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    sample = ROOT / "sample_image" / "chelsea.png"
    if not (ROOT / "save" / "jpeg_paper" / "comp_cls.tflite").exists():
        pytest.skip("no weights are shipped in save/jpeg_paper")
    done = run("-c", code, "--in_path", sample, "--comp_type", comp_type)
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
        assert (f"--{name}" if action.option_strings else str(action.metavar)) in text
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
