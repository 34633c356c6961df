#!/usr/bin/env python3
"""Write save/*/phone.json, all that a phone or a browser needs beside a .tflite file, and docs/phone/Q1Net.kt from it.

To be run after to_tflite.py and calibrate_cls.py. The expected answers are those of the Python estimator on three
parts of the sample pictures.
"""

import argparse
import dataclasses
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.network import NetworkEstimator, calibrated
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.q1net import patches, weights
from q1net_msroi.classifier.q1net.configs import BLOCK, CONFIGS, GRID, PATCH
from q1net_msroi.classifier.q1net.settings import NETWORK
from q1net_msroi.utils import files, images
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show

KOTLIN = files.REPOSITORY / "docs" / "phone" / "Q1Net.kt"
OF_KOTLIN = "jpeg_paper"  # the variant whose numbers the class holds
RULE = "grid/median"  # the paper's, and the default of predict_cls.py
INPUTS = {"float32": "float32", "float16": "float32", "int8": "uint8"}


@dataclasses.dataclass(frozen=True)
class Vector:
    """A part of a sample picture, left, top, width and height; its name in the record."""

    picture: str
    part: tuple[int, int, int, int]

    def pixels(self) -> NDArray[np.uint8]:
        """Return the part's (height, width, 3) RGB pixels."""
        left, top, width, height = self.part
        whole = images.read_rgb(files.REPOSITORY / "sample_image" / self.picture).pixels
        return np.ascontiguousarray(whole[top : top + height, left : left + width])


VECTORS = (
    Vector("coffee_jpeg_q20.png", (0, 0, 600, 400)),
    Vector("rocket_jpeg_q80.png", (0, 0, 640, 427)),
    Vector("astronaut_jpeg_q50.png", (200, 96, 141, 90)),  # sides too short for 16 places each
)


def model_record(folder: Path, kind: str) -> dict[str, Any]:
    """Return what belongs to one .tflite file: name, checksum, input type, threshold, correction, intervals."""
    path, entry = folder / weights.TFLITE_NAMES[kind], calibrated(folder, kind).get(RULE)
    if not path.exists() or entry is None:
        raise UserError(f"{show(path)} or its calibration is missing; run to_tflite.py, then calibrate_cls.py")
    interval = {name: entry["interval"][name] for name in ("coverage", "edges", "offsets")}
    most = entry["interval"].get("most_spread")
    interval["most_spread"] = 100.0 if most is None else most  # between any two qualities
    fitted = {"threshold": entry["threshold"], "correction": entry["correction"], "interval": interval}
    return {"file": path.name, "sha256": files.sha256(path), "input": INPUTS[kind], **fitted}


def vector_record(vector: Vector, order: str, estimators: dict[str, NetworkEstimator]) -> dict[str, Any]:
    """Return what has to come out of a part of a picture: patch places, the model's input, each model's answer."""
    pixels = vector.pixels()
    starts = {
        name: patches.grid_starts(side).tolist()
        for name, side in zip(("rows", "columns"), pixels.shape[:2], strict=True)
    }
    given = patches.to_channel_order(patches.cut_grid(pixels), order)
    answers = {}
    for kind, estimator in estimators.items():
        answer = estimator.estimate(pixels)
        shown = {name: getattr(answer.evidence, name) for name in ("confident_patches", "uncorrected")}
        answers[kind] = {**shown, "quality": round(answer.quality or 0, 3), "interval": answer.interval}
    digest = hashlib.sha256(given.tobytes()).hexdigest()
    return {"picture": vector.picture, "part": vector.part, **starts, "input_sha256": digest, "answers": answers}


def phone_record(comp_type: str, save_path: str | None) -> dict[str, Any]:
    """Return the record of a variant: what all of its models share, the models, the expected answers."""
    folder = weights.model_folder(CONFIGS[comp_type], save_path)
    order = weights.channel_order(folder)
    kinds = {kind: model_record(folder, kind) for kind in weights.TFLITE_NAMES}
    estimators = {kind: NetworkEstimator(Asked(comp_type, save_path, kind)) for kind in kinds}
    batch = weights.read_card(folder)["tflite"][weights.TFLITE_NAMES["float32"]]["batch"]
    regions = {
        "window": LATTICE.window_side,
        "most_patches": LATTICE.most_patches,
        "confidence": LATTICE.window_confidence,
        "difference": LATTICE.window_difference,
        "smallest_error": NETWORK.smallest_error,
    }
    return {
        "comp_type": comp_type,
        "channel_order": order,
        "batch": batch,
        **{"patch": PATCH, "block": BLOCK, "grid": GRID, "least_share": NETWORK.least_share},
        "models": kinds,
        "map": regions,
        "vectors": [vector_record(vector, order, estimators) for vector in VECTORS],
    }


def as_text(record: dict[str, Any]) -> str:
    """Return the record as JSON, a list of plain values on one line."""
    text = json.dumps(record, indent=1)
    return (
        re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text)
        + "\n"
    )


def kotlin_numbers(record: dict[str, Any]) -> str:
    """Return the record's numbers as members of the Kotlin class."""
    shifts = ", ".join(str({"R": 16, "G": 8, "B": 0}[channel]) for channel in record["channel_order"])
    lines = [
        f"private const val BATCH = {record['batch']} // patches a call",
        f"private const val LEAST_SHARE = {record['least_share']} // of the patches with texture",
        f"private val SHIFTS = intArrayOf({shifts}) // {record['channel_order']}",
    ]
    for kind, model in record["models"].items():
        correction, interval = model["correction"], model["interval"]
        below, above = zip(*interval["offsets"], strict=True)
        rows = {
            "knots": correction["knots"],
            "corrected": correction["values"],
            "edges": interval["edges"],
            "below": below,
            "above": above,
        }
        size = {"uint8": 1, "float32": 4}[model["input"]]
        values = [f'    "{model["file"]}", bytesPerValue = {size}, threshold = {model["threshold"]}']
        for name, row in rows.items():
            values.append(f"    {name} = doubleArrayOf({', '.join(str(float(value)) for value in row)})")
        values.append(f"    mostSpread = {interval['most_spread']}")
        lines += [f"val {kind.upper()} = Model(", *",\n".join(values).splitlines(), ")"]
    return "".join(f"        {line}\n" for line in lines)


def with_numbers(kotlin: str, record: dict[str, Any]) -> str:
    """Return the Kotlin class with the record's numbers between its two marks."""
    begin, end = "        // numbers: begin\n", "        // numbers: end\n"
    return re.sub(f"{begin}.*?{end}", lambda _: begin + kotlin_numbers(record) + end, kotlin, flags=re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the records, and the class where the shipped weights are asked for."""
    parser = argparse.ArgumentParser(prog="make_phone.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--comp_type", choices=list(CONFIGS), help="one variant (default: all)")
    parser.add_argument("--save_path", help="folder of <comp_type>/ with your own weights (default: the shipped ones)")
    options = parser.parse_args(arguments)
    for comp_type in [options.comp_type] if options.comp_type else CONFIGS:
        path = weights.model_folder(CONFIGS[comp_type], options.save_path) / "phone.json"
        record = phone_record(comp_type, options.save_path)
        files.write_text(path, as_text(record))
        note(f"written: {show(path)}")
        if comp_type == OF_KOTLIN and options.save_path is None:
            files.write_text(KOTLIN, with_numbers(KOTLIN.read_text(encoding="utf-8"), record))
            note(f"written: {show(KOTLIN)}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("make_phone.py", main))
