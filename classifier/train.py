#!/usr/bin/env python3
"""Train the network from an HDF5 file of patches or straight from a folder of photographs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import CONFIGS, get_config
from q1net_msroi.utils import images
from q1net_msroi.utils.errors import UserError, needs, run_command


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="train.py", description=__doc__, allow_abbrev=False)
    data = parser.add_argument_group("data")
    data.add_argument("--hdf5_train_path", help="patches to train on, made by gen_data.py")
    data.add_argument("--hdf5_val_path", help="patches to validate on, made by gen_data.py")
    data.add_argument(
        "--in_path", help="folder of photographs to train on, fresh patches every epoch (instead of HDF5)"
    )
    data.add_argument("--val_path", help="folder of photographs to validate on (instead of --hdf5_val_path)")
    data.add_argument(
        "--validation_patches", type=int, default=20000, help="patches a --val_path gives (default: %(default)s)"
    )
    data.add_argument(
        "--aligned_share",
        type=float,
        default=0.5,
        help="with --in_path: share of patches on the block grid, others at any of 64 offsets (default: %(default)s)",
    )
    run = parser.add_argument_group("run")
    run.add_argument("--comp_type", default="jpeg_paper", choices=list(CONFIGS), help="variant (default: %(default)s)")
    run.add_argument(
        "--base_weights",
        help="start from these weights (a folder like save/jpeg_paper); those of a narrower variant are widened",
    )
    run.add_argument("--batch_size", type=int, default=256, help="patches a step (default: %(default)s)")
    run.add_argument("--epochs", type=int, default=50, help="default: %(default)s")
    run.add_argument("--steps_per_epoch", type=int, help="default: the whole file; with --in_path 1000")
    run.add_argument(
        "--optimizer",
        choices=("adam", "muon"),
        default="adam",
        help="muon: kernels move by orthogonalised momentum, which needs fewer patches (default: %(default)s)",
    )
    run.add_argument("--learning_rate", type=float, default=1e-3, help="at its highest (default: %(default)s)")
    run.add_argument("--schedule", choices=("constant", "cosine"), default="constant", help="default: %(default)s")
    run.add_argument(
        "--warmup_steps",
        type=int,
        default=0,
        help="steps in which the learning rate rises from 0 (default: %(default)s)",
    )
    run.add_argument(
        "--average_weights",
        type=float,
        default=0.0,
        metavar="MOMENTUM",
        help="evaluate and save an exponential moving average of the weights, e.g. 0.999 (default: off)",
    )
    run.add_argument(
        "--statistics_batches",
        type=int,
        default=0,
        metavar="BATCHES",
        help="gather BatchNorm's statistics over so many batches before each validation, e.g. 200; the moving ones are "
        "those of the last ten (default: off)",
    )
    run.add_argument(
        "--frozen_statistics",
        action="store_true",
        help="BatchNorm keeps the base weights' statistics, folded into the convolutions: a last phase that trains "
        "what prediction uses",
    )
    run.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    run.add_argument(
        "--strategy",
        choices=("none", "mirrored", "multi_worker"),
        default="none",
        help="tf.distribute strategy; multi_worker reads TF_CONFIG (default: %(default)s)",
    )
    out = parser.add_argument_group("output")
    out.add_argument(
        "--save_path",
        default=str(weights.SAVE),
        help="folder for <comp_type>/best/ and last/ (default: the repository's save)",
    )
    out.add_argument(
        "--out_path",
        default="out",
        help="folder for history_cls.csv, history_cls.png, tensorboard/ (default: %(default)s)",
    )
    out.add_argument(
        "--checkpoint_steps", type=int, default=500, help="steps between two saved states (default: %(default)s)"
    )
    out.add_argument("--restart", action="store_true", help="forget an unfinished run in save_path/last")
    out.add_argument(
        "--overwrite", action="store_true", help="replace weights in save_path/<comp_type>/best whatever their loss"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    if (options.hdf5_train_path is None) == (options.in_path is None):
        raise UserError("give either --hdf5_train_path FILE or --in_path FOLDER")
    if (options.hdf5_val_path is None) == (options.val_path is None):
        raise UserError("give either --hdf5_val_path FILE or --val_path FOLDER")
    for name in ("batch_size", "epochs", "checkpoint_steps", "learning_rate", "validation_patches"):
        if getattr(options, name) <= 0:
            raise UserError(f"--{name} must be positive")
    if options.statistics_batches < 0:
        raise UserError(f"--statistics_batches {options.statistics_batches}: a number of batches is needed, 0 for none")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: a number from 0 up is needed")
    if not 0 <= options.average_weights < 1 or not 0 <= options.aligned_share <= 1:
        raise UserError("--average_weights lies in 0..1 (below 1), --aligned_share in 0..1")
    needs("tensorflow")
    config = get_config(options.comp_type)
    source: FileSource | PatchSource

    from q1net_msroi.classifier.q1net.dataset import FileSource, PatchFile
    from q1net_msroi.classifier.q1net.photographs import PatchSource, load_photographs, validation_batches

    if options.in_path:
        photographs = load_photographs(images.find_images(options.in_path))
        source = PatchSource(photographs, options.batch_size, options.seed, options.aligned_share)
        steps = options.steps_per_epoch or 1000
    else:
        source = FileSource(PatchFile(options.hdf5_train_path), options.batch_size, options.seed)
        steps = min(options.steps_per_epoch or source.batches_per_epoch, source.batches_per_epoch)
    if options.val_path:
        validation = validation_batches(options.val_path, options.validation_patches)
    else:
        held_out = PatchFile(options.hdf5_val_path)
        validation = lambda: held_out.in_order(2048)  # noqa: E731

    from q1net_msroi.classifier.q1net.training import Run, Settings

    settings = Settings(
        data=str(Path(options.in_path or options.hdf5_train_path)),
        aligned_share=options.aligned_share if options.in_path else None,
        epochs=options.epochs,
        steps_per_epoch=steps,
        batch_size=options.batch_size,
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        schedule=options.schedule,
        warmup_steps=options.warmup_steps,
        average_weights=options.average_weights,
        statistics_batches=options.statistics_batches,
        frozen_statistics=options.frozen_statistics,
        base_weights=options.base_weights,
        seed=options.seed,
        strategy=options.strategy,
    )
    run = Run(config, settings, source, validation, Path(options.save_path), Path(options.out_path))
    return run.train(options.checkpoint_steps, options.restart, options.overwrite)


def command() -> int:
    """Run as a console script."""
    return run_command("train.py", main)


if __name__ == "__main__":
    sys.exit(command())
