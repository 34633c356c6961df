#!/usr/bin/env python3
"""How well are parts found that were pasted before a picture was saved once more as a JPEG, and how often falsely?"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators import parts
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.lattice.splices import Splices
from q1net_msroi.utils import images, jpeg, results
from q1net_msroi.utils.errors import run_command
from q1net_msroi.utils.settings import fingerprint

Pixels = NDArray[np.uint8]
Random = np.random.Generator
SHOWN = Path("classifier", "results", "splices.json")  # the record that the repository shows
FIRST, LAST = (40, 50, 60, 70), (80, 85, 90, 92)  # qualities
LEAST, MOST = 96, 256  # pixels of a pasted part's sides
LARGEST = (512, 768)  # the middle of larger photographs
PASTED = {  # whether the photograph, the part, were a JPEG before; whether the part lies on the same grid
    "into a JPEG": (True, False, False),
    "into a JPEG, other grid": (True, True, False),
    "from a JPEG": (False, True, True),
    "two JPEGs": (True, True, True),
}


@dataclass(frozen=True)
class Composite:
    """A JPEG file, and which of its pixels were pasted."""

    content: bytes
    truth: NDArray[np.bool_]


def photographs(folder: Path, most: int) -> list[Pixels]:
    """Return the middle of at most `most` pictures, spread over a folder."""
    found = images.find_images(folder)
    kept = []
    for path in [found[i * len(found) // most] for i in range(most)] if most < len(found) else found:
        pixels = images.read_rgb(path).pixels
        top, left = (max(has - wanted, 0) // 2 for has, wanted in zip(pixels.shape, LARGEST, strict=False))
        kept.append(np.ascontiguousarray(pixels[top : top + LARGEST[0], left : left + LARGEST[1]]))
    return kept


def composite(into: Pixels, other: Pixels, case: str, random: Random) -> Composite:
    """Return a photograph with a part of another one, of 96 pixels and more, saved at 80 to 92."""
    into_jpeg, other_jpeg, on_grid = PASTED[case]
    first, second = random.choice(FIRST, 2, replace=False).tolist()
    height, width = random.integers(LEAST, np.minimum(np.minimum(into.shape, other.shape)[:2] // 2, MOST) + 1)
    to, origin = (random.integers(0, np.array(p.shape[:2]) - (height, width) + 1) for p in (into, other))
    if on_grid:
        to, origin = to // 8 * 8, origin // 8 * 8
    elif other_jpeg and not ((to - origin) % 8).any():
        origin = np.maximum(origin - 3, 0)
    made = (jpeg.compress(into, first) if into_jpeg else into).copy()
    pasted = jpeg.compress(other, second) if other_jpeg else other
    truth = np.zeros(made.shape[:2], bool)
    truth[to[0] : to[0] + height, to[1] : to[1] + width] = True
    made[truth] = pasted[origin[0] : origin[0] + height, origin[1] : origin[1] + width].reshape(-1, 3)
    return Composite(jpeg.encode(made, int(random.choice(LAST))), truth)


def whole(pixels: Pixels, random: Random) -> Iterator[tuple[str, Pixels]]:
    """Yield what may become of a photograph in one piece before it is saved once more."""
    before = jpeg.compress(pixels, int(random.choice(FIRST)))
    yield "once", pixels
    yield "twice", before
    y, x = random.integers(0, 8, 2)
    yield "twice, cut", np.ascontiguousarray(before[y:, x:])
    yield "three times", jpeg.compress(before, int(random.choice((75, 80))))
    yield "noise between", _bytes(before + random.normal(0, 1, before.shape))
    yield "brighter between", _bytes(before + random.choice((-8.0, 8.0)))
    yield "more contrast between", _bytes(before * 1.1)
    moved = np.roll(before.astype(float), 1, 1) + np.roll(before.astype(float), -1, 1)
    yield "softer between", _bytes((2 * before + moved) / 4)
    slope = np.linspace(60, 200, pixels.shape[0])[:, None, None] * np.ones((1, pixels.shape[1], 3))
    sky = pixels.copy()
    sky[: len(sky) // 2] = _bytes(slope + random.normal(0, 0.6, slope.shape))[: len(sky) // 2]
    yield "flat sky, twice", jpeg.compress(sky, int(random.choice(FIRST)))
    yield "texture alone, once", _bytes(128 + random.normal(0, 1, (*pixels.shape[:2], 1)) * slope / 8 * np.ones(3))


def _bytes(values: NDArray[np.floating[Any]]) -> Pixels:
    pixels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


def auc(score: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """Return the share of (pasted, other) pairs of pixels that `score` puts in order, ties counting half."""
    from scipy.stats import rankdata

    ranks, count = rankdata(score), int(truth.sum())
    return float((ranks[truth.ravel()].sum() - count * (count + 1) / 2) / (count * (len(ranks) - count)))


def read(content: bytes, folder: Path) -> tuple[Splices, float]:
    """Return what a file tells and how many seconds of the processor that took, after its pixels were read."""
    path = folder / "picture.jpg"
    path.write_bytes(content)
    pixels = jpeg.decode(content)
    started = time.process_time()
    found = parts.read_file(path, pixels)
    assert found is not None
    return found, time.process_time() - started


def pixelwise(found: Splices, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the AUC of the map's pixels, and how far the outlined ones are the pasted: intersection over union."""
    score, marked = found.per_pixel(*truth.shape)
    return auc(score, truth), float((marked & truth).sum() / (marked | truth).sum())


def measure(case: str, number: int, ask: Callable[[int], tuple[Splices, float, list[float]]]) -> dict[str, object]:
    """Return the row of a case: of how many pictures a part is told, and means of what is measured of each."""
    told = [ask(picture) for picture in range(number)]
    outlined = sum(bool(found.parts) for found, _, _ in told)
    row = {"case": case, "pictures": number, "outlined": outlined}
    row["seconds"] = round(float(np.mean([seconds for _, seconds, _ in told])), 3)
    values = np.array([more for _, _, more in told])
    if values.shape[1]:
        row |= {"auc": round(float(values[:, 0].mean()), 4), "least": round(float(values[:, 0].min()), 4)}
        row["overlap"] = round(float(values[:, 1].mean()), 4)
    print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(prog="measure_splices.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs never compressed")
    parser.add_argument("--pictures", type=int, default=100, help="of a case (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of places and qualities (default: %(default)s)")
    parser.add_argument("--skip_whole", action="store_true", help="composites alone")
    results.out_flags(parser, SHOWN)
    options = parser.parse_args(arguments)
    pictures, rows = photographs(options.images, options.pictures), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, case in enumerate(PASTED):

            def ask(i: int, case: str = case, number: int = number) -> tuple[Splices, float, list[float]]:
                random = np.random.default_rng((options.seed, number, i))
                other = (i + 1 + int(random.integers(len(pictures) - 1))) % len(pictures)
                made = composite(pictures[i % len(pictures)], pictures[other], case, random)
                found, seconds = read(made.content, folder)
                return found, seconds, list(pixelwise(found, made.truth))

            rows.append(measure(case, options.pictures, ask))
        kinds = [] if options.skip_whole else [kind for kind, _ in whole(pictures[0], np.random.default_rng(0))]
        for number, kind in enumerate(kinds):

            def ask_whole(i: int, kind: str = kind, number: int = number) -> tuple[Splices, float, list[float]]:
                random = np.random.default_rng((options.seed, 100 + number, i))
                made = dict(whole(pictures[i % len(pictures)], random))[kind]
                return *read(jpeg.encode(made, int(random.choice(LAST))), folder), []

            rows.append(measure(kind, options.pictures, ask_whole))
    command = results.command_line("scripts/measure_splices.py", arguments)
    made = results.provenance(command, "classifier", settings={"lattice": fingerprint(LATTICE)})
    results.record(options.out, made, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("measure_splices.py", main))
