"""Model 7 for one picture: what a person asks for becomes a target, the encoder's answer becomes a file to write."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.msroi.encoder import jpeg_file, rate_distortion
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.msroi.encoder.scene import Scene
from q1net_msroi.msroi.encoder.source import Source
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import show

FINEST_STEP, COARSEST_STEP = 1, 255


@dataclass(frozen=True)
class Encoded:
    """Files in memory: the plain JPEG with its quality, ours with theirs (one, or one a fixed quality), notices."""

    plain_quality: int
    plain: bytes
    files: tuple[tuple[int, bytes], ...]
    notices: tuple[str, ...]

    @property
    def quality(self) -> int:
        """The JPEG quality of our file, of model 7's the one nearest to its tables."""
        return self.files[0][0]

    @property
    def content(self) -> bytes:
        """Our file."""
        return self.files[0][1]


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


def encode(image: Path, source: Source, saliency: NDArray[np.uint8], options: EncodingOptions) -> Encoded:
    """Return our JPEG and the plain one of at most its size; raise `SizeImpossibleError` where none is small enough."""
    finest, source_quality = source_tables(image, source, options.source_quality)
    scene = Scene(source.pixels, saliency, options.subsampling)
    metadata = len(jpeg_file.metadata_segments(source.exif, source.icc_profile))
    plain_quality, plain, size, notices = _plain(scene, source, options, metadata, source_quality)
    target = rate_distortion.Target(size - metadata, plain_quality, finest, len(plain) - metadata)
    try:
        found = rate_distortion.encode(scene, target, options)
    except rate_distortion.SizeImpossibleError as error:
        if options.target_size is None:
            notices.append("no semantic file is as small as the plain JPEG, so the plain JPEG is written in its place")
            return Encoded(plain_quality, plain, ((plain_quality, plain),), tuple(notices))
        extra = f", {metadata:,} of them for EXIF data and colour profile: --strip" if metadata else ""
        smallest = error.smallest + metadata
        said = f"{show(image)} cannot be as small as {size:,} bytes; the smallest file has {smallest:,}{extra}"
        raise rate_distortion.SizeImpossibleError(said, smallest) from None
    content = jpeg_file.with_metadata(found.content, source.exif, source.icc_profile)
    ours = nearest_quality(found.tables), content
    return Encoded(plain_quality, plain, (ours,), (*notices, *found.notices))


def _plain(
    scene: Scene, source: Source, options: EncodingOptions, metadata: int, source_quality: int | None
) -> tuple[int, bytes, int, list[str]]:
    """Return the plain JPEG to compare with, its quality first, the bytes that ours may have, and notices."""
    pixels = np.asarray(Image.fromarray(source.pixels).convert("L")) if scene.is_gray else source.pixels
    top, size = source_quality or 100, options.target_size

    def plain_of(quality: int) -> bytes:
        metadata = {"exif": source.exif, "icc_profile": source.icc_profile}
        return jpeg.encode(pixels, quality, options.subsampling, progressive=True, **metadata)

    notices = []
    if size is None:
        wanted = options.jpeg_compression
        quality, spared = min(wanted, top), "no bytes are spent above it"
        if top < wanted:
            notices.append(f"the source has JPEG quality {top}: {spared}, although {wanted} was asked for")
        plain = plain_of(quality)
        return quality, plain, len(plain), notices
    quality, plain = _largest_plain(plain_of, scene, size - metadata, size, top)
    if quality == top and source_quality and len(plain) < size:
        worth = f"{len(plain):,} bytes of the {size:,} asked for are all it is worth"
        return quality, plain, len(plain), [f"the source has JPEG quality {top}: {worth}"]
    if len(plain) > size:
        notices.append(f"plain JPEG is larger at every quality; the one to compare with has {len(plain):,} bytes")
    return quality, plain, size, notices


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
        fits = scene.plain_costs(middle).bits / 8 + scene.settings.header_bytes <= size
        low, high = (middle, high) if fits else (low, middle - 1)
    quality, content = low, encode_plain(low)
    while len(content) > limit and quality > 1:
        quality -= 1
        content = encode_plain(quality)
    while low <= quality < top:
        larger = encode_plain(quality + 1)
        if len(larger) > limit:
            break
        quality, content = quality + 1, larger
    return quality, content
