"""What a person names on the command line: pictures, folders, patterns such as 'photos/**/*.jpg', - for stdin."""

import contextlib
import glob
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from q1net_msroi.utils import images
from q1net_msroi.utils.errors import UserError, note, show, text

STDIN = "-"


@dataclass(frozen=True)
class Given:
    """The pictures that were named, each once, in the order of the words; `one`: a single file was named itself.

    `named` has what a picture is called that is not called by its path.
    """

    paths: list[Path]
    one: bool = False
    named: dict[Path, str] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        """Return what a picture is called: its path as it was given, with folder and suffix."""
        return self.named.get(path) or text(path)


@contextlib.contextmanager
def given(words: Sequence[str], recursive: bool = False) -> Iterator[Given]:
    """Yield the pictures that `words` name; one from stdin lies in a temporary file until the end.

    A folder stands for the pictures in it (`recursive`: below it), a pattern for what it matches. Raises `UserError`
    where nothing is found; a file that is not there is only said here when it is the only one.
    """
    if STDIN not in words:
        yield _found(words, recursive)
        return
    if len(words) > 1:
        raise UserError("- is one picture from stdin; give it alone")
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError("- reads a picture from stdin, and there is none; pipe one in")
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin"
        with path.open("wb") as sink:
            shutil.copyfileobj(sys.stdin.buffer, sink)
        try:
            yield Given([path], True, {path: STDIN})
        except UserError as error:
            raise UserError(str(error).replace(show(path), STDIN)) from None


def _found(words: Sequence[str], recursive: bool) -> Given:
    if len(words) == 1 and not Path(words[0]).is_dir() and not _is_pattern(words[0]):
        path = Path(words[0])
        if not path.exists() and not path.is_symlink():
            raise UserError(f"{show(path)} does not exist; give a picture or a folder of pictures")
        return Given([path], one=True)
    if len(words) == 1 and not _is_pattern(words[0]):
        return Given(images.find_images(words[0], recursive))
    found, others = list[Path](), list[Path]()
    for word in words:
        if not _is_pattern(word) and not Path(word).is_dir():
            found.append(Path(word))
            continue
        matched = sorted(map(Path, glob.glob(word, recursive=True))) if _is_pattern(word) else [Path(word)]  # noqa: PTH207
        if not matched:
            raise UserError(f"nothing matches {show(word)}")
        below = [path for folder in matched if folder.is_dir() for path in images.listed(folder, recursive)]
        pictures, _ = images.sort_out(candidates := [path for path in matched if not path.is_dir()] + below)
        found += pictures
        others += candidates
    skipped = images.sort_out(list(dict.fromkeys(others)))[1]
    if not found:
        raise UserError("; ".join(filter(None, (f"no pictures in {', '.join(map(show, words))}", skipped))))
    if skipped:
        note(skipped)
    return Given(list(dict.fromkeys(found)))


def _is_pattern(word: str) -> bool:
    """Return whether a word is a pattern and not the name of a file that is there."""
    return glob.has_magic(word) and not Path(word).exists() and not Path(word).is_symlink()
