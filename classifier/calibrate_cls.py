#!/usr/bin/env python3
"""Search threshold, fusion, patches and correction on photographs kept for validation; store them by the weights."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import add_model_options
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import get_config
from q1net_msroi.utils import images, results
from q1net_msroi.utils.errors import run_command, show


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="calibrate_cls.py", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--in_path", required=True, help="folder of never-compressed photographs that were not trained on"
    )
    parser.add_argument("--qualities", default="1-100:3", help="10,20,30 or 5-95:10 (default: %(default)s)")
    parser.add_argument("--record", metavar="FILE", help="also write the best of every fusion and patch choice as JSON")
    parser.add_argument("--json", action="store_true", help="print one JSON object a threshold")
    add_model_options(parser, threshold=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    config = get_config(options.comp_type)

    from q1net_msroi.classifier.evaluation import calibration
    from q1net_msroi.classifier.evaluation.pictures import parse_qualities

    qualities = parse_qualities(options.qualities)
    found = images.find_images(options.in_path)
    folder = weights.model_folder(config, options.save_path)

    def load() -> NetworkEstimator:
        return NetworkEstimator(config, options.save_path, options.backend, 1)

    load()  # a missing or damaged model is said once, before the first picture
    samples = calibration.collect(found, qualities, load, options.workers)
    searched = calibration.search_all(samples)
    chosen = {key: calibration.choose(rows) for key, rows in searched.items()}
    corrections = {key: calibration.correct(samples, *key, row.threshold) for key, row in chosen.items()}
    best = min(chosen, key=lambda key: corrections[key][1].cost)
    for (choice, rule), rows in searched.items():
        for row in rows:
            is_chosen = row is chosen[choice, rule]
            if options.json:
                print(json.dumps({"patches": choice, "fusion": rule, **asdict(row), "chosen": is_chosen}))
            elif (choice, rule) == calibration.PAPER:
                print(_line(f"threshold {row.threshold:5.2f}", row, "  <- chosen" if is_chosen else ""))
    if not options.json:
        for (choice, rule), row in chosen.items():
            mark = "  <- best" if (choice, rule) == best else ""
            print(_line(f"{choice:7} {rule:15} threshold {row.threshold:5.2f}", row, ""))
            print(_line("                corrected              ", corrections[choice, rule][1], mark))

    pictures, data = len({s.picture for s in samples}), Path(options.in_path).resolve().name
    entries = {
        key: calibration.entry(row, corrections[key][1], pictures, qualities, data) for key, row in chosen.items()
    }
    fused: dict[str, Any] = {}
    for key, row in chosen.items():
        corrected = corrections[key][0]
        fused["/".join(key)] = {
            "threshold": row.threshold,
            "mae": entries[key]["mae"],
            "within_2": entries[key]["within_2"],
            "correction": corrected.record(),
            "lowest_never": calibration.lowest_never(samples, *key, row.threshold, corrected),
            "interval": calibration.measure_intervals(samples, *key, row.threshold, corrected),
        }
    kind = "float32" if options.backend == "tf" else options.backend
    card = weights.read_card(folder)
    weights.update_card(
        folder,
        calibration={**card.get("calibration", {}), kind: entries[calibration.PAPER]},
        fusion={**card.get("fusion", {}), kind: {"best": "/".join(best), **fused}},
    )
    if options.record:
        flags = " ".join([f"--qualities {options.qualities}", f"--comp_type {options.comp_type}"])
        rows_kept = [
            {"patches": choice, "fusion": rule, **entries[choice, rule],
             "cost": round(corrections[choice, rule][1].cost, 4),
             "coverage": fused[f"{choice}/{rule}"]["interval"]["measured_coverage"], "best": (choice, rule) == best}
            for choice, rule in chosen
        ]  # fmt: skip
        command = f"python3 classifier/calibrate_cls.py --in_path $Q1NET_DATA/{data} {flags}"
        results.record(Path(options.record), results.provenance(command, "classifier"), rows_kept)
    if not options.json:
        threshold = chosen[calibration.PAPER].threshold
        print(f"threshold {threshold:g} stored in {show(folder / 'model.json')}")
    return 0


def _line(head: str, row: Any, mark: str) -> str:
    mae = "    -" if row.mae is None else f"{row.mae:5.2f}"
    return f"{head}: mae {mae}, within 2 {row.within_2:6.1%}, answered {row.answered:6.1%}{mark}"


def command() -> int:
    """Run as a console script."""
    return run_command("calibrate_cls.py", main)


if __name__ == "__main__":
    sys.exit(command())
