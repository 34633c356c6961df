"""Measured results: JSON records with machine and date, and the tables that documents show of them."""

from __future__ import annotations

import csv
import io
import os
import platform
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from q1net_msroi.utils import files, tasks
from q1net_msroi.utils.errors import UserError, show

BLOCK = re.compile(r"(<!-- results: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def machine() -> str:
    """Return what something was measured on: processor, cores, Python."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {tasks.worker_count()} cores, Python {platform.python_version()}"


def portable(words: Sequence[str]) -> str:
    """Return a command's words as they work elsewhere: folders under $Q1NET_DATA are written as such."""
    data = os.environ.get("Q1NET_DATA")
    return " ".join(f"$Q1NET_DATA{word[len(data) :]}" if data and word.startswith(data) else word for word in words)


def record(path: Path, command: str, result: Any) -> None:
    """Write a result with the command that gave it, the machine and the date."""
    today = datetime.now(UTC).date().isoformat()
    files.write_json(path, {"command": command, "machine": machine(), "date": today, "result": result})


def committed(path: str) -> Any:
    """Return a record of the repository, by its path from the root."""
    return files.read_json(files.REPOSITORY / path)


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV, numbers with four digits behind the point."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: f"{value:.4f}" if isinstance(value, float) else value for name, value in row.items()} for row in rows
    )
    files.write_text(path, buffer.getvalue())


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


def percent(share: float) -> str:
    """Return a share 0..1 as `99.8%`, and as `99.96%` rather than as a hundred that it is not."""
    text = f"{share:.1%}"
    return f"{share:.2%}" if text == "100.0%" and share < 1 else text


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def fill(path: Path, blocks: dict[str, Callable[[], str]]) -> str:
    """Return a document's text with every `<!-- results: name -->` block made anew.

    Raises `UserError` for a block that nobody makes.
    """

    def make(match: re.Match[str]) -> str:
        if match["name"] not in blocks:
            raise UserError(f"{show(path)} has a block {match['name']} that no script makes")
        return match[1] + blocks[match["name"]]() + match[3]

    return BLOCK.sub(make, path.read_text(encoding="utf-8"))
