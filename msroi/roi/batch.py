"""Maps of files: read a picture, make its map and overlay, write both whole."""

import functools
import glob
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from q1net_msroi.msroi.roi import generate, overlay
from q1net_msroi.msroi.roi.network import SHIPPED_MODEL, Network, load_lite, load_tensorflow
from q1net_msroi.msroi.roi.origin import Origin
from q1net_msroi.utils import files, images, results, tasks
from q1net_msroi.utils.errors import UserError, os_error_line, show, text
from q1net_msroi.utils.jobs import Task
from q1net_msroi.utils.journal import SUFFIX

RECORD = f"map{SUFFIX}"
MAP_QUALITY = 95


@dataclass(frozen=True)
class Job(Task):
    """A picture, where its map and overlay go, and in a folder what they depend on besides it."""

    map: Path
    overlay: Path
    depends: dict[str, Any] = field(default_factory=dict)

    def settings_record(self) -> dict[str, Any]:
        """Return what the map depends on, besides the picture."""
        return self.depends


@dataclass(frozen=True)
class NetworkChoice:
    """Which network makes the maps: the shipped one by LiteRT, or by TensorFlow that one or a `checkpoint`."""

    tensorflow: bool = False
    checkpoint: str | None = None


def made_with(choice: NetworkChoice, settings: generate.Settings) -> dict[str, Any]:
    """Return what maps depend on besides their pictures: settings, hashes of the network's files and of the code."""
    path = Path(choice.checkpoint or SHIPPED_MODEL)
    weights = [path, *sorted(path.parent.glob(f"{glob.escape(path.name)}.*"))]
    hashes = {file.name: files.sha256(file)[: results.HASH_DIGITS] for file in weights if file.is_file()}
    code = results.code_identity("msroi")
    return {**asdict(settings), "tensorflow": choice.tensorflow, "weights": hashes, "code": code}


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

    @property
    def outputs(self) -> list[Path]:
        """The files written."""
        return [self.job.map, self.job.overlay]

    @property
    def records(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "file": text(self.job.image),
            "map": text(self.job.map),
            "overlay": text(self.job.overlay),
            "method": self.method,
            "classes": [{"name": name, "score": round(share, 4)} for name, share in self.classes],
            "seconds": round(self.seconds, 3),
        }


def single_job(image: Path, output: Path, lossless: bool) -> Job:
    """Return the job of one picture: `msroi_map.jpg` (`.png`) and `overlayed_heatmap.png` in `output`."""
    job = Job(image, output / f"msroi_map{'.png' if lossless else '.jpg'}", output / "overlayed_heatmap.png")
    for path in (job.map, job.overlay):
        if path.exists() and image.exists() and path.samefile(image):
            raise UserError(f"{show(image)} would be overwritten by its own map; choose another --output_directory")
    return job


def plan(folder: Path, output: Path, lossless: bool, depends: dict[str, Any], recursive: bool = False) -> list[Job]:
    """Return a job for each picture, sorted: `map_<name>.jpg`, `overlay_<name>.png`, subfolders as in `folder`."""
    suffix = ".png" if lossless else ".jpg"
    jobs = []
    for path in images.find_pictures(folder, recursive, [output]):
        into = output / path.parent
        gray, drawn = into / f"map_{path.name}{suffix}", into / f"overlay_{path.name}.png"
        jobs.append(Job(folder / path, gray, drawn, depends, key=str(path)))
    return jobs


def run_job(network: Network, job: Job, settings: generate.Settings) -> Done:
    """Make and write one picture's map (pixels as stored, like the picture's own) and overlay (upright, to look at)."""
    start = time.perf_counter()
    picture = images.read_rgb(job.image)
    notes = list(picture.notes)
    pixels = images.upright(picture.pixels, picture.orientation)
    result = generate.generate(network, pixels, settings)
    if not result.values.any():
        notes.append("nothing stands out: its map is flat (all zeros)")
    gray = Image.fromarray(images.as_stored(result.values, picture.orientation))
    drawn = overlay.draw(pixels, result.values, result.classes)
    _save(drawn, job.overlay, compress_level=1)
    _save(gray, job.map, quality=MAP_QUALITY, **Origin.of(job.image).saving(job.map.suffix))
    return Done(job, settings.method, result.classes, tuple(notes), time.perf_counter() - start)


def _save(image: Image.Image, path: Path, **options: Any) -> None:
    try:
        with files.atomic_path(path) as temporary:
            image.save(temporary, format="PNG" if path.suffix == ".png" else "JPEG", **options)
    except OSError as error:
        if error.errno is None:
            raise UserError(f"{show(path)} cannot be written ({error})") from None
        raise UserError(os_error_line(error)) from None


def run_one(choice: NetworkChoice, settings: generate.Settings, job: Job) -> Done:
    """Do one job of a folder; each thread or worker loads a network of its own."""
    files.output_folder(job.map.parent)
    return run_job(tasks.per_thread(load, choice, 1), job, settings)
