#!/usr/bin/env python3
"""Make the tables that train.py reads from class folders: train.csv, test.csv (file, class, label) and classes.csv."""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.msroi.roi import tables
from q1net_msroi.utils import files
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command, show


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="prepare_data.py", description=__doc__, allow_abbrev=False)
    flags.in_path(parser, "folder of class folders, named like 001.backpack or backpack, with pictures")
    add = parser.add_argument
    add("--out_path", default=".", help="folder for the three tables (default: the current one)")
    share = "share 0..1 of each class for testing (default: %(default)s)"
    add("--test_share", type=float, default=0.25, help=share)
    flags.seed(parser, "of the random split")
    last = "no random split: the last ten files of a class, by name, are for testing, as in the original"
    add("--original_split", action="store_true", help=last)
    flags.workers(parser, "threads that check the pictures")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    workers = 1 if options.workers is None else options.workers
    if not 0 <= options.test_share < 1 or options.seed < 0 or workers < 1:
        raise UserError("--test_share lies in 0..1 (below 1), --seed is 0 or more, --workers at least 1")
    classes = tables.find_classes(options.in_path)
    out = files.output_folder(options.out_path)
    sound, failures, skipped = tables.readable(classes, options.workers)
    for line in [*skipped, *failures]:
        note(f"prepare_data.py: {line}")
    if len(sound) < 2:
        raise UserError(f"{show(options.in_path)}: {len(sound)} classes have readable pictures; two are needed")
    splits = {}
    for name in (folder.name for folder in classes if folder.name in sound):
        if options.original_split:
            splits[name] = tables.original_split(sound[name])
        else:
            splits[name] = tables.split(name, sound[name], options.test_share, options.seed)
        if not splits[name][1] and options.test_share:
            note(f"prepare_data.py: class {show(name)} has one readable picture; it is for training, none for testing")
    tables.write_tables(splits, out)
    train, test = (sum(len(halves[index]) for halves in splits.values()) for index in (0, 1))
    print(f"{len(splits)} classes, {train} pictures to train on, {test} to test on: {show(Path(out) / 'train.csv')}")
    return EXIT_SOME_FAILED if failures else EXIT_OK


command = functools.partial(run_command, "prepare_data.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
