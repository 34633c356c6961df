#!/usr/bin/env python3
"""How right is every estimator, condition by condition? Photographs that were never compressed, compressed here."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.estimators import registry
from classifier.estimators.options import COMP_TYPES, HEADER, Asked
from classifier.q1net.configs import AREA
from classifier.q1net.evaluation import Scores, parse_qualities
from utils import files, images, jpeg, results, tasks
from utils.errors import UserError, run_command

Pixels = NDArray[np.uint8]
Made = tuple[Pixels, int]  # what an estimator sees, and the quality that is right
OUT = files.REPOSITORY / "classifier" / "results" / "conditions.json"
FEWEST_APART = 10  # qualities between the two compressions of a picture
HIGHEST_SECOND = 97
_one_at_a_time = threading.Lock()  # jpeglib's choice of a library counts for the whole process


def nearest_quality(content: bytes) -> int:
    """Return the standard quality whose two tables are nearest (least squares) to those of a JPEG file's header."""
    found = jpeg.quantization_tables(content)
    standard = jpeg.standard_tables()[:, : len(found)]
    return int(((standard - np.stack(found)[:2]) ** 2).sum(axis=(1, 2, 3)).argmin()) + 1


def _crop(pixels: Pixels, random: np.random.Generator, side: int) -> Pixels:
    top, left = (int(random.integers(0, max(1, length - side + 1))) for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _offset(pixels: Pixels, random: np.random.Generator) -> Pixels:
    top, left = divmod(int(random.integers(1, 64)), 8)
    return np.ascontiguousarray(pixels[top:, left:])


def _gray(pixels: Pixels, quality: int) -> Pixels:
    gray = jpeg.compress(np.asarray(Image.fromarray(pixels).convert("L")), quality)
    return np.ascontiguousarray(gray)


def _library(pixels: Pixels, quality: int, version: str) -> bytes:
    """Return the JPEG that another library writes."""
    import jpeglib

    with _one_at_a_time, tempfile.TemporaryDirectory() as folder, jpeglib.version(version):
        path = Path(folder) / "picture.jpg"
        jpeglib.from_spatial(pixels).write_spatial(str(path), qt=quality)
        return path.read_bytes()


def _mozjpeg(pixels: Pixels, quality: int) -> Made:
    """Compress with mozjpeg, whose tables are others: the nearest standard quality is right."""
    content = _library(pixels, quality, "mozjpeg403")
    return jpeg.decode(content), nearest_quality(content)


def _twice(pixels: Pixels, quality: int, random: np.random.Generator, aligned: bool) -> Made:
    """Compress at a lower quality, then at a higher one; the last one is right."""
    last = max(quality, FEWEST_APART + 2)
    last = min(last, HIGHEST_SECOND)
    first = jpeg.compress(pixels, int(random.integers(1, last - FEWEST_APART + 1)))
    return jpeg.compress(first if aligned else _offset(first, random), last), last


def _noisy(pixels: Pixels, random: np.random.Generator) -> Pixels:
    return np.clip(pixels + random.integers(-1, 2, pixels.shape), 0, 255).astype(np.uint8)


def _resized(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    size = (round(image.width * 0.9), round(image.height * 0.9))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def _brighter(pixels: Pixels) -> Pixels:
    return np.clip(pixels.astype(np.int16) + 10, 0, 255).astype(np.uint8)


def make(condition: str, p: Pixels, q: int, r: np.random.Generator) -> Made:
    """Return what an estimator sees of photograph `p` at quality `q` under a condition, and which quality is right."""
    simple: dict[str, Callable[[], Pixels]] = {
        "uncropped": lambda: jpeg.compress(p, q),
        "random crop offset": lambda: _offset(jpeg.compress(p, q), r),
        "crop 256": lambda: _crop(jpeg.compress(p, q), r, 256),
        "crop 128": lambda: _crop(jpeg.compress(p, q), r, 128),
        "crop 64": lambda: _crop(jpeg.compress(p, q), r, 64),
        "4:2:2": lambda: jpeg.compress(p, q, "4:2:2"),
        "4:4:4": lambda: jpeg.compress(p, q, "4:4:4"),
        "gray": lambda: _gray(p, q),
        "libjpeg 6b": lambda: jpeg.decode(_library(p, q, "6b")),
        "libjpeg 9e": lambda: jpeg.decode(_library(p, q, "9e")),
        "noise of 1 after": lambda: _noisy(jpeg.compress(p, q), r),
        "10 brighter after": lambda: _brighter(jpeg.compress(p, q)),
        "resized to 90 % after": lambda: _resized(jpeg.compress(p, q)),
    }
    special: dict[str, Callable[[], Made]] = {
        "mozjpeg": lambda: _mozjpeg(p, q),
        "twice, aligned": lambda: _twice(p, q, r, aligned=True),
        "twice, shifted": lambda: _twice(p, q, r, aligned=False),
    }
    return special[condition]() if condition in special else (simple[condition](), q)


CONDITIONS = (
    *("uncropped", "random crop offset", "crop 256", "crop 128", "crop 64", "4:2:2", "4:4:4", "gray"),
    *("libjpeg 6b", "libjpeg 9e", "mozjpeg", "twice, aligned", "twice, shifted"),
    *("noise of 1 after", "10 brighter after", "resized to 90 % after"),
)


def measure(
    condition: str, paths: Sequence[Path], qualities: Sequence[int], asked: Sequence[Asked], workers: int | None
) -> list[dict[str, Any]]:
    """Return a row of scores an estimator."""

    def answer(job: tuple[int, Path]) -> list[tuple[str, int, Any]]:
        number, path = job
        pixels = images.read_rgb(path, minimum_side=AREA).pixels
        random = np.random.default_rng([number, CONDITIONS.index(condition)])
        given = []
        for quality in qualities:
            seen, truth = make(condition, pixels, quality, random)
            for one in asked:
                estimate = tasks.per_thread(load_all, *asked)[one.comp_type].estimate(seen).with_tie_interval()
                given.append((one.comp_type, truth, estimate))
        return given

    scores = {one.comp_type: Scores() for one in asked}
    seconds: dict[str, list[float]] = {one.comp_type: [] for one in asked}
    ties: dict[str, list[bool]] = {one.comp_type: [] for one in asked}
    for given in tasks.progress(tasks.ordered_map(answer, list(enumerate(paths)), workers), total=len(paths)):
        for name, truth, estimate in given:
            scores[name].add(truth, estimate.quality, estimate.interval)
            seconds[name].append(estimate.seconds)
            if estimate.tie_set:
                ties[name].append(truth in estimate.tie_set)
    return [
        {
            "condition": condition,
            "estimator": name,
            **{k: round(v, 5) if isinstance(v, float) else v for k, v in scores[name].summary().items()},
            "interval_holds": scores[name].coverage(),
            "tie_set_holds": float(np.mean(ties[name])) if ties[name] else None,
            "milliseconds": round(1000 * float(np.median(seconds[name])), 1),
        }
        for name in scores
    ]


def load_all(*asked: Asked) -> dict[str, Any]:
    """Return the estimators by name, made once a thread."""
    return {one.comp_type: registry.load(one) for one in asked}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(prog="measure_accuracy.py", description=__doc__)
    parser.add_argument("--in_path", required=True, help="folder of never-compressed photographs")
    parser.add_argument("--qualities", default="5-95:10", help="like 10,20,30 or 1-100 (default: %(default)s)")
    parser.add_argument("--conditions", nargs="+", default=CONDITIONS, metavar="NAME", help="default: all")
    parser.add_argument("--estimators", nargs="+", default=("jpeg_paper", "jpeg_lattice", "auto"), metavar="NAME")
    parser.add_argument("--workers", type=int, help="threads (default: the cores of this machine)")
    parser.add_argument("--out", type=Path, default=OUT, help="the record (default: %(default)s)")
    options = parser.parse_args(arguments)
    known = [name for name in COMP_TYPES if name != HEADER]
    for kind, given, allowed in (
        ("condition", options.conditions, CONDITIONS),
        ("estimator", options.estimators, known),
    ):
        for name in given:
            if name not in allowed:
                raise UserError(f"unknown {kind} {name}; known are {', '.join(allowed)}")
    found, qualities = images.find_images(options.in_path), parse_qualities(options.qualities)
    asked = [Asked(name) for name in options.estimators]
    rows = []
    for condition in options.conditions:
        rows += measure(condition, found, qualities, asked, options.workers)
        for row in rows[-len(asked) :]:
            print(
                f"{row['condition']:22} {row['estimator']:15} answered {row['answered']}/{row['predictions']}, "
                f"exact {row['exact']:.1%}, within 2 {row['within_2']:.1%}, mae {row['mae']}",
                flush=True,
            )
    words = sys.argv[1:] if arguments is None else arguments
    results.record(options.out, f"python3 scripts/measure_accuracy.py {results.portable(words)}", rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("measure_accuracy.py", main))
