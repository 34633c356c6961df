#!/usr/bin/env python3
"""Measure what photographs tell of their quantisation tables, their writer and their subsampling, after one JPEG."""

import argparse
import io
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.lattice import known, search, whole
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import run_command

Pixels = NDArray[np.uint8]
QUALITIES = (30, 50, 75, 90)
SHAPES = ("4:4:4", "4:2:0", "4:2:2")


def photographs(folder: Path, most: int) -> list[Pixels]:
    """Return the middle 512x384 to 768x512 pixels of at most `most` pictures of a folder."""
    found = []
    for path in sorted(p for p in folder.iterdir() if p.suffix in {".png", ".webp"})[:most]:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        top, left = max(pixels.shape[0] - 512, 0) // 2, max(pixels.shape[1] - 768, 0) // 2
        found.append(np.ascontiguousarray(pixels[top : top + 512, left : left + 768]))
    return found


def saved(pixels: Pixels, pair: NDArray[np.int64], shape: str) -> Pixels:
    """Return pixels after a JPEG with two tables (2, 64), natural order, and a subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", qtables=[t.tolist() for t in pair], subsampling=shape)
    return jpeg.decode(buffer.getvalue())


def read(pixels: Pixels, without: int | None = None) -> whole.Whole:
    """Return what pixels tell, without a known pair in the prior."""
    reading = search.find(pixels)
    luma = whole.read(reading, without)
    return whole.with_chroma(luma, whole.colour(pixels, reading.phase, luma.turned), without)


def count(told: NDArray[np.int64] | None, true: NDArray[np.int64]) -> Counter[str]:
    """Return how many of 63 entries (without DC) are right, wrong or not told."""
    told = np.zeros(64, np.int64) if told is None else told
    right, given = (told == true)[1:], told[1:] > 0
    return Counter(right=int((right & given).sum()), wrong=int((~right & given).sum()), all=63)


def line(name: str, counted: Counter[str]) -> None:
    """Print shares in percent."""
    everything = counted["all"] or 1
    shares = ", ".join(f"{k} {100 * v / everything:.2f} %" for k, v in sorted(counted.items()) if k != "all")
    print(f"{name}: {shares} of {everything:,}", flush=True)


def standard(pictures: list[Pixels], qualities: tuple[int, ...], shape: str) -> None:
    """Print how standard tables are read, luma's and chroma's, and the subsampling."""
    for quality in qualities:
        pair = jpeg.standard_tables()[quality - 1].reshape(2, 64)
        luma, chroma, ways, names = Counter(), Counter(), Counter(), Counter()  # type: ignore[var-annotated]
        for pixels in pictures:
            told = read(saved(pixels, pair, shape))
            luma += count(told.told[0], pair[0])
            chroma += count(told.told[1], pair[1])
            seen = told.subsampling
            ways += Counter({"none" if seen is None else "right" if seen == shape else "wrong": 1, "all": 1})
            names += Counter({"a name": bool(told.name), "all": 1})
        for what, counted in (("luma", luma), ("chroma", chroma), ("subsampling", ways), ("writer", names)):
            line(f"standard {quality}, {shape}, {what}", counted)


def others(pictures: list[Pixels], tables: int, seed: int) -> None:
    """Print how known tables are read, in the list and left out of it."""
    chosen = np.random.default_rng(seed).choice(len(known.pairs()), tables, replace=False)
    for left_out in (True, False):
        luma, chroma, names = Counter(), Counter(), Counter()  # type: ignore[var-annotated]
        for number, place in enumerate(chosen.tolist()):
            pair = np.stack([known.tables(channel)[place] for channel in (0, 1)])
            made = saved(pictures[number % len(pictures)], pair, SHAPES[number % 2])
            told = read(made, place if left_out else None)
            luma += count(told.told[0], pair[0])
            chroma += count(told.told[1], pair[1])
            name, true = told.name, known.pairs()[place].name
            right = "none" if not name else "right" if name == true and not left_out else "wrong"
            names += Counter({f"{right}{'' if true else ', nobody known'}": 1, "all": 1})
            if right == "wrong":
                print(f"  {place} of {true or 'nobody'} called {name}", flush=True)
        where = "left out of the list" if left_out else "in the list"
        for what, counted in (("luma", luma), ("chroma", chroma), ("writer", names)):
            line(f"{tables} known tables {where}, {what}", counted)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="photographs that were never compressed")
    parser.add_argument("--known", type=int, metavar="N", help="N known tables instead of standard ones")
    parser.add_argument("--shape", default="4:2:0", choices=SHAPES, help="of the standard ones (default: %(default)s)")
    parser.add_argument("--qualities", type=int, nargs="+", default=QUALITIES, help="of them (default: %(default)s)")
    parser.add_argument("--most", type=int, default=100, help="photographs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of known tables (default: %(default)s)")
    options = parser.parse_args(arguments)
    pictures = photographs(options.folder, options.most)
    if options.known:
        others(pictures, min(options.known, len(known.pairs())), options.seed)
    else:
        standard(pictures, tuple(options.qualities), options.shape)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("measure_tables.py", main))
