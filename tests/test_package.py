"""What is installed: one name, the shipped models, commands that work beside a hostile utils.py, no TensorFlow."""

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LARGEST_WHEEL = 12_000_000  # bytes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a user's pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # setuptools would pack what an earlier build left there
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(build, check=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and sees this one's libraries."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python3*/site-packages")
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "libraries.pth").write_text(libraries + "\n")
    install = [sys.executable, "-m", "pip", f"--python={folder / 'bin' / 'python'}", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, "--no-index", "--force-reinstall", wheel], check=True)
    return folder / "bin"


@pytest.mark.slow
def test_the_wheel_holds_one_name_and_the_models(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"q1net_msroi"}
    models = {name.removeprefix("q1net_msroi/save/") for name in names if name.endswith(".tflite")}
    shipped = {path.relative_to(ROOT / "save").as_posix() for path in (ROOT / "save").rglob("*.tflite")}
    assert models == shipped
    assert not [name for name in names if "/best/" in name or name.endswith(".pyc") or "tests" in name]
    pages = ("msroi/encoder/page.html", "classifier/estimators/page.html", "utils/page.css")
    data = ("save/jpeg_paper/model.json", "save/jpeg_paper/README.md", "classifier/lattice/known_tables.json")
    for kept in ("py.typed", *data, *pages):
        assert f"q1net_msroi/{kept}" in names
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    assert wheel.stat().st_size < LARGEST_WHEEL


@pytest.mark.slow
def test_commands_and_import_beside_a_hostile_module(installed: Path, tmp_path: Path) -> None:
    for name in ("utils", "classifier", "msroi"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    picture = tmp_path / "chelsea.png"
    picture.write_bytes((ROOT / "sample_image" / "chelsea.png").read_bytes())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(program: str, *arguments: str) -> str:
        command = [installed / program, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=120
        ).stdout

    where = run("python", "-c", "import q1net_msroi, sys; print(q1net_msroi.__file__, 'numpy' in sys.modules)")
    assert str(installed.parent) in where
    assert where.endswith("False\n")
    assert run("q1net-predict", "--in_path", "chelsea.png").startswith("predicted quality ")
    assert run("q1net-predict", "chelsea.png").startswith("predicted quality 98")
    assert "output/msroi_map.jpg" in run("msroi-generate-map", "chelsea.png")
    assert "output/_compressed_chelsea.png_.jpg" in run("msroi-combine-images", "-image", "chelsea.png")
    code = "import sys; from q1net_msroi.classifier.predict_cls import main; main(['--in_path', 'chelsea.png'])\n"
    run("python", "-c", f"{code}assert 'tensorflow' not in sys.modules")


def test_every_console_script_is_a_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for target in project["scripts"].values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_pinned_versions_lie_in_the_declared_ranges() -> None:
    """pip would refuse requirements.txt otherwise; said here without an installation."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *(r for e in project["optional-dependencies"].values() for r in e)]
    pinned = {}
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text().splitlines():
            name, equal, version = line.split("#")[0].strip().partition("==")
            if equal:
                pinned[name] = version
    for requirement in map(Requirement, declared):
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(pinned[requirement.name]), requirement
