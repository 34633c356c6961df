#!/usr/bin/env python3
"""Make an HDF5 set of JPEG patches from a folder of photographs, for training and validation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.q1net.configs import CONFIGS, PERTURBATION
from q1net_msroi.utils import files, images, tasks
from q1net_msroi.utils.codecs import CODECS, JPEG
from q1net_msroi.utils.errors import needs, note, run_command, show


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="gen_data.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--in_path", default=".", help="folder of never-compressed photographs (default: %(default)s)")
    parser.add_argument("--out_path", default=".", help="folder for the result (default: %(default)s)")
    parser.add_argument(
        "--num_samples",
        type=int,
        default=1_000_000,
        help="places a quality over all photographs (default: %(default)s)",
    )
    parser.add_argument("--hdf5_name", help="name of the file (default: <comp_type>.hdf5)")
    parser.add_argument(
        "--comp_type", default="jpeg_paper", choices=list(CONFIGS), help="variant (default: %(default)s)"
    )
    parser.add_argument("--save_image", action="store_true", help="also write a sheet of patches a quality as PNG")
    parser.add_argument(
        "--perturb",
        type=int,
        default=PERTURBATION,
        metavar="N",
        help="offsets around a place: N x N, from -N//2 pixels on; 1 = aligned only (default: %(default)s)",
    )
    parser.add_argument(
        "--quality_division", type=int, default=1, metavar="D", help="each photograph at a random 1/D of the qualities"
    )
    parser.add_argument(
        "--perturb_division", type=int, default=1, metavar="D", help="each place at a random 1/D of the offsets"
    )
    parser.add_argument(
        "--codec",
        default=JPEG.name,
        choices=list(CODECS),
        help="what compresses the photographs (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same file (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="threads (default: the cores of this machine)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    needs("h5py")

    from q1net_msroi.classifier.q1net.generation import Plan, Request, generate, save_sheets, usable_photographs

    request = Request(
        options.comp_type,
        options.num_samples,
        options.perturb,
        options.quality_division,
        options.perturb_division,
        options.seed,
        options.codec,
    )
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
    return 0


def command() -> int:
    """Run as a console script."""
    return run_command("gen_data.py", main)


if __name__ == "__main__":
    sys.exit(command())
