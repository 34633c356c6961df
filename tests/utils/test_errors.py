"""What a person reads, and the exit code a program reads."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from q1net_msroi.utils import errors


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    kept = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, kept)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.png", "plain.png"),
        ("with space 'n' \"quotes\".png", "with space 'n' \"quotes\".png"),
        ("line\nbreak\t.png", "line\\nbreak\\t.png"),
        (os.fsdecode(b"\xff\xfe.png"), "\\xff\\xfe.png"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("größe.png", "größe.png"),
        ("rtl\u202ename", "rtl\\u202ename"),
    ],
)
def test_show_is_one_printable_line(name: str, shown: str) -> None:
    assert errors.show(name) == shown
    assert errors.show(Path(name)) == shown
    assert shown.isprintable()


def test_text_is_the_path_itself_where_it_can_be() -> None:
    for name in ("größe.png", "line\nbreak.png", "back\\slash"):
        assert errors.text(Path(name)) == name
    assert errors.text(os.fsdecode(b"a\xff.png")) == errors.show(os.fsdecode(b"a\xff.png")) == "a\\xff.png"


def raising(error: BaseException) -> Callable[..., int]:
    def main(_: object) -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (errors.UserError("x.png is empty"), 2, "x.py: x.png is empty"),
        (KeyboardInterrupt(), 130, "x.py: stopped"),
        (errors.TerminatedError(), 143, "x.py: terminated"),
        (MemoryError(), 2, "x.py: not enough memory"),
        (OSError(errno.ENOSPC, "No space left", "out/a.png"), 2, "x.py: the disk is full while writing out/a.png"),
        (OSError(errno.EROFS, "Read-only", "out/a.png"), 2, "x.py: out/a.png lies on a read-only disk"),
        (PermissionError(errno.EACCES, "Permission denied", "a.png"), 2, "x.py: no permission for a.png"),
        (FileNotFoundError(errno.ENOENT, "No such file", b"\xffa"), 2, "does not exist"),
        (OSError(errno.ELOOP, "Too many links", "a"), 2, "x.py: a is a symbolic link that leads to itself"),
        (OSError(errno.EIO, "Input/output error", "a"), 2, "x.py: a: Input/output error"),
        (OSError("no number at all"), 2, "no number at all"),
    ],
)
def test_expected_failures_are_one_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert errors.run_command("x.py", raising(error)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("\n")
    assert len(captured.err.splitlines()) == 1
    assert said in captured.err


def test_a_programming_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        errors.run_command("x.py", raising(ZeroDivisionError()))


def test_arguments_and_code_are_passed_through() -> None:
    assert errors.run_command("x.py", lambda arguments: len(arguments or ()), ["a", "b", "c"]) == 3


def test_sigterm_unwinds_the_stack() -> None:
    cleaned = []

    def main(_: object) -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            cleaned.append(True)
        return 0

    assert errors.run_command("x.py", main) == 143
    assert cleaned == [True]


CLOSED = "import sys; from q1net_msroi.utils.errors import run_command\n{}\nsys.exit(run_command('x.py', main))"
LONG = "def main(a):\n    for i in range(100000): print('line', i)\n    return 0"
SHORT = "def main(a):\n    print('line')\n    return 0"


@pytest.mark.parametrize("body", [LONG, SHORT])
def test_a_reader_that_goes_away_is_no_error(body: str) -> None:
    read, write = os.pipe()
    os.close(read)
    code = CLOSED.format(body)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_without_stdout_runs() -> None:
    """`command >&-` leaves Python without sys.stdout."""
    code = CLOSED.format(SHORT)
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_existing_folder(tmp_path: Path) -> None:
    assert errors.existing_folder(tmp_path) == tmp_path
    (tmp_path / "file").touch()
    with pytest.raises(errors.UserError, match="file is a file"):
        errors.existing_folder(tmp_path / "file")
    with pytest.raises(errors.UserError, match="nowhere does not exist"):
        errors.existing_folder(tmp_path / "nowhere")
