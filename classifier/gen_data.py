#!/usr/bin/env python3
"""Make an HDF5 set of JPEG patches from a folder of photographs, for training and validation."""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.q1net.configs import CONFIGS, PERTURBATION
from q1net_msroi.utils import files, images, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.codecs import CODECS, JPEG
from q1net_msroi.utils.errors import EXIT_OK, needs, note, run_command, show


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="gen_data.py", description=__doc__, allow_abbrev=False)
    flags.flag(parser, "--in_path", ".", "folder of never-compressed photographs")
    flags.out_path(parser, "the result", ".")
    flags.flag(parser, "--num_samples", 1_000_000, "places a quality over all photographs")
    parser.add_argument("--hdf5_name", help="name of the file (default: <comp_type>.hdf5)")
    flags.flag(parser, "--comp_type", "jpeg_paper", "variant", choices=list(CONFIGS))
    parser.add_argument("--save_image", action="store_true", help="also write a sheet of patches a quality as PNG")
    offsets = "offsets around a place: N x N, from -N//2 pixels on; 1 = aligned only"
    flags.flag(parser, "--perturb", PERTURBATION, offsets, metavar="N")
    flags.flag(parser, "--quality_division", 1, "each photograph at a random 1/D of the qualities", metavar="D")
    flags.flag(parser, "--perturb_division", 1, "each place at a random 1/D of the offsets", metavar="D")
    flags.flag(parser, "--codec", JPEG.name, "what compresses the photographs", choices=list(CODECS))
    flags.seed(parser, "the same seed gives the same file")
    flags.workers(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    needs("h5py")

    from q1net_msroi.classifier.q1net.generation import Plan, Request, generate, save_sheets, usable_photographs

    request = flags.settings(Request, options)
    workers = tasks.worker_count(options.workers)
    found = images.find_images(options.in_path)
    folder = files.output_folder(options.out_path)
    path = folder / (options.hdf5_name or f"{options.comp_type}.hdf5")
    plan = Plan(request, usable_photographs(found))
    note(
        f"{len(plan.photographs)} photographs x {plan.places_each} places x {request.qualities_each} qualities x "
        f"{request.offsets_each} offsets = {plan.rows:,} patches, {files.human_bytes(plan.rows * 769)}"
    )
    generate(plan, path, workers)
    if options.save_image:
        save_sheets(path, folder / f"{Path(path).stem}_images")
    print(f"{show(path)}: {plan.rows:,} patches")
    return EXIT_OK


command = functools.partial(run_command, "gen_data.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
