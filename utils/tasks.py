"""The engine of every folder job: a function over many inputs, in order, bounded, on all cores or on a Dask cluster.

`FolderJob` adds what a command does with a folder: resume by a journal, progress, failures, closing lines, exit code.
"""

from __future__ import annotations

import collections
import functools
import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

if TYPE_CHECKING:
    from concurrent.futures import Future

from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, show
from q1net_msroi.utils.journal import Entry, Fingerprint, Journal, fingerprint

Item = TypeVar("Item")
Result = TypeVar("Result")
Loaded = TypeVar("Loaded")


class _Kept(threading.local):
    """What each thread has loaded: a function's latest arguments and its answer to them."""

    def __init__(self) -> None:
        self.loaded: dict[Callable[..., Any], tuple[tuple[Hashable, ...], Any]] = {}


_kept = _Kept()


def worker_count(requested: int | None = None) -> int:
    """Return how many workers to use: as requested, else the cores this process may run on.

    Raises `UserError` for a request below 1.
    """
    if requested is None:
        return len(os.sched_getaffinity(0))
    if requested < 1:
        raise UserError(f"--workers {requested}: at least 1 is needed")
    return requested


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None, ahead: int = 4
) -> Iterator[Result]:
    """Yield `function(item)` in the order of `items`, computed by threads; at most `workers + ahead` are in flight.

    Threads are enough where the work is in libraries that release the interpreter's lock (codecs, NumPy, LiteRT).
    `items` is read lazily, so memory stays bounded however many there are. The first exception ends the iteration.
    """
    from concurrent.futures import ThreadPoolExecutor

    pending: collections.deque[Future[Result]] = collections.deque()
    count = worker_count(workers)
    pool = ThreadPoolExecutor(count)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= count + ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def folder_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    scheduler: str | None = None,
    name: Callable[[Item], str] = str,
) -> Iterator[Result | UserError]:
    """Yield, in the order of `items`, `function(item)` or the `UserError` it raised; any other exception ends it.

    The work is done by `workers` threads here or, with the address of a Dask `scheduler`, by its workers. For a
    cluster `function` is one that can be pickled (of a module, or a `functools.partial` of one), item and result are
    small, and paths are absolute; it may run twice for an item whose worker was lost, so it writes files atomically.
    `name` is what an item that cannot be done is called. Raises `UserError` for a cluster that cannot be used.
    """
    outcome = functools.partial(_outcome, function)
    if scheduler is None:
        yield from ordered_map(outcome, items, workers)
    else:
        from q1net_msroi.utils import cluster

        yield from cluster.ordered_map(outcome, items, scheduler, name)


def _outcome(function: Callable[[Item], Result], item: Item) -> Result | UserError:
    try:
        return function(item)
    except UserError as error:
        return UserError(str(error))  # one that can be pickled, whatever kind it was


def per_thread(load: Callable[..., Loaded], *arguments: Hashable) -> Loaded:
    """Return `load(*arguments)`, loaded once by each thread that asks: a model serves one thread at a time.

    A thread keeps the latest one of each `load`.
    """
    if load not in _kept.loaded or _kept.loaded[load][0] != arguments:
        _kept.loaded[load] = arguments, load(*arguments)
    return cast(Loaded, _kept.loaded[load][1])


def progress(items: Iterable[Item] | None = None, **options: Any) -> Any:
    """Return a tqdm progress bar on stderr, silent where stderr is not a terminal."""
    from tqdm import tqdm

    return tqdm(items, file=sys.stderr, disable=not sys.stderr.isatty(), **options)


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
