"""A function over many inputs on a Dask cluster: in order, bounded, going on when a worker is lost."""

import asyncio
import collections
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from q1net_msroi.utils.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 10.0  # seconds to wait for the scheduler, and then for its first worker
IN_FLIGHT = 64  # tasks handed over at least; twice the cluster's threads where that is more


def _connect(scheduler: str) -> Any:
    """Return a client of a cluster that has a worker."""
    import distributed as untyped

    distributed: Any = untyped
    # What its threads have to say about lost connections is said here in one line.
    for name in ("distributed", "distributed.client", "tornado", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)

    async def knock() -> None:
        comm = await distributed.comm.connect(scheduler, timeout=PATIENCE)
        await comm.close()

    try:
        # A client that finds nobody leaves a thread behind; when it is collected while another client starts, the two
        # wait for each other for ever. Hence asked without one first.
        asyncio.run(knock())
        client = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        text = (str(error) or type(error).__name__).splitlines()[0]
        remedy = "start one with `dask scheduler`, its address is tcp://HOST:8786"
        raise UserError(f"--scheduler {scheduler} cannot be reached ({text}); {remedy}") from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        client.close()
        raise UserError(f"--scheduler {scheduler} has no workers; start some with `dask worker {scheduler}`") from None
    except BaseException:
        client.close()
        raise
    return client


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], scheduler: str, name: Callable[[Item], str] = str
) -> Iterator[Result | UserError]:
    """Yield `function(item)` in the order of `items`, computed by the workers of the cluster at `scheduler`.

    The cluster runs the tasks of a lost worker again on another. An item that four workers were lost with is
    answered with a `UserError` that has its `name`, for it is likely to be what ended them. The first exception of
    `function` ends the iteration. Raises `UserError` when the scheduler goes away.
    """
    client = _connect(scheduler)
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    pending: collections.deque[tuple[Item, Any]] = collections.deque()

    def first() -> Result | UserError:
        item, future = pending.popleft()
        try:
            return cast(Result, future.result())
        except KilledWorker:
            return UserError(f"{name(item)}: four workers were lost with it; try it alone on this machine")
        except ModuleNotFoundError as error:
            remedy = "install this project on every machine"
            raise UserError(f"a worker of --scheduler {scheduler} lacks {error.name}; {remedy}") from None
        except (FutureCancelledError, OSError) as error:
            if client.status == "running" and isinstance(error, OSError) and error.errno is not None:
                raise  # the function's own
            remedy = "the same command goes on where this one stopped"
            raise UserError(f"--scheduler {scheduler} went away; {remedy}") from None
        finally:
            future.release()

    try:
        most = max(IN_FLIGHT, 2 * sum(client.nthreads().values()))
        for item in items:
            pending.append((item, client.submit(function, item, pure=False)))
            if len(pending) >= most:
                yield first()
        while pending:
            yield first()
    finally:
        for _, future in pending:
            future.release()  # what has not begun is dropped
        client.close()
