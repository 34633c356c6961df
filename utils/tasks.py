"""A function over many inputs: on all cores, in order, with bounded memory and a progress bar on a terminal."""

from __future__ import annotations

import collections
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

from utils.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")


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


def progress(items: Iterable[Item] | None = None, **options: Any) -> Any:
    """Return a tqdm progress bar on stderr, silent where stderr is not a terminal."""
    from tqdm import tqdm

    return tqdm(items, file=sys.stderr, disable=not sys.stderr.isatty(), **options)
