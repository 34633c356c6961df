#!/usr/bin/env python3
"""Draw crops of photographs from files of equal bytes, twice enlarged: the original, plain JPEG, its peers, model 7.

For eyes: banding, seams between blocks and rings around edges are seen here and hardly counted by any metric.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from q1net_msroi.classifier.evaluation.pictures import parse_qualities
from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.msroi.metrics.metric import Pixels
from q1net_msroi.utils import files, images, jpeg
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show

SIDE, ENLARGED, TITLE = 88, 2, 16  # pixels of a crop, how often enlarged, pixels of the line of titles
ENCODERS = {"plain JPEG": "", "mozjpeg": "mozjpeg", "jpegli": "jpegli", "model 7, strength 0": "flat"}
CROPS = "kodim04:200,180 kodim15:330,60 kodim12:40,180 kodim21:420,120 kodim23:40,200 kodim08:300,60"


def crops_of(pixels: Pixels, quality: int, left: int, top: int) -> list[Pixels]:
    """Return the crop of the original and of what each encoder makes of the bytes of plain JPEG of a quality."""
    nothing = np.zeros(pixels.shape[:2], np.uint8)
    task = comparison.task_of(pixels, nothing, nothing, quality)
    by_name = {encoder.name: encoder for encoder in comparison.ENCODERS}
    shown = [pixels]
    for name in ENCODERS.values():
        # Of the two files around the size the smaller: nobody may have more bytes.
        content = by_name[name].encode(task)[0][1] if name else jpeg.encode(pixels, quality, progressive=True)
        shown.append(jpeg.decode(content))
    return [each[top : top + SIDE, left : left + SIDE] for each in shown]


def draw(folder: Path, crops: Sequence[str], qualities: Sequence[int]) -> Image.Image:
    """Return a picture with a row a crop and quality; a crop is `name:left,top`, name without ending."""
    found = {path.stem: path for path in images.find_images(folder)}
    side, titles = SIDE * ENLARGED, ["original", *ENCODERS]
    rows = [(crop, quality) for crop in crops for quality in qualities]
    drawn = Image.new("RGB", (side * len(titles), TITLE + side * len(rows)), "white")
    pen = ImageDraw.Draw(drawn)
    for column, title in enumerate(titles):
        pen.text((side * column + 4, 2), title, fill="black")
    for row, (crop, quality) in enumerate(rows):
        name, _, place = crop.partition(":")
        if name not in found:
            raise UserError(f"{show(folder)} has no picture {name}")
        left, top = map(int, place.split(","))
        pixels = np.asarray(Image.open(found[name]).convert("RGB"))
        for column, shown in enumerate(crops_of(pixels, quality, left, top)):
            large = Image.fromarray(shown).resize((side, side), Image.Resampling.NEAREST)
            drawn.paste(large, (side * column, TITLE + side * row))
        pen.text((4, TITLE + side * row + 2), f"{name}, {quality}", fill="white", stroke_width=1, stroke_fill="black")
    return drawn


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="draw_crops.py", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("pictures", help="folder of photographs")
    add("result", type=Path, help="picture to write")
    add("--crops", default=CROPS, help="name:left,top, by blanks (default: %(default)s)")
    add("--qualities", default="30,50", help="of the plain JPEG whose bytes all have (default: %(default)s)")
    options = parser.parse_args(arguments)
    drawn = draw(Path(options.pictures), options.crops.split(), parse_qualities(options.qualities))
    files.output_folder(options.result.parent)
    drawn.save(options.result)
    note(f"written: {show(options.result)}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("draw_crops.py", main))
