#!/usr/bin/env python3
"""Is what is said of the world's pictures true? Real JPEG files, and sets made of photographs, tables and drawings.

Sets: real (files of --images, by the origins of --origins), never (photographs that never were JPEG, through WebP and
AVIF, enlarged), single_known (saved once with the tables of --tables), double (saved twice), changed (contrast, gamma,
levels), turned (orientations), drawn (drawings, never JPEG), drawn_jpeg (the same, saved as JPEG).
"""

import argparse
import csv
import functools
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: the threads take a picture each

from q1net_msroi.classifier.benchmark import truth, verdicts, world
from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.options import Asked, add_model_options, add_patch_options
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import files, images, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError, note, run_command, show
from q1net_msroi.utils.jobs import FolderJob
from q1net_msroi.utils.journal import SUFFIX

SHOWN = Path("classifier", "results", "wild.json")  # the record that the repository shows
NAME = "measure_wild.py"


@dataclass(frozen=True)
class Judged:
    """The rows of a source's cases, as a folder job keeps them; no files are written."""

    records: list[verdicts.Row]
    outputs: tuple[Path, ...] = ()


def ask(asked: Asked, case: world.Case) -> Estimate:
    """Return the answer for a case: for its file where it is one, else for the pixels alone."""
    pixels = case.pixels()
    kind, estimator = registry.get_kind(asked.comp_type), tasks.per_thread(registry.load, asked)
    if min(pixels.shape[:2]) < kind.minimum_side:
        return Estimate(None, reason=f"a side is shorter than {kind.minimum_side} pixels")
    if case.file is None:
        return estimator.estimate(pixels).with_tie_interval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(case.file)
        return registry.estimate_file(estimator, path, images.read_rgb(path))


def judge(asked: Asked, treatments: Sequence[str], source: world.Source) -> Judged:
    """Return a row for every case of a source, of the named treatments or of all."""
    chosen = (case for case in source.cases() if not treatments or case.treatment in treatments)
    told = {"set": source.set_name, "source": f"{source.image.name} {source.number}"}
    return Judged([told | verdicts.judged(case, ask(asked, case)) for case in chosen])


def read_origins(path: Path | None) -> dict[str, str]:
    """Return the origin of every file of a CSV with the columns `file` and `origin`."""
    if path is None:
        return {}
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    if not rows or not {"file", "origin"} <= rows[0].keys():
        raise UserError(f"{show(path)} needs the columns file and origin")
    return {row["file"]: row["origin"] for row in rows}


def gather(options: argparse.Namespace, settings: Mapping[str, Any]) -> list[world.Source]:
    """Return the sources of all sets that were asked for; say which sets lack their inputs."""
    if unknown := [name for name in options.sets if name not in world.SETS]:
        raise UserError(f"unknown set {unknown[0]}; known are {', '.join(world.SETS)}")
    found = images.find_images(options.images, recursive=True) if options.images else []
    inputs = world.Inputs(
        files=[path for path in found if path.suffix.lower() in world.JPEG_SUFFIXES],
        origins=read_origins(options.origins),
        photographs=images.find_images(options.photographs) if options.photographs else [],
        tables=truth.read_tables(options.tables) if options.tables else [],
    )
    sources: list[world.Source] = []
    for name in options.sets:
        here = world.sample(world.sources(name, inputs, settings)[:: options.every], options.limit)
        if not here:
            note(f"{name} is left out: it needs {world.NEEDS[name]}")
        sources += here
    if not sources:
        raise UserError("nothing to measure; give --images, or --photographs (and --tables)")
    return sources


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__, formatter_class=how, allow_abbrev=False)
    add = parser.add_argument
    add("--images", type=Path, metavar="DIR", help="folder of JPEG files, with its subfolders")
    add("--origins", type=Path, metavar="CSV", help="columns file and origin: the groups of --images")
    add("--photographs", type=Path, metavar="DIR", help="folder of photographs that were never compressed")
    add("--tables", type=Path, metavar="CSV", help="columns luma and chroma, 64 steps each: tables of real files")
    add(
        "--sets",
        nargs="+",
        default=tuple(world.SETS),
        metavar="NAME",
        help=f"of {', '.join(world.SETS)} (default: all)",
    )
    add("--treatments", nargs="+", default=(), metavar="NAME", help="of every set, such as file decoded (default: all)")
    add("--every", type=int, default=1, metavar="N", help="every Nth source of a set (default: %(default)s)")
    add(
        "--limit",
        type=int,
        metavar="N",
        help="so many sources a set, drawn by chance but always the same (default: all)",
    )
    add("--overwrite", action="store_true", help="measure again what was finished before")
    add_model_options(parser, registry.described())
    add_patch_options(parser)
    parser.set_defaults(comp_type="auto")
    results.out_flags(parser, SHOWN)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the record, and every case as CSV beside it."""
    options = build_parser().parse_args(arguments)
    if options.every < 1 or (options.limit is not None and options.limit < 1):
        raise UserError("--every and --limit need at least 1")
    asked = flags.settings(Asked, options)
    registry.load(asked)  # what is missing is said before the first picture
    settings = {"code": results.code_identity("classifier", asked), "treatments": list(options.treatments)}
    found, out = gather(options, settings), options.out
    files.output_folder(out.parent)
    job = FolderJob(
        NAME,
        functools.partial(judge, asked, options.treatments),
        found,
        options.workers,
        journal=out.with_name(out.stem + SUFFIX),
        overwrite=options.overwrite,
        prints=False,
    )
    rows = measured(job)
    if not rows:
        raise UserError("no case was measured; see --treatments")
    summary = verdicts.summary(rows)
    print("\n".join(verdicts.table(summary)))
    command = results.command_line(f"scripts/{NAME}", arguments)
    used = {"asked": repr(asked)}
    made = results.provenance(command, "classifier", settings=used, weights=sorted(weights.SAVE.glob("*/*.tflite")))
    results.write_csv(out.with_suffix(".csv"), rows)
    results.record(out, made, {"failed": len(job.failures), "rows": summary})
    return job.close("could not be measured")


def measured(job: FolderJob[world.Source, Judged]) -> list[verdicts.Row]:
    """Return the rows of all sources in order, also of those that were finished before; say every set's end."""
    waiting = {source.key for source in job.waiting}
    finished = {source.key: job.entry(source) for source in job.tasks if source.key not in waiting}
    rows: dict[str, list[verdicts.Row]] = {key: entry.record for key, entry in finished.items() if entry}
    for number, (source, outcome) in enumerate(job.run(), 1):
        if isinstance(outcome, Judged):
            rows[source.key] = outcome.records
        if number % 20 == 0:
            note(f"{number} of {len(job.waiting)} sources, set {source.set_name}")
    return [row for source in job.tasks for row in rows.get(source.key, [])]


if __name__ == "__main__":
    sys.exit(run_command(NAME, main))
