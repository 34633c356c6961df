"""A tree of pictures and a tree of their maps become a tree of JPEGs: which belong together, which are finished."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from q1net_msroi.msroi.encoder import combine
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.utils import files, results, tasks, tree
from q1net_msroi.utils.errors import UserError, existing_folder, show
from q1net_msroi.utils.journal import SUFFIX, Fingerprint, Journal, fingerprint

RECORD = f"combine{SUFFIX}"
SUMMARY = "summary.csv"
MAP_SUFFIXES = (".jpg", ".png")
FAILED, WAITING, DONE = "failed", "waiting", "done"


@dataclass(frozen=True)
class Request:
    """What to do with a folder; with `metrics` pictures are measured, with a folder `pages` each gets a page there.

    `qualities`: the JPEG quality that pictures have been through, as `read_qualities` gives them.
    """

    pictures: Path
    maps: Path
    output: Path
    settings: EncodingOptions
    recursive: bool = False
    overwrite: bool = False
    metrics: bool = False
    pages: Path | None = None
    qualities: dict[str, int] = field(default_factory=dict)

    def absolute(self) -> Request:
        """Return the same request for processes with another current folder."""
        paths = {name: getattr(self, name).absolute() for name in ("pictures", "maps", "output")}
        return replace(self, **paths, pages=self.pages and self.pages.absolute())


@dataclass(frozen=True)
class Job:
    """A picture, how to encode it, its map (None where `maps` has none), the folder for its JPEGs, its page's file.

    In a folder's journal it is `key`, and `inputs` what picture and map were when the work was planned.
    """

    image: Path
    map: Path | None
    output: Path
    settings: EncodingOptions
    page: Path | None = None
    maps: Path = Path()
    finished: bool = False
    key: str = ""
    inputs: Fingerprint = field(default_factory=list)


@dataclass(frozen=True)
class Encoded:
    """What was made of a picture: its `records` (one a JPEG), what there is to say, the files written."""

    records: list[dict[str, Any]]
    sentences: list[str]
    log: list[str]
    notices: tuple[str, ...]
    outputs: list[Path]


def encode(metrics: bool, job: Job) -> Encoded:
    """Write a picture's JPEGs and page; measure it where `metrics` or the page ask for that."""
    from q1net_msroi.msroi.encoder import report

    if job.map is None:
        name = f"map_{show(job.image.name)}.jpg or .png"
        raise UserError(f"{show(job.image)} has no map: {name} is not in {show(job.maps)}")
    if (
        job.page
        and job.page.exists()
        and any(path.exists() and job.page.samefile(path) for path in (job.image, job.map))
    ):
        raise UserError(f"the page {show(job.page)} would overwrite the input; choose another --report")
    files.output_folder(job.output)
    outcome = combine.combine(job.image, job.map, job.output, job.settings)
    measured = report.measure(outcome) if metrics or job.page else None
    records = report.records(outcome, measured)
    outputs = [outcome.plain.path, *(written.path for written in outcome.ours)]
    if job.page:
        from q1net_msroi.msroi.encoder import page

        # Of several files the one that is nearest in size can be compared best.
        sizes = [abs(written.bytes - outcome.plain.bytes) for written in outcome.ours]
        index = sizes.index(min(sizes))
        plain, ours = (written.path.read_bytes() for written in (outcome.plain, outcome.ours[index]))
        files.output_folder(job.page.parent)
        files.write_text(job.page, page.build_page(outcome.pixels, plain, ours, outcome.saliency, records[index]))
        outputs.append(job.page)
    log = report.log_lines(outcome, measured) if measured and metrics else []
    return Encoded(records, report.sentences(outcome), log, outcome.notices, outputs)


def _find_map(maps: Path, name: str) -> Path | None:
    """Return `map_<file name>.jpg` or `.png`, whichever is newer, as generate_map.py names a folder's maps."""
    found = [path for suffix in MAP_SUFFIXES if (path := maps / f"map_{name}{suffix}").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def _utf_8(path: Path) -> str:
    """Return a path as predict_cls.py prints it."""
    return os.fsencode(path).decode("utf-8", "replace")


def read_qualities(path: Path, pictures: Path) -> dict[str, int]:
    """Return qualities 1..100 by place in the folder `pictures` from what `predict_cls.py --json` printed of it.

    Pictures without an answer are left out, for they are taken for never compressed.
    Raises `UserError` for a file that holds something else.
    """
    qualities = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if record["quality"] is not None:
                name = os.path.relpath(record["file"], _utf_8(pictures))
                qualities[name] = min(max(round(record["quality"]), 1), 100)
    except (ValueError, TypeError, KeyError):
        raise UserError(f"{show(path)} is not what predict_cls.py --json prints; make it anew") from None
    return qualities


def plan(request: Request) -> list[Job]:
    """Return a job for every picture of a folder, sorted by name; what comes from a subfolder goes to the same one.

    Finished is a picture that is with its map what it was, whose files are there, and were made with these settings
    (and measured, where that is asked for).
    """
    maps = existing_folder(request.maps)
    for folder in (request.output, request.pages):
        if folder and folder.exists() and folder.samefile(maps):
            raise UserError(f"the output folder {show(folder)} is the --maps folder too; choose another")
    others = [folder for folder in (request.output, request.pages) if folder]
    if request.pictures.exists() and not maps.samefile(request.pictures):
        others.append(maps)
    journal = Journal.open(request.output / RECORD)
    jobs = []
    for path in tree.find_pictures(request.pictures, request.recursive, others):
        image, into = request.pictures / path, request.output / path.parent
        saliency_map = _find_map(maps / path.parent, path.name)
        page = request.pages / path.parent / f"{path.name}.html" if request.pages else None
        settings = request.settings
        if quality := request.qualities.get(_utf_8(path)):
            settings = replace(settings, source_quality=quality)
        job = Job(image, saliency_map, into, settings, page, maps / path.parent, key=str(path))
        if saliency_map:
            with contextlib.suppress(OSError):  # said when it is read
                job = replace(job, inputs=fingerprint([image, saliency_map]))
        finished = not request.overwrite and bool(job.inputs) and _finished(journal, job, request)
        jobs.append(replace(job, finished=finished))
    return jobs


def _finished(journal: Journal, job: Job, request: Request) -> bool:
    if not journal.is_finished(job.key, job.inputs, asdict(job.settings)):
        return False
    entry = journal.entries[job.key]
    if job.page and os.path.relpath(job.page, request.output) not in entry.outputs:
        return False
    return not request.metrics or all(record["metrics"] for record in entry.record)


def run(
    request: Request, jobs: Sequence[Job], workers: int | None = None, scheduler: str | None = None
) -> Iterator[tuple[Job, Encoded | UserError]]:
    """Do the jobs that are not finished, on threads here or on a cluster, and yield each with its outcome, in order.

    What is done is written down at once; at the end, also when that comes early, the summary is written.
    """
    journal = Journal.open(request.output / RECORD)
    waiting = [job for job in jobs if not job.finished]
    errors: dict[str, str] = {}
    work = functools.partial(encode, request.metrics)
    outcomes = tasks.folder_map(work, waiting, workers, scheduler, lambda job: show(job.image))
    try:
        for job, outcome in zip(waiting, outcomes, strict=True):
            if isinstance(outcome, UserError):
                errors[job.key] = str(outcome)
            else:
                journal.add(job.key, job.inputs, asdict(job.settings), outcome.outputs, outcome.records)
            yield job, outcome
    except BaseException:
        with contextlib.suppress(OSError, UserError):  # what ended the work is what must be said
            _write_summary(request, jobs, journal, errors)
        raise
    _write_summary(request, jobs, journal, errors)


def _write_summary(request: Request, jobs: Sequence[Job], journal: Journal, errors: dict[str, str]) -> None:
    """Write a row a JPEG as CSV, and one for each picture that failed or that nobody came to."""
    rows: list[dict[str, Any]] = []
    for job in jobs:
        if job.key in errors:
            rows.append({"file": job.key, "status": FAILED, "error": errors[job.key]})
        elif journal.is_finished(job.key, job.inputs, asdict(job.settings)):
            records = journal.entries[job.key].record
            rows.extend({"file": job.key, "status": DONE, **_flat(record)} for record in records)
        else:
            rows.append({"file": job.key, "status": WAITING})
    columns = list(dict.fromkeys(name for row in rows for name in row))
    complete = [{name: row.get(name) for name in columns} for row in rows]
    results.write_csv(
        request.output / SUMMARY,
        [{name: _text(value) if isinstance(value, str) else value for name, value in row.items()} for row in complete],
    )


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a JPEG's record as cells of a row; metrics become plain_psnr, ours_psnr ..."""
    row = {name: value for name, value in record.items() if name not in ("file", "metrics")}
    row["change_percent"] = 100 * (record["bytes"] / record["plain_bytes"] - 1)
    for side, values in (record["metrics"] or {}).items():
        if isinstance(values, dict):
            row |= {f"{side}_{name}": value for name, value in values.items()}
    return row


def _text(value: str) -> str:
    """Return text that is valid UTF-8 also where a file name is not."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
