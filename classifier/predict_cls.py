#!/usr/bin/env python3
"""Estimate how strongly pictures were JPEG-compressed, from their pixels alone."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from classifier.estimators.network import NetworkEstimator
from classifier.estimators.options import add_model_options
from classifier.estimators.result import Estimate
from classifier.q1net.configs import AREA, get_config
from utils import images, tasks
from utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command, show


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="predict_cls.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--in_path", required=True, help="a picture, or a folder of pictures")
    parser.add_argument("--recursive", action="store_true", help="look into the subfolders of a folder too")
    parser.add_argument(
        "--fallback",
        type=float,
        metavar="QUALITY",
        help="answer this instead of unknown; 100 is what the original says",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a picture")
    add_model_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    config = get_config(options.comp_type)
    path = Path(options.in_path)
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{show(path)} does not exist; give a picture or a folder of pictures")
    workers = tasks.worker_count(options.workers)

    def load(threads: int) -> NetworkEstimator:
        return NetworkEstimator(config, options.save_path, options.backend, threads, options.threshold)

    def finished(estimate: Estimate) -> Estimate:
        unknown = estimate.quality is None and options.fallback is not None
        return replace(estimate, quality=options.fallback) if unknown else estimate

    def show_json(file: Path, estimate: Estimate) -> None:
        print(json.dumps(estimate.record(os.fsencode(file).decode("utf-8", "replace"), config.comp_type)), flush=True)

    if not path.is_dir():
        picture = images.read_rgb(path, minimum_side=AREA)
        for remark in picture.notes:
            note(f"{show(path)}: {remark}")
        estimator = load(workers)
        if not options.json:
            estimator.estimate(picture.pixels)  # the first one warms up, as in the original
        estimate = finished(estimator.estimate(picture.pixels))
        if options.json:
            show_json(path, estimate)
        elif estimate.quality is None:
            print(f"predicted quality unknown: {estimate.reason}")
        else:
            print(f"predicted quality {estimate.quality:.2f}, estimated in {estimate.seconds:.3f} seconds")
        return EXIT_OK

    found = images.find_images(path, options.recursive)
    local = threading.local()
    load(1)  # a missing or damaged model is said once, before the first picture

    def estimate_file(file: Path) -> Estimate | UserError:
        try:
            pixels = images.read_rgb(file, minimum_side=AREA).pixels
            if not hasattr(local, "estimator"):
                local.estimator = load(1)
            return finished(local.estimator.estimate(pixels))
        except UserError as error:
            return error

    answered, failed = [], 0
    answers = tasks.ordered_map(estimate_file, found, workers)
    for number, (file, answer) in enumerate(zip(found, answers, strict=True), 1):
        if isinstance(answer, UserError):
            failed += 1
            note(f"predict_cls.py: {answer}")
            continue
        if answer.quality is not None:
            answered.append(answer.quality)
        if options.json:
            show_json(file, answer)
        else:
            quality = f"{answer.quality:.1f}" if answer.quality is not None else f"unknown ({answer.reason})"
            print(f"{number:3d}/{len(found)}: {show(file.stem)}, {quality}", flush=True)
    if not options.json:
        print(f"Mean: {sum(answered) / len(answered):.2f}" if answered else "Mean: unknown (no picture has an answer)")
    if failed:
        note(f"predict_cls.py: {failed} of {len(found)} pictures could not be read")
    return EXIT_SOME_FAILED if failed else EXIT_OK


def command() -> int:
    """Run as a console script."""
    return run_command("predict_cls.py", main)


if __name__ == "__main__":
    sys.exit(command())
