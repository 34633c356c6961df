#!/usr/bin/env python3
"""Make the sample pictures: photographs that come with scikit-image, after one JPEG compression or none."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from q1net_msroi.utils import files, jpeg, results
from q1net_msroi.utils.errors import run_command

SAMPLES = {"coffee": 20, "astronaut": 50, "rocket": 80, "chelsea": None}  # the quality of each


def main(arguments: Sequence[str] | None = None) -> int:
    """Write each photograph as PNG."""
    parser = argparse.ArgumentParser(prog="make_samples.py", description=__doc__, allow_abbrev=False)
    results.out_flags(parser, Path("sample_image"))
    folder = files.output_folder(parser.parse_args(arguments).out)
    from skimage import data

    for name, quality in SAMPLES.items():
        pixels = getattr(data, name)()
        ending = "" if quality is None else f"_jpeg_q{quality}"
        with files.atomic_path(folder / f"{name}{ending}.png") as temporary:
            made = pixels if quality is None else jpeg.compress(pixels, quality)
            Image.fromarray(made).save(temporary, "PNG", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("make_samples.py", main))
