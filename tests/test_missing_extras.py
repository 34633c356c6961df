"""What an extra brings and is not there is one line that says how to get it, from every command, before long work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXTRAS, TITLES, run_command

SAMPLES = files.REPOSITORY / "sample_image"
TENSORFLOW = "needs TensorFlow: pip install 'q1net-msroi[train]'"
COMMANDS = {
    "classifier/train.py": ("--in_path", SAMPLES, "--val_path", SAMPLES),
    "classifier/train_baseline.py": ("--in_path", SAMPLES, "--val_path", SAMPLES),
    "classifier/to_tflite.py": (),
    "classifier/calibrate_cls.py": ("--in_path", SAMPLES, "--backend", "tf"),
    "classifier/evaluate_cls.py": ("--in_path", SAMPLES, "--backend", "tf"),
    "classifier/predict_cls.py": ("--in_path", SAMPLES / "chelsea.png", "--backend", "tf"),
    "msroi/train.py": ("--in_path", "."),
    "msroi/generate_map.py": (SAMPLES / "chelsea.png", "--backend", "tf"),
}


@pytest.fixture
def without(tmp_path: Path):
    """Run a script where some modules cannot be imported; return how it ended."""
    (tmp_path / "tables").mkdir()
    for name, text in (("classes.csv", "label,class\n0,a\n1,b\n"), ("train.csv", ""), ("test.csv", "")):
        rows = text or "file,class,label\nx.png,a,0\n"
        (tmp_path / "tables" / name).write_text(rows)

    def run(script: str, *arguments: object, absent: tuple[str, ...] = ("tensorflow", "tf_keras")):
        blocked = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in absent)
        (tmp_path / "sitecustomize.py").write_text(blocked)
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{files.REPOSITORY}"}
        command = [sys.executable, str(files.REPOSITORY / script), *map(os.fspath, arguments)]
        return subprocess.run(
            command, env=environment, cwd=tmp_path / "tables", capture_output=True, text=True, check=False
        )

    return run


FAST = ("classifier/train.py", "classifier/predict_cls.py")


@pytest.mark.parametrize(
    "script", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
)
def test_tensorflow_that_is_missing_is_one_line(without, script: str) -> None:
    done = without(script, *COMMANDS[script])
    assert done.returncode == 2
    assert done.stderr == f"{Path(script).name} {TENSORFLOW}\n"
    assert done.stdout == ""


def test_hdf5_that_is_missing_is_one_line(without) -> None:
    for script, flag in (("classifier/gen_data.py", "--in_path"), ("classifier/evaluate_cls.py", "--hdf5_val_path")):
        given = SAMPLES if flag == "--in_path" else SAMPLES / "chelsea.png"
        done = without(script, flag, given, absent=("h5py",))
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == f"{Path(script).name} needs h5py: pip install 'q1net-msroi[train]'"
        assert "Traceback" not in done.stderr


def test_pytorch_is_asked_for_after_the_help(without) -> None:
    script = "scripts/train_torch.py"
    assert without(script, "--help", absent=("torch",)).returncode == 0
    done = without(script, "--in_path", SAMPLES, "--out", "x.npz", absent=("torch",))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "train_torch.py: PyTorch is missing; install it with `pip install torch`\n"


@pytest.mark.parametrize("module", EXTRAS)
def test_every_extra_is_named(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    def main(_arguments: object) -> int:
        raise ModuleNotFoundError(name=f"{module}.part")

    assert run_command("x.py", main) == 2
    title, extra = TITLES.get(module, module), EXTRAS[module]
    assert capsys.readouterr().err == f"x.py needs {title}: pip install 'q1net-msroi[{extra}]'\n"


def test_a_module_of_ours_that_is_missing_is_a_fault_and_not_hidden() -> None:
    def main(_arguments: object) -> int:
        raise ModuleNotFoundError(name="q1net_msroi.none")

    with pytest.raises(ModuleNotFoundError):
        run_command("x.py", main)


@pytest.mark.slow
def test_tensorflow_says_nothing_of_itself() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    code = "from q1net_msroi.utils.training import tf; tf.config.list_physical_devices(); print(tf.constant(1) + 1)"
    environment["PYTHONPATH"] = str(files.REPOSITORY)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
