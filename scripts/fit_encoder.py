#!/usr/bin/env python3
"""Search the weights of the rate-distortion encoder, or sweep one, on a folder of photographs.

The objective: by how many per cent plain JPEG's file would have to grow to gain what ours gains at the same bytes,
the mean over photographs, qualities and metrics. A metric's gain is divided by what plain JPEG gains per logarithm of
its bytes, so that dB and indices can be averaged. What is measured is kept in fit_encoder_measured.json: a run that was
stopped goes on where it stopped. Nothing in the code changes; a better value is for a person to weigh.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from q1net_msroi.classifier.evaluation.pictures import parse_qualities
from q1net_msroi.msroi.encoder import rate_distortion
from q1net_msroi.msroi.encoder.options import RATE_DISTORTION, EncodingOptions
from q1net_msroi.msroi.encoder.scene import Scene
from q1net_msroi.msroi.encoder.settings import SETTINGS, EncoderSettings
from q1net_msroi.msroi.encoder.source import read_map, read_source
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.utils import files, images, jpeg, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command
from q1net_msroi.utils.settings import Entry, describe, fingerprint

METRICS = "ssimulacra2,ssimulacra2,psnrhvsm,butteraugli,msssim"  # one that is named twice counts twice


def _names(entry: Entry) -> list[str]:
    """Return the name of a setting, or of each number of a list of them: name.0, name.1 ..."""
    return [f"{entry.name}.{i}" for i in range(len(entry.value))] if isinstance(entry.value, tuple) else [entry.name]


NAMES = [name for entry in describe(SETTINGS) for name in _names(entry)]
WEIGHTS = [name for entry in describe(SETTINGS) if "fit_encoder" in entry.refit for name in _names(entry)]
FACTORS = (0.7, 1.4)  # what the search multiplies a weight by
FINER = 4  # by how much the quality differs from which plain JPEG's gain per byte is taken
OBJECTIVE = "objective"
Values = dict[str, float]


def get(settings: EncoderSettings, name: str) -> float:
    """Return a number of some settings by its name."""
    field, _, index = name.partition(".")
    value = getattr(settings, field)
    number: float = value[int(index)] if index else value
    return number


def put(settings: EncoderSettings, name: str, value: float) -> EncoderSettings:
    """Return settings with another number."""
    field, _, index = name.partition(".")
    changed: Any = value
    if index:
        numbers = list(getattr(settings, field))
        numbers[int(index)] = value
        changed = tuple(numbers)
    return replace(settings, **{field: changed})


class Study:
    """The photographs of a folder, what to measure of them, and what was measured, kept in a file as it grows."""

    def __init__(self, folder: str, options: argparse.Namespace) -> None:
        found = images.find_images(folder)
        chosen = np.linspace(0, len(found) - 1, min(options.count, len(found))).round().astype(int)
        self.photographs, self.masks = [found[index] for index in chosen], options.masks
        self.qualities = parse_qualities(options.qualities)
        self.metrics = options.metrics.split(",")
        if unknown := set(self.metrics) - set(suite.METRICS):
            raise UserError(f"--metrics {', '.join(sorted(unknown))}: unknown; known are {', '.join(suite.METRICS)}")
        self.metrics = [key for key in self.metrics if suite.METRICS[key].is_there]
        self.file = files.output_folder(options.out_path) / "fit_encoder_measured.json"
        self.kept: dict[str, Values] = files.read_json(self.file) if self.file.exists() else {}
        self.code = results.code_identity("msroi", self.masks)

    def _measure(self, path: Path, quality: int, settings: EncoderSettings) -> list[Values]:
        """Return metrics and bytes of the plain JPEG of `quality`, of a finer one, and of ours as large as the first.

        What is kept is not measured again.
        """
        names = "plain", "finer", fingerprint(settings)
        keys = {name: f"{self.code} {path.parent.name}/{path.name} {quality} {name}" for name in names}
        if missing := [name for name, key in keys.items() if key not in self.kept]:
            source = read_source(path)
            mask = np.full(source.pixels.shape[:2], 255, np.uint8)
            if self.masks:
                mask, _ = read_map(Path(self.masks, f"{path.stem}.png"), source)
            reference = suite.Reference(source.pixels, mask=mask)
            asked = EncodingOptions(RATE_DISTORTION, strength=0.5 if self.masks else 0.0)
            size = len(jpeg.encode(source.pixels, quality, progressive=True))
            for name in missing:
                if name in ("plain", "finer"):
                    own = quality if name == "plain" else min(quality + FINER, 100)
                    content = jpeg.encode(source.pixels, own, progressive=True)
                else:
                    scene = Scene(source.pixels, mask, settings=settings)
                    target = rate_distortion.Target(size, quality, plain_size=size)
                    content = rate_distortion.encode(scene, target, asked).content
                measured = suite.measure(reference, jpeg.decode(content), self.metrics)
                self.kept[keys[name]] = {**measured, "bytes": len(content)}
            files.write_json(self.file, self.kept)
        return [self.kept[key] for key in keys.values()]

    def gains(self, settings: EncoderSettings) -> Values:
        """Return for each metric, and for the mean of all, the per cent by which plain JPEG would have to grow."""
        gained, slope = np.zeros((2, len(self.qualities), len(self.metrics)))
        for path in tasks.progress(self.photographs, unit="picture"):
            for row, quality in enumerate(self.qualities):
                plain, finer, ours = self._measure(path, quality, settings)
                log_bytes = np.log(finer["bytes"] / plain["bytes"])
                gained[row] += [suite.METRICS[key].gain(plain[key], ours[key]) for key in self.metrics]
                finer_gain = [suite.METRICS[key].gain(plain[key], finer[key]) for key in self.metrics]
                slope[row] += np.array(finer_gain) / log_bytes
        shares = 100 * np.expm1((gained / slope).mean(axis=0))
        return {OBJECTIVE: float(shares.mean()), **dict(zip(self.metrics, shares.tolist(), strict=True))}


def _try(study: Study, base: EncoderSettings, name: str, values: Sequence[float]) -> list[dict[str, Any]]:
    """Measure and print `base` with each value of a setting, in rising order."""
    kind = type(get(SETTINGS, name))
    rows = []
    for value in sorted({kind(value) for value in values}):
        rows.append({"name": name, "value": value, **study.gains(put(base, name, value))})
        said = "  ".join(f"{key} {rows[-1][key]:+.2f}" for key in dict.fromkeys((OBJECTIVE, *study.metrics)))
        print(f"{name} {value:g}: {said} %", flush=True)
    return rows


def _search(study: Study, rounds: int) -> tuple[EncoderSettings, list[dict[str, Any]]]:
    """Move one weight after the other by `FACTORS` to where the objective is greatest."""
    best, rows = SETTINGS, []
    for _ in range(rounds):
        before = best
        for name in WEIGHTS:
            now = get(best, name)
            tried = _try(study, best, name, [now, *(now * factor for factor in FACTORS)])
            best = put(best, name, max(tried, key=lambda row: row[OBJECTIVE])["value"])
            rows += tried
        if fingerprint(best) == fingerprint(before):
            break
    return best, rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="fit_encoder.py", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    flags.in_path(parser, "folder of photographs to fit on, never compressed")
    add("--val_path", help="folder of others to confirm the best on; nothing is chosen there")
    add("--masks", help="folder of object masks, <name>.png: maps at strength 0.5; for --only, to report")
    add("--only", choices=NAMES, metavar="NAME", help="sweep this setting instead of searching")
    add("--values", help="of --only, by comma; the present one is measured too")
    add("--rounds", type=int, default=1, help=f"of the search of {', '.join(WEIGHTS)} (default: 1)")
    add("--count", type=int, default=12, help="photographs, evenly from a folder (default: %(default)s)")
    add("--metrics", default=METRICS, help="of the objective; inside: PSNR of R, G, B in the masks or everywhere")
    flags.qualities(parser, "30,50,75")
    flags.out_path(parser, "fit_encoder.json and fit_encoder_measured.json")
    options = parser.parse_args(arguments)
    if options.masks and not options.only:
        raise UserError("--masks is for reports: give --only too, nothing is chosen on masks")
    study = Study(options.in_path, options)
    if options.only:
        values = [float(part) for part in (options.values or "").split(",") if part]
        rows = _try(study, SETTINGS, options.only, [get(SETTINGS, options.only), *values])
        best = put(SETTINGS, options.only, max(rows, key=lambda row: row[OBJECTIVE])["value"])
    else:
        best, rows = _search(study, options.rounds)
    moved = {name: get(best, name) for name in NAMES if get(best, name) != get(SETTINGS, name)}
    result: dict[str, Any] = {"objective": __doc__, "photographs": len(study.photographs), "curve": rows, "best": moved}
    if options.val_path:
        confirm = Study(options.val_path, options)
        result["confirmed"] = {"present": confirm.gains(SETTINGS), "best": confirm.gains(best)}
        for title, gains in result["confirmed"].items():
            print(f"{options.val_path}, {title}: {OBJECTIVE} {gains[OBJECTIVE]:+.2f} %")
    command = results.command_line("scripts/fit_encoder.py", arguments)
    made = results.provenance(command, "msroi", settings={"encoder": fingerprint(SETTINGS)})
    results.record(Path(options.out_path) / "fit_encoder.json", made, result)
    note(f"fit_encoder.py: the objective is greatest with {moved or 'the present values'}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("fit_encoder.py", main))
