#!/usr/bin/env python3
"""Train the network on the tables of prepare_data.py, or score a checkpoint on their test split."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.msroi.roi import tables
from q1net_msroi.msroi.roi.architectures import ARCHITECTURES, DEFAULT, get_architecture
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXIT_OK, UserError, needs, run_command


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="train.py", description=__doc__, allow_abbrev=False)
    switch = argparse.BooleanOptionalAction
    data = parser.add_argument_group("data")
    data.add_argument(
        "--in_path", default=".", help="folder with train.csv, test.csv, classes.csv (default: the current one)"
    )
    data.add_argument("--image_size", type=int, default=224, help="side of the pictures in pixels (default: 224)")
    data.add_argument(
        "--labels", type=int, help="number of classes, at least those of the tables (default: those; the original: 257)"
    )
    data.add_argument(
        "--augmentation",
        action=switch,
        default=True,
        help="mirrored pictures, and random cuts of 70-100%% where the backbone is trained too (default: on)",
    )
    data.add_argument(
        "--class_balance", action=switch, default=True, help="let every class count the same (default: on)"
    )
    net = parser.add_argument_group("network")
    net.add_argument("--arch", choices=list(ARCHITECTURES), default=DEFAULT, help="default: %(default)s")
    net.add_argument(
        "--loss", choices=("sigmoid", "softmax"), default="sigmoid", help="sigmoid a class is the paper's (default)"
    )
    net.add_argument(
        "--frozen_backbone",
        action=switch,
        help="train the head alone; features are computed once and kept in --cache_path (default: on for mobilenet_v2, "
        "off for vgg16)",
    )
    net.add_argument(
        "--vgg_weights", help="Keras' no-top VGG16 weights: the .h5 file, or imagenet to download it (default: random)"
    )
    net.add_argument("--base_weights", help="start from this checkpoint, like models/model-50")
    net.add_argument(
        "--dropout", type=float, default=0.5, help="share 0..1 of the pooled maps left out in training (default: 0.5)"
    )
    run = parser.add_argument_group("run")
    run.add_argument("--n_epochs", type=int, default=200, help="default: %(default)s")
    run.add_argument("--batch_size", type=int, default=32, help="pictures a step (default: %(default)s)")
    run.add_argument("--optimizer", choices=("adam", "momentum"), default="adam", help="default: %(default)s")
    run.add_argument("--learning_rate", type=float, default=0.002, help="at its highest (default: %(default)s)")
    run.add_argument("--epsilon", type=float, default=0.1, help="Adam's, as in the original (default: %(default)s)")
    run.add_argument(
        "--momentum", type=float, default=0.9, help="0..1, of momentum; Adam's first beta (default: %(default)s)"
    )
    run.add_argument("--weight_decay", type=float, default=0.0005, help="L2 on the kernels (default: %(default)s)")
    run.add_argument("--schedule", choices=("constant", "cosine"), default="constant", help="default: %(default)s")
    run.add_argument("--warmup_steps", type=int, default=0, help="steps in which the rate rises from 0 (default: 0)")
    run.add_argument("--top_k", type=int, default=5, help="classes that the second accuracy looks at (default: 5)")
    run.add_argument("--seed", type=int, default=0, help="0..32767 (default: %(default)s)")
    run.add_argument(
        "--strategy",
        choices=("none", "mirrored", "multi_worker"),
        default="none",
        help="tf.distribute strategy; multi_worker reads TF_CONFIG (default: %(default)s)",
    )
    run.add_argument("--workers", type=int, help="threads that decode pictures (default: the cores)")
    run.add_argument(
        "--resume",
        action="store_true",
        help="accepted as in the original: the same command always goes on with its unfinished run",
    )
    run.add_argument("--restart", action="store_true", help="forget an unfinished run in model_path/last")
    out = parser.add_argument_group("output")
    out.add_argument(
        "--model_path", default="models", help="folder for model-N, model-best, classes.txt, last/ (default: models)"
    )
    out.add_argument("--save_every", type=int, default=10, help="epochs between two models (default: %(default)s)")
    out.add_argument("--overwrite", action="store_true", help="write over the models of a finished run")
    out.add_argument(
        "--out_path", default="out", help="folder for CSV history, curves, tensorboard/ (default: %(default)s)"
    )
    out.add_argument("--cache_path", help="folder for the features of a frozen backbone (default: out_path/cache)")
    out.add_argument(
        "--checkpoint_steps", type=int, default=500, help="steps between two saved states (default: %(default)s)"
    )
    out.add_argument(
        "--evaluate", metavar="CHECKPOINT", help="train nothing; print how well this checkpoint does on the test split"
    )
    out.add_argument("--json", action="store_true", help="with --evaluate: print one JSON object")
    return parser


def check(options: argparse.Namespace) -> None:
    """Raise `UserError` for values that make no sense."""
    positive = ("image_size", "n_epochs", "batch_size", "learning_rate", "epsilon", "top_k", "save_every")
    for name in (*positive, "checkpoint_steps", "labels", "workers"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise UserError(f"--{name} must be positive")
    if not 0 <= options.dropout < 1 or not 0 <= options.momentum < 1:
        raise UserError("--dropout and --momentum lie in 0..1 (below 1)")
    if not options.weight_decay >= 0 or options.warmup_steps < 0 or not 0 <= options.seed < 32768:
        raise UserError("--weight_decay and --warmup_steps are 0 or more, --seed lies in 0..32767")
    stride = get_architecture(options.arch).stride
    if options.image_size % stride:
        raise UserError(f"--image_size must be a multiple of {stride} for {options.arch}")
    if options.arch != "vgg16" and options.vgg_weights:
        raise UserError("--vgg_weights goes with --arch vgg16")
    if options.arch == "vgg16" and options.frozen_backbone and not options.vgg_weights:
        raise UserError("--frozen_backbone with vgg16 needs --vgg_weights: random features would never learn")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    check(options)
    needs("tensorflow")
    in_path = Path(options.in_path)
    names = tables.read_classes(in_path)
    splits = {name: tables.read_table(in_path / name, len(names)) for name in tables.TABLES}
    labels = options.labels or len(names)
    if labels < len(names):
        raise UserError(f"--labels {labels} is less than the {len(names)} classes of the tables")

    from q1net_msroi.msroi.roi import training

    if options.evaluate:
        found = training.evaluate(
            options.evaluate, in_path, options.loss, options.top_k, options.image_size, options.workers
        )
        if options.json:
            scores = {"loss": round(found.loss, 5), "top_1": round(found.top_1, 5), "top_k": round(found.top_k, 5)}
            counts = {"classes": len(names), **{Path(name).stem: len(table.files) for name, table in splits.items()}}
            print(json.dumps({"checkpoint": options.evaluate, "k": options.top_k, **scores, **counts}))
            return EXIT_OK
        print(f"loss {found.loss:.4f}, top 1 {100 * found.top_1:.2f} %, top {options.top_k} {100 * found.top_k:.2f} %")
        return EXIT_OK
    frozen = options.arch == "mobilenet_v2" if options.frozen_backbone is None else options.frozen_backbone
    settings = training.Settings(
        data="-".join(files.sha256(in_path / name)[:16] for name in tables.TABLES),
        labels=labels,
        frozen_backbone=frozen,
        **{name: getattr(options, name) for name in training.OPTIONS},
    )
    out_path = Path(options.out_path)
    cache = Path(options.cache_path) if options.cache_path else out_path / "cache"
    run = training.open_run(settings, in_path, Path(options.model_path), out_path, cache, options.workers)
    return run.train(options.save_every, options.checkpoint_steps, options.restart, options.overwrite)


def command() -> int:
    """Run as a console script."""
    return run_command("train.py", main)


if __name__ == "__main__":
    sys.exit(command())
