#!/usr/bin/env python3
"""Compare encoders on the same bytes over a folder of photographs and write what was measured as JSON.

What is measured is kept line by line beside the result, so that a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.msroi.encoder import semantic
from q1net_msroi.msroi.encoder.folder import MAP_SUFFIXES
from q1net_msroi.msroi.encoder.options import AUTO
from q1net_msroi.msroi.encoder.source import read_map, read_source
from q1net_msroi.utils import files, images, jpeg, results, tasks
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show

AREAS = (("5-35 %", 0.05, 0.35), ("35-70 %", 0.35, 0.70), ("all", 0.0, 1.0))  # of the picture that is object
RATED = ("inside", "psnr", "psnrs", "ssim", "psnrhvs", "psnrhvsm", "ssimulacra2")  # metrics with a rate
NOT_AVERAGED = ("file", "encoder", "quality", "area", "maps", "pixels")


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="record_encoder.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("pictures", help="folder of photographs")
    parser.add_argument("result", help="JSON file to write")
    parser.add_argument("--maps", help="folder of maps, map_<file name>.jpg or .png; without: the masks are the maps")
    parser.add_argument("--masks", help="folder of object masks, <name>.png; without: nothing is said of the inside")
    parser.add_argument("--qualities", default="30,50,75,90", help="of the plain JPEG (default: %(default)s)")
    parser.add_argument("--encoders", default="", help="names, by comma (default: all)")
    parser.add_argument("--ssimulacra2", action="store_true", help="measure that too (package ssimulacra2; slow)")
    parser.add_argument("--every", type=int, default=1, help="only every so-many-th photograph (default: %(default)s)")
    return parser


def _map_of(folder: Path, name: str) -> Path:
    for suffix in MAP_SUFFIXES:
        if (folder / f"map_{name}{suffix}").is_file():
            return folder / f"map_{name}{suffix}"
    raise UserError(f"{show(name)} has no map in {show(folder)}; make it with generate_map.py")


def _gray(path: Path, image: Path) -> NDArray[np.uint8]:
    return read_map(path, read_source(image))[0]


def _pixels(path: Path) -> int:
    from PIL import Image

    with Image.open(path) as image:
        return image.width * image.height


def _fitted(values: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return another picture's map in this picture's size."""
    from PIL import Image

    return np.asarray(Image.fromarray(values).resize(shape[::-1], Image.Resampling.BILINEAR))


def _measure(options: argparse.Namespace, kept: Path) -> list[dict[str, Any]]:
    """Return a row a picture, quality and encoder; those in the file `kept` are not measured again.

    A photograph that is a JPEG of lower quality than asked for is compared at its own, as `combine_images.py` does.
    """
    found = images.find_images(options.pictures)[:: options.every]
    qualities = [int(part) for part in options.qualities.split(",")]
    known = {encoder.name: encoder for encoder in comparison.ENCODERS}
    names = [part for part in options.encoders.split(",") if part] or [
        name for name, encoder in known.items() if encoder.is_there
    ]
    if unknown := set(names) - set(known):
        raise UserError(f"--encoders {', '.join(sorted(unknown))}: unknown")
    for name in names:
        if not known[name].is_there:
            raise UserError(f"{name} needs the package {known[name].needs}: pip install {known[name].needs}")
    masks = [Path(options.masks, f"{path.stem}.png") if options.masks else None for path in found]
    maps = [_map_of(Path(options.maps), path.name) for path in found] if options.maps else masks
    if any(path is None for path in maps):
        raise UserError("give --maps, --masks or both")
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    rows = [row for row in rows if "ssimulacra2" in row or not options.ssimulacra2]
    done = {(row["file"], row["quality"], row["encoder"]) for row in rows}
    half = len(found) // 2
    for index, path in enumerate(tasks.progress(found, unit="picture")):
        waiting = {quality: [name for name in names if (path.name, quality, name) not in done] for quality in qualities}
        if not any(waiting.values()):
            continue
        source = read_source(path)
        pixels = source.pixels
        finest, source_quality = semantic.source_tables(path, source, AUTO)
        saliency = _gray(maps[index], path)  # type: ignore[arg-type]
        # The map of the picture half the list away: the same for every run.
        other = (index + half) % len(found) if half else index
        wrong = _fitted(_gray(maps[other], found[other]), pixels.shape[:2])  # type: ignore[arg-type]
        mask_path = masks[index]
        mask = _gray(mask_path, path) if mask_path else None
        area = None if mask is None else float((mask > 127).mean())
        for quality, missing in waiting.items():
            if not missing:
                continue
            task = comparison.task_of(pixels, saliency, wrong, min(quality, source_quality or 100), finest)
            measured = comparison.compare(task, mask, missing, ["ssimulacra2"] if options.ssimulacra2 else [])
            new = [
                {"file": path.name, "area": area, **row, "quality": quality}
                for row in measured
                if (path.name, quality, row["encoder"]) not in done
            ]
            with kept.open("a") as handle:
                handle.write("".join(json.dumps(row) + "\n" for row in new))
            rows += new
    order = [comparison.REFERENCE, *(name for name in known if name in names)]
    pixels_of = {path.name: _pixels(path) for path in found}
    chosen = [
        row | {"pixels": pixels_of[row["file"]]}
        for row in rows
        if row["quality"] in qualities and row["file"] in pixels_of and row["encoder"] in order
    ]
    return sorted(chosen, key=lambda row: order.index(row["encoder"]))


def _summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, by encoder and quality, means and mean differences to the plain JPEG of the same size."""
    plain = {(row["file"], row["quality"]): row for row in rows if row["encoder"] == comparison.REFERENCE}
    keys = [key for key in rows[0] if key not in NOT_AVERAGED]
    answer = []
    for quality in sorted({row["quality"] for row in rows}):
        for name in dict.fromkeys(row["encoder"] for row in rows):
            group = [row for row in rows if row["encoder"] == name and row["quality"] == quality]
            differences = {
                key: [row[key] - plain[row["file"], quality][key] for row in group]
                for key in keys
                if key not in ("seconds", "size_ratio", "bytes")
            }
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
    if len(plain) < 3:
        return {}
    answer: dict[str, dict[str, float | None]] = {}
    for name in dict.fromkeys(row["encoder"] for row in summary):
        own = [row for row in summary if row["encoder"] == name]
        answer[name] = {}
        for key in RATED:
            if own[0].get(key) is None:
                continue
            rate = comparison.bd_rate(
                [row["bytes"] for row in plain],
                [row[key] for row in plain],
                [row["bytes"] for row in own],
                [row[key] for row in own],
            )
            answer[name][key] = round(rate, 2) if math.isfinite(rate) else None
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    result = Path(options.result)
    files.output_folder(result.parent)
    rows = _measure(options, result.with_suffix(".jsonl"))
    groups = {}
    for title, low, high in AREAS:
        chosen = [row for row in rows if row["area"] is None or low <= row["area"] <= high]
        if chosen and (title == "all" or rows[0]["area"] is not None):
            summary = _summary(chosen)
            groups[title] = {"summary": summary, "bd_rate": _rates(summary)}
    what = "our maps" if options.maps else "true masks"
    results.record(
        result,
        results.provenance(
            "python3 scripts/record_encoder.py " + results.portable(sys.argv[1:] if arguments is None else arguments),
            "msroi",
        ),
        {
            "what": f"encoders at the bytes of optimised progressive JPEG, {what}, every {options.every}. photograph",
            "codec": jpeg.codec_identity(),
            "areas": groups,
        },
    )
    note(f"written: {show(result)}")
    return EXIT_OK


def command() -> int:
    """Run as a console script."""
    return run_command("record_encoder.py", main)


if __name__ == "__main__":
    sys.exit(command())
