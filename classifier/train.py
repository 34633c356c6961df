#!/usr/bin/env python3
"""Train the network from an HDF5 file of patches or straight from a folder of photographs."""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import CONFIGS
from q1net_msroi.utils import images
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, needs, note, run_command
from q1net_msroi.utils.training_options import add_flags, add_restart, check_flags

FRESH_STEPS = 1000  # of an epoch of patches from photographs, which has no end of its own


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="train.py", description=__doc__, allow_abbrev=False)
    data = parser.add_argument_group("data")
    data.add_argument("--hdf5_train_path", help="patches to train on, made by gen_data.py")
    data.add_argument("--hdf5_val_path", help="patches to validate on, made by gen_data.py")
    flags.in_path(data, "folder of photographs to train on, fresh patches every epoch (instead of HDF5)", False)
    data.add_argument("--val_path", help="folder of photographs to validate on (instead of --hdf5_val_path)")
    add_flags(data, validation_patches=20000, aligned_share=0.5)
    run = parser.add_argument_group("run")
    flags.flag(run, "--comp_type", "jpeg_paper", "variant", choices=list(CONFIGS))
    base = "start from these weights (a folder like save/jpeg_paper); those of a narrower variant are widened"
    run.add_argument("--base_weights", help=base)
    muon = "muon: kernels move by orthogonalised momentum, which needs fewer patches"
    flags.flag(run, "--optimizer", "adam", muon, choices=("adam", "muon"))
    add_flags(
        run, batch_size=256, epochs=50, steps_per_epoch=None, learning_rate=1e-3, schedule="constant", warmup_steps=0,
        average_weights=0.0, statistics_batches=0, seed=0, strategy="none",
    )  # fmt: skip
    frozen = "a last phase: BatchNorm keeps the base weights' statistics, folded into the convolutions"
    run.add_argument("--frozen_statistics", action="store_true", help=frozen)
    out = parser.add_argument_group("output")
    save = "folder for <comp_type>/best/ and last/ (default: the repository's save)"
    out.add_argument("--save_path", default=str(weights.SAVE), help=save)
    flags.out_path(out, "history_cls.csv, history_cls.png, tensorboard/")
    add_flags(out, checkpoint_steps=500)
    add_restart(out, "save_path/last")
    replace = "replace weights in save_path/<comp_type>/best whatever their loss"
    out.add_argument("--overwrite", action="store_true", help=replace)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    if (options.hdf5_train_path is None) == (options.in_path is None):
        raise UserError("give either --hdf5_train_path FILE or --in_path FOLDER")
    if (options.hdf5_val_path is None) == (options.val_path is None):
        raise UserError("give either --hdf5_val_path FILE or --val_path FOLDER")
    check_flags(options)
    needs("tensorflow")
    from q1net_msroi.classifier.q1net.dataset import FileSource, PatchFile
    from q1net_msroi.classifier.q1net.photographs import PatchSource, load_photographs, validation_batches

    source: FileSource | PatchSource
    if options.in_path:
        photographs = load_photographs(images.find_images(options.in_path))
        source = PatchSource(photographs, options.batch_size, options.seed, options.aligned_share)
        steps = options.steps_per_epoch or FRESH_STEPS
    else:
        source = FileSource(PatchFile(options.hdf5_train_path), options.batch_size, options.seed)
        steps = min(options.steps_per_epoch or source.batches_per_epoch, source.batches_per_epoch)
        options.aligned_share = None
    if options.val_path:
        validation = validation_batches(options.val_path, options.validation_patches)
    else:
        held_out = PatchFile(options.hdf5_val_path)
        validation = lambda: held_out.in_order(2048)  # noqa: E731

    from q1net_msroi.classifier.q1net.training import PatchTask, Settings
    from q1net_msroi.utils.loop import Run

    data = str(Path(options.in_path or options.hdf5_train_path))
    settings = flags.settings(Settings, options, data=data, steps_per_epoch=steps)
    task = PatchTask(settings, source, validation, Path(options.save_path), Path(options.out_path))
    run = Run(task)
    code = run.train(options.checkpoint_steps, options.restart, options.overwrite)
    if code == EXIT_OK and run.get("epoch") == settings.epochs and (said := task.learnt_nothing()):
        note(f"train.py: {said}")
        return EXIT_SOME_FAILED
    return code


command = functools.partial(run_command, "train.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
