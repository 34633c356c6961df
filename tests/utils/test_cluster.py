"""A function over many inputs on a cluster: order, errors, lost workers, a scheduler that is not there."""

import builtins
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from q1net_msroi.utils import cluster, tasks
from q1net_msroi.utils.errors import EXIT_WRONG_USE, UserError, run_command

pytest.importorskip("distributed", reason="Dask is not installed: pip install -r requirements-cluster.txt")

WORK = '''
import os, time
from pathlib import Path
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXIT_WRONG_USE, UserError, run_command

def double(number):
    if number == 3:
        raise UserError("three is no number")
    return 2 * number

def full(number):
    if number == 2:
        raise OSError(28, "No space left on device", "out.bin")
    return number

def lacks(number):
    raise ModuleNotFoundError("No module named 'msroi'", name="msroi")

def deadly(number):
    if number == 1:
        os._exit(9)
    return number

def write(folder, number):
    """Write a file of its own slowly, and a line of who did it."""
    time.sleep(0.03)
    files.write_text(Path(folder) / f"{number:03d}.txt", "x" * 1000)
    with open(Path(folder) / "log", "a") as log:
        log.write(f"{number} {os.getpid()}\\n")
    return number, os.getpid()
'''


@pytest.fixture
def work(machines: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that two workers can import too."""
    (machines.folder / "work_of_test.py").write_text(WORK)
    machines.add_workers(2)
    monkeypatch.syspath_prepend(machines.folder)
    import work_of_test

    yield work_of_test
    del sys.modules["work_of_test"]


@pytest.mark.slow
def test_order_errors_and_what_ends_it(machines: Any, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "IN_FLIGHT", 5)
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken = number + 1
            yield number

    got = []
    for answer in tasks.folder_map(work.double, numbers(), scheduler=machines.address):
        got.append(answer)
        assert taken <= len(got) + 5
    assert isinstance(got[3], UserError)
    assert str(got[3]) == "three is no number"
    assert [answer for number, answer in enumerate(got) if number != 3] == [2 * n for n in range(100) if n != 3]

    with pytest.raises(OSError, match="No space left"):
        list(tasks.folder_map(work.full, range(10), scheduler=machines.address))
    with pytest.raises(UserError, match=r"lacks msroi; install this project on every machine"):
        list(tasks.folder_map(work.lacks, range(10), scheduler=machines.address))
    assert next(iter(tasks.folder_map(work.double, range(100), scheduler=machines.address))) == 0
    assert list(tasks.folder_map(work.double, [], scheduler=machines.address)) == []


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(machines: Any, work: Any, tmp_path: Path) -> None:
    import functools

    out = tmp_path / "out"
    out.mkdir()
    answers = []
    for answer in tasks.folder_map(functools.partial(work.write, str(out)), range(100), scheduler=machines.address):
        answers.append(answer)
        if len(answers) == 10:
            machines.workers[0].send_signal(signal.SIGKILL)
    lost, other = (worker.pid for worker in machines.workers)
    assert [number for number, _ in answers] == list(range(100))
    assert {pid for _, pid in answers} == {lost, other}
    assert sorted(path.name for path in out.glob("*.txt")) == [f"{number:03d}.txt" for number in range(100)]
    assert all(path.stat().st_size == 1000 for path in out.glob("*.txt"))
    done = [line.split() for line in (out / "log").read_text().splitlines()]
    again = {number for number, pid in done if pid == str(other)} & {number for number, pid in done if pid == str(lost)}
    assert len(done) == 100 + len(again)  # the surviving one did each of its own once
    assert len(again) <= cluster.IN_FLIGHT


@pytest.mark.slow
def test_an_item_that_ends_workers_is_named(machines: Any, work: Any) -> None:
    machines.add_workers(3)
    got = list(tasks.folder_map(work.deadly, range(4), scheduler=machines.address, name=lambda n: f"picture {n}"))
    assert [got[0], *got[2:]] == [0, 2, 3]
    assert str(got[1]) == "picture 1: four workers were lost with it; try it alone on this machine"


@pytest.mark.slow
def test_the_scheduler_goes_away(machines: Any, work: Any, tmp_path: Path) -> None:
    import functools

    results = tasks.folder_map(functools.partial(work.write, str(tmp_path)), range(100), scheduler=machines.address)
    assert next(results)
    machines.scheduler.kill()
    with pytest.raises(UserError, match="went away; the same command goes on"):
        list(results)


def test_no_scheduler_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    for address in (f"tcp://127.0.0.1:{free}", "nonsense://x:1", "127.0.0.1:notaport"):
        with pytest.raises(UserError, match="cannot be reached") as error:
            list(tasks.folder_map(str, range(3), scheduler=address))
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.slow
def test_no_workers(machines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    distributed.Client(machines.address, timeout=60, set_as_default=False).close()
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with pytest.raises(UserError, match="has no workers; start some"):
        list(tasks.folder_map(str, range(3), scheduler=machines.address))


def test_without_dask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "distributed":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    def main(_: object) -> int:
        return len(list(tasks.folder_map(str, range(3), scheduler="tcp://127.0.0.1:8786")))

    monkeypatch.setattr(builtins, "__import__", absent)
    assert run_command("x.py", main) == EXIT_WRONG_USE
    assert capsys.readouterr().err == "x.py needs distributed: pip install 'q1net-msroi[cluster]'\n"
