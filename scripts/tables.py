#!/usr/bin/env python3
"""Make the tables in the documents anew from the committed results; --check only says whether they are up to date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from q1net_msroi.classifier.benchmark import tables as classifier_tables
from q1net_msroi.msroi.benchmark import tables as msroi_tables
from q1net_msroi.utils import files, results
from q1net_msroi.utils.errors import note, run_command

ROOT = files.REPOSITORY


def benchmark(family: str) -> str:
    """The table of scripts/benchmark.py."""
    kept = results.committed(f"{family}/results/benchmark.json")
    rows = [[m["what"], f"{m['value']:,g}", m["unit"]] for m in kept["measurements"]]
    return results.table(["what", "median", "unit"], rows) + f"\nOn {kept['machine']}, {kept['date']}.\n"


def output(*names: str) -> str:
    """Kept commands with what they printed."""
    texts = [(ROOT / "classifier" / "results" / f"{name}.txt").read_text(encoding="utf-8") for name in names]
    return "```text\n" + "".join(texts) + "```\n"


BLOCKS: dict[str, Callable[[], str]] = {
    **classifier_tables.BLOCKS,
    **msroi_tables.BLOCKS,
    "benchmark": lambda: benchmark("classifier"),
    "msroi-benchmark": lambda: benchmark("msroi"),
    "demo": lambda: output("demo"),
    "predict": lambda: output("predict", "predict_json"),
    "auto": lambda: output("auto"),
}


def documents() -> list[Path]:
    """Return the documents that show results."""
    return [
        ROOT / "README.md",
        ROOT / "classifier" / "README.md",
        ROOT / "msroi" / "README.md",
        *sorted((ROOT / "save").glob("*/README.md")),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents, or only compare."""
    parser = argparse.ArgumentParser(prog="tables.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when a document is out of date; write nothing")
    options = parser.parse_args(arguments)
    stale = []
    for path in documents():
        text = results.fill(path, BLOCKS)
        if text != path.read_text(encoding="utf-8"):
            stale.append(path)
            if not options.check:
                files.write_text(path, text)
    for path in stale:
        note(f"{path.relative_to(ROOT)} {'is out of date; run scripts/tables.py' if options.check else 'was renewed'}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(run_command("tables.py", main))
