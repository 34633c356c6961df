#!/usr/bin/env python3
"""Measure how right the estimates are: photographs compressed at known qualities, or patches of an HDF5 file."""

import argparse
import functools
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: the threads take a picture each

from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked, add_model_options, add_patch_options
from q1net_msroi.classifier.evaluation import pictures
from q1net_msroi.classifier.evaluation.confusion import draw, write_counts
from q1net_msroi.classifier.q1net.dataset import PatchFile
from q1net_msroi.utils import files, images, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, UserError, run_command
from q1net_msroi.utils.jobs import FolderJob


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="evaluate_cls.py", description=__doc__, allow_abbrev=False)
    flags.in_path(parser, "folder of never-compressed photographs", required=False)
    parser.add_argument("--hdf5_val_path", help="patches made by gen_data.py (instead of --in_path)")
    flags.out_path(parser, "confusion_matrix.png, confusion_matrix.csv and by_quality.csv")
    flags.qualities(parser, "1-100")
    cut = "pixels dy,dx cut off top and left after compression, or random: one of the 63 misaligned offsets a picture"
    flags.flag(parser, "--crop_offset", "0,0", cut)
    flags.seed(parser, "of the random offsets")
    flags.recursive(parser)
    flags.as_json(parser)
    add_model_options(parser, registry.described())
    add_patch_options(parser)
    flags.scheduler(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    if (options.in_path is None) == (options.hdf5_val_path is None):
        raise UserError("give either --in_path FOLDER or --hdf5_val_path FILE")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: a number from 0 up is needed")
    return _patches(options) if options.hdf5_val_path else _pictures(options)


def _pictures(options: argparse.Namespace) -> int:
    """Evaluate whole pictures, compressed here at known qualities."""
    qualities = pictures.parse_qualities(options.qualities)
    crop_offset = pictures.parse_crop_offset(options.crop_offset)
    found = images.find_images(options.in_path, options.recursive)
    out = files.output_folder(options.out_path)
    asked = flags.settings(Asked, options)
    registry.load(asked)  # a missing or damaged model is said once, before the first picture
    threads = -(-tasks.worker_count(options.workers) // len(found))  # of a picture, where pictures are few
    work = functools.partial(pictures.judge, asked, qualities, threads)
    photographs = pictures.photographs(found, crop_offset, options.seed)
    job = FolderJob("evaluate_cls.py", work, photographs, options.workers, options.scheduler)

    def report(number: int, scores: pictures.Scores) -> None:
        mae = scores.summary()["mae"]
        said = "unknown" if mae is None else f"{mae:.2f}"
        if not options.json:
            print(f"Images processed: {number:3d}/{len(found)}: {said}", flush=True)

    started = time.perf_counter()
    scores = pictures.run_pictures(job, qualities, report)
    summary, seconds = scores.summary(), time.perf_counter() - started
    if options.json:
        record = results.rounded({**summary, "interval_coverage": scores.coverage()}, 5)
        print(json.dumps({"comp_type": options.comp_type, **record, "seconds": round(seconds, 2)}))
    else:
        _print_summary(summary, scores.coverage(), seconds)
    results.write_csv(out / "by_quality.csv", scores.by_quality())
    write_counts(scores.confusion(), out / "confusion_matrix.csv")
    draw(scores.confusion(), out / "confusion_matrix.png", options.comp_type, summary)
    return job.close("could not be used")


def _print_summary(summary: dict[str, Any], coverage: float | None, seconds: float) -> None:
    """Print the two lines on all predictions."""
    if summary["mae"] is None:
        print("mae unknown: no picture has an answer")
        return
    print(f"mae {summary['mae']:.2f}, std of error {summary['std']:.2f}")
    unknown = summary["predictions"] - summary["answered"]
    exact, within_1, within_2 = (results.percent(summary[key]) for key in ("exact", "within_1", "within_2"))
    shares = f"{summary['predictions']} predictions, {unknown} unknown, exact {exact}, within 1 {within_1}, "
    errors = f"within 2 {within_2}, bias {summary['bias']:+.2f}, worst 1 % {summary['worst_1_percent']:.1f}, "
    covered = "" if coverage is None else f"truth within the interval {coverage:.1%}, "
    print(f"{shares}{errors}{covered}{seconds:.0f} seconds")


def _patches(options: argparse.Namespace) -> int:
    """Evaluate single patches of an HDF5 file, with and without regard to confidence."""
    started = time.perf_counter()
    file = PatchFile(options.hdf5_val_path)
    out = files.output_folder(options.out_path)
    estimator = registry.load(flags.settings(Asked, options, threads=tasks.worker_count(options.workers)))
    if not isinstance(estimator, NetworkEstimator):
        raise UserError(f"--comp_type {options.comp_type} judges whole pictures; patches take a network's")
    predictions, truth = pictures.evaluate_patches(file, estimator)
    rows, summary = pictures.patch_scores(predictions, truth, estimator.threshold)
    if options.json:
        seconds = round(time.perf_counter() - started, 2)
        print(json.dumps({"comp_type": options.comp_type, **results.rounded(summary, 5), "seconds": seconds}))
    else:
        for row in rows:
            mae, bias, std = row["mae"], row["bias"], row["std"]
            print(f"quality {row['quality']:3d}: mae {mae:2.0f}, bias {bias:2.0f}, std {std:2.0f}")
        print(f"MAE: {summary['mae']:.2f}")
        print(f"{len(truth)} patches, loss {summary['loss']:.3f}, confident {summary['confident']:.1%}")
    results.write_csv(out / "by_quality.csv", rows)
    return EXIT_OK


command = functools.partial(run_command, "evaluate_cls.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
