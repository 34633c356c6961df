#!/usr/bin/env python3
"""Estimate how strongly pictures were JPEG-compressed, from their pixels (auto: and from what a JPEG file says)."""

import argparse
import contextlib
import functools
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: the threads take a picture each

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators import parts, quantisation, registry, table
from q1net_msroi.classifier.estimators.options import Asked, add_model_options, add_patch_options
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.estimators.table import PictureTask
from q1net_msroi.classifier.lattice.splices import Splices
from q1net_msroi.utils import files, images, inputs, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show
from q1net_msroi.utils.inputs import Given

PEOPLE = "auto"  # the estimator for paths that are given without a flag
FILES = ("csv", "report")  # flags that ask for a file of all answers instead of a line each
STOPPED = "not looked at: the command was stopped before"


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="predict_cls.py", description=__doc__, allow_abbrev=False)
    what = "pictures, folders, patterns ('photos/**/*.jpg'), or - for one picture from stdin"
    parser.add_argument("paths", nargs="*", metavar="PATH", help=what)
    original = "a picture or a folder, as in the original: its lines name pictures without folder and suffix, and the"
    flags.in_path(parser, f"{original} default of --comp_type is jpeg_paper", False)
    flags.recursive(parser, "look into the subfolders of a folder too")
    fallback = "answer this instead of unknown; 100 is what the original says"
    parser.add_argument("--fallback", type=float, metavar="QUALITY", help=fallback)
    flags.as_json(parser, "one JSON object a picture")
    parser.add_argument("--explain", action="store_true", help="print the evidence below each answer")
    both = (
        "print the luma and the chroma quantisation table, - where the pixels do not tell a step, and who writes such"
    )
    parser.add_argument("--tables", action="store_true", help=both)
    rows = f"write a table, a row a picture: {', '.join(table.COLUMNS)}; - for stdout. strongest: the strongest"
    parser.add_argument("--csv", metavar="FILE", help=f"{rows} compression known, the lesser of quality and earlier")
    page = "write a page to look at, all in one HTML file: what to look at first, a sortable table, quality maps"
    parser.add_argument("--report", metavar="FILE", help=page)
    regions = "of one picture: also write its quality region by region as a PNG picture over the photograph"
    parser.add_argument("--map", metavar="FILE", help=regions)
    add_model_options(parser, registry.described(), f"default: {PEOPLE}; with --in_path %(default)s")
    add_patch_options(parser)
    flags.scheduler(parser)
    flags.version(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if bool(options.paths) == (options.in_path is not None):
        raise UserError("give a picture, a folder, or - for stdin (or one as --in_path, as in the original)")
    if options.paths:
        parser.set_defaults(comp_type=PEOPLE)
        options = parser.parse_args(arguments)
    if options.fallback is not None and not math.isfinite(options.fallback):
        raise UserError(f"--fallback {options.fallback} is no number; give a quality, 0..100")
    workers = tasks.worker_count(options.workers)
    with inputs.given(options.paths or [options.in_path], options.recursive) as given:
        if options.map and not given.one:
            raise UserError(f"--map takes one picture, and {len(given.paths)} were given")
        _check_output(options.map, "map", given)
        if given.one and not any(getattr(options, name) for name in FILES):
            return _one(given, options, flags.settings(Asked, options, threads=workers))
        return _several(given, options, workers)


def _one(given: Given, options: argparse.Namespace, asked: Asked) -> int:
    """Answer for one picture."""
    kind, path = registry.get_kind(asked.comp_type), given.paths[0]
    name = given.name(path)
    try:
        picture = images.read_rgb(path, minimum_side=kind.minimum_side)
    except UserError as error:
        if options.map:
            raise
        _print_answer(
            name, registry.estimate_unread(registry.load(asked), path, error, options.fallback), options, asked
        )
        return EXIT_OK
    for remark in picture.notes:
        note(f"{show(name)}: {remark}")
    estimator = registry.load(asked)
    if not options.json and kind.warms_up:
        registry.estimate_file(estimator, path, picture)  # the first one warms up, as in the original
    answer = registry.estimate_file(estimator, path, picture, options.fallback)
    _print_answer(name, answer, options, asked)
    if options.map:
        spliced = parts.read_picture(path, picture.pixels, answer.evidence)
        told = _draw_map(picture.pixels, spliced, Path(options.map), show(Path(name).name), asked)
        note(told) if options.json else print(told)
    return EXIT_OK


def _draw_map(pixels: NDArray[np.uint8], spliced: Splices | None, place: Path, title: str, asked: Asked) -> str:
    """Write the map and return in one line what it shows: parts with another first compression, else qualities."""
    from q1net_msroi.classifier.estimators import local

    if spliced is not None and (proof := parts.evidence(spliced)):
        local.draw_parts(pixels, spliced, place, title)
        return f"{show(str(place))}: {proof.apart}"
    found = local.regions(pixels, asked)
    local.draw(pixels, found, place, title)
    return f"{show(str(place))}: {found.told(*pixels.shape[:2])}"


def _print_answer(name: str, estimate: Estimate, options: argparse.Namespace, asked: Asked) -> None:
    """Print the answer for one picture."""
    if options.json:
        _print_json(name, estimate, asked)
    elif estimate.quality is None:
        print(f"predicted quality {estimate.sentence()}")
    else:
        print(f"predicted quality {estimate.quality:.2f}, estimated in {estimate.seconds:.3f} seconds")
    if not options.json:
        always = registry.get_kind(asked.comp_type).explains or estimate.evidence.unread is not None
        _print_evidence(estimate, options, always)


def _several(given: Given, options: argparse.Namespace, workers: int) -> int:
    """Answer for every picture; those that cannot be read are named, and have a row of the table that says why."""
    asked = flags.settings(Asked, options)
    registry.load(asked)  # a missing or damaged model is said once, before the first picture
    for name in FILES:
        _check_output(getattr(options, name), name, given)
    if options.csv == inputs.STDIN and options.json:
        raise UserError("--csv - and --json both write to stdout; name a file for --csv")
    from q1net_msroi.utils.jobs import FolderJob

    work = functools.partial(table.answer, asked, options.fallback)
    planned = [PictureTask(path, name=given.name(path), sketched=bool(options.report)) for path in given.paths]
    lines = not (options.csv or options.report)
    job = FolderJob("predict_cls.py", work, planned, workers, options.scheduler, prints=lines)
    entries: list[table.Entry] = []
    try:
        for number, (task, answer) in enumerate(job.run(), 1):
            if isinstance(answer, UserError):
                entries.append(table.Entry(table.failed_row(task.name, str(answer))))
                continue
            entries.append(answer.entry)
            if options.json:
                _print_json(task.name, answer.estimate, asked)
            elif lines:
                name = task.name if options.paths or options.recursive else task.image.stem
                print(f"{number:3d}/{len(planned)}: {show(name)}, {answer.estimate.short()}", flush=True)
                _print_evidence(answer.estimate, options)
    except BaseException:
        waiting = (table.failed_row(task.name, STOPPED) for task in planned[len(entries) :])
        with contextlib.suppress(OSError, UserError):  # what ended the work is what must be said
            _write_table([*(entry.row for entry in entries), *waiting], options.csv)
        raise
    if lines and not options.json:
        _print_mean([entry.row["quality"] for entry in entries])
    _write(entries, options)
    return job.close("could not be read")


def _check_output(place: str | None, flag: str, given: Given) -> None:
    """Raise `UserError` for a file that cannot be written or is one of the pictures, before the work begins."""
    if place is None or place == inputs.STDIN:
        return
    path = Path(place)
    if not path.exists() or path.is_file():  # and no device or pipe
        files.output_folder(path.parent)
    if path.is_file() and any(each.exists() and path.samefile(each) for each in given.paths):
        raise UserError(f"--{flag} {show(place)} would overwrite the picture; choose another name")


def _print_mean(qualities: Sequence[float | None]) -> None:
    known = [quality for quality in qualities if quality is not None]
    print(f"Mean: {sum(known) / len(known):.2f}" if known else "Mean: unknown (no picture has an answer)")


def _write(entries: Sequence[table.Entry], options: argparse.Namespace) -> None:
    """Write table and page, and say where they are."""
    rows = [entry.row for entry in entries]
    _write_table(rows, options.csv)
    if options.report:
        from q1net_msroi.classifier.estimators import page

        files.write_text(options.report, page.build(entries, options.comp_type))
    known = sum(row["strongest"] is not None for row in rows)
    for place in filter(None, (options.csv, options.report)):
        if place != inputs.STDIN:
            told = f"{show(place)}: {len(rows):,} picture{'s'[: len(rows) > 1]}, {known:,} with an answer"
            note(told) if options.json or options.csv == inputs.STDIN else print(told)


def _write_table(rows: Sequence[table.Row], place: str | None) -> None:
    """Write rows as CSV to a file or stdout, if that was asked for."""
    if place == inputs.STDIN:
        print(table.csv_text(rows), end="", flush=True)
    elif place:
        files.write_text(place, table.csv_text(rows))


def _print_json(name: str, estimate: Estimate, asked: Asked) -> None:
    told = estimate.record(name, asked.comp_type)
    if asked.tables:
        found = estimate.evidence.quantisation
        told |= quantisation.NOT_TOLD if found is None else found.record()
    print(json.dumps(told), flush=True)


def _print_evidence(estimate: Estimate, options: argparse.Namespace, always: bool = False) -> None:
    """Print the answer as a sentence, unless the line above said so already, and what it rests on."""
    if (always or options.explain) and estimate.quality is not None:
        print(estimate.sentence(), flush=True)
    if options.explain:
        for line in estimate.lines():
            print(f"  {line}", flush=True)
    if options.tables:
        found = estimate.evidence.quantisation
        for line in ["no quantisation table is told"] if found is None else found.lines():
            print(f"  {line}", flush=True)


command = functools.partial(run_command, "predict_cls.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
