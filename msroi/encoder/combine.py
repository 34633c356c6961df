"""One picture and its map become a plain JPEG and one of the same standard whose bytes go where the map says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import levels, mixture, semantic, size_search, source
from q1net_msroi.utils import files, jpeg
from q1net_msroi.utils.errors import UserError, show

RATE_DISTORTION = 7  # the model that is no level rule
MODELS = (*levels.RULES, RATE_DISTORTION)
FIXED_QUALITIES = (100, 85, 65, 45)  # what is saved when no size is asked for


@dataclass(frozen=True)
class Settings:
    """How to encode: the level rule, the plain JPEG's quality, the size allowed above it, what to call the files.

    From `target_size` on for model 7 only, see `semantic.Wish`; it keeps to the plain JPEG's size, whatever
    `threshold_pct` allows the rules.
    """

    model: int = 3
    jpeg_compression: int = 50
    threshold_pct: float = 20.0
    find_best: bool = True
    modifier: str = ""
    strip: bool = False
    target_size: int | None = None
    strength: float = 0.5
    min_background_quality: int | None = None
    source_quality: int | str | None = semantic.AUTO
    subsampling: jpeg.Subsampling = "4:2:0"

    @property
    def wish(self) -> semantic.Wish:
        """What these settings ask of model 7."""
        return semantic.Wish(
            self.jpeg_compression,
            self.target_size,
            self.strength,
            self.min_background_quality,
            self.source_quality,
            self.subsampling,
        )

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        if self.model not in MODELS:
            raise UserError(f"-model {self.model} is unknown; give one of {', '.join(map(str, MODELS))}")
        if not 1 <= self.jpeg_compression <= 100:
            raise UserError(f"-jpeg_compression {self.jpeg_compression} is no JPEG quality; give 1 to 100")
        if not 0 <= self.threshold_pct < float("inf"):
            raise UserError(f"-threshold_pct {self.threshold_pct:g} is not allowed; give 0 (no larger) or more")
        if "/" in self.modifier or "\0" in self.modifier:
            raise UserError("-modifier is the beginning of a file name; folders go to -output_directory")
        if self.model == RATE_DISTORTION:
            if not self.find_best:
                raise UserError("-find_best 0 is for the level rules; -model 7 writes one file of the size asked for")
            semantic.check(self.wish)


@dataclass(frozen=True)
class Written:
    """A JPEG on disk: where, at which quality, of how many bytes."""

    path: Path
    quality: int
    bytes: int


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


Made = tuple[int, bytes, list[tuple[int, bytes]], list[str]]  # plain quality and file, qualities and files, notices


def plain_path(image: Path, folder: Path, settings: Settings) -> Path:
    """Return where the plain JPEG of `image` goes; the whole file name is part of it, so a.png and a.bmp differ."""
    label = settings.jpeg_compression if settings.target_size is None else f"{settings.target_size}B"
    return folder / f"_original_{image.name}_{label}.jpg"


def our_paths(image: Path, folder: Path, settings: Settings) -> list[Path]:
    """Return where the semantic JPEGs of `image` go: one, or one a fixed quality."""
    if settings.find_best or settings.model == RATE_DISTORTION:
        return [folder / f"_compressed_{image.name}_.jpg"]
    return [folder / f"{settings.modifier}{image.name}_{quality}.jpg" for quality in FIXED_QUALITIES]


def within_budget(encode: Callable[[int], bytes], plain: bytes, settings: Settings) -> tuple[int, bytes, list[str]]:
    """Return quality and bytes of the mixture's file, at most threshold_pct larger than `plain`, and notices.

    The quality is the largest of 90..21 that fits. Where none fits, 21 is taken as in the originals, larger than
    asked for; only with a threshold of 0, which promises a file not larger than plain JPEG, the search goes on down
    to 1, and where even that is larger the plain JPEG itself is the answer.
    """
    budget = int(len(plain) * (1 + settings.threshold_pct / 100))
    found = size_search.largest_quality(encode, budget)
    if found is not None:
        return found.quality, found.content, []
    if settings.threshold_pct > 0:
        content = encode(size_search.BOTTOM)
        return (
            size_search.BOTTOM,
            content,
            [
                f"not within the size asked for: even at quality {size_search.BOTTOM}, the lowest tried, the file has "
                f"{len(content):,} bytes instead of at most {budget:,}; -threshold_pct 0 goes lower"
            ],
        )
    found = size_search.largest_quality(encode, budget, size_search.BOTTOM - 1, 1)
    if found is not None:
        return found.quality, found.content, [f"no quality of 90 to 21 is small enough; quality {found.quality} is"]
    return (
        settings.jpeg_compression,
        plain,
        ["no quality of the mixture is as small as the plain JPEG, so the plain JPEG is written in its place"],
    )


def _refuse_own_input(outputs: list[Path], inputs: list[Path]) -> None:
    for output in outputs:
        for path in inputs:
            if output.exists() and path.exists() and output.samefile(path):
                raise UserError(f"{show(output)} would overwrite the input; choose another -output_directory")


def _by_rule(
    image: Path, picture: source.Source, saliency: NDArray[np.uint8], saliency_map: Path, settings: Settings
) -> Made:
    """Encode by a level rule: mix JPEGs of several qualities, then encode the mixture."""
    notices = []
    statistics = levels.MapStatistics.of(saliency)
    chosen = levels.choose_levels(saliency, settings.model, statistics)
    if statistics.is_flat:
        notices.append(
            f"the map {show(saliency_map)} is flat (every pixel {statistics.maximum}): rule {settings.model} gives the "
            f"whole picture level {chosen.flat[0]}, no part is favoured"
        )
    mixed = mixture.mix(picture.pixels, chosen)
    del chosen

    def encode(pixels: NDArray[np.uint8], quality: int) -> bytes:
        return jpeg.encode(pixels, quality, exif=picture.exif, icc_profile=picture.icc_profile)

    plain = encode(picture.pixels, settings.jpeg_compression)
    if not settings.find_best:
        results = [(quality, encode(mixed, quality)) for quality in FIXED_QUALITIES]
        return settings.jpeg_compression, plain, results, notices
    quality, content, search_notices = within_budget(lambda q: encode(mixed, q), plain, settings)
    return settings.jpeg_compression, plain, [(quality, content)], notices + search_notices


def _by_rate_distortion(
    image: Path, picture: source.Source, saliency: NDArray[np.uint8], saliency_map: Path, settings: Settings
) -> Made:
    """Encode by rate and distortion (model 7)."""
    notices = []
    statistics = levels.MapStatistics.of(saliency)
    if statistics.is_flat:
        notices.append(f"the map {show(saliency_map)} is flat (every pixel {statistics.maximum}): no part is favoured")
    found = semantic.encode(image, picture, saliency, settings.wish)
    return found.plain_quality, found.plain, [(found.quality, found.content)], [*notices, *found.notices]


def combine(image: Path, saliency_map: Path, folder: Path, settings: Settings) -> Outcome:
    """Write the plain JPEG and the semantic JPEG(s) of `image` into `folder` and return what was written.

    Raises `UserError` for a picture or map that cannot be read or do not belong together. Files appear whole, the
    semantic JPEG last.
    """
    start = time.perf_counter()
    plain_file, our_files = plain_path(image, folder, settings), our_paths(image, folder, settings)
    _refuse_own_input([plain_file, *our_files], [image, saliency_map])
    picture = source.read_source(image, settings.strip)
    saliency, notices = source.read_map(saliency_map, picture)

    make = _by_rate_distortion if settings.model == RATE_DISTORTION else _by_rule
    plain_quality, plain, results, more = make(image, picture, saliency, saliency_map, settings)
    notices += more

    files.write_bytes(plain_file, plain)
    for path, (_, content) in zip(our_files, results, strict=True):
        files.write_bytes(path, content)
    return Outcome(
        image=image,
        model=settings.model,
        plain=Written(plain_file, plain_quality, len(plain)),
        ours=tuple(
            Written(path, quality, len(content)) for path, (quality, content) in zip(our_files, results, strict=True)
        ),
        pixels=picture.pixels,
        saliency=saliency,
        notices=(*picture.notices, *notices),
        seconds=time.perf_counter() - start,
    )
