#!/usr/bin/env python3
"""How well do the maps of predict_cls.py --map find a pasted part? Composites of two qualities and of two grids."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators import local
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import images, jpeg, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import run_command
from q1net_msroi.utils.settings import fingerprint

SHOWN = Path("classifier", "results", "maps.json")  # the record that the repository shows
CASES = {  # quality of the photograph, of what is pasted, and how the pasted part's grid is shifted
    "qualities 85 and 60": (85, 60, (0, 0)),
    "qualities 90 and 80": (90, 80, (0, 0)),
    "qualities 60 and 85": (60, 85, (0, 0)),
    "quality 85 on two grids": (85, 85, (3, 5)),
    "quality 60 on two grids": (60, 60, (3, 5)),
    "never compressed into 75": (75, None, (0, 0)),
}


def composite(
    pixels: NDArray[np.uint8], quality: int, pasted: int | None, shift: tuple[int, int], part: tuple[slice, slice]
) -> NDArray[np.uint8]:
    """Return the photograph at `quality` with `part` from its JPEG at `pasted` (None: from itself), grid shifted."""
    made, other = jpeg.compress(pixels, quality).copy(), pixels.copy()
    if pasted is not None:
        cropped = np.ascontiguousarray(pixels[shift[0] :, shift[1] :])
        other[shift[0] :, shift[1] :] = jpeg.compress(cropped, pasted)
    made[part] = other[part]
    return made


def auc(score: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the share of (pasted, other) pairs of pixels that `score` puts in order, ties counting half."""
    from scipy.stats import rankdata

    ranks, count = rankdata(np.nan_to_num(score)), int(truth.sum())
    return float((ranks[truth.ravel()].sum() - count * (count + 1) / 2) / (count * (len(ranks) - count)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(prog="measure_maps.py", description=__doc__)
    flags.in_path(parser, "folder of never-compressed photographs")
    parser.add_argument("--pictures", type=int, default=6, help="every n-th of them, this many (default: %(default)s)")
    parser.add_argument("--side", type=int, default=160, help="of the pasted square, pixels (default: %(default)s)")
    flags.workers(parser)
    results.out_flags(parser, SHOWN)
    options = parser.parse_args(arguments)
    found = images.find_images(options.in_path)
    found = found[:: max(1, len(found) // options.pictures)][: options.pictures]
    threads = tasks.worker_count(options.workers)
    measured: dict[tuple[str, str], list[float]] = {}
    random = np.random.default_rng(0)
    for path in tasks.progress(found, unit="picture"):
        pixels = images.read_rgb(path).pixels
        shape = height, width = pixels.shape[:2]
        top, left = (int(random.integers(8, length - options.side - 8)) for length in shape)
        part = np.s_[top : top + options.side, left : left + options.side]
        truth = np.zeros(shape, bool)
        truth[part] = True
        for case, (quality, pasted, shift) in CASES.items():
            picture = composite(pixels, quality, pasted, shift, part)
            for name, comp_type in (("lattice", "auto"), ("network", "jpeg_paper")):
                regions = local.regions(picture, Asked(comp_type, threads=threads))
                score = auc(regions.per_pixel(regions.foreign, height, width), truth)
                measured.setdefault((case, name), []).append(score)
    rows = []
    for (case, name), scores in measured.items():
        mean, least = round(float(np.mean(scores)), 4), round(min(scores), 4)
        rows.append({"case": case, "method": name, "auc": mean, "least": least, "pictures": len(scores)})
        print(f"{case:26} {name:8} AUC {mean:.3f}, least {least:.3f}")
    command = results.command_line("scripts/measure_maps.py", arguments)
    models = sorted(weights.SAVE.glob("*/*.tflite"))
    used = {"lattice": fingerprint(LATTICE)}
    results.record(options.out, results.provenance(command, "classifier", settings=used, weights=models), rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("measure_maps.py", main))
