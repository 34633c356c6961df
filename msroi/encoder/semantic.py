"""Model 7 for one picture: what a person asks for becomes a goal, the encoder's answer becomes a file to write."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.msroi.encoder import jpeg_file, rate_distortion
from q1net_msroi.msroi.encoder.scene import Scene
from q1net_msroi.msroi.encoder.source import Source
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.jpeg import Subsampling

AUTO = "auto"  # the source's quality is read from its own header
UNITS = {"": 1, "B": 1, "K": 1000, "KB": 1000, "M": 1000**2, "MB": 1000**2, "KIB": 1024, "MIB": 1024**2}
FINEST_STEP, COARSEST_STEP = 1, 255


@dataclass(frozen=True)
class Wish:
    """What is asked of model 7; `size` in bytes or else as many as plain JPEG of `quality` has.

    `source_quality`: 1..100, `AUTO` or None for no limit.
    """

    quality: int = 50
    size: int | None = None
    strength: float = 0.5
    background_quality: int | None = None
    source_quality: int | str | None = AUTO
    subsampling: Subsampling = "4:2:0"


@dataclass(frozen=True)
class Answer:
    """The plain JPEG of the same size with its quality, the semantic file, the quality nearest to its tables."""

    plain_quality: int
    plain: bytes
    quality: int
    content: bytes
    notices: tuple[str, ...]


def parse_size(text: str) -> int:
    """Return the bytes of `120kB`, `1.5 MB`, `64KiB` or `120000`; raise `ValueError` for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if not found or found[2].upper() not in UNITS:
        raise ValueError(text)
    size = int(float(found[1]) * UNITS[found[2].upper()])
    if size < 1:
        raise ValueError(text)
    return size


def nearest_quality(tables: NDArray[np.integer]) -> int:
    """Return the quality 1..100 whose standard tables are nearest to some, (1 or 2, 64) zigzag, by ratio of steps."""
    standard = np.log(jpeg_file.zigzag_tables(jpeg.standard_tables())[:, : len(tables)])
    return 1 + int(np.abs(standard - np.log(tables)).mean(axis=(1, 2)).argmin())


def source_tables(image: Path, source: Source, wanted: int | str | None) -> tuple[NDArray[np.int64] | None, int | None]:
    """Return the tables, (2, 64) zigzag, and the quality that a source has, None where it has or shall have none."""
    if wanted is None:
        return None, None
    if isinstance(wanted, int):
        return jpeg_file.zigzag_tables(jpeg.standard_tables())[wanted - 1], wanted
    if source.format != "JPEG":
        return None, None
    with Image.open(image) as opened:
        found = getattr(opened, "quantization", {})
    if not found:
        return None, None
    natural = np.array([found[number] for number in sorted(found)][:2], np.int64)
    tables = np.clip(natural, FINEST_STEP, COARSEST_STEP).reshape(-1, 8, 8)
    zigzag = jpeg_file.zigzag_tables(tables)
    return np.concatenate([zigzag, zigzag])[[0, -1]], nearest_quality(zigzag)


def encode(image: Path, source: Source, saliency: NDArray[np.uint8], wish: Wish) -> Answer:
    """Return the semantic JPEG of a picture and the plain JPEG of at most the same size.

    Raises `SizeImpossibleError` where no file is as small as `wish.size`.
    """
    notices: list[str] = []
    finest, source_quality = source_tables(image, source, wish.source_quality)
    top = source_quality or 100

    def plain_of(quality: int) -> bytes:
        metadata = {"exif": source.exif, "icc_profile": source.icc_profile}
        return jpeg.encode(source.pixels, quality, wish.subsampling, progressive=True, **metadata)

    scene = Scene(source.pixels, saliency, wish.subsampling)
    metadata = len(jpeg_file.metadata_segments(source.exif, source.icc_profile))
    if wish.size is None:
        plain_quality = min(wish.quality, top)
        if plain_quality < wish.quality:
            notices.append(
                f"the source has JPEG quality {source_quality}: no bytes are spent above it, although {wish.quality} "
                "was asked for"
            )
        plain = plain_of(plain_quality)
        size = len(plain)
    else:
        size = wish.size
        plain_quality, plain = _largest_plain(plain_of, scene, size - metadata, size, top)
        if plain_quality == top and source_quality and len(plain) < size:
            notices.append(
                f"the source has JPEG quality {source_quality}: {len(plain):,} bytes of the {size:,} asked for are "
                "all it is worth"
            )
            size = len(plain)
        elif len(plain) > size:
            notices.append(f"plain JPEG is larger at every quality; the one to compare with has {len(plain):,} bytes")
    goal = rate_distortion.Goal(
        size - metadata, plain_quality, wish.strength, wish.background_quality, finest, len(plain) - metadata
    )
    try:
        found = rate_distortion.encode(scene, goal)
    except rate_distortion.SizeImpossibleError as error:
        if wish.size is None:
            notices.append("no semantic file is as small as the plain JPEG, so the plain JPEG is written in its place")
            return Answer(plain_quality, plain, plain_quality, plain, tuple(notices))
        extra = f", {metadata:,} of them for EXIF data and colour profile: --strip" if metadata else ""
        raise rate_distortion.SizeImpossibleError(
            f"{show(image)} cannot be as small as {size:,} bytes; the smallest file has "
            f"{error.smallest + metadata:,}{extra}",
            error.smallest + metadata,
        ) from None
    content = jpeg_file.with_metadata(found.content, source.exif, source.icc_profile)
    notices += found.notices
    return Answer(plain_quality, plain, nearest_quality(found.tables), content, tuple(notices))


def _largest_plain(
    encode_plain: Callable[[int], bytes], scene: Scene, size: int, limit: int, top: int
) -> tuple[int, bytes]:
    """Return the plain JPEG, with its quality up to `top`, that comes near `limit` bytes from below.

    The scene's estimate finds the quality without encoding; a few files around it are encoded. Where even quality 1
    is larger, that is the answer.
    """
    low, high = 1, top
    while low < high:
        middle = (low + high + 1) // 2
        fits = scene.plain_costs(middle).bits / 8 + rate_distortion.HEADER <= size
        low, high = (middle, high) if fits else (low, middle - 1)
    quality, content = low, encode_plain(low)
    while len(content) > limit and quality > 1:
        quality -= 1
        content = encode_plain(quality)
    while quality < top and quality >= low:
        larger = encode_plain(quality + 1)
        if len(larger) > limit:
            break
        quality, content = quality + 1, larger
    return quality, content


def check(wish: Wish) -> None:
    """Raise `UserError` for a wish out of range."""
    if wish.size is not None and wish.size < 1:
        raise UserError(f"--target_size {wish.size} is not allowed; give bytes, or like 120kB")
    for flag, quality in (
        ("--target_quality", wish.quality),
        ("--min_background_quality", wish.background_quality),
        ("--source_quality", wish.source_quality),
    ):
        if isinstance(quality, int) and not 1 <= quality <= 100:
            raise UserError(f"{flag} {quality} is no JPEG quality; give 1 to 100")
    if isinstance(wish.source_quality, str) and wish.source_quality != AUTO:
        raise UserError(f"--source_quality {wish.source_quality} is not allowed; give auto or 1 to 100")
    if not 0 <= wish.strength <= 1:
        raise UserError(
            f"--strength {wish.strength:g} is not allowed; give 0 (no preference) to 1 (all for the region)"
        )
    if wish.subsampling not in ("4:2:0", "4:4:4"):
        raise UserError(f"--subsampling {wish.subsampling} is not allowed; give 4:2:0 or 4:4:4")
