"""The JPEG of recovered coefficients under its final name only once its pixels were read back from disk."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.recovery.coefficients import Recovered
from q1net_msroi.classifier.recovery.proof import Proof, prove
from q1net_msroi.utils import files, images, jpeg, jpeg_writer
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.images import Picture

RESIDUAL = ".residual.png"
XMP_OF_PNG = "XML:com.adobe.xmp"
LOSSY = ("JPEG", "MPO", "AVIF", "HEIF")
PLAIN = ("gray", "palette")  # conversions that lose nothing
ALPHA, DEEP = "alpha ignored", "16 bits reduced to 8"
FRAME = re.compile(rb"q1net-recover: the picture is (\d+)x(\d+) at (\d+),(\d+), orientation (\d)")


@dataclass(frozen=True)
class Written:
    """What became of one picture: the files written, bytes of source and of those, and the sentence about it."""

    outputs: tuple[Path, ...]
    records: dict[str, str | int | float | None]
    sentence: str

    @property
    def recovered(self) -> bool:
        """Whether a JPEG stands for the picture now, or would with --dry_run."""
        return bool(self.records["recovered"])


def content_of(found: Recovered) -> bytes:
    """Return the optimised, progressive JPEG of recovered coefficients."""
    layout = found.layout
    sampling = [layout.factors or (1, 1), (1, 1), (1, 1)][: layout.components]
    tables = found.tables[: min(layout.components, 2)]
    return jpeg_writer.write(found.levels, sampling, tables, (layout.height, layout.width))


def unlikely(path: Path, picture: Picture) -> str:
    """Return why a picture is not what a JPEG decodes to, empty where it may be."""
    if picture.format in LOSSY or (picture.format == "WEBP" and not images.is_lossless_webp(path)):
        return f"not looked at: a lossy file already ({picture.format})"
    if lost := [note for note in picture.notes if note not in PLAIN and not _kept(path, note)]:
        return f"not what a JPEG decodes to: {', '.join(lost)}"
    with path.open("rb") as handle:
        head = handle.read(26)
    if picture.format == "PNG" and head[24] == 16 and DEEP not in picture.notes:
        return "not what a JPEG decodes to: 16 bits a channel, of which 8 were read"
    return ""


def _kept(path: Path, note: str) -> bool:
    """Return whether what was left out when the picture was read says nothing: opaque alpha, 8 bits written twice."""
    if note not in (ALPHA, DEEP):
        return False
    with Image.open(path) as image:
        if note == ALPHA:
            return image.convert("RGBA").getchannel("A").getextrema() == (255, 255)
        return not (np.asarray(image) % 257).any()


def _metadata(path: Path, picture: Picture, proof: Proof) -> dict[str, Any]:
    """Return EXIF, colour profile, XMP, resolution and a PNG's texts as a comment.

    The comment says too which part of the JPEG the picture is, where it is not all. Raises `UserError` where it does
    not fit.
    """
    with Image.open(path) as image:
        image.load()
        xmp = image.info.get("xmp") or image.info.get(XMP_OF_PNG) or b""
        texts = [f"{name}: {said}" for name, said in getattr(image, "text", {}).items() if name != XMP_OF_PNG]
        density = image.info.get("dpi")
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    exif = picture.exif
    if exif and not exif.startswith(b"Exif\0\0"):
        exif = b"Exif\0\0" + exif
    if proof.orientation > 1:
        tags = Image.Exif()
        tags.load(exif)
        tags[images.ORIENTATION_TAG] = images.both(proof.orientation, picture.orientation)
        exif = tags.tobytes()
    comment = "\n".join([*texts, *([frame] if (frame := _frame(proof)) else [])]).encode()
    if max(len(exif), len(xmp) + len(jpeg_writer.XMP_PREFIX), len(comment)) > jpeg_writer.LONGEST:
        raise UserError(f"{show(path)} has EXIF, XMP or text of over 64 kB, which a JPEG has no room for")
    known = {"exif": exif, "icc_profile": picture.icc_profile, "xmp": xmp, "comment": comment}
    return {**known, "density": density and (round(float(density[0])), round(float(density[1])))}


def _frame(proof: Proof) -> str:
    """Return which part of the JPEG the picture is, and how it was turned; empty where it is all, as it was."""
    if not proof.cropped and proof.orientation == 1:
        return ""
    assert proof.found is not None
    layout = proof.found.layout
    (top, bottom, _), (left, right, _) = (
        part.indices(side) for part, side in zip(proof.inside, (layout.height, layout.width), strict=True)
    )
    place = f"{right - left}x{bottom - top} at {left},{top}"
    return f"q1net-recover: the picture is {place}, orientation {proof.orientation}"


def picture_of(content: bytes) -> NDArray[np.uint8]:
    """Return the picture that a recovered JPEG holds: without an invented margin, turned as it was."""
    pixels = jpeg.decode(content)
    if found := FRAME.search(content[: content.index(b"\xff\xda")]):
        width, height, left, top, orientation = map(int, found.groups())
        pixels = images.upright(pixels[top : top + height, left : left + width], orientation)
    return pixels


def residual(pixels: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> bytes:
    """Return the pixels that differ as a PNG, all others transparent."""
    differ = (pixels != decoded).any(-1)
    layers = np.zeros((*differ.shape, 4), np.uint8)
    layers[differ, :3], layers[differ, 3] = pixels[differ], 255
    buffer = io.BytesIO()
    Image.fromarray(layers).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def joined(content: bytes, rest: bytes) -> NDArray[np.uint8]:
    """Return the picture of a JPEG with the pixels of its residual put in; empty for none."""
    pixels = picture_of(content).copy()
    if not rest:
        return pixels
    layers = np.asarray(Image.open(io.BytesIO(rest)).convert("RGBA"))
    if layers.shape[:2] != pixels.shape[:2]:
        raise UserError("the residual is of a picture of another size")
    kept = layers[..., 3] > 0
    pixels[kept] = layers[kept][:, :3]
    return pixels


def process(
    path: Path, target: Path, allow_residual: bool, replace: bool, dry_run: bool, workers: int, fits: Path | None = None
) -> Written:
    """Recover one picture as the JPEG `target`; write it only where its pixels, read back, are exactly the picture's.

    With `allow_residual` what differs goes to a PNG beside it; `replace` removes the source after the read-back;
    `dry_run` writes nothing; `fits` is where a mask of the blocks that do not fit goes.
    """
    picture = images.read_rgb(path)
    reason = unlikely(path, picture)
    proof = Proof(reason) if reason else prove(picture.pixels, workers)
    source = path.stat().st_size
    if fits is not None and proof.found is not None:
        files.write_bytes(fits, _mask(proof))
    content, rest = _encoded(path, picture, proof, allow_residual)
    size = len(content) + len(rest)
    done = bool(content) and size < source
    outputs: tuple[Path, ...] = ()
    if done and not dry_run:
        outputs = _save(picture.pixels, content, rest, target)
        if replace and not proof.cropped:
            path.unlink()
    blocks = (0, 0) if proof.found is None else (int(proof.found.fits.sum()), proof.found.fits.size)
    told = proof.sentence() + (_told_margin(proof) if done else "")
    if content and not done:
        told += f"; {files.human_bytes(size)} would not be smaller"
    kept = {"blocks": blocks[1], "fit": blocks[0], "source_bytes": source, "bytes": size if done else None}
    return Written(outputs, {"recovered": int(done), **kept, "said": told}, told)


def _encoded(path: Path, picture: Picture, proof: Proof, allow_residual: bool) -> tuple[bytes, bytes]:
    """Return the JPEG and its residual (empty where none is needed); both empty where nothing stands for the pixels."""
    if proof.found is None or not (proof.complete or (allow_residual and proof.found.fits.any())):
        return b"", b""
    plain = content_of(proof.found)
    decoded = proof.picture_of(jpeg.decode(plain))
    exact = np.array_equal(decoded, picture.pixels)
    if not exact and not allow_residual:
        return b"", b""
    return jpeg_writer.with_metadata(plain, **_metadata(path, picture, proof)), b"" if exact else residual(
        picture.pixels, decoded
    )


def _save(pixels: NDArray[np.uint8], content: bytes, rest: bytes, target: Path) -> tuple[Path, ...]:
    """Write the files and read them back from disk before they have their names."""
    beside = target.with_name(target.stem + RESIDUAL)
    with files.atomic_path(target) as temporary:
        temporary.write_bytes(content)
        if rest:
            files.write_bytes(beside, rest)
        read_back = joined(temporary.read_bytes(), beside.read_bytes() if rest else b"")
        if not np.array_equal(read_back, pixels):
            beside.unlink(missing_ok=True)
            raise UserError(f"{show(target)} does not give the pixels back; nothing was written")
    return (target, beside) if rest else (target,)


def _told_margin(proof: Proof) -> str:
    """Return what a viewer of the JPEG sees besides the picture."""
    if not proof.cropped or proof.found is None:
        return ""
    height, width = proof.found.layout.height, proof.found.layout.width
    return f"; the JPEG is {width}x{height}, with an invented margin that --join cuts off, so the source is kept"


def _mask(proof: Proof) -> bytes:
    """Return a PNG of the picture's size, white where a block was changed."""
    assert proof.found is not None
    white = np.where(proof.found.changed, 255, 0).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    buffer = io.BytesIO()
    Image.fromarray(proof.picture_of(white[: proof.found.layout.height, : proof.found.layout.width])).save(
        buffer, "PNG"
    )
    return buffer.getvalue()
