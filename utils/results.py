"""Measured results: JSON records that say which code, weights, codecs and machine made them, and CSV tables."""

import argparse
import contextlib
import csv
import functools
import hashlib
import io
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from q1net_msroi.utils import files, jpeg, tasks
from q1net_msroi.utils.errors import text, version

COMMIT_DIGITS = 10  # of a commit, as footers show it
HASH_DIGITS = 16  # hexadecimal, of a SHA-256: what records and cache keys show
CODECS = ("jpeglib", "pyjpegli")  # packages that encode or decode where they are installed, besides Pillow
FORMULA = tuple("=+-@\t\r")  # what a spreadsheet takes for the beginning of a formula
CODE = (
    "*.py",
    "*.html",
    "*.css",
    "pyproject.toml",
    "save",
)  # what decides a result: changes elsewhere leave a checkout clean


def machine() -> str:
    """Return what something was measured on: processor, cores, Python."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (named := re.search(r"^model name\s*: *(.*)", info.read_text(), re.MULTILINE)):
        model = named[1].strip()
    return f"{model}, {tasks.worker_count()} cores, Python {platform.python_version()}"


def portable(words: Sequence[str]) -> str:
    """Return a command's words as a shell reads them; folders under $Q1NET_DATA are written as such."""
    data = os.environ.get("Q1NET_DATA", "").rstrip("/")

    def one(word: str) -> str:
        flag, equal, value = word.partition("=") if word.startswith("-") else ("", "", word)
        if not data or not (value == data or value.startswith(f"{data}/")):
            return shlex.quote(word)
        rest = value[len(data) :]
        return f"{flag}{equal}$Q1NET_DATA{shlex.quote(rest) if rest else ''}"

    return " ".join(map(one, words))


def command_line(script: str, arguments: Sequence[str] | None = None) -> str:
    """Return the command to type for a Python script with its arguments, those of this process by default."""
    return f"python3 {script} {portable(sys.argv[1:] if arguments is None else arguments)}".rstrip()


def codecs() -> dict[str, str]:
    """Return the versions of what encodes and decodes JPEG here, by name."""
    from importlib import metadata

    pillow, _, library = jpeg.codec_identity().partition(", ")
    found = dict(each.split(" ", 1) for each in (pillow, library))
    for package in CODECS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@functools.cache
def code_hash(*packages: str) -> str:
    """Return a hash of the code and page templates of top-level packages (`utils`, `msroi`), names and contents."""
    total = hashlib.sha256()
    for package in sorted(packages):
        for path in sorted(p for p in (files.REPOSITORY / package).rglob("*") if p.suffix in (".py", ".html", ".css")):
            total.update(f"{path.relative_to(files.REPOSITORY)} {files.sha256(path)}\n".encode())
    return total.hexdigest()[:HASH_DIGITS]


def code_identity(family: str, *settings: Any) -> str:
    """Return a hash of what decides a result beside its inputs, for journals and cache keys.

    That is the code of `family` (`classifier` or `msroi`) and of `utils`, the versions of the codecs, and `settings`:
    dataclasses and plain values whose `repr` tells all of them.
    """
    said = repr((code_hash("utils", family), sorted(codecs().items()), settings))
    return hashlib.sha256(said.encode()).hexdigest()[:HASH_DIGITS]


@functools.cache
def commit() -> tuple[str | None, bool]:
    """Return the commit of this checkout and whether its code or weights differ from it; (None, False) elsewhere."""
    if not (files.REPOSITORY / ".git").exists():
        return None, False
    import subprocess

    git = ["git", "-C", str(files.REPOSITORY)]
    try:
        head, status = (
            subprocess.run([*git, *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", *CODE])
        )
    except (OSError, subprocess.CalledProcessError):
        return None, False
    return head, bool(status)


def _named(head: str, dirty: bool) -> str:
    return f"commit {head[:COMMIT_DIGITS]}{' with changes' if dirty else ''}"


def code_name() -> str:
    """Return the code that runs as a footer names it: by its commit, or by the installed version."""
    head, dirty = commit()
    return _named(head, dirty) if head else f"q1net-msroi {version()}"


def provenance(
    command: str, *families: str, settings: Mapping[str, str] | None = None, weights: Iterable[Path] = ()
) -> dict[str, Any]:
    """Return what makes a result: command, machine, date, commit, hashes of code, settings and weights, codecs.

    `settings` are fingerprints by name, `weights` the files of the models that are asked. `dirty` says that code or
    weights differ from the commit; outside a checkout `version`, the installed package's, takes the place of both.
    """
    head, dirty = commit()
    return {
        "command": command,
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        **({"commit": head, "dirty": dirty} if head else {"version": version()}),
        "code": code_hash("utils", *families),
        "codecs": codecs(),
        "settings": dict(settings or {}),
        "weights": {f"{path.parent.name}/{path.name}": files.sha256(path)[:HASH_DIGITS] for path in weights},
    }


def out_flags(parser: argparse.ArgumentParser, shown: Path) -> None:
    """Add --out, by default below out/, and --commit, which replaces what the repository shows at `shown`."""
    parser.add_argument("--out", type=Path, default=Path("out") / shown, help="what to write (default: %(default)s)")
    where = files.REPOSITORY / shown
    parser.add_argument("--commit", dest="out", action="store_const", const=where, help=f"write to {shown}")


def record(path: Path, made: Mapping[str, Any], result: Any) -> None:
    """Write a result below its `provenance`."""
    files.output_folder(path.parent)
    files.write_json(path, {**made, "result": result})


def made_by(kept: Mapping[str, Any]) -> str:
    """Return on which machine, when and, where it is recorded, by which commit a record was made."""
    code = f", {_named(kept['commit'], kept.get('dirty', False))}" if kept.get("commit") else ""
    return f"{kept['machine']}, {kept['date']}{code}"


def _cell(value: Any, digits: int) -> Any:
    """Return a value as a CSV cell; a text that a spreadsheet would read as a formula begins with an apostrophe."""
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    if not isinstance(value, str):
        return value
    formula = len(value) > 1 and value[0] in FORMULA and not _is_number(value)
    return f"'{text(value)}" if formula else text(value)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def csv_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], digits: int = 4) -> Iterator[str]:
    """Yield the lines of a CSV file, the head first, each as soon as its row is there."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    yield buffer.getvalue()
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow({name: _cell(value, digits) for name, value in row.items()})
        yield buffer.getvalue()


def write_csv(path: Path, rows: Sequence[dict[str, Any]], digits: int = 4) -> None:
    """Write rows as CSV, the columns of all of them, numbers with `digits` behind the point."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    files.write_text(path, "".join(csv_lines(rows, columns, digits)))


class History:
    """One row of strings an epoch, kept in a CSV file that is rewritten whole; `epoch` counts from 1."""

    def __init__(self, path: Path, done: int) -> None:
        """Take up the rows of the first `done` epochs, for a run that is resumed."""
        self.path, self.rows = path, list[dict[str, Any]]()
        if done and path.exists():
            with path.open(newline="", encoding="utf-8") as handle:
                self.rows = [row for row in csv.DictReader(handle) if int(row["epoch"]) <= done]

    def add(self, row: dict[str, Any]) -> None:
        """Append a row and write the file."""
        self.rows.append(row)
        write_csv(self.path, self.rows)


def rounded(values: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """Return `values` with the fractions among them rounded."""
    return {name: round(value, digits) if isinstance(value, float) else value for name, value in values.items()}


def percent(share: float) -> str:
    """Return a share 0..1 as `99.8%`, and as `99.96%` rather than as a hundred that it is not."""
    text = f"{share:.1%}"
    return f"{share:.2%}" if text == "100.0%" and share < 1 else text
