"""One picture and its map become a plain JPEG and one of the same standard whose bytes go where the map says."""

import glob
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import levels, mixture, semantic, size_search, source
from q1net_msroi.msroi.encoder.options import RATE_DISTORTION, EncodingOptions
from q1net_msroi.msroi.encoder.semantic import Encoded
from q1net_msroi.msroi.roi import origin
from q1net_msroi.utils import files, jpeg
from q1net_msroi.utils.errors import UserError, show

FIXED_QUALITIES = (100, 85, 65, 45)  # what is saved when no size is asked for


@dataclass(frozen=True)
class Written:
    """A JPEG: where it was written (None: only compared with), at which quality, its bytes."""

    path: Path | None
    quality: int
    content: bytes

    @property
    def bytes(self) -> int:
        """How many bytes it has."""
        return len(self.content)


@dataclass(frozen=True)
class Outcome:
    """What `combine` did; `pixels` (height, width, 3) and `saliency` (height, width), uint8, are what was encoded."""

    image: Path
    model: int
    plain: Written
    ours: tuple[Written, ...]
    pixels: NDArray[np.uint8]
    saliency: NDArray[np.uint8]
    notices: tuple[str, ...]
    seconds: float


def plain_path(image: Path, folder: Path, options: EncodingOptions) -> Path:
    """Return where the plain JPEG of `image` goes; the whole file name is part of it, so a.png and a.bmp differ."""
    label = options.jpeg_compression if options.target_size is None else f"{options.target_size}B"
    return folder / f"_original_{image.name}_{label}.jpg"


def our_paths(image: Path, folder: Path, options: EncodingOptions) -> list[Path]:
    """Return where the semantic JPEGs of `image` go: one, or one a fixed quality."""
    if options.find_best or options.model == RATE_DISTORTION:
        return [folder / f"_compressed_{image.name}_.jpg"]
    return [folder / f"{options.modifier}{image.name}_{quality}.jpg" for quality in FIXED_QUALITIES]


def within_budget(
    encode: Callable[[int], bytes], plain: bytes, options: EncodingOptions
) -> tuple[int, bytes, list[str]]:
    """Return quality and bytes of the mixture's file, at most threshold_pct larger than `plain`, and notices.

    The quality is the largest of 90..21 that fits. Where none fits, 21 is taken as in the originals, larger than
    asked for; only with a threshold of 0, which promises a file not larger than plain JPEG, the search goes on down
    to 1, and where even that is larger the plain JPEG itself is the answer.
    """
    budget = int(len(plain) * (1 + options.threshold_pct / 100))
    found = size_search.largest_quality(encode, budget)
    if found is not None:
        return found.quality, found.content, []
    if options.threshold_pct > 0:
        content = encode(size_search.BOTTOM)
        larger = f"the file has {len(content):,} bytes instead of at most {budget:,}; -threshold_pct 0 goes lower"
        tried = f"even at quality {size_search.BOTTOM}, the lowest tried, {larger}"
        return size_search.BOTTOM, content, [f"not within the size asked for: {tried}"]
    found = size_search.largest_quality(encode, budget, size_search.BOTTOM - 1, 1)
    if found is not None:
        return found.quality, found.content, [f"no quality of 90 to 21 is small enough; quality {found.quality} is"]
    notice = "no quality of the mixture is as small as the plain JPEG, so the plain JPEG is written in its place"
    return options.jpeg_compression, plain, [notice]


def refuse_strange_map(image: Path, saliency_map: Path) -> None:
    """Raise `UserError` where anything speaks against the map being this picture's as it is now."""
    if image.is_file() and saliency_map.is_file() and (doubt := origin.stranger(saliency_map, image)[0]):
        raise UserError(f"{doubt.partition(': is it')[0]}; make it anew with generate_map.py")


def leftovers(plain: Path, image: Path) -> list[Path]:
    """Return the plain JPEGs of other settings that earlier runs left beside `plain`, the one of `image`."""
    beside = sorted(plain.parent.glob(f"_original_{glob.escape(image.name)}_*.jpg"))
    number = re.compile(rf"_original_{re.escape(image.name)}_\d+B?\.jpg")
    return [path for path in beside if path != plain and number.fullmatch(path.name)]


def refuse_own_input(
    outputs: Sequence[Path], inputs: Sequence[Path], what: str = "", flag: str = "-output_directory"
) -> None:
    """Raise `UserError` where one of the files to write is one of those to read; `what` goes before its name."""
    for output in outputs:
        if any(output.exists() and path.exists() and output.samefile(path) for path in inputs):
            raise UserError(f"{what}{show(output)} would overwrite the input; choose another {flag}")


def _by_rule(
    picture: source.Source, saliency: NDArray[np.uint8], options: EncodingOptions
) -> tuple[bytes, list[tuple[int, bytes]], list[str]]:
    """Encode by a level rule: mix JPEGs of several qualities, then encode the mixture; return plain, ours, notices."""
    mixed = mixture.mix(picture.pixels, levels.choose_levels(saliency, options.model))

    def encode(pixels: NDArray[np.uint8], quality: int) -> bytes:
        return jpeg.encode(pixels, quality, exif=picture.exif, icc_profile=picture.icc_profile)

    plain = encode(picture.pixels, options.jpeg_compression)
    if not options.find_best:
        return plain, [(quality, encode(mixed, quality)) for quality in FIXED_QUALITIES], []
    quality, content, notices = within_budget(lambda q: encode(mixed, q), plain, options)
    return plain, [(quality, content)], notices


def encoded(
    image: Path, picture: source.Source, saliency: NDArray[np.uint8], options: EncodingOptions, map_name: str = ""
) -> Encoded:
    """Return the plain JPEG and the semantic one(s) of a picture read from `image`, with its map (height, width) uint8.

    `image` and `map_name` name both in messages. Raises `SizeImpossibleError` where no file is as small as asked.
    """
    statistics, notices = levels.MapStatistics.of(saliency), list[str]()
    if statistics.is_flat:
        rule = ""
        if options.model != RATE_DISTORTION:
            level = levels.choose_levels(saliency[:1, :1], options.model, statistics).item()
            rule = f"rule {options.model} gives the whole picture level {level}, "
        notices = [f"the map {map_name}is flat (every pixel {statistics.maximum}): {rule}no part is favoured"]
    if options.model == RATE_DISTORTION:
        found = semantic.encode(image, picture, saliency, options)
        return replace(found, notices=(*notices, *found.notices))
    plain, files_made, more = _by_rule(picture, saliency, options)
    return Encoded(options.jpeg_compression, plain, tuple(files_made), (*notices, *more))


def combine(image: Path, saliency_map: Path, folder: Path, options: EncodingOptions, name: str = "") -> Outcome:
    """Write the plain JPEG and the semantic JPEG(s) of `image` into `folder` and return what was written.

    With a `name` only the semantic one, of that name.
    """
    start = time.perf_counter()
    our_files = [folder / name] if name else our_paths(image, folder, options)
    plain_file = None if name else plain_path(image, folder, options)
    refuse_own_input([path for path in (plain_file, *our_files) if path], [image, saliency_map])
    picture = source.read_source(image, options.strip)
    if options.recovered and not options.strip and Path(options.recovered).is_file():
        picture = source.with_recovered(picture, Path(options.recovered).read_bytes())
    saliency, notices = source.read_map(saliency_map, picture)
    doubt, certain = origin.stranger(saliency_map, image)
    if certain:
        raise UserError(f"{doubt}; make the picture's own with generate_map.py")
    if doubt:
        notices.append(doubt)

    made = encoded(image, picture, saliency, options, f"{show(saliency_map)} ")
    plain = Written(plain_file, made.plain_quality, made.plain)
    ours = [Written(path, *file) for path, file in zip(our_files, made.files, strict=True)]
    for written in (plain, *ours):
        if written.path:
            files.write_bytes(written.path, written.content)
    notices = [*picture.notices, *notices, *made.notices]
    taken = time.perf_counter() - start
    return Outcome(image, options.model, plain, tuple(ours), picture.pixels, saliency, tuple(notices), taken)
