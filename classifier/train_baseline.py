#!/usr/bin/env python3
"""Train a baseline of the paper's Figure 4 from a folder of photographs: fresh crops at all qualities, all the time."""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.baselines.configs import BASELINES, get_baseline, model_folder
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import needs, run_command
from q1net_msroi.utils.training_options import add_flags, add_restart, check_flags


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="train_baseline.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--comp_type", default="block_corners", choices=list(BASELINES), help="default: %(default)s")
    flags.in_path(parser, "folder of never-compressed photographs to train on")
    parser.add_argument("--val_path", required=True, help="folder of other photographs to validate on")
    add_flags(
        parser, validation_crops=2000, batch_size=128, epochs=20, steps_per_epoch=250, learning_rate=2e-3,
        warmup_steps=200, seed=0, threads=0, checkpoint_steps=250,
    )  # fmt: skip
    below = "the model goes below it (default: the repository's save)"
    parser.add_argument("--save_path", default=str(weights.SAVE), help=below)
    flags.out_path(parser, "<comp_type>/ with the history and the run's state", "out/baseline")
    add_restart(parser, "out_path")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    check_flags(options)
    needs("tensorflow")
    baseline = get_baseline(options.comp_type)

    from q1net_msroi.classifier.baselines import crops

    side, share = baseline.side, baseline.aligned_share
    photographs = crops.load(options.in_path, side)
    source = crops.CropSource(photographs, options.batch_size, options.seed, share, side=side)
    validation = crops.validation_batches(options.val_path, side, options.validation_crops, share)

    from q1net_msroi.classifier.baselines.training import CropTask, Settings
    from q1net_msroi.utils.loop import Run
    from q1net_msroi.utils.training import tf

    if options.threads:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    settings = flags.settings(Settings, options, data=options.in_path)
    out = Path(options.out_path) / baseline.comp_type
    task = CropTask(settings, source, validation, model_folder(baseline, options.save_path), out)
    return Run(task).train(options.checkpoint_steps, options.restart)


command = functools.partial(run_command, "train_baseline.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
