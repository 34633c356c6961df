#!/usr/bin/env python3
"""How many pictures does recover_jpeg.py bring back pixel for pixel? Photographs saved and decoded by Pillow."""

import argparse
import functools
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from q1net_msroi.classifier.recovery import proof, writing
from q1net_msroi.utils import images, jpeg
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, run_command

WAYS = ("4:2:0", "4:4:4", "gray")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a subsampling and quality: blocks that fit, pictures recovered, bytes against PNG, seconds."""
    parser = argparse.ArgumentParser(prog="measure_recovery.py", description=__doc__, allow_abbrev=False)
    flags.in_path(parser, "a folder of photographs that were never compressed")
    flags.flag(parser, "--qualities", "10,20,30,40,50,60,70,75,80,85,90", "list")
    flags.flag(parser, "--every", 1, "take every so many photographs")
    flags.flag(parser, "--subsampling", "4:2:0", "how chroma is saved", choices=WAYS)
    flags.flag(parser, "--cut", 0, "pixels cut off at the right and at the bottom")
    flags.workers(parser)
    options = parser.parse_args(arguments)
    photographs = images.find_images(options.in_path)[:: options.every]
    for quality in map(int, options.qualities.split(",")):
        rows = [_one(path, quality, options) for path in photographs]
        fit, blocks, whole, size, png, seconds = np.array(rows).T
        refused = int((blocks == 0).sum())
        said = f"{100 * fit.sum() / max(blocks.sum(), 1):.3f} % of blocks, {int(whole.sum())} of {len(rows)} pictures"
        said += f", {refused} refused"
        share = 100 * size.sum() / max(png[whole > 0].sum(), 1)
        print(f"{options.subsampling} {quality}: {said}, {share:.1f} % of PNG, {seconds.mean():.2f} s")
        sys.stdout.flush()
    return EXIT_OK


def _one(path: Path, quality: int, options: argparse.Namespace) -> tuple[float, ...]:
    """Return blocks that fit, blocks, whether the file decodes to the pixels, its bytes, the PNG's, seconds."""
    pixels = images.read_rgb(path).pixels
    pixels = np.ascontiguousarray(pixels[: pixels.shape[0] - options.cut, : pixels.shape[1] - options.cut])
    if options.subsampling == "gray":
        buffer = io.BytesIO()
        Image.fromarray(pixels).convert("L").save(buffer, "JPEG", quality=quality)
        decoded = jpeg.decode(buffer.getvalue())
    else:
        decoded = jpeg.compress(pixels, quality, options.subsampling)
    buffer = io.BytesIO()
    image = Image.fromarray(decoded)
    (image.convert("L") if options.subsampling == "gray" else image).save(buffer, "PNG", optimize=True)
    started = time.perf_counter()
    found = proof.prove(decoded, options.workers or 2)
    content = writing.content_of(found.found) if found.complete and found.found else b""
    exact = bool(content) and np.array_equal(jpeg.decode(content), decoded)
    seconds = time.perf_counter() - started
    fits = found.found.fits if found.found else np.zeros(0)
    size = len(content) if exact else 0
    return float(fits.sum()), fits.size, float(exact), size, len(buffer.getvalue()), seconds


if __name__ == "__main__":
    sys.exit(functools.partial(run_command, "measure_recovery.py", main)())
