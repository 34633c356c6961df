"""A function over many inputs: in order, bounded, on threads; and the folder job on top of it."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from q1net_msroi.utils import tasks
from q1net_msroi.utils.errors import UserError
from q1net_msroi.utils.journal import Entry


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_order_is_kept(workers: int) -> None:
    def slower_first(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(tasks.ordered_map(slower_first, range(30), workers)) == [n * n for n in range(30)]


def test_nothing_in_nothing_out() -> None:
    assert list(tasks.ordered_map(str, [])) == []


@pytest.mark.parametrize(("workers", "ahead"), [(1, 0), (2, 0), (2, 4), (3, 1)])
def test_inputs_are_read_only_as_far_as_needed(workers: int, ahead: int) -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(100):
            read += 1
            yield number

    for taken, _ in enumerate(tasks.ordered_map(str, items(), workers, ahead), 1):
        assert read <= taken + workers + ahead


def test_the_first_exception_ends_it() -> None:
    started: list[int] = []

    def fails(number: int) -> int:
        started.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    got = []
    results = tasks.ordered_map(fails, range(1000), 2, 2)
    with pytest.raises(ValueError, match="three"):
        got.extend(results)
    assert got == [0, 1, 2]
    assert len(started) < 20


def test_leaving_early_stops_the_threads() -> None:
    before = threading.active_count()
    results = tasks.ordered_map(str, range(1000), 3)
    assert next(results) == "0"
    results.close()
    assert threading.active_count() == before


def test_worker_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 3, 5})
    assert tasks.worker_count() == 3
    assert tasks.worker_count(None) == 3
    assert tasks.worker_count(7) == 7


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tasks.progress(range(3), unit="thing")) == [0, 1, 2]
    bar = tasks.progress(total=10)
    bar.update(3)
    bar.close()
    assert capsys.readouterr().err == ""


def test_folder_map_answers_with_the_error_of_an_item_and_goes_on() -> None:
    def odd(number: int) -> int:
        if number % 2 == 0:
            raise UserError(f"{number} is even")
        return number

    answers = list(tasks.folder_map(odd, range(6), 2))
    assert [str(answer) for answer in answers] == ["0 is even", "1", "2 is even", "3", "4 is even", "5"]
    assert [isinstance(answer, UserError) for answer in answers] == [True, False] * 3

    class TooSmallError(UserError):
        def __init__(self, message: str, size: int) -> None:
            super().__init__(message)

    def special(number: int) -> int:
        raise TooSmallError("too small", number)

    (answer,) = tasks.folder_map(special, [1])
    assert str(pickle.loads(pickle.dumps(answer))) == "too small"

    def broken(number: int) -> int:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        list(tasks.folder_map(broken, range(6), 2))


def test_each_thread_loads_once() -> None:
    loads: list[tuple[int, str]] = []

    def load(name: str) -> object:
        loads.append((threading.get_ident(), name))
        return object()

    def work(_: int) -> tuple[int, int]:
        time.sleep(0.002)
        return threading.get_ident(), id(tasks.per_thread(load, "model"))

    used = set(tasks.folder_map(work, range(40), 3))
    threads = {thread for thread, _ in used}
    assert len(used) == len(threads) == len(loads)
    first = tasks.per_thread(load, "model")
    assert tasks.per_thread(load, "model") is first
    assert tasks.per_thread(load, "other") is not first


@dataclass(frozen=True)
class Copy(tasks.Task):
    """A file to copy."""

    to: Path
    how: str = "plain"

    def settings_record(self) -> dict[str, str]:
        return {"how": self.how}

    def is_complete(self, entry: Entry, folder: Path) -> bool:
        return self.how != "records" or bool(entry.record)


@dataclass(frozen=True)
class Copied:
    outputs: list[Path]
    records: str


def copy(job: Copy) -> Copied:
    content = job.image.read_bytes()
    if content == b"bad":
        raise UserError(f"{job.image.name} is bad")
    job.to.write_bytes(content)
    return Copied([job.to], content.decode())


def folder_job(root: Path, how: str = "plain", overwrite: bool = False) -> tasks.FolderJob[Copy, Copied]:
    found = [Copy(root / f"{n}.png", root / f"out{n}", how, key=f"{n}.png") for n in range(4)]
    return tasks.FolderJob("x.py", copy, found, 2, journal=root / "j.jsonl", overwrite=overwrite)


def test_a_folder_job_does_what_is_not_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, content in enumerate(("zero", "bad", "two", "three")):
        (tmp_path / f"{number}.png").write_text(content)

    def done(**how: Any) -> list[str]:
        return [task.key for task, _ in folder_job(tmp_path, **how).run()]

    first = folder_job(tmp_path)
    outcomes = list(first.run())
    assert [task.key for task, _ in outcomes] == ["0.png", "1.png", "2.png", "3.png"]
    assert [isinstance(outcome, UserError) for _, outcome in outcomes] == [False, True, False, False]
    assert first.failures == {"1.png": "1.png is bad"}
    assert first.entry(first.tasks[0]) is not None
    assert first.entry(first.tasks[1]) is None
    assert first.close() == 1
    assert capsys.readouterr().err == "x.py: 1.png is bad\nx.py: 1 of 4 pictures failed, the rest is done\n"
    assert done() == ["1.png"]
    assert capsys.readouterr().err.startswith("3 of 4 pictures were finished before; --overwrite does them again\n")
    assert len(done(overwrite=True)) == 4
    (tmp_path / "out2").unlink()
    (tmp_path / "1.png").write_text("good")
    assert done() == ["1.png", "2.png"]
    assert done() == []
    last = folder_job(tmp_path)
    assert (last.waiting, last.close()) == ([], 0)
    assert len(done(how="records")) == 4  # other settings
    (tmp_path / "0.png").write_text("")
    assert done(how="records") == ["0.png"]
    assert done(how="records") == ["0.png"]  # done, but not with all that is asked for


def test_a_change_while_a_folder_job_runs_is_done_next_time(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_text("x")
    job = folder_job(tmp_path)
    (tmp_path / "3.png").write_text("changed after it was planned")
    running = job.run()
    next(running)
    running.close()  # interrupted: what was yielded is written down
    assert folder_job(tmp_path).waiting[0].key == "1.png"
    list(job.run())
    assert [task.key for task in folder_job(tmp_path).waiting] == ["3.png"]


def test_a_folder_job_without_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("0.png").write_text("bad")
    job = tasks.FolderJob("x.py", copy, [Copy(Path("0.png"), Path("out"))], 1)
    assert [str(outcome) for _, outcome in job.run()] == ["0.png is bad"]
    assert job.close("could not be read") == 1
    assert Copy(Path("0.png"), Path("out"), key="k").absolute() == Copy(tmp_path / "0.png", tmp_path / "out", key="k")
    assert list(tmp_path.iterdir()) == [tmp_path / "0.png"]


@pytest.mark.parametrize(("terminal", "prints", "bar"), [(False, True, True), (True, True, False), (True, False, True)])
def test_a_bar_is_drawn_where_no_line_tells_the_same(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, prints: bool, bar: bool
) -> None:
    drawn = []
    monkeypatch.setattr(tasks, "progress", lambda items, **_: drawn.append(True) or items)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    list(tasks.FolderJob("x.py", str, [tasks.Task(Path("a"))], prints=prints).run())
    assert bool(drawn) == bar
