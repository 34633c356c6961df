#!/usr/bin/env python3
"""Search the confidence threshold on photographs kept for validation, and store it with the weights."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from classifier.estimators.network import NetworkEstimator
from classifier.estimators.options import add_model_options
from classifier.q1net import weights
from classifier.q1net.configs import get_config
from utils import images
from utils.errors import run_command, show


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="calibrate_cls.py", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--in_path", required=True, help="folder of never-compressed photographs that were not trained on"
    )
    parser.add_argument("--qualities", default="1-100:3", help="10,20,30 or 5-95:10 (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a threshold")
    add_model_options(parser, threshold=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    config = get_config(options.comp_type)

    from classifier.q1net import calibration
    from classifier.q1net.evaluation import parse_qualities

    qualities = parse_qualities(options.qualities)
    found = images.find_images(options.in_path)
    folder = weights.model_folder(config, options.save_path)

    def load() -> NetworkEstimator:
        return NetworkEstimator(config, options.save_path, options.backend, 1)

    load()  # a missing or damaged model is said once, before the first picture
    collected = calibration.collect(found, qualities, load, options.workers)
    rows = calibration.search(collected)
    best = calibration.choose(rows)
    for row in rows:
        if options.json:
            print(json.dumps({**asdict(row), "chosen": row is best}))
        else:
            mae = "    -" if row.mae is None else f"{row.mae:5.2f}"
            mark = "  <- chosen" if row is best else ""
            print(
                f"threshold {row.threshold:5.2f}: mae {mae}, within 2 {row.within_2:6.1%}, "
                f"answered {row.answered:6.1%}{mark}"
            )
    kind = "float32" if options.backend == "tf" else options.backend
    recorded = weights.read_card(folder).get("calibration", {})
    entry = calibration.entry(best, len(collected) // len(qualities), qualities, Path(options.in_path).resolve().name)
    weights.update_card(folder, calibration={**recorded, kind: entry})
    if not options.json:
        print(f"threshold {best.threshold:g} stored in {show(folder / 'model.json')}")
    return 0


def command() -> int:
    """Run as a console script."""
    return run_command("calibrate_cls.py", main)


if __name__ == "__main__":
    sys.exit(command())
