"""Model 7 for one picture: what a person asks for becomes a target, the encoder's answer becomes a file to write."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from q1net_msroi.msroi.encoder import jpeg_file, rate_distortion
from q1net_msroi.msroi.encoder.options import AUTO, EncodingOptions
from q1net_msroi.msroi.encoder.scene import Costs, Scene, subsampling_loss
from q1net_msroi.msroi.encoder.settings import SETTINGS
from q1net_msroi.msroi.encoder.source import Source
from q1net_msroi.utils import jpeg, jpeg_writer
from q1net_msroi.utils.errors import show
from q1net_msroi.utils.jpeg import Subsampling

FINEST_STEP, COARSEST_STEP = 1, 255
WHOLE_CHROMA = 0  # as Pillow numbers samplings


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
    chroma: Subsampling = "4:4:4" if options.subsampling == "4:4:4" else "4:2:0"
    scene = Scene(source.pixels, saliency, chroma, keep_colour=bool(source.icc_profile))  # an RGB profile needs three
    metadata = len(jpeg_writer.metadata_segments(source.exif, source.icc_profile))
    plain_quality, plain, size, notices = _plain(scene, source, options, metadata, source_quality)
    if source.recovered and len(source.recovered) <= SETTINGS.copy_share * size and not options.target_size:
        return _own_copy(source, size, plain_quality, plain, notices)
    own_size = image.stat().st_size if source.format == "JPEG" and not options.target_size else size
    target = rate_distortion.Target(min(size, own_size) - metadata, plain_quality, finest, len(plain) - metadata)
    scene, plain_costs = _with_better_chroma(scene, source, saliency, target, options)
    if scene.subsampling == "4:2:0" and not scene.is_gray and _has_whole_chroma(image, source):
        notices.append("the source's chroma is whole (4:4:4), this file's is halved; --subsampling 4:4:4 keeps it")
    try:
        found = rate_distortion.encode(scene, target, options, plain_costs)
    except rate_distortion.SizeImpossibleError as error:
        if options.target_size is None:
            if len(plain) > own_size and not options.strip:
                notices.append("no file is smaller than the source, so a copy of the source is written in its place")
                return Encoded(plain_quality, plain, ((plain_quality, image.read_bytes()),), tuple(notices))
            notices.append("no semantic file is as small as the plain JPEG, so the plain JPEG is written in its place")
            return Encoded(plain_quality, plain, ((plain_quality, plain),), tuple(notices))
        extra = f", {metadata:,} of them for EXIF data and colour profile: --strip" if metadata else ""
        smallest = error.smallest + metadata
        said = f"{show(image)} cannot be as small as {size:,} bytes; the smallest file has {smallest:,}{extra}"
        raise rate_distortion.SizeImpossibleError(said, smallest) from None
    content = jpeg_writer.with_metadata(found.content, source.exif, source.icc_profile)
    ours = nearest_quality(found.tables), content
    return Encoded(plain_quality, plain, (ours,), (*notices, *found.notices, *_advice(source, len(content), scene)))


def _own_copy(source: Source, size: int, plain_quality: int, plain: bytes, notices: list[str]) -> Encoded:
    """Return the JPEG that a source was, where the bytes suffice: nothing is nearer to its pixels than they themselves.

    A little short of it plain JPEG, whose coefficients are then nearly the same, is nearer than what we would make.
    """
    if len(source.recovered) <= size:
        said = (
            "the picture was a JPEG, which has no more bytes than asked for: its own coefficients are kept, all exact"
        )
        return Encoded(plain_quality, plain, ((plain_quality, source.recovered),), (*notices, said))
    said = "the picture was a JPEG of nearly as many bytes, so the plain JPEG, nearly the same, is written"
    return Encoded(plain_quality, plain, ((plain_quality, plain),), (*notices, said))


def _with_better_chroma(
    scene: Scene, source: Source, saliency: NDArray[np.uint8], target: rate_distortion.Target, options: EncodingOptions
) -> tuple[Scene, Costs | None]:
    """Return the scene to encode, and the costs of the plain JPEG, at 4:2:0, where the scene's chroma is whole."""
    if options.subsampling != AUTO or scene.is_gray:
        return scene, None
    whole = Scene(source.pixels, saliency, "4:4:4", keep_colour=bool(source.icc_profile))
    loss = subsampling_loss(whole, source.pixels)
    if not rate_distortion.full_chroma_pays(scene, whole, loss, target, options):
        return scene, None
    return whole, scene.plain_costs(target.plain_quality)


def _has_whole_chroma(image: Path, source: Source) -> bool:
    if source.format != "JPEG":
        return False
    with Image.open(image) as opened:
        return JpegImagePlugin.get_sampling(opened) == WHOLE_CHROMA


def _advice(source: Source, size: int, scene: Scene) -> list[str]:
    """Return a notice where a file without loss is not larger than ours of `size` bytes: drawings, screens, text."""
    same = (source.pixels[:, 1:] == source.pixels[:, :-1]).all(axis=-1)
    if same.size == 0 or same.mean() < scene.settings.drawn_share:
        return []
    buffer = io.BytesIO()
    Image.fromarray(source.pixels).save(buffer, "WEBP", lossless=True, quality=0, method=0)
    lossless = buffer.tell()
    return (
        [f"a WebP file of it without loss has {lossless:,} bytes, no more than this JPEG"] if lossless <= size else []
    )


def _plain(
    scene: Scene, source: Source, options: EncodingOptions, metadata: int, source_quality: int | None
) -> tuple[int, bytes, int, list[str]]:
    """Return the plain JPEG to compare with, its quality first, the bytes that ours may have, and notices."""
    pixels = np.asarray(Image.fromarray(source.pixels).convert("L")) if scene.is_gray else source.pixels
    top, size = source_quality or 100, options.target_size

    def plain_of(quality: int) -> bytes:
        metadata = {"exif": source.exif, "icc_profile": source.icc_profile}
        return jpeg.encode(pixels, quality, scene.subsampling, progressive=True, **metadata)

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
