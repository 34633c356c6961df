#!/usr/bin/env python3
"""Estimate how strongly pictures were JPEG-compressed, from their pixels (auto: and from what a JPEG file says)."""

import argparse
import functools
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: the threads take a picture each

from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.options import Asked, add_model_options, add_patch_options
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.utils import images, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show, text


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="predict_cls.py", description=__doc__, allow_abbrev=False)
    flags.in_path(parser, "a picture, or a folder of pictures")
    flags.recursive(parser, "look into the subfolders of a folder too")
    fallback = "answer this instead of unknown; 100 is what the original says"
    parser.add_argument("--fallback", type=float, metavar="QUALITY", help=fallback)
    flags.as_json(parser, "one JSON object a picture")
    parser.add_argument("--explain", action="store_true", help="print the evidence below each answer")
    regions = "of one picture: also write its quality region by region as a PNG picture over the photograph"
    parser.add_argument("--map", metavar="FILE", help=regions)
    add_model_options(parser, registry.described())
    add_patch_options(parser)
    flags.scheduler(parser)
    flags.version(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    path = Path(options.in_path)
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{show(path)} does not exist; give a picture or a folder of pictures")
    if options.fallback is not None and not math.isfinite(options.fallback):
        raise UserError(f"--fallback {options.fallback} is no number; give a quality, 0..100")
    workers = tasks.worker_count(options.workers)
    if not path.is_dir():
        return _one(path, options, flags.settings(Asked, options, threads=workers))
    if options.map:
        raise UserError(f"--map takes one picture, and {show(path)} is a folder")
    return _folder(path, options, workers)


def _one(path: Path, options: argparse.Namespace, asked: Asked) -> int:
    """Answer for one picture."""
    kind = registry.get_kind(asked.comp_type)
    try:
        picture = images.read_rgb(path, minimum_side=kind.minimum_side)
    except UserError as error:
        if options.map:
            raise
        _print_answer(
            path, registry.estimate_unread(registry.load(asked), path, error, options.fallback), options, asked
        )
        return EXIT_OK
    for remark in picture.notes:
        note(f"{show(path)}: {remark}")
    estimator = registry.load(asked)
    if not options.json and kind.warms_up:
        registry.estimate_file(estimator, path, picture)  # the first one warms up, as in the original
    _print_answer(path, registry.estimate_file(estimator, path, picture, options.fallback), options, asked)
    if options.map:
        from q1net_msroi.classifier.estimators import local

        found = local.regions(picture.pixels, asked)
        local.draw(picture.pixels, found, Path(options.map), show(path.name))
        told = f"{show(options.map)}: {found.told(*picture.pixels.shape[:2])}"
        note(told) if options.json else print(told)
    return EXIT_OK


def _print_answer(path: Path, estimate: Estimate, options: argparse.Namespace, asked: Asked) -> None:
    """Print the answer for one picture."""
    if options.json:
        _print_json(path, estimate, asked)
    elif estimate.quality is None:
        print(f"predicted quality {estimate.sentence()}")
    else:
        print(f"predicted quality {estimate.quality:.2f}, estimated in {estimate.seconds:.3f} seconds")
    if not options.json:
        always = registry.get_kind(asked.comp_type).explains or estimate.evidence.unread is not None
        _print_evidence(estimate, options, always)


def _folder(folder: Path, options: argparse.Namespace, workers: int) -> int:
    """Answer for every picture of a folder; those that cannot be read are named and left out."""
    found = images.find_images(folder, options.recursive)
    asked = flags.settings(Asked, options)
    registry.load(asked)  # a missing or damaged model is said once, before the first picture
    work = functools.partial(registry.estimate_task, asked, options.fallback)
    from q1net_msroi.utils.jobs import FolderJob, Task

    job = FolderJob("predict_cls.py", work, [Task(path) for path in found], workers, options.scheduler)
    answered = []
    for number, (task, answer) in enumerate(job.run(), 1):
        if isinstance(answer, UserError):
            continue
        if answer.quality is not None:
            answered.append(answer.quality)
        if options.json:
            _print_json(task.image, answer, asked)
        else:
            print(f"{number:3d}/{len(found)}: {show(task.image.stem)}, {answer.short()}", flush=True)
            _print_evidence(answer, options)
    if not options.json:
        print(f"Mean: {sum(answered) / len(answered):.2f}" if answered else "Mean: unknown (no picture has an answer)")
    return job.close("could not be read")


def _print_json(file: Path, estimate: Estimate, asked: Asked) -> None:
    print(json.dumps(estimate.record(text(file), asked.comp_type)), flush=True)


def _print_evidence(estimate: Estimate, options: argparse.Namespace, always: bool = False) -> None:
    """Print the answer as a sentence, unless the line above said so already, and what it rests on."""
    if (always or options.explain) and estimate.quality is not None:
        print(estimate.sentence(), flush=True)
    if options.explain:
        for line in estimate.lines():
            print(f"  {line}", flush=True)


command = functools.partial(run_command, "predict_cls.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
