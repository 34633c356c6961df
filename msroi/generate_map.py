#!/usr/bin/env python3
"""Find what matters in a picture: a gray map (white matters) and an overlay to look at."""

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from q1net_msroi.msroi.roi import batch, generate
from q1net_msroi.msroi.roi.overlay import LEAST_SHARE
from q1net_msroi.utils import files, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show
from q1net_msroi.utils.jobs import FolderJob


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="generate_map.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("image", help="a picture, or a folder of pictures")
    rule = parser.add_argument_group("how the map is made")
    energy = "energy: how strongly the network's last residual block answers, at several scales"
    others = "topk: the maps of the best classes, the released rule; threshold: the sum of all that pass, the paper's"
    method = f"{energy}; {others} (default: %(default)s)"
    rule.add_argument("--method", choices=generate.METHODS, default="energy", help=method)
    generate.add_options(rule)
    backend = "litert: the shipped model, starts fast; tf: TensorFlow (default: litert, with --checkpoint tf)"
    rule.add_argument("--backend", choices=("litert", "tf"), help=backend)
    generate.add_checkpoint(rule)
    out = parser.add_argument_group("output")
    names = "msroi_map.jpg and overlayed_heatmap.png; for a folder map_<file name>.jpg and overlay_<file name>.png"
    out.add_argument("--output_directory", default="output", help=f"folder for {names} (default: %(default)s)")
    out.add_argument("--lossless", action="store_true", help="write the map as .png instead of .jpg")
    out.add_argument("--overwrite", action="store_true", help="make finished maps of a folder again")
    flags.recursive(out, "the subfolders of a folder too, to the same subfolders")
    flags.workers(out)
    flags.scheduler(out)
    flags.as_json(out, "one JSON object a picture: file, map, overlay, method, classes, seconds")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    path = Path(options.image)
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{show(path)} does not exist; give a picture or a folder of pictures")
    if options.checkpoint and options.backend == "litert":
        raise UserError("a --checkpoint runs with --backend tf only")
    settings = flags.settings(generate.Settings, options)
    workers = tasks.worker_count(options.workers)
    if options.checkpoint and options.scheduler:
        options.checkpoint = str(Path(options.checkpoint).absolute())
    network = batch.NetworkChoice(options.backend == "tf" or options.checkpoint is not None, options.checkpoint)
    output = files.output_folder(options.output_directory)

    def report(done: batch.Done) -> None:
        for remark in done.notes:
            note(f"{show(done.job.image)}: {remark}")
        if options.json:
            print(json.dumps(done.records), flush=True)
            return
        saw = ", ".join(f"{name} {100 * share:.0f} %" for name, share in done.classes if share >= LEAST_SHARE)
        written = f"{show(done.job.map)}, {show(done.job.overlay)} in {done.seconds:.2f} seconds"
        print(f"{written}: {saw or 'no class'}", flush=True)

    if not path.is_dir():
        report(batch.run_job(batch.load(network, workers), batch.single_job(path, output, options.lossless), settings))
        return EXIT_OK

    jobs = batch.plan(path, output, options.lossless, batch.made_with(network, settings), options.recursive)
    if not options.scheduler:
        batch.load(network, 1)  # a missing or damaged model is said once, before the first picture
    work, journal = partial(batch.run_one, network, settings), output / batch.RECORD
    job = FolderJob("generate_map.py", work, jobs, workers, options.scheduler, journal, options.overwrite)
    for _, done in job.run():
        if isinstance(done, batch.Done):
            report(done)
    return job.close("failed; the others have their maps")


command = functools.partial(run_command, "generate_map.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
