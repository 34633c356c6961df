#!/usr/bin/env python3
"""Draw rate-distortion curves of all photographs from a record of record_encoder.py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.msroi.benchmark import comparison, rate_plots
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw."""
    parser = argparse.ArgumentParser(prog="draw_encoder.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("record", help="JSON file that record_encoder.py wrote")
    parser.add_argument("figure", help="PNG file to write")
    options = parser.parse_args(arguments)
    record = Path(options.record)
    if not record.exists():
        raise UserError(f"{show(record)} does not exist; scripts/reproduce_encoder.sh makes it")
    summary = files.read_json(record)["result"]["areas"]["all"]["summary"]
    there = {row["encoder"] for row in summary}
    titles = {name: title for name, title in comparison.TITLES.items() if name in there}
    rate_plots.draw(summary, titles, Path(options.figure))
    note(f"written: {show(options.figure)}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("draw_encoder.py", main))
