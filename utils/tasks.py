"""A function over many inputs: in order, bounded, on all cores or on a Dask cluster; and progress bars."""

import collections
import functools
import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from concurrent.futures import Future

from q1net_msroi.utils.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
Loaded = TypeVar("Loaded")


class _Kept(threading.local):
    """What each thread has loaded: a function's latest arguments and its answer to them."""

    def __init__(self) -> None:
        self.loaded: dict[Callable[..., Any], tuple[tuple[Hashable, ...], Any]] = {}


_kept = _Kept()


def worker_count(requested: int | None = None) -> int:
    """Return how many workers to use: as requested (1 at least), else the cores this process may run on."""
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
    """Return `load(*arguments)`, loaded once by each thread that asks: a model serves one thread at a time."""
    if load not in _kept.loaded or _kept.loaded[load][0] != arguments:
        _kept.loaded[load] = arguments, load(*arguments)
    return cast(Loaded, _kept.loaded[load][1])


def progress(items: Iterable[Item] | None = None, **options: Any) -> Any:
    """Return a tqdm progress bar on stderr, silent where stderr is not a terminal."""
    from tqdm import tqdm

    return tqdm(items, file=sys.stderr, disable=not sys.stderr.isatty(), **options)
