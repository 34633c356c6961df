"""The folder commands on a Dask cluster: the same files as on this machine, also when a worker is killed."""

import csv
import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.encoder import folder
from q1net_msroi.utils import jpeg

PICTURES = 24
SAME_ESTIMATE = {"file", "comp_type", "quality", "confident_patches", "patches", "reason"}


@pytest.fixture
def here(tmp_path: Path, textured: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures/ and maps/ of two levels, as current folder."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:240, :320]
    gray = Image.fromarray((255 * np.exp(-4 * ((y / 240 - 0.5) ** 2 + (x / 320 - 0.5) ** 2))).astype(np.uint8))
    for number in range(PICTURES):
        sub = "" if number % 2 else "sub/"
        for name, picture in (
            (f"pictures/{sub}p{number}.png", Image.fromarray(textured(240, 320, number))),
            (f"maps/{sub}map_p{number}.png.png", gray),
        ):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            picture.save(name)
    Path("pictures/bad.png").write_bytes(b"text")
    gray.save("maps/map_bad.png.png")
    return tmp_path


def jpegs(root: Path) -> dict[str, bytes]:
    """The JPEGs below a folder by their place."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.jpg")}


@pytest.mark.slow
def test_a_worker_is_killed_while_a_tree_is_encoded(
    here: Path, machines: Any, start: Callable[..., subprocess.Popen[str]], call: Callable[..., Any]
) -> None:
    machines.add_workers(2)
    command = ("msroi.combine_images", "--images", "pictures", "--maps", "maps", "--recursive", "-output_directory")
    running = start(*command, "far", "--scheduler", machines.address, "--json")
    assert running.stdout is not None
    first = running.stdout.readline()
    machines.workers[0].send_signal(signal.SIGKILL)
    rest, said = running.communicate(timeout=120)
    assert running.returncode == 1, said
    assert "Traceback" not in said
    assert "bad.png is not a picture" in said
    assert said.splitlines()[-1] == f"combine_images.py: 1 of {PICTURES + 1} pictures failed, the rest is done"
    printed = [json.loads(line)["file"] for line in [first, *rest.splitlines()]]
    assert len(printed) == len(set(printed)) == PICTURES  # nothing lost, nothing said twice

    assert call(*command, "near").code == 1
    assert jpegs(here / "far") == jpegs(here / "near")
    assert len(jpegs(here / "far")) == 2 * PICTURES
    lines = [line for line in (here / "far" / folder.RECORD).read_text().splitlines() if line]
    assert len(lines) == len({json.loads(line)[0] for line in lines}) == PICTURES
    with (here / "far" / folder.SUMMARY).open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert sorted(row["file"] for row in rows) == sorted(
        str(path.relative_to(here / "pictures")) for path in (here / "pictures").rglob("*.png")
    )
    assert [row["status"] for row in rows].count("done") == PICTURES

    again = call(*command, "far")  # here, for it makes no difference who goes on
    assert (again.code, again.out) == (1, "")
    assert f"{PICTURES} of {PICTURES + 1} pictures were finished before" in again.err


@pytest.mark.slow
def test_the_end_in_the_middle_is_one_line(
    here: Path, machines: Any, start: Callable[..., subprocess.Popen[str]]
) -> None:
    machines.add_workers(1)
    command = ("msroi.combine_images", "--images", "pictures", "--maps", "maps", "--recursive", "--workers", "1")
    for ending, code, words in (
        (lambda running: running.send_signal(signal.SIGTERM), 143, "terminated"),
        (lambda running: running.send_signal(signal.SIGINT), 130, "stopped"),
        (lambda _: machines.scheduler.kill(), 2, "went away; the same command goes on where this one stopped"),
    ):
        running = start(*command, "-output_directory", f"out{code}", "--scheduler", machines.address)
        assert running.stdout is not None
        assert running.stdout.readline()
        ending(running)
        _, said = running.communicate(timeout=60)
        assert running.returncode == code, said
        lines = [line for line in said.splitlines() if "bad.png" not in line]
        assert len(lines) == 1, said
        assert lines[0].startswith("combine_images.py: ")
        assert words in lines[0]
        with (here / f"out{code}" / folder.SUMMARY).open(newline="") as handle:
            rows = list(csv.DictReader(handle))
        assert len(rows) == PICTURES + 1
        assert 1 <= [row["status"] for row in rows].count("done") < PICTURES


@pytest.mark.slow
def test_maps_of_a_tree(here: Path, machines: Any, call: Callable[..., Any]) -> None:
    for path in sorted((here / "pictures").rglob("p*.png"))[4:]:
        path.unlink()
    machines.add_workers(2)
    for place, more in (("near", []), ("far", ["--scheduler", machines.address])):
        done = call(
            "msroi.generate_map", "pictures", "--recursive", "--scales", "256", "--output_directory", place, *more
        )
        assert done.code == 1
        assert "bad.png is not a picture" in done.err
        assert len(done.lines) == 4
    assert jpegs(here / "near") == jpegs(here / "far")
    assert len(jpegs(here / "near")) == 4


def test_a_scheduler_that_is_not_there_is_one_line(
    here: Path, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: pip install -r requirements-cluster.txt")
    monkeypatch.setattr("q1net_msroi.utils.cluster.PATIENCE", 0.3)
    nowhere = ("--scheduler", "tcp://127.0.0.1:9")
    call("msroi.combine_images", "--images", "pictures", "--maps", "maps", *nowhere).fails(2, "cannot be reached")
    call("msroi.generate_map", "pictures", *nowhere).fails(2, "cannot be reached")
    # The thread of a client that failed would make a later client wait for ever when it is collected.
    assert "IO loop" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["jpeg_paper", "jpeg_header"])
def test_the_same_estimates(
    tmp_path: Path,
    photograph: np.ndarray,
    machines: Any,
    call: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    estimator: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in/sub").mkdir(parents=True)
    for quality in (10, 30, 60, 90):
        Path(f"in/sub/{quality}.jpg").write_bytes(jpeg.encode(photograph, quality))
    Path("in/bad.png").write_bytes(b"text")
    machines.add_workers(2)
    command = ("classifier.predict_cls", "--in_path", "in", "--recursive", "--json", "--comp_type", estimator)
    near, far = call(*command), call(*command, "--scheduler", machines.address)
    assert near.code == far.code == 1
    assert "bad.png is not a picture" in far.err
    answers = [[json.loads(line) for line in done.lines] for done in (near, far)]
    for here, there in zip(*answers, strict=True):
        assert {name: here[name] for name in SAME_ESTIMATE} == {name: there[name] for name in SAME_ESTIMATE}
    assert len(answers[1]) == 4
