#!/usr/bin/env python3
"""Estimate how strongly pictures were JPEG-compressed, from their pixels (auto: and from what a JPEG file says)."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.estimators import explain, registry
from q1net_msroi.classifier.estimators.options import AUTO, Asked, add_model_options, asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.q1net.configs import CONFIGS
from q1net_msroi.utils import images, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command, show, text


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
    parser.add_argument("--explain", action="store_true", help="print the evidence below each answer")
    parser.add_argument(
        "--map",
        metavar="FILE",
        help="of one picture: also write its quality region by region as a PNG picture over the photograph",
    )
    add_model_options(parser, every=True)
    flags.scheduler(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    path = Path(options.in_path)
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{show(path)} does not exist; give a picture or a folder of pictures")
    workers = tasks.worker_count(options.workers)
    if not path.is_dir():
        return _one(path, options, asked(options, workers))
    if options.map:
        raise UserError(f"--map takes one picture, and {show(path)} is a folder")
    return _folder(path, options, workers)


def _one(path: Path, options: argparse.Namespace, wanted: Asked) -> int:
    """Answer for one picture."""
    picture = images.read_rgb(path, minimum_side=registry.get_kind(wanted.comp_type).minimum_side)
    for remark in picture.notes:
        note(f"{show(path)}: {remark}")
    estimator = registry.load(wanted)
    if not options.json and wanted.comp_type in CONFIGS:
        registry.estimate_file(estimator, path, picture)  # the first one warms up, as in the original
    estimate = registry.estimate_file(estimator, path, picture, options.fallback)
    if options.json:
        _print_json(path, estimate, wanted)
    elif estimate.quality is None:
        print(f"predicted quality unknown: {estimate.reason}")
    else:
        print(f"predicted quality {estimate.quality:.2f}, estimated in {estimate.seconds:.3f} seconds")
    if not options.json:
        _print_evidence(estimate, options, always=wanted.comp_type == AUTO)
    if options.map:
        from q1net_msroi.classifier.estimators import local

        local.draw(picture.pixels, local.regions(picture.pixels, wanted), Path(options.map), show(path.name))
    return EXIT_OK


def _folder(folder: Path, options: argparse.Namespace, workers: int) -> int:
    """Answer for every picture of a folder; those that cannot be read are named and left out."""
    found = images.find_images(folder, options.recursive)
    wanted = asked(options)
    registry.load(wanted)  # a missing or damaged model is said once, before the first picture
    work = functools.partial(registry.estimate_path, wanted, options.fallback)
    files = [file.absolute() for file in found] if options.scheduler else found
    answers = tasks.folder_map(work, files, workers, options.scheduler, show)
    answered, failed = [], 0
    for number, (file, answer) in enumerate(zip(found, answers, strict=True), 1):
        if isinstance(answer, UserError):
            failed += 1
            note(f"predict_cls.py: {answer}")
            continue
        if answer.quality is not None:
            answered.append(answer.quality)
        if options.json:
            _print_json(file, answer, wanted)
        else:
            quality = f"{answer.quality:.1f}" if answer.quality is not None else f"unknown ({answer.reason})"
            print(f"{number:3d}/{len(found)}: {show(file.stem)}, {quality}", flush=True)
            _print_evidence(answer, options)
    if not options.json:
        print(f"Mean: {sum(answered) / len(answered):.2f}" if answered else "Mean: unknown (no picture has an answer)")
    if failed:
        note(f"predict_cls.py: {failed} of {len(found)} pictures could not be read")
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _print_json(file: Path, estimate: Estimate, wanted: Asked) -> None:
    print(json.dumps(estimate.record(text(file), wanted.comp_type)), flush=True)


def _print_evidence(estimate: Estimate, options: argparse.Namespace, always: bool = False) -> None:
    if always or options.explain:
        print(explain.sentence(estimate), flush=True)
    if options.explain:
        for line in explain.lines(estimate):
            print(f"  {line}", flush=True)


def command() -> int:
    """Run as a console script."""
    return run_command("predict_cls.py", main)


if __name__ == "__main__":
    sys.exit(command())
