"""Maps of files: read a picture, make its map and overlay, write both whole; which of a folder are finished already."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from msroi.roi import generate, overlay
from msroi.roi.network import Network
from utils import files, images, tasks
from utils.errors import UserError, os_error_line, show

RECORD = "map_settings.json"
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
    """A picture, where its map and overlay go, and whether both are finished and up to date."""

    image: Path
    map: Path
    overlay: Path
    finished: bool = False


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


def plan(folder: Path, output: Path, lossless: bool, settings: dict[str, Any], overwrite: bool) -> list[Job]:
    """Return a job for every picture of `folder`, sorted by name: `map_<file name>.jpg`, `overlay_<file name>.png`.

    Finished is one whose files are newer than the picture and were made with the same `settings`.
    """
    if output.samefile(folder):
        raise UserError(f"the output folder {show(output)} is the input folder too; choose another --output_directory")
    found = images.find_images(folder)
    record = output / RECORD
    try:
        same = record.is_file() and files.read_json(record) == settings
    except UserError:  # damaged: as if there were none
        same = False
    if not same:
        files.write_json(record, settings)
    jobs = []
    for image in found:
        outputs = output / f"map_{image.name}{'.png' if lossless else '.jpg'}", output / f"overlay_{image.name}.png"
        finished = not overwrite and _finished(outputs, (image, record))
        jobs.append(Job(image, *outputs, finished))
    return jobs


def _finished(outputs: Sequence[Path], inputs: Sequence[Path]) -> bool:
    if not all(path.is_file() and path.stat().st_size for path in outputs) or not all(p.exists() for p in inputs):
        return False
    oldest = min(path.stat().st_mtime_ns for path in outputs)
    return oldest >= max(path.stat().st_mtime_ns for path in inputs)


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


def run_folder(
    load: Callable[[], Network], jobs: Sequence[Job], settings: generate.Settings, workers: int
) -> Iterator[Done | UserError]:
    """Yield the outcome of every job in order; each of `workers` threads loads a network of its own."""
    local = threading.local()

    def work(job: Job) -> Done | UserError:
        try:
            if not hasattr(local, "network"):
                local.network = load()
            return run_job(local.network, job, settings)
        except UserError as error:
            return error

    yield from tasks.ordered_map(work, jobs, workers)
