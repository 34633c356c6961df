#!/usr/bin/env python3
"""Draw rate-distortion curves of all photographs from a record of record_encoder.py."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.utils import figures, files
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show

PANELS = ("inside", "psnrhvsm")  # metrics
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8)  # bits a pixel


def draw(summary: Sequence[dict[str, Any]], titles: dict[str, str], path: Path) -> None:
    """Draw the metrics of `PANELS` against bits a pixel, one line an encoder, one point a quality, to a PNG file.

    `summary`: rows with encoder, bits_per_pixel and the metrics, means over pictures; `titles` by encoder, in the order
    of the legend, the one that others are compared with first; an encoder without a title is left out, a metric
    without values too.
    """
    panels = [key for key in PANELS if any(row.get(key) is not None for row in summary)]
    bits = [row["bits_per_pixel"] for row in summary]
    low, high = 0.9 * min(bits), 1.1 * max(bits)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    with figures.figure(path, 5.2 * len(panels), 4.6) as drawing:
        for number, key in enumerate(panels, 1):
            axes = drawing.add_subplot(1, len(panels), number)
            for name, title in titles.items():
                # What others are compared with lies over them: it stays in sight where curves meet.
                style = {"color": "black", "linestyle": "--", "zorder": 3} if name == next(iter(titles)) else {}
                points = sorted((row["bits_per_pixel"], row[key]) for row in summary if row["encoder"] == name)
                axes.plot([x for x, _ in points], [y for _, y in points], marker=".", label=title, **style)
            axes.set_xscale("log")
            axes.set_xlim(low, high)
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.set_xticks([], minor=True)
            axes.set_xlabel("bits per pixel")
            axes.set_ylabel(suite.METRICS[key].label)
            axes.grid(True)
        drawing.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=min(3, len(titles)))


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
    draw(summary, {name: comparison.TITLES[name] for name in comparison.TITLES if name in there}, Path(options.figure))
    note(f"written: {show(options.figure)}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("draw_encoder.py", main))
