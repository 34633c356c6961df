#!/usr/bin/env python3
"""Recover the JPEG behind a PNG, TIFF or WebP: written only where it decodes to exactly the same pixels."""

import argparse
import functools
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: the threads take a strip or a picture each

from q1net_msroi.utils import files, images, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command, show
from q1net_msroi.utils.jobs import FolderJob, Task
from q1net_msroi.utils.journal import Journal

RECORD, SUMMARY = "recovered_journal.jsonl", "recovered.csv"


@dataclass(frozen=True)
class Job(Task):
    """A picture, the JPEG that it becomes, and how."""

    target: Path
    allow_residual: bool = False
    replace: bool = False
    dry_run: bool = False

    def settings_record(self) -> dict[str, Any]:
        """Return what the outputs depend on."""
        return {"allow_residual": self.allow_residual}


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="recover_jpeg.py", description=__doc__, allow_abbrev=False)
    flags.in_path(parser, "a picture, or a folder of pictures; with --join the JPEG whose residual lies beside it")
    flags.out_path(parser, f"the JPEGs; of a folder also {SUMMARY}, a row a picture")
    residual = "where some pixels differ, store these in NAME.residual.png beside the JPEG; --join gives the picture"
    parser.add_argument("--allow_residual", action="store_true", help=residual)
    join = "write the picture that a JPEG and its residual are, or a JPEG less its invented margin, NAME.png"
    parser.add_argument("--join", action="store_true", help=join)
    away = "remove each source once its JPEG, read back from disk, gave exactly its pixels"
    parser.add_argument("--replace", action="store_true", help=away)
    parser.add_argument("--dry_run", action="store_true", help="write nothing; say what would be saved")
    regions = "of one picture: a PNG of its size, white where a block does not fit: changed since the compression"
    parser.add_argument("--map", metavar="FILE", help=regions)
    parser.add_argument("--overwrite", action="store_true", help="do finished pictures of a folder again")
    flags.recursive(parser)
    flags.workers(parser)
    flags.scheduler(parser)
    flags.version(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    path = Path(options.in_path)
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{show(path)} does not exist; give a picture or a folder of pictures")
    if options.replace and options.dry_run:
        raise UserError("--replace and --dry_run exclude each other")
    workers = tasks.worker_count(options.workers)
    if path.is_dir():
        if options.map or options.join:
            raise UserError("--map and --join take one picture, and a folder was given")
        return _folder(path, options, workers)
    output = Path(options.out_path) if options.dry_run else files.output_folder(options.out_path)
    return _join(path, output) if options.join else _one(path, output, options, workers)


def _one(path: Path, output: Path, options: argparse.Namespace, workers: int) -> int:
    from q1net_msroi.classifier.recovery import writing

    job = _job(path, output / f"{path.stem}.jpg", options)
    for name in (job.target, *([Path(options.map)] if options.map else [])):
        if name.exists() and name.samefile(path):
            raise UserError(f"{show(name)} is the source itself; choose another output")
    how = (job.allow_residual, job.replace, job.dry_run, workers, Path(options.map) if options.map else None)
    done = writing.process(path, job.target, *how)
    print(_line(path, done))
    return EXIT_OK if done.recovered else EXIT_SOME_FAILED


def _line(path: Path, done: Any) -> str:
    said = f"{show(path)}: {done.sentence}"
    if not done.recovered:
        return said
    sizes = [files.human_bytes(done.records[name]) for name in ("source_bytes", "bytes")]
    into = ", ".join(map(show, done.outputs)) or "would become"
    return f"{said}; {into}, {sizes[1]} instead of {sizes[0]}"


def _job(path: Path, target: Path, options: argparse.Namespace, **more: str) -> Job:
    return flags.settings(Job, options, image=path, target=target, **more)


def _plan(folder: Path, output: Path, options: argparse.Namespace) -> Iterable[Job]:
    """Yield a job for every picture; two that would become one file are told apart by their suffix."""
    found = images.find_pictures(folder, options.recursive, [output])
    stems = [path.with_suffix("") for path in found]
    for path in found:
        name = path.name if stems.count(path.with_suffix("")) > 1 else path.stem
        yield _job(folder / path, output / path.parent / f"{name}.jpg", options, key=str(path))


def work(job: Job) -> Any:
    """Do one picture of a folder."""
    from q1net_msroi.classifier.recovery import writing

    if not job.dry_run:
        files.output_folder(job.target.parent)
    return writing.process(job.image, job.target, job.allow_residual, job.replace, job.dry_run, 1)


def _folder(folder: Path, options: argparse.Namespace, workers: int) -> int:
    """Do a folder; at the end a CSV, and what was saved."""
    output = Path(options.out_path)
    planned = list(_plan(folder, output, options))
    journal = None if options.dry_run else files.output_folder(output) / RECORD
    job = FolderJob("recover_jpeg.py", work, planned, workers, options.scheduler, journal, options.overwrite)
    rows = {key: entry.record for key, entry in Journal.open(journal).entries.items()} if journal else {}
    for task, done in job.run():
        if not isinstance(done, UserError):
            rows[task.key] = done.records
            print(_line(task.image, done), flush=True)
    listed = [{"file": key, **row} for key, row in sorted(rows.items())]
    listed += [{"file": key, "recovered": 0, "said": said} for key, said in job.failures.items()]
    if not options.dry_run:
        results.write_csv(output / SUMMARY, listed)
    saved = [row for row in rows.values() if row["recovered"]]
    sizes = [files.human_bytes(sum(row[name] for row in saved)) for name in ("source_bytes", "bytes")]
    verb = "would become" if options.dry_run else "became"
    note(f"{len(saved)} of {len(listed)} pictures were JPEGs: {sizes[0]} {verb} {sizes[1]}")
    return job.close("could not be read as a JPEG's pixels")


def _join(path: Path, output: Path) -> int:
    import io

    from PIL import Image

    from q1net_msroi.classifier.recovery import writing

    beside, content = path.with_name(path.stem + writing.RESIDUAL), path.read_bytes()
    rest = beside.read_bytes() if beside.is_file() else b""
    if not rest and not writing.FRAME.search(content):
        raise UserError(f"{show(beside)} does not exist; --join needs the residual beside the JPEG, or a margin in it")
    buffer = io.BytesIO()
    Image.fromarray(writing.joined(content, rest)).save(buffer, "PNG")
    target = output / f"{path.stem}.png"
    if target.exists():
        raise UserError(f"{show(target)} exists; choose another --out_path")
    files.write_bytes(target, buffer.getvalue())
    print(f"{show(target)}: the picture that {show(path)}{f' and {show(beside)} are' if rest else ' holds'}")
    return EXIT_OK


command = functools.partial(run_command, "recover_jpeg.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
