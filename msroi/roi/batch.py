"""Maps of files: read a picture, make its map and overlay, write both whole; which of a folder are finished already."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from q1net_msroi.msroi.roi import generate, overlay
from q1net_msroi.msroi.roi.network import Network, load_lite, load_tensorflow
from q1net_msroi.utils import files, images, tasks, tree
from q1net_msroi.utils.errors import UserError, os_error_line, show
from q1net_msroi.utils.journal import SUFFIX, Fingerprint, Journal, fingerprint

RECORD = f"map{SUFFIX}"
MAP_QUALITY = 95
ORIENTATION_TAG = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
AS_STORED = {**UPRIGHT, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


@dataclass(frozen=True)
class Job:
    """A picture, where its map and overlay go, and whether both are finished and up to date.

    In a folder's journal it is `key`, and `inputs` what it was when the work was planned.
    """

    image: Path
    map: Path
    overlay: Path
    finished: bool = False
    key: str = ""
    inputs: Fingerprint = field(default_factory=list)


@dataclass(frozen=True)
class NetworkChoice:
    """Which network makes the maps: the shipped one by LiteRT, or by TensorFlow that one or a `checkpoint`."""

    tensorflow: bool = False
    checkpoint: str | None = None

    def absolute(self) -> NetworkChoice:
        """Return the same choice for a process with another current folder."""
        return replace(self, checkpoint=self.checkpoint and str(Path(self.checkpoint).absolute()))


def load(choice: NetworkChoice, threads: int) -> Network:
    """Return the network of a choice, to be run by `threads` of LiteRT."""
    return _shared(choice.checkpoint) if choice.tensorflow else load_lite(threads)


@functools.lru_cache(maxsize=1)
def _shared(checkpoint: str | None) -> Network:
    return load_tensorflow(checkpoint)  # TensorFlow's functions may be called by several threads


@dataclass(frozen=True)
class Done:
    """What was made of one picture: its `classes` (name, share), `notes` for a person, `seconds`."""

    job: Job
    method: str
    classes: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "file": _text(self.job.image),
            "map": _text(self.job.map),
            "overlay": _text(self.job.overlay),
            "method": self.method,
            "classes": [{"name": name, "score": round(share, 4)} for name, share in self.classes],
            "seconds": round(self.seconds, 3),
        }


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def single_job(image: Path, output: Path, lossless: bool) -> Job:
    """Return the job of one picture: `msroi_map.jpg` (`.png`) and `overlayed_heatmap.png` in `output`."""
    job = Job(image, output / f"msroi_map{'.png' if lossless else '.jpg'}", output / "overlayed_heatmap.png")
    for path in (job.map, job.overlay):
        if path.exists() and image.exists() and path.samefile(image):
            raise UserError(f"{show(image)} would be overwritten by its own map; choose another --output_directory")
    return job


def plan(
    folder: Path, output: Path, lossless: bool, settings: dict[str, Any], overwrite: bool, recursive: bool = False
) -> list[Job]:
    """Return a job for every picture of `folder`, sorted by name: `map_<file name>.jpg`, `overlay_<file name>.png`.

    Those of a subfolder (`recursive`) go to the same subfolder of `output`. Finished is one whose picture is what it
    was, whose files are there, and were made with the same `settings`.
    """
    journal = Journal.open(output / RECORD)
    jobs = []
    for path in tree.find_pictures(folder, recursive, [output]):
        into = output / path.parent
        outputs = into / f"map_{path.name}{'.png' if lossless else '.jpg'}", into / f"overlay_{path.name}.png"
        try:
            inputs = fingerprint([folder / path])
        except OSError:  # said when it is read
            inputs = []
        finished = bool(inputs) and not overwrite and journal.is_finished(str(path), inputs, settings)
        jobs.append(Job(folder / path, *outputs, finished, str(path), inputs))
    return jobs


def settings_record(settings: generate.Settings, network: str) -> dict[str, Any]:
    """Return what a folder's maps depend on, besides the pictures."""
    return {**asdict(settings), "network": network}


def _orientation(path: Path) -> int:
    """Return the EXIF orientation 1..8; 1 where there is none or it is damaged."""
    try:
        with Image.open(path, formats=images.FORMATS) as image:
            value = int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF raises whatever it likes, and a picture without it is a picture still
        return 1
    return value if value in UPRIGHT else 1


def run_job(network: Network, job: Job, settings: generate.Settings) -> Done:
    """Make and write one picture's map (pixels as stored, like the picture's own) and overlay (upright, to look at)."""
    start = time.perf_counter()
    picture = images.read_rgb(job.image)
    notes = list(picture.notes)
    pixels = picture.pixels
    orientation = _orientation(job.image)
    if orientation != 1:
        pixels = np.ascontiguousarray(Image.fromarray(pixels).transpose(UPRIGHT[orientation]))
    result = generate.generate(network, pixels, settings)
    if not result.values.any():
        notes.append("nothing stands out: its map is flat (all zeros)")
    gray = Image.fromarray(result.values)
    if orientation != 1:
        gray = gray.transpose(AS_STORED[orientation])
    drawn = overlay.draw(pixels, result.values, result.classes, settings.method)
    _save(drawn, job.overlay, compress_level=1)
    if job.map.suffix == ".png":
        _save(gray, job.map)
    else:
        _save(gray, job.map, quality=MAP_QUALITY)
    return Done(job, settings.method, result.classes, tuple(notes), time.perf_counter() - start)


def _save(image: Image.Image, path: Path, **options: Any) -> None:
    kind = "PNG" if path.suffix == ".png" else "JPEG"
    if kind == "JPEG" and max(image.size) > 65_500:
        raise UserError(f"{show(path)}: a JPEG has at most 65,500 pixels a side; give --lossless for a PNG map")
    try:
        with files.atomic_path(path) as temporary:
            image.save(temporary, format=kind, **options)
    except OSError as error:
        if error.errno is None:
            raise UserError(f"{show(path)} cannot be written ({error})") from None
        raise UserError(os_error_line(error)) from None


def _work(choice: NetworkChoice, settings: generate.Settings, job: Job) -> Done:
    files.output_folder(job.map.parent)
    return run_job(tasks.per_thread(load, choice, 1), job, settings)


def run_folder(
    choice: NetworkChoice,
    jobs: Sequence[Job],
    settings: generate.Settings,
    journal: Journal,
    recorded: dict[str, Any],
    workers: int,
    scheduler: str | None = None,
) -> Iterator[Done | UserError]:
    """Yield the outcome of every job in order, and write down in `journal`, with the settings `recorded`, what is done.

    Each of `workers` threads, or of the workers of the cluster at `scheduler`, loads a network of its own.
    """
    work = functools.partial(_work, choice, settings)
    for outcome in tasks.folder_map(work, jobs, workers, scheduler, lambda job: show(job.image)):
        if isinstance(outcome, Done):
            job = outcome.job
            journal.add(job.key, job.inputs, recorded, [job.map, job.overlay])
        yield outcome
