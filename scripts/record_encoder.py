#!/usr/bin/env python3
"""Compare encoders on the same bytes over a folder of photographs and write what was measured as JSON.

What is measured is kept line by line, so that a run that was stopped goes on where it stopped; what other code, codecs
or settings measured is measured again.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.evaluation.pictures import parse_qualities
from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.msroi.encoder import semantic
from q1net_msroi.msroi.encoder.folder import find_map
from q1net_msroi.msroi.encoder.options import AUTO
from q1net_msroi.msroi.encoder.source import read_map, read_source
from q1net_msroi.msroi.metrics import pixel, suite
from q1net_msroi.utils import files, images, results, tasks
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show

AREAS = (("5-35 %", 0.05, 0.35), ("35-70 %", 0.35, 0.70), ("all", 0.0, 1.0))  # of the picture that is object
NOT_AVERAGED = ("key", "file", "encoder", "quality", "area", "pixels")
FEWEST_RATED = 3  # qualities from which on curves are compared


def _map_of(folder: Path, name: str) -> Path:
    if (found := find_map(folder, name)) is None:
        raise UserError(f"{show(name)} has no map in {show(folder)}; make it with generate_map.py")
    return found


def _gray(path: Path, image: Path) -> NDArray[np.uint8]:
    return read_map(path, read_source(image))[0]


@dataclass(frozen=True)
class Photograph:
    """A photograph to measure on: its file, map, another photograph's map, and the object mask where there is one."""

    path: Path
    map: Path
    wrong: tuple[Path, Path]  # the other map, and the photograph that it is of
    mask: Path | None

    def task(self, quality: int) -> tuple[comparison.Task, NDArray[np.uint8] | None]:
        """Return the task at a quality and the mask. A JPEG of lower quality is compared at its own."""
        source = read_source(self.path)
        finest, own = semantic.source_tables(self.path, source, AUTO)
        wrong = Image.fromarray(_gray(*self.wrong)).resize(source.pixels.shape[1::-1], Image.Resampling.BILINEAR)
        quality, saliency = min(quality, own or quality), _gray(self.map, self.path)
        mask = None if self.mask is None else _gray(self.mask, self.path)
        return comparison.task_of(source.pixels, saliency, np.asarray(wrong), quality, finest), mask

    @property
    def key(self) -> str:
        """What decides its rows: the files and the code, codecs and settings of the encoders."""
        inputs = [path for path in (self.path, self.map, *self.wrong, self.mask) if path is not None]
        return results.code_identity("msroi", comparison.settings(), [files.sha256(path) for path in inputs])


def _photographs(options: argparse.Namespace) -> list[Photograph]:
    found = images.find_images(options.pictures)[:: options.every]
    if not options.maps and not options.masks:
        raise UserError("give --maps, --masks or both")
    masks = [Path(options.masks, f"{path.stem}.png") for path in found] if options.masks else []
    maps = [_map_of(Path(options.maps), path.name) for path in found] if options.maps else masks
    wrong = np.roll(np.arange(len(found)), -(len(found) // 2 or 1))  # half the list away: the same for every run
    return [
        Photograph(path, maps[index], (maps[other], found[other]), masks[index] if masks else None)
        for index, (path, other) in enumerate(zip(found, wrong, strict=True))
    ]


def _encoders(given: str) -> list[str]:
    """Return the names asked for, by default all encoders that are there."""
    known = {encoder.name: encoder for encoder in comparison.ENCODERS}
    names = [part for part in given.split(",") if part] or [name for name in known if known[name].is_there]
    if unknown := set(names) - set(known):
        raise UserError(f"--encoders {', '.join(sorted(unknown))}: unknown")
    for name in names:
        if not known[name].is_there:
            raise UserError(f"{name} needs the package {known[name].needs}: pip install {known[name].needs}")
    return [name for name in known if name in names]


def _measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row a picture, quality and encoder; what the same code measured before comes from the cache."""
    photographs, names = _photographs(options), [comparison.REFERENCE, *_encoders(options.encoders)]
    qualities = parse_qualities(options.qualities)
    also = ["ssimulacra2"] if options.ssimulacra2 else []
    kept = options.cache or Path(options.result).with_suffix(".jsonl")
    files.output_folder(kept.parent)
    lines = kept.read_text().splitlines(keepends=True) if kept.exists() else []
    whole = [line for line in lines if line.endswith("}\n")]
    if whole != lines:  # a run that was killed cut the last one off
        files.write_text(kept, "".join(whole))
    cache = [json.loads(line) for line in whole]
    rows: dict[tuple[str, int, str], dict[str, Any]] = {}
    for photograph in tasks.progress(photographs, unit="picture"):
        name, key, width_height = photograph.path.name, photograph.key, Image.open(photograph.path).size
        own = [row for row in cache if row.get("key") == key and all(each in row for each in also)]
        rows |= {(name, row["quality"], row["encoder"]): row for row in own}
        for quality in qualities:
            if not (missing := [each for each in names if (name, quality, each) not in rows]):
                continue
            task, mask = photograph.task(quality)
            area = None if mask is None else float(pixel.object_region(mask).mean())
            what = {"key": key, "file": name, "pixels": math.prod(width_height), "area": area}
            # The reference is measured with the others, and kept once.
            new = [{**what, **row, "quality": quality} for row in comparison.compare(task, mask, missing, also)]
            new = [row for row in new if row["encoder"] in missing]
            with kept.open("a") as handle:
                handle.write("".join(json.dumps(row) + "\n" for row in new))
            rows |= {(name, quality, row["encoder"]): row for row in new}
    found = [photograph.path.name for photograph in photographs]
    return [rows[file, quality, name] for name in names for file in found for quality in qualities]


def _summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, by encoder and quality, means and mean differences to the plain JPEG of the same size."""
    plain = {(row["file"], row["quality"]): row for row in rows if row["encoder"] == comparison.REFERENCE}
    keys = [key for key in rows[0] if key not in NOT_AVERAGED]
    answer = []
    for quality in sorted({row["quality"] for row in rows}):
        for name in dict.fromkeys(row["encoder"] for row in rows):
            group = [row for row in rows if row["encoder"] == name and row["quality"] == quality]
            metrics = [key for key in keys if key not in ("seconds", "size_ratio", "bytes")]
            differences = {key: [row[key] - plain[row["file"], quality][key] for row in group] for key in metrics}
            record: dict[str, Any] = {"encoder": name, "quality": quality, "pictures": len(group)}
            record |= {key: _mean([row[key] for row in group]) for key in keys}
            record["change"] = {key: _mean(values) for key, values in differences.items()}
            record["bits_per_pixel"] = _mean([8 * row["bytes"] / row["pixels"] for row in group])
            record["worst_psnrhvsm"] = round(min(differences["psnrhvsm"]), 4)
            record["largest_size_ratio"] = round(max(row["size_ratio"] for row in group), 5)
            if "inside" in differences:
                finite = [value for value in differences["inside"] if math.isfinite(value)]
                record["inside_better"] = round(sum(value > 0 for value in finite) / max(len(finite), 1), 4)
            answer.append(record)
    return answer


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return round(float(np.mean(finite)), 4) if finite else None


def _rates(summary: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return Bjontegaard's rates in per cent against the plain JPEG, by encoder, from the mean curves."""
    plain = [row for row in summary if row["encoder"] == comparison.REFERENCE]
    if len(plain) < FEWEST_RATED:
        return {}
    answer: dict[str, dict[str, float | None]] = {}
    for name in dict.fromkeys(row["encoder"] for row in summary):
        own = [row for row in summary if row["encoder"] == name]
        answer[name] = {}
        for key in (key for key in suite.METRICS if own[0].get(key) is not None):
            curves = ([row[each] for row in rows] for rows in (plain, own) for each in ("bytes", key))
            rate = comparison.bd_rate(*curves)
            answer[name][key] = round(rate, 2) if math.isfinite(rate) else None
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="record_encoder.py", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("pictures", help="folder of photographs")
    add("result", type=Path, help="JSON file to write")
    add("--maps", help="folder of maps, map_<file name>.jpg or .png; without: the masks are the maps")
    add("--masks", help="folder of object masks, <name>.png; without: nothing is said of the inside")
    add("--qualities", default="30,50,75,90", help="of the plain JPEG (default: %(default)s)")
    add("--encoders", default="", help="names, by comma (default: all)")
    add("--ssimulacra2", action="store_true", help="measure that too (package ssimulacra2; slow)")
    add("--every", type=int, default=1, help="only every so-many-th photograph (default: %(default)s)")
    add("--cache", type=Path, help="what was measured, a line a row (default: beside the result)")
    options = parser.parse_args(arguments)
    rows = _measure(options)
    groups = {}
    for title, low, high in AREAS:
        chosen = [row for row in rows if row["area"] is None or low <= row["area"] <= high]
        if chosen and (title == "all" or rows[0]["area"] is not None):
            summary = _summary(chosen)
            groups[title] = {"summary": summary, "bd_rate": _rates(summary)}
    what = "our maps" if options.maps else "true masks"
    what = f"encoders at the bytes of optimised progressive JPEG, {what}, every {options.every}. photograph"
    command = results.command_line("scripts/record_encoder.py", arguments)
    made = results.provenance(command, "msroi", settings=comparison.settings())
    results.record(options.result, made, {"what": what, "areas": groups})
    note(f"written: {show(options.result)}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("record_encoder.py", main))
