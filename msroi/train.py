#!/usr/bin/env python3
"""Train the network on the tables of prepare_data.py, or score a checkpoint on their test split."""

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.msroi.roi import tables
from q1net_msroi.msroi.roi.architectures import ARCHITECTURES, DEFAULT, get_architecture
from q1net_msroi.utils import files
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, UserError, needs, run_command
from q1net_msroi.utils.training_options import add_flags, add_restart, check_flags

SWITCH = argparse.BooleanOptionalAction
LARGEST_SEED = 32767  # seed and epoch together make a 32-bit number


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="train.py", description=__doc__, allow_abbrev=False)
    _add_data(parser.add_argument_group("data"))
    _add_network(parser.add_argument_group("network"))
    run = parser.add_argument_group("run")
    run.add_argument("--optimizer", choices=("adam", "momentum"), default="adam", help="default: %(default)s")
    add_flags(
        run, n_epochs=200, batch_size=32, learning_rate=0.002, epsilon=0.1, momentum=0.9, schedule="constant",
        warmup_steps=0, seed=0, strategy="none",
    )  # fmt: skip
    run.add_argument("--weight_decay", type=float, default=0.0005, help="L2 on the kernels (default: %(default)s)")
    run.add_argument("--top_k", type=int, default=5, help="classes that the second accuracy looks at (default: 5)")
    flags.workers(run, "threads that decode pictures")
    resume = "accepted as in the original: the same command always goes on with its unfinished run"
    run.add_argument("--resume", action="store_true", help=resume)
    add_restart(run, "model_path/last")
    _add_output(parser.add_argument_group("output"))
    return parser


def _add_data(group: argparse._ArgumentGroup) -> None:
    flags.in_path(group, "folder with train.csv, test.csv, classes.csv (default: the current one)", False, default=".")
    add = group.add_argument
    add("--image_size", type=int, default=224, help="side of the pictures in pixels (default: 224)")
    labels = "number of classes, at least those of the tables (default: those; the original: 257)"
    add("--labels", type=int, help=labels)
    cuts = "mirrored pictures, and random cuts of 70-100%% where the backbone is trained too (default: on)"
    add("--augmentation", action=SWITCH, default=True, help=cuts)
    add("--class_balance", action=SWITCH, default=True, help="let every class count the same (default: on)")


def _add_network(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--arch", choices=list(ARCHITECTURES), default=DEFAULT, help="default: %(default)s")
    add("--loss", choices=("sigmoid", "softmax"), default="sigmoid", help="sigmoid a class is the paper's (default)")
    frozen = "train the head alone, on features kept in --cache_path (default: on for mobilenet_v2, off for vgg16)"
    add("--frozen_backbone", action=SWITCH, help=frozen)
    vgg = "Keras' no-top VGG16 weights: the .h5 file, or imagenet to download it (default: random)"
    add("--vgg_weights", help=vgg)
    add("--base_weights", help="start from this checkpoint, like models/model-50")
    dropout = "share 0..1 of the pooled maps left out in training (default: %(default)s)"
    add("--dropout", type=float, default=0.5, help=dropout)


def _add_output(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--model_path", default="models", help="folder for model-N, model-best, classes.txt, last/ (default: models)")
    add("--save_every", type=int, default=10, help="epochs between two models (default: %(default)s)")
    add("--overwrite", action="store_true", help="write over the models of a finished run")
    flags.out_path(group, "CSV history, curves, tensorboard/")
    add("--cache_path", help="folder for the features of a frozen backbone (default: out_path/cache)")
    add_flags(group, checkpoint_steps=500)
    only = "train nothing; print how well this checkpoint does on the test split"
    add("--evaluate", metavar="CHECKPOINT", help=only)
    flags.as_json(group, "one JSON object, with --evaluate")


def check(options: argparse.Namespace) -> None:
    """Raise `UserError` for values that make no sense."""
    check_flags(options)
    for name in ("image_size", "top_k", "save_every", "labels", "workers"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise UserError(f"--{name} must be positive")
    if not 0 <= options.dropout < 1:
        raise UserError("--dropout lies in 0..1 (below 1)")
    if not options.weight_decay >= 0 or options.seed > LARGEST_SEED:
        raise UserError(f"--weight_decay is 0 or more, --seed lies in 0..{LARGEST_SEED}")
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

    from q1net_msroi.msroi.roi import dataset, head, training

    if options.evaluate:
        predict = training.load_predictor(options.evaluate, len(names))
        pictures = dataset.Pictures(splits["test.csv"], options.image_size, False)
        found = head.score(predict, options.loss, pictures, options.top_k, options.workers)
        if options.json:
            scores = {name: round(value, 5) for name, value in found._asdict().items()}
            counts = {"classes": len(names), **{Path(name).stem: len(table.files) for name, table in splits.items()}}
            print(json.dumps({"checkpoint": options.evaluate, "k": options.top_k, **scores, **counts}))
            return EXIT_OK
        print(f"loss {found.loss:.4f}, top 1 {100 * found.top_1:.2f} %, top {options.top_k} {100 * found.top_k:.2f} %")
        return EXIT_OK
    if options.frozen_backbone is None:
        options.frozen_backbone = options.arch == "mobilenet_v2"
    data = "-".join(files.sha256(in_path / name)[:16] for name in tables.TABLES)
    settings = flags.settings(training.Settings, options, data=data, labels=labels, epochs=options.n_epochs)
    out_path = Path(options.out_path)
    cache = Path(options.cache_path) if options.cache_path else out_path / "cache"
    output = training.Output(Path(options.model_path), out_path, cache, options.save_every, options.workers)
    run = training.open_run(settings, in_path, output)
    return run.train(options.checkpoint_steps, options.restart, options.overwrite)


command = functools.partial(run_command, "train.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
