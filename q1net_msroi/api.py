"""What other programs call: each function returns the dataclass that the command of the same task prints.

Models are loaded at the first call and kept, one a thread, so that every function may be called from several threads.
What cannot be used raises `UserError`, whose text is one line for a person.
"""

import functools
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators import registry, table
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.msroi.encoder import source
from q1net_msroi.msroi.encoder.combine import encoded
from q1net_msroi.msroi.encoder.options import AUTO, MODEL_7, RATE_DISTORTION, EncodingOptions
from q1net_msroi.msroi.encoder.semantic import Encoded
from q1net_msroi.msroi.roi import batch, generate
from q1net_msroi.msroi.roi.generate import MapResult
from q1net_msroi.utils import images, tasks
from q1net_msroi.utils.errors import UserError, missing

__all__ = [
    "Encoded",
    "Estimate",
    "MapResult",
    "UserError",
    "encode",
    "estimate_quality",
    "estimate_table",
    "region_map",
]

Source = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]


def estimate_quality(picture: Source, comp_type: str = "auto", **settings: Any) -> Estimate:
    """Return how strongly a picture was JPEG-compressed: the quality 1..100, or None with the reason why there is none.

    `picture` is a file's path, of which the header is read too; or a Pillow image or a uint8 array, (height, width) or
    (height, width, 3 or 4) RGB, of which only the pixels count. `comp_type` is a name of `registry.KINDS`, and
    `settings` are fields of `Asked`: `backend="int8"`, `save_path`, `threads`, `explain=True` to ask every estimator.
    Raises `UserError` for missing models and for what cannot be read, unless a JPEG file's header answers alone: then
    `evidence.unread` says why.
    """
    asked = Asked(comp_type, **settings)
    try:
        if isinstance(picture, str | os.PathLike):
            return registry.estimate_path(asked, None, picture)
        pixels = _pixels(picture, registry.get_kind(comp_type).minimum_side).pixels
        return tasks.per_thread(registry.load, asked).estimate(pixels).with_tie_interval()
    except ModuleNotFoundError as error:
        raise UserError(f"backend {asked.backend} {missing(error)}") from None


def estimate_table(
    paths: Iterable[str | os.PathLike[str]], comp_type: str = "auto", workers: int | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """Return a row a picture, in order, as `predict_cls.py --csv` has them: `pandas.DataFrame` takes them as they are.

    `paths` are files, read by `workers` threads (default: the cores of this machine); `comp_type` and `settings` as for
    `estimate_quality`. The columns are `classifier.estimators.table.COLUMNS`; `strongest` is the strongest compression
    that is known, the lesser of `quality` and `earlier`, and None stands where nothing is known. A file that cannot be
    read has a `reason`. Raises `UserError` for missing models.
    """
    asked = Asked(comp_type, **settings)
    registry.load(asked)
    given = [table.PictureTask(Path(path), name=os.fspath(path)) for path in paths]
    answers = tasks.folder_map(functools.partial(table.answer, asked, None), given, workers)
    return [
        table.failed_row(task.name, str(answer)) if isinstance(answer, UserError) else answer.entry.row
        for task, answer in zip(given, answers, strict=True)
    ]


def region_map(picture: Source, method: str = "energy", **settings: Any) -> MapResult:
    """Return what matters in a picture: `values` (height, width) uint8, bright where it does, and the classes seen.

    `picture` as for `estimate_quality`; the map is of the pixels as stored, however EXIF would turn them. `method` is
    energy (ours), topk (the authors' released rule) or threshold (the MSROI paper's, section 3), and `settings` are
    fields of `generate.Settings`. Raises `UserError`.
    """
    read = _read(picture)
    network = tasks.per_thread(batch.load, batch.NetworkChoice(), 1)
    found = generate.generate(
        network, images.upright(read.pixels, read.orientation), generate.Settings(method, **settings)
    )
    return MapResult(images.as_stored(found.values, read.orientation), found.classes)


def encode(picture: Source, region: MapResult | NDArray[np.uint8] | None = None, **options: Any) -> Encoded:
    """Return a standard JPEG whose bytes go where the map is bright (`content`), and the plain one of the same size.

    `picture` as for `estimate_quality`; `region` is what `region_map` returned, or a map (height, width) uint8 of the
    picture's size; None makes one. `options` are fields of `EncodingOptions`: `model` (default 7, the rate-distortion
    encoder; 1 to 6 the paper's rules), `jpeg_compression`, `target_size` in bytes, `strength`. Raises `UserError`.
    """
    asked = EncodingOptions(**{"model": RATE_DISTORTION, **options})
    if asked.model != RATE_DISTORTION and (given := sorted(MODEL_7 & set(options))):
        raise UserError(f"{given[0]} is for model {RATE_DISTORTION} only; leave it or the model out")
    if isinstance(picture, str | os.PathLike):
        path, read = Path(picture), source.read_source(picture, asked.strip)
    else:
        path, read = Path("picture"), source.Source(_read(picture).pixels, "pixels")
    if asked.model == RATE_DISTORTION and asked.source_quality == AUTO and not asked.strip:
        read = _with_recovered(read)
    values = region_map(picture) if region is None else region
    saliency = np.asarray(values.values if isinstance(values, MapResult) else values)
    if saliency.dtype != np.uint8 or saliency.shape != read.pixels.shape[:2]:
        shape = "x".join(map(str, saliency.shape))
        raise UserError(f"a map of {saliency.dtype}, {shape}, does not fit; uint8 of the picture's height x width does")
    made = encoded(path, read, saliency, asked)
    return replace(made, notices=(*read.notices, *made.notices))


def _with_recovered(read: source.Source) -> source.Source:
    """Return a picture with the JPEG that it was, where the pixels prove one."""
    from q1net_msroi.classifier.recovery import proof, writing
    from q1net_msroi.utils import jpeg_writer

    if read.format in writing.LOSSY:
        return read
    found = proof.prove(read.pixels)
    if not found.complete or found.found is None or found.cropped or found.orientation > 1:
        return read
    content = writing.content_of(found.found)
    return source.with_recovered(read, jpeg_writer.with_metadata(content, read.exif, read.icc_profile))


def _read(picture: Source) -> images.Picture:
    """Return a picture's pixels as stored with their EXIF orientation."""
    if isinstance(picture, str | os.PathLike):
        return images.read_rgb(picture)
    return _pixels(picture, 1)


def _pixels(picture: Image.Image | NDArray[np.uint8], minimum_side: int) -> images.Picture:
    """Return a picture with (height, width, 3) uint8 RGB pixels as stored: alpha is ignored, gray repeated."""
    if not isinstance(picture, Image.Image | np.ndarray):
        raise UserError(f"a {type(picture).__name__} is no picture; give a path, a Pillow image or a uint8 array")
    if not isinstance(picture, Image.Image):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,), (4,)):
            shape = "x".join(map(str, picture.shape))
            raise UserError(f"an array of {picture.dtype}, {shape}, is no picture; uint8, height x width (x 3 or 4) is")
        picture = Image.fromarray(picture)
    return images.of_image(picture, minimum_side)
