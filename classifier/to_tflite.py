#!/usr/bin/env python3
"""Export trained weights as TensorFlow Lite models for phones, and compare them with the weights."""

import argparse
import functools
import json
import sys
from collections.abc import Sequence

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import CONFIGS, get_config
from q1net_msroi.utils import files, images
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, UserError, needs, run_command, show


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="to_tflite.py", description=__doc__, allow_abbrev=False)
    flags.flag(parser, "--comp_type", "jpeg_paper", "variant", choices=list(CONFIGS))
    kinds = "float32, float16 (half the size), int8 (raw uint8 pixels in, fastest), all"
    flags.flag(parser, "--quantize", "float32", kinds, choices=[*weights.TFLITE_NAMES, "all"])
    flags.flag(parser, "--batch", 256, "patches a call, fixed")
    flags.in_path(parser, "photographs to choose the int8 ranges on, up to 24 (default: sample_image)", required=False)
    parser.add_argument("--save_path", help="folder of <comp_type>/ with the weights (default: the repository's save)")
    weights.add_out_path(parser)
    flags.as_json(parser, "one JSON object a model")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    if options.batch < 1:
        raise UserError("--batch must be at least 1")
    needs("tensorflow")
    config = get_config(options.comp_type)
    folder = weights.model_folder(config, options.save_path)
    weights.checkpoint_prefix(folder)  # said before TensorFlow has been loaded
    samples = images.find_images(files.REPOSITORY / "sample_image")
    photographs = images.find_images(options.in_path)[:24] if options.in_path else samples

    from q1net_msroi.classifier.q1net.conversion import write_model

    out = weights.written_folder(config, options.save_path, options.out_path)
    for kind in weights.TFLITE_NAMES if options.quantize == "all" else [options.quantize]:
        comparison = write_model(config, folder, out, kind, options.batch, photographs, samples)
        if options.json:
            print(json.dumps(comparison.record()), flush=True)
            continue
        pictures = f"mean {comparison.mean_picture_difference:.4f} at {comparison.pictures_compared} pictures"
        if not comparison.pictures_compared:
            pictures = "no picture compared, for the network is confident of none"
        size = f"{show(out / weights.TFLITE_NAMES[kind])}: {comparison.bytes:,} bytes"
        patch = f"largest difference {comparison.largest_patch_difference:.4f} at a patch"
        one, two = comparison.milliseconds_per_batch_1_thread, comparison.milliseconds_per_batch_2_threads
        speed = f"{one:.1f} ms a batch of {comparison.batch} on one thread, {two:.1f} ms on two"
        print(f"{size}, {patch}, {pictures}, {speed}", flush=True)
    return EXIT_OK


command = functools.partial(run_command, "to_tflite.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
