"""Folder jobs: what is finished is skipped, what fails does not stop the rest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from q1net_msroi.utils import jobs
from q1net_msroi.utils.errors import UserError
from q1net_msroi.utils.jobs import FolderJob, Task
from q1net_msroi.utils.journal import Entry


@dataclass(frozen=True)
class Copy(Task):
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


def folder_job(root: Path, how: str = "plain", overwrite: bool = False) -> FolderJob[Copy, Copied]:
    found = [Copy(root / f"{n}.png", root / f"out{n}", how, key=f"{n}.png") for n in range(4)]
    return FolderJob("x.py", copy, found, 2, journal=root / "j.jsonl", overwrite=overwrite)


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
    job = FolderJob("x.py", copy, [Copy(Path("0.png"), Path("out"))], 1)
    assert [str(outcome) for _, outcome in job.run()] == ["0.png is bad"]
    assert job.close("could not be read") == 1
    assert Copy(Path("0.png"), Path("out"), key="k").absolute() == Copy(tmp_path / "0.png", tmp_path / "out", key="k")
    assert list(tmp_path.iterdir()) == [tmp_path / "0.png"]


@pytest.mark.parametrize(("terminal", "prints", "bar"), [(False, True, True), (True, True, False), (True, False, True)])
def test_a_bar_is_drawn_where_no_line_tells_the_same(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, prints: bool, bar: bool
) -> None:
    drawn = []
    monkeypatch.setattr(jobs, "progress", lambda items, **_: drawn.append(True) or items)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    list(FolderJob("x.py", str, [Task(Path("a"))], prints=prints).run())
    assert bool(drawn) == bar
