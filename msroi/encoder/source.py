"""What goes into the encoder: a picture's pixels as stored with its colour profile and EXIF data, and its map."""

import os
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.msroi.encoder.settings import SETTINGS
from q1net_msroi.utils import images, jpeg
from q1net_msroi.utils.errors import UserError, show

EXIF_MAXIMUM = 65_533  # one APP1 segment
ICC_MAXIMUM = 255 * 65_519  # 255 APP2 segments
EXIF_PREFIX = b"Exif\x00\x00"
CHANGED = {  # what reading notes, as a person who encodes is told
    "transparency on white": "transparency flattened on white",
    "palette": "palette flattened to RGB",
    **{note: note for note in ("16 bits reduced to 8", "CMYK converted to RGB", "first frame of an animation")},
}


@dataclass(frozen=True)
class Source:
    """A picture: `pixels` (height, width, 3) uint8 RGB as stored, metadata for the output, notices for a person.

    `recovered` is a JPEG, with its metadata, that decodes to exactly the pixels; empty where none is known.
    """

    pixels: NDArray[np.uint8]
    format: str
    exif: bytes = b""
    icc_profile: bytes = b""
    orientation: int = 1
    notices: tuple[str, ...] = ()
    recovered: bytes = b""


def _metadata(picture: images.Picture) -> tuple[bytes, bytes, list[str]]:
    """Return a picture's EXIF bytes and ICC profile for a JPEG, and a notice for what cannot be kept."""
    notices = []
    exif, profile = picture.exif, picture.icc_profile
    if exif and not exif.startswith(EXIF_PREFIX):
        exif = EXIF_PREFIX + exif
    if len(exif) > EXIF_MAXIMUM:
        notices.append(f"EXIF data left out: {len(exif):,} bytes do not fit into a JPEG")
        exif = b""
    if picture.format == "TIFF":  # whose tags describe the file itself
        notices.append("a TIFF's tags are not copied; the colour profile is")
    is_rgb = len(profile) >= 128 and profile[16:20] == b"RGB " and profile[36:40] == b"acsp"
    if profile and not (is_rgb and len(profile) <= ICC_MAXIMUM):
        notices.append("colour profile left out: it is damaged or not for RGB")
        profile = b""
    return exif, profile, notices


def read_source(path: str | os.PathLike[str], strip: bool = False) -> Source:
    """Read a picture to encode; `strip` leaves EXIF and ICC profile out.

    EXIF orientation is not applied to the pixels but kept in the EXIF data, so viewers turn the output like the
    input. Transparency is laid on white. Raises `UserError` for what cannot be read or is too large for a JPEG.
    """
    picture = images.read_rgb(path, on_white=True)
    exif, profile, notices = (b"", b"", []) if strip else _metadata(picture)
    if strip and picture.orientation != 1:
        notices = [f"EXIF orientation {picture.orientation} stripped too: viewers will show the pixels as stored"]
    notices += [said for found, said in CHANGED.items() if found in picture.notes]
    return Source(picture.pixels, picture.format, exif, profile, picture.orientation, tuple(notices))


def with_recovered(source: Source, content: bytes) -> Source:
    """Return a picture with the JPEG that it was, unless that decodes to other pixels."""
    same = bool(content) and np.array_equal(jpeg.decode(content), source.pixels)
    return replace(source, recovered=content) if same else source


def read_map(path: str | os.PathLike[str], source: Source) -> tuple[NDArray[np.uint8], list[str]]:
    """Read a map as (height, width) uint8 of the picture's size, with notices.

    A map of another size is resized bilinearly where its aspect ratio is the picture's within 2 %; where it is not,
    `UserError` says so: such a map belongs to another picture. A colour picture is taken by its luma, with a notice.
    """
    picture = images.read_rgb(path)
    height, width = source.pixels.shape[:2]
    map_height, map_width = picture.pixels.shape[:2]
    notices = []
    if images.is_gray(picture.pixels):
        saliency = np.ascontiguousarray(picture.pixels[..., 0])
    else:
        notices.append(f"the map {show(path)} is in colour; its brightness is used")
        saliency = np.asarray(Image.fromarray(picture.pixels).convert("L"))
    if (map_height, map_width) == (height, width):
        return saliency, notices
    tolerance = SETTINGS.aspect_tolerance
    if abs(map_width * height / (map_height * width) - 1) > tolerance:
        advice = "make the picture's own map with generate_map.py"
        if source.orientation >= 5 and abs(map_height * height / (map_width * width) - 1) <= tolerance:
            sideways = f"the picture is stored sideways (EXIF orientation {source.orientation})"
            advice = f"{sideways}: make its map with generate_map.py"
        sizes = f"is {map_width}x{map_height}, but the picture {width}x{height}"
        raise UserError(f"the map {show(path)} {sizes}, of another shape; {advice}")
    resized = Image.fromarray(saliency).resize((width, height), Image.Resampling.BILINEAR)
    notices.append(f"the map {show(path)} is resized from {map_width}x{map_height} to {width}x{height}")
    return np.asarray(resized), notices
