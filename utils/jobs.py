"""What every command does with a folder: order, workers or a cluster, resume, progress, failures, exit code."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, show
from q1net_msroi.utils.journal import Entry, Fingerprint, Journal, fingerprint
from q1net_msroi.utils.tasks import Result, folder_map, progress


@dataclass(frozen=True)
class Task:
    """One input of a folder job: a picture and, where the job has a journal, its `key` there (its place in the folder).

    Jobs that need more than the picture add fields; `sources` and `settings_record` are what its outputs are made from.
    """

    image: Path
    key: str = field(default="", kw_only=True)

    def sources(self) -> Sequence[Path]:
        """Return the files whose change makes the outputs out of date."""
        return [self.image]

    def settings_record(self) -> dict[str, Any]:
        """Return what else the outputs depend on, as JSON can write it."""
        return {}

    def is_complete(self, entry: Entry, folder: Path) -> bool:
        """Return whether the journal's entry, of a journal in `folder`, has all that is asked for now."""
        return True

    def absolute(self) -> Self:
        """Return the same task for a process with another current folder."""
        paths: dict[str, Any] = {name: path.absolute() for name, path in vars(self).items() if isinstance(path, Path)}
        return replace(self, **paths)


Work = TypeVar("Work", bound=Task)


@dataclass
class FolderJob(Generic[Work, Result]):
    """Do `work` for every task of a folder; finished ones are skipped, one that fails does not stop the rest.

    With a `journal` what the work function returns has `outputs`, the files it wrote, and `records`, kept as JSON. It
    is written down at once, after its files, so that a job killed at any moment goes on where it stopped. On a cluster
    (`scheduler`) tasks have absolute paths.
    Of a command that prints no line a picture (`prints`) the bar is shown also where stdout is a terminal.
    `waiting` are the tasks that are not finished (all with `overwrite`); `failures` what was said of those that failed.
    """

    command: str
    work: Callable[[Work], Result]
    tasks: Sequence[Work]
    workers: int | None = None
    scheduler: str | None = None
    journal: Path | None = None
    overwrite: bool = False
    prints: bool = True
    failures: dict[str, str] = field(default_factory=dict, init=False)
    waiting: Sequence[Work] = field(init=False)

    def __post_init__(self) -> None:
        """Plan: find out which tasks are finished; what the inputs are now is what will be written down."""
        self._journal = Journal.open(self.journal) if self.journal else None
        self._inputs = {task.key: _inputs(task) for task in self.tasks} if self.journal else {}
        self.waiting = [task for task in self.tasks if self.overwrite or not self.entry(task)]

    def entry(self, task: Work) -> Entry | None:
        """Return what the journal says of a task that is finished, None of any other."""
        if self._journal is None or not (inputs := self._inputs[task.key]):
            return None
        entry = self._journal.finished(task.key, inputs, task.settings_record())
        return entry if entry and task.is_complete(entry, self._journal.path.parent) else None

    def run(self) -> Iterator[tuple[Work, Result | UserError]]:
        """Yield every task that is not finished with its outcome, in order; what failed has been said already."""
        if finished := len(self.tasks) - len(self.waiting):
            note(f"{finished} of {len(self.tasks)} pictures were finished before; --overwrite does them again")
        handed = [task.absolute() for task in self.waiting] if self.scheduler else self.waiting
        made: Any = folder_map(self.work, handed, self.workers, self.scheduler, lambda task: show(task.image))
        if not (self.prints and sys.stdout is not None and sys.stdout.isatty()):
            made = progress(made, total=len(self.waiting), unit="picture")
        for task, outcome in zip(self.waiting, made, strict=True):
            if isinstance(outcome, UserError):
                self.failures[task.key or str(task.image)] = str(outcome)
                note(f"{self.command}: {outcome}")
            elif self._journal:
                made_from = self._inputs[task.key], task.settings_record()
                self._journal.add(task.key, *made_from, outcome.outputs, outcome.records)
            yield task, outcome

    def close(self, ending: str = "failed, the rest is done") -> int:
        """Say how many failed and return the exit code."""
        if self.failures:
            note(f"{self.command}: {len(self.failures)} of {len(self.tasks)} pictures {ending}")
        return EXIT_SOME_FAILED if self.failures else EXIT_OK


def _inputs(task: Task) -> Fingerprint:
    try:
        return fingerprint(task.sources())
    except OSError:  # said when it is read
        return []
