#!/usr/bin/env python3
"""Draw the picture of the front page: a pasted part found, and a photograph before and after the encoder.

Both come from the sample pictures. The forgery is made here: a part of the rocket's photograph (a JPEG of 80) is
saved once more at quality 40 and pasted beside itself.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators import local
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.utils import figures, files, images, jpeg
from q1net_msroi.utils.errors import EXIT_OK, note, run_command, show

Pixels = NDArray[np.uint8]
ROCKET = (slice(96, 416), slice(288, 352))  # rows, columns
BESIDE = slice(224, 288)  # the columns it is pasted to
EYE = (slice(66, 194), slice(112, 288))
QUALITY, STRENGTH = 9, 0.75  # of the plain JPEG; how far the map is followed
TINT = 0.4


def sample(name: str) -> Pixels:
    """Return a sample picture's pixels."""
    return images.read_rgb(files.REPOSITORY / "sample_image" / f"{name}.png").pixels


def forgery() -> Pixels:
    """Return the launch site with a second rocket."""
    pixels = sample("rocket_jpeg_q80").copy()
    pixels[ROCKET[0], BESIDE] = jpeg.compress(pixels, 40)[ROCKET]
    return pixels


def encoded() -> list[tuple[Pixels, int]]:
    """Return what plain JPEG and the encoder by the map make of the cat, with their sizes in bytes."""
    import q1net_msroi

    picture = sample("chelsea")
    found = q1net_msroi.region_map(picture)
    made = q1net_msroi.encode(picture, found, jpeg_compression=QUALITY, strength=STRENGTH)
    contents = (made.plain, made.content)
    return [(np.asarray(Image.open(io.BytesIO(content)))[EYE], len(content)) for content in contents]


def panel(axes: Any, pixels: Pixels, title: str) -> None:
    """Show a picture under its title."""
    axes.imshow(pixels, interpolation="lanczos")
    axes.set_title(title, loc="left", pad=7)
    axes.set_axis_off()


def draw(path: Path) -> str:
    """Draw the four panels; return what the map says."""
    pixels = forgery()
    found = local.regions(pixels, Asked("auto"))
    size = pixels.shape[:2]
    quality, marked = found.nearest(found.quality, *size), found.unlike(*size)
    with figures.figure(path, 9, 6.75) as drawing:
        (picture, qualities), (before, after) = drawing.subplots(2, 2, height_ratios=(427 / 640, 128 / 176))
        panel(picture, pixels, "One of the two rockets was pasted in")
        inside = np.nanmedian(quality[marked])
        told = f"Found: it was saved at quality {inside:.0f}, the rest at {found.main:.0f}"
        panel(qualities, (pixels.mean(axis=2, keepdims=True) * 0.8 + 50).astype(np.uint8).repeat(3, axis=2), told)
        qualities.imshow(quality, cmap="viridis", vmin=20, vmax=100, alpha=TINT)
        qualities.contour(marked, levels=[0.5], colors="#ff2d55", linewidths=3)
        names = ("A cat as plain JPEG", "Ours, with its bytes where it matters")
        for axes, (shown, count), name in zip((before, after), encoded(), names, strict=True):
            panel(axes, shown, f"{name}: {count:,} bytes")
    return found.told(*size)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the picture."""
    parser = argparse.ArgumentParser(prog="draw_hero.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=Path("docs/images/hero.png"), help="default: docs/images/hero.png")
    path = parser.parse_args(arguments).out
    files.output_folder(path.parent)
    note(f"written: {show(path)}; {draw(path)}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("draw_hero.py", main))
