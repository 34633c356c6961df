"""What all tests share: pictures, and commands run inside this process (fast) or as processes of their own."""

import importlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import files, jpeg
from q1net_msroi.utils.errors import run_command

ROOT = files.REPOSITORY
DATA = Path(os.environ.get("Q1NET_DATA", ROOT / "data"))
NOBODY = 65534

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Started in the background by a shell without job control: commands under test would inherit an ignored Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow what `fast` leaves out, and skip what needs the photographs of Q1NET_DATA where they are absent."""
    sets: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("fast"):
            sets.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for members in sets.values():
        number = members[0].get_closest_marker("fast").args[0]
        kept = {place * len(members) // number for place in range(number)}
        for place, item in enumerate(members):
            if place not in kept:
                item.add_marker(pytest.mark.slow)
    absent = pytest.mark.skip(reason=f"no photographs at {DATA}; set Q1NET_DATA to their folder")
    for item in items:
        if item.get_closest_marker("data") and not DATA.is_dir():
            item.add_marker(absent)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of photographs; tests that use it are marked `data`."""
    return DATA


@dataclass(frozen=True)
class Finished:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, line by line."""
        return self.out.splitlines()

    def fails(self, code: int, *words: str) -> None:
        """Assert one clear line on stderr that holds all `words`, the exit code, and no traceback."""
        assert "Traceback" not in self.err
        said = self.err.splitlines()
        assert self.code == code, f"exit {self.code}, stderr {said}"
        assert said, "nothing was said"
        for word in words:
            assert word in said[-1], f"{word!r} is not in {said[-1]!r}"
        assert len(said[-1]) < 600
        assert said[-1].isprintable()
        assert all(line.startswith(("left out: ", "skipped ")) for line in said[:-1]), said


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Finished]]:
    """Run a command's `main` in this process: `call("classifier.predict_cls", "--in_path", path)`."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(module: str, *arguments: str | os.PathLike[str]) -> Finished:
        main = importlib.import_module(module if module.startswith("scripts.") else f"q1net_msroi.{module}").main
        capsys.readouterr()
        try:
            code = run_command(f"{module.rpartition('.')[2]}.py", main, [os.fspath(a) for a in arguments])
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def environment() -> dict[str, str]:
    """The environment of a command's process."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start `python -m module arguments` and return the process."""

    def popen(module: str, *arguments: str | os.PathLike[str], **options: Any) -> subprocess.Popen[str]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment(), **options}
        return subprocess.Popen([sys.executable, "-m", f"q1net_msroi.{module}", *map(os.fspath, arguments)], **options)

    return popen


@pytest.fixture(scope="session")
def run() -> Callable[..., Finished]:
    """Run a command as a process: `run("-m", "classifier.predict_cls", ...)`, or a script, or `-c` and code."""

    def wait(*arguments: str | os.PathLike[str], **options: Any) -> Finished:
        options = {"env": environment(), "timeout": 300, **options}
        words = [os.fspath(word) for word in arguments]
        if words[0] == "-m":
            words[1] = f"q1net_msroi.{words[1]}"
        command = [sys.executable, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        return Finished(done.returncode, done.stdout, done.stderr)

    return wait


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A photograph that was never strongly compressed: (300, 451, 3) uint8 RGB."""
    return np.asarray(Image.open(ROOT / "sample_image" / "chelsea.png").convert("RGB"))


@pytest.fixture(scope="session")
def textured() -> Callable[..., np.ndarray]:
    """Make a picture with edges, gradients and some noise: `textured(height, width, seed)`."""

    def make(height: int, width: int, seed: int = 0) -> np.ndarray:
        random = np.random.default_rng(seed)
        y, x = np.mgrid[:height, :width]
        waves = [
            127 + 90 * np.sin(y / random.uniform(2, 20) + random.uniform(0, 6)) * np.cos(x / random.uniform(2, 20))
            for _ in range(3)
        ]
        noisy = np.stack(waves, axis=-1) + random.normal(0, 8, (height, width, 3))
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return make


@pytest.fixture
def photographs(tmp_path: Path, photograph: np.ndarray, textured: Callable[..., np.ndarray]) -> Path:
    """A folder of three PNG pictures, none a multiple of 16 wide."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(photograph[:150, :201]).save(folder / "a.png")
    Image.fromarray(photograph[140:, 200:]).save(folder / "b.png")
    Image.fromarray(textured(97, 131)).save(folder / "c.png")
    return folder


@pytest.fixture
def save_path(tmp_path: Path) -> Path:
    """A copy of the shipped weights that a test may change: the folder for --save_path."""
    shipped = ROOT / "save" / "jpeg_paper"
    if not (shipped / "comp_cls.tflite").exists() or not (shipped / "best" / ".index").exists():
        pytest.skip("no weights are shipped in save/jpeg_paper")
    shutil.copytree(shipped, tmp_path / "save" / "jpeg_paper")
    return tmp_path / "save"


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Yield an empty folder while this process is an ordinary user, for whom permissions count."""
    folder = Path(tempfile.mkdtemp(prefix="q1net-"))
    if os.getuid() != 0:
        yield folder
    else:
        os.chown(folder, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield folder
        finally:
            os.setresuid(0, 0, 0)
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IRWXU)
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)


@pytest.fixture
def jpeg_file(tmp_path: Path, photograph: np.ndarray) -> Callable[..., Path]:
    """Write part of the photograph as a JPEG: `jpeg_file(quality, name)`."""

    def make(quality: int = 50, name: str = "picture.jpg", **options: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(jpeg.encode(np.ascontiguousarray(photograph[:200, :280]), quality, **options))
        return path

    return make


class Cluster:
    """A Dask scheduler and workers of one thread as processes of this machine, all in `folder`."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--host", self.address)

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments, "--no-dashboard"],
            env={**environment(), "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}"},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def add_workers(self, count: int) -> None:
        """Start workers that nobody starts again when they die, and wait until they are there."""
        import distributed

        more = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self.folder))
        self.workers += [self._start("worker", self.address, *more) for _ in range(count)]
        with distributed.Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=60)

    def stop(self) -> None:
        """End all processes."""
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Dask cluster without workers yet."""
    pytest.importorskip("distributed", reason="Dask is not installed: pip install -r requirements-cluster.txt")
    made = Cluster(tmp_path_factory.mktemp("machines"))
    yield made
    made.stop()
