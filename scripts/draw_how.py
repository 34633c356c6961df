#!/usr/bin/env python3
"""Draw the figures of docs/how_it_works.md: what a compression leaves in a picture, and what is made of it."""

import argparse
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators import local, parts
from q1net_msroi.classifier.estimators.network import predictor
from q1net_msroi.classifier.lattice import blocks
from q1net_msroi.classifier.q1net import patches
from q1net_msroi.classifier.q1net.configs import AREA, get_config
from q1net_msroi.utils import figures, files, images, jpeg, results
from q1net_msroi.utils.errors import run_command

Pixels = NDArray[np.uint8]
FREQUENCY = 2  # the second one along a row: a step of 10 at quality 50
REACH = 44  # coefficients shown on either side of zero
GRID = "#d0402b"


def sample(name: str) -> Pixels:
    """Return a sample picture's pixels."""
    return images.read_rgb(files.REPOSITORY / "sample_image" / f"{name}.png").pixels


def draw_blocks(path: Path) -> None:
    """A corner of one photograph, hardly compressed and at quality 10, its 8x8 blocks outlined."""
    before = sample("chelsea")[96:144, 150:222]
    with figures.figure(path, 8, 3) as drawing:
        whole = jpeg.compress(sample("chelsea"), 10)
        for place, (shown, title) in enumerate(
            ((before, "before"), (whole[96:144, 150:222], "saved at quality 10")), 1
        ):
            axes = drawing.add_subplot(1, 2, place)
            axes.imshow(shown, interpolation="nearest")
            axes.set_title(title)
            axes.set_xticks(np.arange(1.5, 72, 8), labels=[])  # 150 is 6 pixels past a block's edge
            axes.set_yticks(np.arange(-0.5, 48, 8), labels=[])
            if place == 2:
                axes.grid(color=GRID, linewidth=0.6)
            axes.tick_params(length=0)


def coefficients(pixels: Pixels) -> NDArray[np.float32]:
    """Return one frequency of all 8x8 blocks of a picture's luma."""
    matrix = jpeg.dct_matrix()
    luma = blocks.cut(pixels).values.reshape(-1, 8, 8)
    return np.asarray((matrix @ luma @ matrix.T)[:, 0, FREQUENCY], np.float32)


def draw_lattice(path: Path) -> None:
    """One frequency's coefficients: never compressed, compressed once, and twice."""
    small = Image.fromarray(sample("rocket_jpeg_q80")).resize((480, 320), Image.Resampling.LANCZOS)
    never = np.asarray(small)
    once = jpeg.compress(never, 50)
    twice = jpeg.compress(jpeg.compress(never, 60), 85)
    told = (
        (never, "never compressed: any value"),
        (once, "saved at 50: multiples of 10 alone"),
        (twice, "at 60, then at 85: multiples of 3, some of them empty"),
    )
    with figures.figure(path, 8, 6) as drawing:
        for place, (pixels, title) in enumerate(told, 1):
            axes = drawing.add_subplot(3, 1, place)
            axes.hist(coefficients(pixels), bins=np.arange(-REACH, REACH + 0.5, 0.5), color="#2b6cb0")
            axes.set_yscale("log")
            axes.set_xlim(-REACH, REACH)
            axes.set_title(title, fontsize=10)
            axes.set_ylabel("blocks")
        axes.set_xlabel("coefficient of one frequency, in grey levels")


def draw_patches(path: Path) -> None:
    """The network's patches over a photograph, coloured by what each answers where it is sure."""
    from matplotlib.patches import Rectangle

    pixels = sample("coffee_jpeg_q20")
    config = get_config("jpeg_paper")
    rows, columns = (patches.grid_starts(length) for length in pixels.shape[:2])
    cut = patches.to_channel_order(patches.cut_grid(pixels), "BGR")
    said = predictor(config, files.REPOSITORY / "save" / config.comp_type, "float32", 1)(cut)
    with figures.figure(path, 8, 5.2) as drawing:
        axes = drawing.add_subplot()
        axes.imshow(pixels // 2 + 110)
        axes.set_axis_off()
        places = [(row, column) for row in rows for column in columns]
        for (row, column), (confidence, quality) in zip(places, said, strict=True):
            sure = confidence > 98
            colour = "#1a7f37" if sure else "#b35900"
            axes.add_patch(Rectangle((column, row), AREA, AREA, fill=False, edgecolor=colour, linewidth=1.2))
            if sure:
                axes.text(
                    column + AREA / 2,
                    row + AREA / 2,
                    f"{quality:.0f}",
                    size=5,
                    color=figures.INK,
                    ha="center",
                    va="center",
                )
        axes.set_title("green: sure, with its answer; brown: not sure, not counted", fontsize=10)


def draw_region(path: Path) -> None:
    """A photograph, its map, and the same bytes as plain JPEG and by the map."""
    import q1net_msroi

    picture = sample("chelsea")
    found = q1net_msroi.region_map(picture)
    made = q1net_msroi.encode(picture, found, jpeg_compression=15, strength=0.75)
    eye = (slice(70, 190), slice(110, 260))
    decoded: list[tuple[Any, str]] = [(picture, "the photograph"), (found.values, "what matters in it")]
    for content, title in ((made.plain, "plain JPEG"), (made.content, "by the map")):
        decoded.append((np.asarray(Image.open(io.BytesIO(content)))[eye], f"{title}: {len(content):,} bytes"))
    with figures.figure(path, 8, 6) as drawing:
        for place, (shown, title) in enumerate(decoded, 1):
            axes = drawing.add_subplot(2, 2, place)
            axes.imshow(shown, cmap="gray")
            axes.set_title(title, fontsize=10)
            axes.set_axis_off()


def pasted(folder: Path) -> Path:
    """Return a JPEG file, at 90, of a photograph that was one at 50 with a part of another one."""
    made = jpeg.compress(sample("chelsea"), 50).copy()
    made[80:240, 160:320] = sample("rocket_jpeg_q80")[83:243, 165:325]
    path = folder / "pasted.jpg"
    path.write_bytes(jpeg.encode(made, 90))
    return path


def draw_map(path: Path) -> None:
    """The map of a photograph with a pasted part."""
    with tempfile.TemporaryDirectory() as folder:
        file = pasted(Path(folder))
        pixels = jpeg.decode(file.read_bytes())
        found = parts.read_file(file, pixels)
        assert found is not None
        local.draw_parts(pixels, found, path, "pasted.jpg")
    with Image.open(path) as drawn:
        small = drawn.quantize(200, method=Image.Quantize.FASTOCTREE)  # a third of the bytes
    small.save(path, optimize=True)


def draw_pasted(path: Path) -> None:
    """One frequency's stored coefficients of the same file: in the pasted part, and in the rest."""
    with tempfile.TemporaryDirectory() as folder:
        file = pasted(Path(folder))
        stored = jpeg.luma_blocks(file)
        found = parts.read_file(file, jpeg.decode(file.read_bytes()))
    assert stored is not None
    assert found is not None
    told = (
        (~found.marked, "the rest, at 50 and then at 90: hardly anything but multiples of 5"),
        (found.marked, "the pasted part, at 90 alone: every number"),
    )
    with figures.figure(path, 8, 4) as drawing:
        for place, (where, title) in enumerate(told, 1):
            axes = drawing.add_subplot(2, 1, place)
            values = stored[: where.shape[0], : where.shape[1]][where][:, FREQUENCY]
            axes.hist(values, bins=np.arange(-20.5, 21), color="#2b6cb0")
            axes.set_yscale("log")
            axes.set_title(title, fontsize=10)
            axes.set_ylabel("blocks")
        axes.set_xlabel("stored coefficient of one frequency")


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw all figures."""
    parser = argparse.ArgumentParser(prog="draw_how.py", description=__doc__, allow_abbrev=False)
    results.out_flags(parser, Path("docs/images"))
    folder = files.output_folder(parser.parse_args(arguments).out)
    for name, draw in (
        ("blocks", draw_blocks),
        ("lattice", draw_lattice),
        ("patches", draw_patches),
        ("map", draw_map),
        ("pasted", draw_pasted),
        ("region", draw_region),
    ):
        draw(folder / f"how_{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("draw_how.py", main))
