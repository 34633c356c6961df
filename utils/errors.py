"""What a person reads when something is wrong, and the exit code a program reads."""

import errno
import gc
import importlib.util
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

EXIT_OK = 0
EXIT_SOME_FAILED = 1  # some inputs of a batch failed, the rest is done
EXIT_WRONG_USE = 2  # nothing could be done with what was asked
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


# What a command may need beyond the dependencies that always come along, and the extra of ours that brings it.
EXTRAS = dict.fromkeys(("tensorflow", "tf_keras", "tensorboard", "h5py"), "train")
EXTRAS |= dict.fromkeys(("imagecodecs", "pyjpegli", "ssimulacra2", "skimage", "pandas"), "compare")
EXTRAS |= {"distributed": "cluster", "pillow_heif": "heif"}
TITLES = {"tensorflow": "TensorFlow", "tf_keras": "tf-keras", "tensorboard": "TensorBoard", "skimage": "scikit-image"}

FULL = "the disk is full while writing ", "; free some space or choose another output folder"
CLOSED = "no permission for ", "; check its owner and mode"
SAID = {  # what stands before and after the file's name
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: ("", " lies on a read-only disk; choose another output folder"),
    errno.EACCES: CLOSED,
    errno.EPERM: CLOSED,
    errno.ENOENT: ("", " does not exist"),
    errno.ELOOP: ("", " is a symbolic link that leads to itself"),
}


class UserError(Exception):
    """Something the person who typed the command can mend; the message is one line: what, which file, what to do."""


class TerminatedError(Exception):
    """SIGTERM arrived; raised in the main thread so that temporary files are removed on the way out."""


def text(path: str | os.PathLike[str]) -> str:
    r"""Return a path as JSON and CSV hold it: itself; a byte that is not UTF-8 becomes `\xff`, as `show` has it too."""
    return os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def show(path: str | os.PathLike[str]) -> str:
    r"""Return a path as one printable line: `text`, and a newline as `\n`."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text(path))


def note(message: str) -> None:
    """Print one line for a person to stderr."""
    print(message, file=sys.stderr, flush=True)


def needs(module: str) -> None:
    """Raise `ModuleNotFoundError` where `module` is not installed, in a moment, before long work that ends in it."""
    if importlib.util.find_spec(module) is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def missing(error: ModuleNotFoundError) -> str:
    """Return what is needed and how to install it; raise `error` again where it is about nothing that may be absent."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        raise error
    return f"needs {TITLES.get(module, module)}: pip install 'q1net-msroi[{EXTRAS[module]}]'"


def os_error_line(error: OSError) -> str:
    """Return an operating system's error as one line that names the file and says what to do."""
    name = show(error.filename) if isinstance(error.filename, (str, os.PathLike)) else "a file"
    before, after = SAID.get(error.errno or 0, ("", f": {error.strerror or error}"))
    return f"{before}{name}{after}"


def _raise_terminated(_signal: int, _frame: FrameType | None) -> None:
    raise TerminatedError


def version() -> str:
    """Return the installed version of the project; it is looked for only when asked, because that takes a while."""
    from importlib import metadata

    try:
        return metadata.version("q1net-msroi")
    except metadata.PackageNotFoundError:
        return "unknown"


def run_command(name: str, main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> int:
    """Run a command's `main` and turn every expected failure into one line on stderr and an exit code.

    Bad input never shows a traceback; a programming error still does, because hiding it would help nobody.
    """
    if arguments is None:
        gc.freeze()  # garbage is not looked for in what was imported, also not at the end: a twentieth of every start
    signal.signal(signal.SIGTERM, _raise_terminated)
    warnings.filterwarnings("ignore", module="PIL")  # oddities of EXIF and ICC do not touch the pixels
    try:
        if "--version" in (sys.argv[1:] if arguments is None else arguments):
            print(f"{name} {version()}")
            return EXIT_OK
        code = main(arguments)
        if sys.stdout is not None:  # closed by `>&-`
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader went away (`| head -1`): that is its right. Point stdout at nothing, so that the interpreter's
        # own flush at exit has no broken pipe left to complain about.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except (UserError, KeyboardInterrupt, TerminatedError, OSError, MemoryError, ModuleNotFoundError) as error:
        line, code = _failure(error)
        note(f"{name}{line}")
        return code


def _failure(error: BaseException) -> tuple[str, int]:
    """Return what follows a command's name on its last line, and its exit code; raise an error of our own again."""
    if isinstance(error, KeyboardInterrupt):
        return ": stopped", EXIT_INTERRUPTED
    if isinstance(error, TerminatedError):
        return ": terminated", EXIT_TERMINATED
    line = f": {error}"
    if isinstance(error, OSError):
        line = f": {os_error_line(error)}"
    elif isinstance(error, MemoryError):
        line = ": not enough memory; give it fewer or smaller pictures, or fewer workers"
    elif isinstance(error, ModuleNotFoundError):
        line = f" {missing(error)}"
    return line, EXIT_WRONG_USE


def existing_folder(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a readable folder, or raise a `UserError` that says what it is instead."""
    folder = Path(path)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(f"{show(folder)} {what}; give a folder of pictures")
    return folder
