#!/usr/bin/env python3
"""Search threshold, fusion, patches and correction on photographs kept for validation; store them by the weights.

With --tables only the intervals are fitted again, on what becomes of these photographs in the world.
"""

import argparse
import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: the threads take a picture each

from q1net_msroi.classifier.benchmark.chains import Chains
from q1net_msroi.classifier.benchmark.truth import read_counted
from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked, add_model_options
from q1net_msroi.classifier.evaluation import calibration
from q1net_msroi.classifier.evaluation.calibration import PAPER, Calibration, Row
from q1net_msroi.classifier.evaluation.pictures import parse_qualities
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import get_config
from q1net_msroi.utils import images, results
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, UserError, run_command, show


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="calibrate_cls.py", description=__doc__, allow_abbrev=False)
    flags.in_path(parser, "folder of never-compressed photographs that were not trained on")
    flags.qualities(parser, "1-100:3")
    parser.add_argument("--record", metavar="FILE", help="also write the best of every fusion and patch choice as JSON")
    flags.as_json(parser, "one JSON object a threshold")
    add = parser.add_argument
    tables = "columns luma and chroma, 64 steps each, and files: tables of real files; fit only the intervals again,"
    add("--tables", type=Path, metavar="CSV", help=f"{tables} on photographs changed and saved with these and others")
    add("--chains", type=int, default=16, metavar="N", help="such pictures a photograph (default: %(default)s)")
    add_model_options(parser)
    weights.add_out_path(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    qualities = parse_qualities(options.qualities)
    found = images.find_images(options.in_path)
    asked = flags.settings(Asked, options)

    def load() -> NetworkEstimator:
        return NetworkEstimator(asked)

    load()  # a missing or damaged model is said once, before the first picture
    if options.tables is not None:
        return _intervals(options, asked, load, arguments)
    samples = calibration.collect(found, qualities, load, options.workers)
    data = Path(options.in_path).resolve().name
    measured = calibration.calibrate(samples, len(qualities), data)
    folder = weights.model_folder(get_config(options.comp_type), options.save_path)
    if useless := measured.useless():
        raise UserError(f"the network of {show(folder)} {useless}; nothing was stored")
    folder = weights.written_folder(get_config(options.comp_type), options.save_path, options.out_path)
    _print_json(measured) if options.json else _print(measured)

    kind = "float32" if options.backend == "tf" else options.backend
    card = weights.read_card(folder)
    weights.update_card(
        folder,
        calibration={**card.get("calibration", {}), kind: measured.entry(PAPER)},
        fusion={**card.get("fusion", {}), kind: measured.fusion_record()},
    )
    if options.record:
        command_line = results.command_line("classifier/calibrate_cls.py", arguments)
        made_by = results.provenance(command_line, "classifier", weights=sorted(folder.glob("*.tflite")))
        results.record(Path(options.record), made_by, measured.table())
    if not options.json:
        threshold = measured.chosen[PAPER].row.threshold
        print(f"threshold {threshold:g} stored in {show(folder / 'model.json')}")
    return EXIT_OK


def _intervals(
    options: argparse.Namespace, asked: Asked, load: Callable[[], NetworkEstimator], arguments: Sequence[str] | None
) -> int:
    """Fit the intervals of all choices again and store them."""
    if options.chains < 1:
        raise UserError("--chains needs at least 1")
    config = get_config(options.comp_type)
    folder = weights.model_folder(config, options.save_path)
    kind = "float32" if options.backend == "tf" else options.backend
    fused = weights.read_card(folder).get("fusion", {})
    if kind not in fused:
        raise UserError(f"{show(folder / 'model.json')} holds no calibration of {kind}; run without --tables first")
    found, make = images.find_images(options.in_path), Chains(*read_counted(options.tables)).picture
    samples = calibration.collect_chains(found, options.chains, make, load, options.workers)
    number = len({sample.picture for sample in samples})
    made_on = {"pictures": number, "chains": options.chains, "data": Path(options.in_path).resolve().name}
    record, rows = calibration.with_intervals(fused[kind], samples, {**made_on, "tables": options.tables.name})
    folder = weights.written_folder(config, options.save_path, options.out_path)
    weights.update_card(folder, fusion={**weights.read_card(folder)["fusion"], kind: record})
    for row in rows:
        held = ", ".join(f"{name} {row[name]:.1%}" for name in ("standard", "other") if name in row)
        line = f"{row['patches']:7} {row['fusion']:15} answered {row['answered']:6.1%}, intervals hold: {held}"
        print(json.dumps(row) if options.json else line)
    if options.record:
        command_line = results.command_line("classifier/calibrate_cls.py", arguments)
        made_by = results.provenance(command_line, "classifier", weights=sorted(folder.glob("*.tflite")))
        results.record(Path(options.record), made_by, rows)
    if not options.json:
        print(f"intervals stored in {show(folder / 'model.json')}")
    return EXIT_OK


def _print_json(measured: Calibration) -> None:
    """Print an object for every threshold of every choice of patches and fusion."""
    for (choice, rule), rows in measured.searched.items():
        for row in rows:
            chosen = row is measured.chosen[choice, rule].row
            print(json.dumps({"patches": choice, "fusion": rule, **asdict(row), "chosen": chosen}))


def _print(measured: Calibration) -> None:
    """Print all thresholds of the paper's patches and fusion, then the best of every choice."""
    for row in measured.searched[PAPER]:
        mark = "  <- chosen" if row is measured.chosen[PAPER].row else ""
        print(_line(f"threshold {row.threshold:5.2f}", row, mark))
    for (choice, rule), best in measured.chosen.items():
        mark = "  <- best" if (choice, rule) == measured.best else ""
        print(_line(f"{choice:7} {rule:15} threshold {best.row.threshold:5.2f}", best.row, ""))
        print(_line("                corrected              ", best.corrected, mark))


def _line(head: str, row: Row, mark: str) -> str:
    mae = "    -" if row.mae is None else f"{row.mae:5.2f}"
    return f"{head}: mae {mae}, within 2 {row.within_2:6.1%}, answered {row.answered:6.1%}{mark}"


command = functools.partial(run_command, "calibrate_cls.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
