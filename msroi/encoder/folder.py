"""A folder of pictures and a folder of their maps: which belong together, and which are finished already."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from msroi.encoder import combine
from utils import files, images
from utils.errors import UserError, existing_folder, show

RECORD = "combine_settings.json"
MAP_SUFFIXES = (".jpg", ".png")


@dataclass(frozen=True)
class Job:
    """A picture, its map (None where there is none), and whether its files are finished and up to date."""

    image: Path
    map: Path | None
    finished: bool


def _find_map(maps: Path, image: Path) -> Path | None:
    """Return `map_<file name>.jpg` or `.png`, whichever is newer, as generate_map.py names a folder's maps."""
    found = [path for suffix in MAP_SUFFIXES if (path := maps / f"map_{image.name}{suffix}").is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def record_settings(folder: Path, settings: combine.Settings) -> Path:
    """Keep `settings` in the output folder, touching the file only when they change; return its path.

    An output older than this file was made with other settings.
    """
    record = folder / RECORD
    try:
        same = record.is_file() and files.read_json(record) == asdict(settings)
    except UserError:  # damaged: as if there were none
        same = False
    if not same:
        files.write_json(record, asdict(settings))
    return record


def _finished(outputs: list[Path], inputs: list[Path]) -> bool:
    """Return whether every output exists, is not empty and is not older than any input."""
    if not all(path.is_file() and path.stat().st_size for path in outputs):
        return False
    oldest = min(path.stat().st_mtime_ns for path in outputs)
    return oldest >= max(path.stat().st_mtime_ns for path in inputs)


def plan(pictures: str, maps: str, output: Path, settings: combine.Settings, overwrite: bool = False) -> list[Job]:
    """Return a job for every picture of a folder, sorted by name; `overwrite` takes none for finished."""
    found = images.find_images(pictures)
    map_folder = existing_folder(maps)
    for name, folder in (("--images", Path(pictures)), ("--maps", map_folder)):
        if output.samefile(folder):
            raise UserError(f"the output folder {show(output)} is the {name} folder too; choose another")
    record = record_settings(output, settings)
    jobs = []
    for image in found:
        saliency_map = _find_map(map_folder, image)
        finished = False
        if saliency_map and image.exists() and not overwrite:
            outputs = [combine.plain_path(image, output, settings), *combine.our_paths(image, output, settings)]
            finished = _finished(outputs, [image, saliency_map, record])
        jobs.append(Job(image, saliency_map, finished))
    return jobs
