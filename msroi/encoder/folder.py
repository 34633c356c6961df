"""A tree of pictures and a tree of their maps become a tree of JPEGs: which belong together, which are finished."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from q1net_msroi.msroi.encoder import combine
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.utils import files, images, results
from q1net_msroi.utils.errors import UserError, existing_folder, show, text
from q1net_msroi.utils.jobs import FolderJob, Task
from q1net_msroi.utils.journal import SUFFIX, Entry, Journal

RECORD = f"combine{SUFFIX}"
SUMMARY = "summary.csv"
MAPS = "maps"  # below the output folder, those made on the way
MAP_SUFFIXES = (".jpg", ".png")


@dataclass(frozen=True)
class Request:
    """What to do with a folder; with `metrics` pictures are measured, with a folder `pages` each gets a page there.

    Without `maps` they are made on the way, and the only file of a picture has its own name. `qualities`: the JPEG
    quality that pictures have been through, as `read_qualities` gives them. `beside_maps`: the output may be the maps'
    folder, whose files all have other names.
    """

    pictures: Path
    maps: Path | None
    output: Path
    settings: EncodingOptions
    recursive: bool = False
    metrics: bool = False
    pages: Path | None = None
    qualities: dict[str, int] = field(default_factory=dict)
    beside_maps: bool = False


@dataclass(frozen=True)
class Job(Task):
    """A picture, its map (None where `maps` has none), the folder for its JPEGs, how to encode it, its page's file.

    With a `name` its only JPEG is called that, and its map is made where it is not there yet.
    """

    map: Path | None
    output: Path
    settings: EncodingOptions
    page: Path | None = None
    maps: Path = Path()
    metrics: bool = False
    code: str = ""  # identity of what encodes
    name: str = ""

    def sources(self) -> list[Path]:
        """Return the picture, and its map where that is given."""
        if self.name:
            return [self.image]
        return [self.image, self.map or self.maps / f"map_{self.image.name}{MAP_SUFFIXES[0]}"]

    def settings_record(self) -> dict[str, Any]:
        """Return what the JPEGs depend on, the code that makes them too."""
        return {**asdict(self.settings), "code": self.code}

    def is_complete(self, entry: Entry, folder: Path) -> bool:
        """Return whether the page and the metrics that are asked for were made."""
        paged = self.page is None or os.path.relpath(self.page, folder) in entry.outputs
        return paged and (not self.metrics or all(record["metrics"] for record in entry.record))


@dataclass(frozen=True)
class Encoded:
    """What was made of a picture: its `records` (one a JPEG), what there is to say, the files written."""

    records: list[dict[str, Any]]
    sentences: list[str]
    log: list[str]
    notices: tuple[str, ...]
    outputs: list[Path]


def encode(job: Job) -> Encoded:
    """Write a picture's JPEGs and page; measure it where that or a page is asked for."""
    from q1net_msroi.msroi.encoder import report

    if job.map is None:
        name = f"map_{show(job.image.name)}.jpg or .png"
        raise UserError(f"{show(job.image)} has no map: {name} is not in {show(job.maps)}")
    if job.name:
        _make_map(job.image, job.map)
    if job.page:
        combine.refuse_own_input([job.page], job.sources(), "the page ", "--report")
    files.output_folder(job.output)
    outcome = combine.combine(job.image, job.map, job.output, job.settings, job.name)
    measured = report.measure(outcome) if job.metrics or job.page else None
    records = report.records(outcome, measured)
    outputs = [written.path for written in (outcome.plain, *outcome.ours) if written.path]
    if job.page:
        from q1net_msroi.msroi.encoder import page

        # Of several files the one that is nearest in size can be compared best.
        sizes = [abs(written.bytes - outcome.plain.bytes) for written in outcome.ours]
        index = sizes.index(min(sizes))
        plain, ours = outcome.plain.content, outcome.ours[index].content
        files.output_folder(job.page.parent)
        files.write_text(job.page, page.build_page(outcome.pixels, plain, ours, outcome.saliency, records[index]))
        outputs.append(job.page)
    log = report.log_lines(outcome, measured) if measured and job.metrics else []
    return Encoded(records, report.sentences(outcome), log, outcome.notices, outputs)


def _make_map(image: Path, saliency_map: Path) -> None:
    """Make a picture's map as generate_map.py does, unless it is there and made of the picture as it is now."""
    from q1net_msroi.msroi.roi import batch, generate, origin

    if saliency_map.is_file() and not origin.stranger(saliency_map, image)[0]:
        return
    job = batch.Job(image, saliency_map, saliency_map.with_name(f"overlay_{image.name}.png"))
    batch.run_one(batch.NetworkChoice(False, None), generate.Settings(), job)


def find_map(maps: Path, name: str) -> Path | None:
    """Return `map_<file name>.jpg` or `.png`, whichever is newer, as generate_map.py names a folder's maps."""
    found = [maps / f"map_{name}{suffix}" for suffix in MAP_SUFFIXES]
    with contextlib.suppress(OSError):  # a name too long for a map's fails alone
        return max(filter(Path.is_file, found), key=lambda path: path.stat().st_mtime_ns, default=None)
    return None


def read_qualities(path: Path, pictures: Path) -> dict[str, int]:
    """Return qualities 1..100 by place in the folder `pictures` from what `predict_cls.py --json` printed of it.

    Pictures without an answer are taken for never compressed and left out. Raises `UserError` for any other file.
    """
    qualities = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if record["quality"] is not None:
                name = os.path.relpath(record["file"], text(pictures))
                qualities[name] = min(max(round(record["quality"]), 1), 100)
    except (ValueError, TypeError, KeyError):
        raise UserError(f"{show(path)} is not what predict_cls.py --json prints; make it anew") from None
    return qualities


def plan(request: Request) -> list[Job]:
    """Return a job for every picture of a folder, sorted by name; what comes from a subfolder goes to the same one."""
    made = request.output / MAPS
    maps = existing_folder(request.maps) if request.maps else made
    for folder in (None if request.beside_maps else request.output, request.pages):
        if folder and folder.exists() and maps.exists() and folder.samefile(maps):
            raise UserError(f"the output folder {show(folder)} is the --maps folder too; choose another")
    others = [folder for folder in (request.output, request.pages) if folder]
    if request.maps and request.pictures.exists() and not maps.samefile(request.pictures):
        others.append(maps)
    jobs, code = [], results.code_identity("msroi")
    found = list(images.find_pictures(request.pictures, request.recursive, others))
    stems = Counter(path.with_suffix("") for path in found)
    for path in found:
        here = maps / path.parent
        saliency_map = find_map(here, path.name) if request.maps else here / f"map_{path.name}{MAP_SUFFIXES[0]}"
        name = ""
        if not request.maps:  # two pictures that differ in the suffix alone keep it
            stem = path.stem if stems[path.with_suffix("")] == 1 else path.name
            name = path.name if path.suffix == ".jpg" else f"{stem}.jpg"
        page = request.pages / path.parent / f"{path.name}.html" if request.pages else None
        settings = request.settings
        if quality := request.qualities.get(text(path)):
            settings = replace(settings, source_quality=quality)
        if settings.recovered:
            named = path.stem if stems[path.with_suffix("")] == 1 else path.name
            settings = replace(settings, recovered=str(Path(settings.recovered) / path.parent / f"{named}.jpg"))
        image, into = request.pictures / path, request.output / path.parent
        jobs.append(Job(image, saliency_map, into, settings, page, here, request.metrics, code, name, key=str(path)))
    return jobs


def start(
    request: Request, workers: int | None = None, scheduler: str | None = None, overwrite: bool = False
) -> FolderJob[Job, Encoded]:
    """Return the folder job of a request: it skips what its journal says is finished (not with `overwrite`)."""
    journal = request.output / RECORD
    return FolderJob("combine_images.py", encode, plan(request), workers, scheduler, journal, overwrite)


def run(request: Request, work: FolderJob[Job, Encoded]) -> Iterator[tuple[Job, Encoded | UserError]]:
    """Yield what `start` planned, job by job with its outcome; at the end, also when that comes early, write CSV."""
    earlier = Journal.open(request.output / RECORD).entries
    try:
        for job, outcome in work.run():
            if isinstance(outcome, Encoded) and job.key in earlier:
                _remove_superseded(earlier[job.key], outcome, request.output)
            yield job, outcome
    except BaseException:
        with contextlib.suppress(OSError, UserError):  # what ended the work is what must be said
            _write_summary(request, work)
        raise
    _write_summary(request, work)
    if request.pages:
        _write_index(request.pages, work)


def sizes(work: FolderJob[Job, Encoded]) -> tuple[int, int]:
    """Return how many bytes the pictures that are finished had, and how many their JPEGs have; 0, 0 of none."""
    done = [(job, entry) for job in work.tasks if (entry := work.entry(job))]
    before = sum(job.image.stat().st_size for job, _ in done)
    return before, sum(record["bytes"] for _, entry in done for record in entry.record)


def _remove_superseded(earlier: Entry, made: Encoded, output: Path) -> None:
    """Remove the plain JPEG that an earlier run with other settings wrote, where its semantic one was replaced now."""
    now = {os.path.relpath(path, output) for path in made.outputs}
    for name, size in earlier.outputs.items():
        path = output / name
        replaced = now & earlier.outputs.keys() and name not in now and path.name.startswith("_original_")
        if replaced and path.is_file() and path.stat().st_size == size:
            path.unlink()


def _write_summary(request: Request, work: FolderJob[Job, Encoded]) -> None:
    """Write a row a JPEG as CSV, and one for each picture that failed or that nobody came to."""
    rows: list[dict[str, Any]] = []
    for job in work.tasks:
        if job.key in work.failures:
            rows.append({"file": job.key, "status": "failed", "error": work.failures[job.key]})
        elif entry := work.entry(job):
            rows.extend({"file": job.key, "status": "done", **_flat(record)} for record in entry.record)
        else:
            rows.append({"file": job.key, "status": "waiting"})
    results.write_csv(request.output / SUMMARY, rows)


def _write_index(pages: Path, work: FolderJob[Job, Encoded]) -> None:
    """Write a page of links to the pages of all finished pictures."""
    from q1net_msroi.msroi.encoder import page

    listed = []
    for job in work.tasks:
        if job.page and (entry := work.entry(job)):
            place, size = os.path.relpath(job.page, pages), job.image.stat().st_size
            listed.append((job.key, place, size, entry.record[0]["bytes"]))
    files.write_text(pages / "index.html", page.build_index(listed))


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a JPEG's record as cells of a row; metrics become plain_psnr, ours_psnr ..."""
    row = {name: value for name, value in record.items() if name not in ("file", "metrics")}
    row["change_percent"] = 100 * (record["bytes"] / record["plain_bytes"] - 1)
    for side, values in (record["metrics"] or {}).items():
        if isinstance(values, dict):
            row |= {f"{side}_{name}": value for name, value in values.items()}
    return row
