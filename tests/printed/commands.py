"""The commands that the documents print: found, run page by page in a folder of their own, their outputs compared.

A block of `sh` or `python` is run; a block of `text` after it, with no heading between, is what it prints. A comment
right above a block says what is special: `<!-- exit: 2 -->` (then stderr is shown too), `<!-- tested by: FILE -->`, or
`<!-- not run: REASON -->`. In an expected output three dots stand for any lines, or inside a line for any words; times
may differ.
"""

import difflib
import math
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from q1net_msroi.utils import files

ROOT = files.REPOSITORY
RUN = ("sh", "python")
BLOCK = re.compile(
    r"^(?P<heading>#+ [^\n]*)$"
    r"|(?:^<!-- (?P<note>exit|tested by|not run): (?P<said>.*?) -->\n)?"
    r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
TIMED = re.compile(r"-?[\d.,]+(?= seconds| s\b| ms\b)|(?<=\"seconds\": )[\d.]+")
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
CLOSE, FRACTION = 0.05, 0.02  # what another processor may change: an absolute difference, or a share of a large number
ANYTHING = "..."
LIMIT = 900  # seconds a block may take


@dataclass(frozen=True)
class Block:
    """A piece of code in a document, and what it prints; None where the document does not say."""

    document: Path
    line: int
    language: str
    code: str
    note: str = ""
    said: str = ""
    printed: str | None = None
    start: int = 0  # of what it prints, in the document's text

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether it is run here."""
        return self.language in RUN and self.note not in ("tested by", "not run")

    @property
    def exit_code(self) -> int:
        """How it ends."""
        return int(self.said) if self.note == "exit" else 0


def documents() -> list[Path]:
    """Return every page that a reader is shown but CONTRIBUTING.md, whose walk-throughs have a test of their own."""
    folders = ("", "docs", "classifier", "msroi", "save/*")
    found = {path for folder in folders for path in ROOT.glob(f"{folder}/*.md" if folder else "*.md")}
    return sorted(found - {ROOT / "CONTRIBUTING.md"})


def blocks(document: Path) -> list[Block]:
    """Return all blocks of a document, `text` ones after code joined to it."""
    text = document.read_text(encoding="utf-8")
    found: list[Block] = []
    follows = False
    for match in BLOCK.finditer(text):
        if match["heading"]:
            follows = False
            continue
        if match["language"] == "text" and follows:
            found[-1] = replace(found[-1], printed=match["code"], start=match.start("code"))
            follows = False
            continue
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(document, line, match["language"], match["code"], match["note"] or "", match["said"] or ""))
        follows = match["language"] in RUN
    return found


def make_programs(folder: Path) -> Path:
    """Make a folder of programs: this Python, and the commands that the package installs."""
    folder.mkdir(parents=True)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    lines = {"python3": f'exec {sys.executable} "$@"'}
    lines["python"] = lines["python3"]
    for name, target in scripts.items():
        module, _, function = target.partition(":")
        lines[name] = (
            f"exec {sys.executable} -c 'import sys; from {module} import {function} as f; sys.exit(f())' \"$@\""
        )
    for name, line in lines.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return folder


def run(block: Block, folder: Path, programs: Path) -> tuple[int, str]:
    """Run a block in `folder`; return its exit code and what it printed, with stderr where it is to fail."""
    shell = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
    here = str(folder) if (folder / "q1net_msroi").exists() else str(ROOT)
    known = {
        **{name: value for name, value in os.environ.items() if name != "DIV2K"},
        **{"PATH": f"{programs}:{os.environ['PATH']}", "PYTHON": sys.executable, "PYTHONPATH": here},
        **{"Q1NET_DATA": str(folder / "data"), "TF_CPP_MIN_LOG_LEVEL": "2", "COLUMNS": "120"},
    }
    done = subprocess.run(
        [*shell, block.code], cwd=folder, env=known, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    shown = done.stdout + done.stderr if block.exit_code or done.returncode else done.stdout
    return done.returncode, shown


def _close(wanted: str, got: str) -> bool:
    """Whether two numbers are the same but for what another processor or a better encoder may change."""
    first, second = (float(each.replace(",", "")) for each in (wanted, got))
    return math.isclose(first, second, rel_tol=FRACTION if abs(first) > 1000 else 0, abs_tol=CLOSE)


def _alike(wanted: str, got: str) -> bool:
    """Whether two lines say the same, small differences of numbers, all of times, and what dots stand for aside."""
    wanted, got = (TIMED.sub("T", line).rstrip() for line in (wanted, got))
    pieces = re.split(rf"({NUMBER.pattern}|\.\.\.)", wanted)
    numbers = [piece for piece in pieces if NUMBER.fullmatch(piece)]
    kinds = (".*" if p == ANYTHING else f"({NUMBER.pattern})" if p in numbers else re.escape(p) for p in pieces)
    found = re.fullmatch("".join(kinds), got)
    return found is not None and all(map(_close, numbers, found.groups()))


def differences(wanted: str, got: str) -> list[str]:
    """Return the first thing that was printed otherwise than expected, for a person; nothing where all is alike."""
    lines = got.splitlines()
    place, skips = 0, False
    for line in wanted.splitlines():
        if line.strip() == ANYTHING:
            skips = True
            continue
        while skips and place < len(lines) and not _alike(line, lines[place]):
            place += 1
        if place == len(lines) or not _alike(line, lines[place]):
            left = lines if skips else [*lines[place:], "nothing more"][:1]
            return [f"expected: {line}", *(f"printed:  {each}" for each in left)]
        place, skips = place + 1, False
    return [f"printed too: {line}" for line in lines[place:]] if not skips else []


def needs_clone(document: Path) -> bool:
    """Whether a page's commands run in the clone; those of the others run wherever the package is installed."""
    code = "".join(block.code for block in blocks(document) if block.runs)
    return bool(re.search(r"\b(scripts|classifier|msroi|save)/", code))


def perform(document: Path, folder: Path, programs: Path) -> Iterator[tuple[Block, int, str]]:
    """Run a page's blocks in order; yield each with its exit code and what it printed."""
    for block in blocks(document):
        if block.runs:
            yield block, *run(block, folder, programs)


def _shortened(wanted: str, got: str) -> str:
    """Return what is printed now with the lines left out that `wanted` leaves out, too."""
    if ANYTHING not in wanted.splitlines():
        return got
    lines = got.splitlines()
    close = (
        line if line == ANYTHING else [*difflib.get_close_matches(line, lines, 1, 0), line][0]
        for line in wanted.splitlines()
    )
    return "".join(f"{line}\n" for line in close)


def renewed(document: Path, outputs: dict[str, str]) -> str:
    """Return a document's text with what the blocks at `outputs`' places print in place of what it said."""
    text = document.read_text(encoding="utf-8")
    for block in reversed(blocks(document)):
        if block.place in outputs and block.printed is not None:
            shown = _shortened(block.printed, outputs[block.place])
            text = text[: block.start] + shown + text[block.start + len(block.printed) :]
    return text
