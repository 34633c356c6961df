#!/usr/bin/env python3
"""Draw the confusion matrices of several evaluations side by side and keep their numbers.

FOLDER is an --out_path of evaluate_cls.py; FOLDER.json beside it is what record.py kept of that run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.benchmark.figure4 import Panel, draw
from q1net_msroi.classifier.evaluation.confusion import read_counts
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError, run_command, show

TITLES = {
    "mobilenet_v2": "MobileNetV2 regressor",
    "block_corners": "block corners (JQE's manner)",
    "jpeg_paper": "Q1Net (jpeg_paper)",
    "auto": "auto",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, and write the record."""
    parser = argparse.ArgumentParser(prog="draw_figure4.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("figure", type=Path, help="PNG file to write")
    parser.add_argument("result", type=Path, help="JSON file to write: the records of the folders")
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="an evaluation, in the figure's order")
    options = parser.parse_args(arguments)
    panels, records = [], []
    for folder in options.folders:
        kept = folder.with_name(f"{folder.name}.json")
        if not kept.exists():
            raise UserError(f"{show(kept)} does not exist; scripts/reproduce_figure4.sh makes it")
        records.append(files.read_json(kept))
        result = records[-1]["result"]
        title = TITLES.get(result["comp_type"], result["comp_type"])
        panels.append(Panel(title, read_counts(folder / "confusion_matrix.csv"), result))
    files.output_folder(options.figure.parent)
    draw(panels, options.figure)
    # Each evaluation tells its own command, machine and date: they may have run on different days.
    files.write_json(options.result, records)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("draw_figure4.py", main))
