"""What a folder job has finished: a line a finished input, in a file beside the outputs that only grows.

So a job that was stopped at any moment, or is started again, does what is missing or has changed and nothing else.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

Fingerprint = list[list[int]]

SUFFIX = "_journal.jsonl"  # what the names of journals end in


def fingerprint(inputs: Iterable[Path]) -> Fingerprint:
    """Return size in bytes and time of change in nanoseconds of each file; a missing one raises `OSError`."""
    stats = [path.stat() for path in inputs]
    return [[stat.st_size, stat.st_mtime_ns] for stat in stats]


@dataclass(frozen=True)
class Entry:
    """A finished input: what it was, how it was treated, sizes in bytes of its outputs by name, what was said of it."""

    inputs: Fingerprint
    settings: dict[str, Any]
    outputs: dict[str, int]
    record: Any = None


@dataclass
class Journal:
    """The entries of the file `path` by key; output names are relative to its folder."""

    path: Path
    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a journal, empty where there is none; a line that is not whole (its writer was killed) is left out."""
        journal = cls(path)
        content = path.read_bytes() if path.is_file() else b""
        for line in content.split(b"\n"):
            try:
                key, inputs, settings, outputs, record = json.loads(line)
                journal.entries[key] = Entry(inputs, settings, dict(outputs), record)
            except (ValueError, TypeError):
                continue
        return journal

    def finished(self, key: str, inputs: Fingerprint, settings: dict[str, Any]) -> Entry | None:
        """Return the entry of `key` where it was made of these inputs and settings, its outputs as they were left."""
        entry = self.entries.get(key)
        if entry is None or entry.inputs != inputs or entry.settings != _plain(settings):
            return None
        whole = all(_size(self.path.parent / name) == size for name, size in entry.outputs.items())
        return entry if whole else None

    def add(
        self, key: str, inputs: Fingerprint, settings: dict[str, Any], outputs: Iterable[Path], record: Any = None
    ) -> None:
        """Write down that `key` is finished, after its outputs are in place."""
        sizes = {os.path.relpath(path, self.path.parent): path.stat().st_size for path in outputs}
        entry = Entry(inputs, _plain(settings), sizes, record)
        line = json.dumps([key, *vars(entry).values()])
        # One write, so that two runs into one folder do not mix their lines; the line break before it ends what a
        # killed writer may have left.
        with self.path.open("ab", buffering=0) as handle:
            handle.write(f"\n{line}\n".encode("ascii"))
        self.entries[key] = entry


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as JSON gives them back."""
    return cast(dict[str, Any], json.loads(json.dumps(settings)))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
