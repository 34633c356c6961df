"""A function over many inputs: in order, bounded, on threads; and the folder job on top of it."""

import pickle
import threading
import time
from collections.abc import Iterator

import pytest

from q1net_msroi.utils import tasks
from q1net_msroi.utils.errors import UserError


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
