#!/usr/bin/env python3
"""Train a baseline of the paper's Figure 4 from a folder of photographs: fresh crops at all qualities, all the time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.baselines.configs import BASELINES, get_baseline, model_folder
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils.errors import UserError, needs, run_command


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="train_baseline.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--comp_type", default="block_corners", choices=list(BASELINES), help="default: %(default)s")
    parser.add_argument("--in_path", required=True, help="folder of never-compressed photographs to train on")
    parser.add_argument("--val_path", required=True, help="folder of other photographs to validate on")
    parser.add_argument("--validation_crops", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--batch_size", type=int, default=128, help="crops a step (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--steps_per_epoch", type=int, default=250, help="default: %(default)s")
    parser.add_argument(
        "--learning_rate", type=float, default=2e-3, help="Adam's, at its highest; a cosine (default: %(default)s)"
    )
    parser.add_argument(
        "--warmup_steps", type=int, default=200, help="in which the learning rate rises from 0 (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=0, help="of TensorFlow (default: 0, as many as there are cores)")
    parser.add_argument(
        "--save_path", default=str(weights.SAVE), help="the model goes below it (default: the repository's save)"
    )
    parser.add_argument(
        "--out_path",
        default="out/baseline",
        help="<comp_type>/ below it gets the history and the run's state (default: %(default)s)",
    )
    parser.add_argument(
        "--checkpoint_steps", type=int, default=250, help="steps between two saved states (default: %(default)s)"
    )
    parser.add_argument("--restart", action="store_true", help="forget an unfinished run in out_path")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    for name in ("validation_crops", "batch_size", "epochs", "steps_per_epoch", "learning_rate", "checkpoint_steps"):
        if getattr(options, name) <= 0:
            raise UserError(f"--{name} must be positive")
    for name in ("seed", "warmup_steps", "threads"):
        if getattr(options, name) < 0:
            raise UserError(f"--{name} must not be negative")
    needs("tensorflow")
    baseline = get_baseline(options.comp_type)

    from q1net_msroi.classifier.baselines import crops

    side, share = baseline.side, baseline.aligned_share
    photographs = crops.load(options.in_path, side)
    source = crops.CropSource(photographs, options.batch_size, options.seed, share, side=side)
    validation = crops.validation_batches(options.val_path, side, options.validation_crops, share)

    from q1net_msroi.classifier.baselines.training import Run, Settings
    from q1net_msroi.utils.training import tf

    if options.threads:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    settings = Settings(
        data=options.in_path,
        epochs=options.epochs,
        steps_per_epoch=options.steps_per_epoch,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup_steps,
        seed=options.seed,
    )
    out = Path(options.out_path) / baseline.comp_type
    run = Run(baseline, settings, source, validation, model_folder(baseline, options.save_path), out)
    return run.train(options.checkpoint_steps, options.restart)


def command() -> int:
    """Run as a console script."""
    return run_command("train_baseline.py", main)


if __name__ == "__main__":
    sys.exit(command())
