#!/usr/bin/env python3
"""Score maps against object masks or against where people looked, beside three maps that know nothing."""

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.roi import baselines, evaluation, generate
from q1net_msroi.msroi.roi.network import Network, load_lite, load_tensorflow
from q1net_msroi.msroi.roi.scores import BETA_SQUARED
from q1net_msroi.utils import files, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError, run_command, show
from q1net_msroi.utils.jobs import FolderJob


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="evaluate_map.py", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--images", required=True, help="folder of pictures")
    add("--masks", help="folder of object masks (0 and 255), named like the pictures")
    add("--density", help="folder of gaze densities (gray), named like the pictures: scores CC")
    add("--points", help="CSV of gaze points with columns file, x, y: scores AUC-Judd and NSS")
    several = "rule to score; give it several times for several (default: all)"
    add("--method", action="append", choices=generate.METHODS, help=several)
    generate.add_options(parser)
    known = "score also a centre prior, a flat map and spectral-residual saliency (default: on)"
    add("--baselines", action=argparse.BooleanOptionalAction, default=True, help=known)
    generate.add_checkpoint(parser)
    flags.out_path(parser, "maps.json, maps.csv and maps.png")
    flags.workers(parser)
    flags.as_json(parser, "the summary as one JSON object")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    gaze = bool(options.density or options.points)
    if bool(options.masks) == gaze:
        raise UserError("give either --masks FOLDER, or --density FOLDER and/or --points CSV")
    workers = tasks.worker_count(options.workers)
    methods = list(dict.fromkeys(options.method or generate.METHODS))
    settings = [flags.settings(generate.Settings, options, method=method) for method in methods]
    items = evaluation.find_items(options.images, options.masks or options.density, options.points)
    output = files.output_folder(options.out_path)
    network = load_tensorflow(options.checkpoint) if options.checkpoint else load_lite(workers)
    rules: dict[str, evaluation.MapRule] = {rule.method: partial(_map, network, rule) for rule in settings}
    known = baselines.BASELINES if options.baselines else {}
    names = [*rules, *known]
    work = partial(evaluation.evaluate, {**rules, **known}, gaze)
    job = FolderJob("evaluate_map.py", work, items, workers=1, prints=False)
    rows = [outcome for _, outcome in job.run() if not isinstance(outcome, UserError)]
    if not rows:
        raise UserError("no picture could be scored")
    summary = evaluation.summarise(rows, names)
    common = {name: value for name, value in asdict(settings[0]).items() if name != "method"}
    common["network"] = Path(options.checkpoint).name if options.checkpoint else "mobilenet_v2"
    record = {"images": len(rows), "settings": common, "beta_squared": BETA_SQUARED, "scores": summary}
    files.write_json(output / "maps.json", record)
    scored = [name for name in rows[0][names[0]] if name != "curve"]
    table = [{"file": row["file"], "map": rule} | {s: row[rule][s] for s in scored} for row in rows for rule in names]
    results.write_csv(output / "maps.csv", table)
    main_score = next(iter(summary[names[0]]))
    chosen = evaluation.best_and_worst(items, rows, names[0], main_score)
    sheet = evaluation.contact_sheet(chosen, main_score, rules[names[0]], gaze)
    with files.atomic_path(output / "maps.png") as temporary:
        sheet.save(temporary, format="PNG")
    if options.json:
        print(json.dumps(record))
    else:
        _show(summary, output)
    return job.close("failed")


def _map(network: Network, settings: generate.Settings, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return generate.generate(network, pixels, settings).values


def _show(summary: dict[str, dict[str, Any]], output: Path) -> None:
    scored = list(next(iter(summary.values())))
    print(f"{'map':18s}" + "".join(f"{name:>24s}" for name in scored))
    for rule, cells in summary.items():
        texts = (f"{cells[name]['mean']:.3f} [{cells[name]['low']:.3f}, {cells[name]['high']:.3f}]" for name in scored)
        print(f"{rule:18s}" + "".join(f"{text:>24s}" for text in texts))
    print(f"means with 95 % intervals; maps.json, maps.csv and maps.png (best and worst) in {show(output)}")


command = functools.partial(run_command, "evaluate_map.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
