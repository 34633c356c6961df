"""JPEG data inside TIFF files."""

import os
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image

from q1net_msroi.utils import jpeg_markers

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
COMPRESSION, PHOTOMETRIC, STRIPS, TILES, JPEG_TABLES, OLD_JPEG = 259, 262, 273, 324, 347, 513  # tags
OLD_STYLE, NEW_STYLE = 6, 7  # compressions
COLOURS = {0: "gray", 1: "gray", 2: "RGB", 5: "CMYK", 6: "YCbCr"}  # by photometric interpretation


@dataclass(frozen=True)
class JpegData:
    """The beginning of a TIFF's JPEG data as a JPEG file would have it, and the `colours` that the TIFF says it has."""

    content: bytes
    colours: str


def jpeg_data(path: str | os.PathLike[str]) -> JpegData | None:
    """Return the JPEG data of a TIFF's first picture, of its first strip or tile; None where there is none.

    Raises `OSError` for a file that cannot be opened.
    """
    with open(path, "rb") as handle:  # noqa: PTH123
        if handle.read(4) not in SIGNATURES:
            return None
        handle.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(handle, formats=("TIFF",)) as image:
                    return _of_tags(image.tag_v2, handle)  # type: ignore[attr-defined]
        except Exception:  # damaged tags raise whatever they like
            return None


def _of_tags(tags: Any, handle: Any) -> JpegData | None:
    """Return the JPEG data that a TIFF's tags lead to."""
    compression = tags.get(COMPRESSION)
    if compression not in (OLD_STYLE, NEW_STYLE):
        return None
    place = tags.get(STRIPS) or tags.get(TILES) if compression == NEW_STYLE else tags.get(OLD_JPEG)
    handle.seek(place[0] if isinstance(place, tuple) else place)
    content, tables = handle.read(jpeg_markers.READ[0]), tags.get(JPEG_TABLES, b"")
    if not content.startswith(jpeg_markers.START):
        return None
    if compression == NEW_STYLE and tables.startswith(jpeg_markers.START):
        content = tables.removesuffix(b"\xff\xd9") + content[2:]
    return JpegData(content, COLOURS.get(tags.get(PHOTOMETRIC), "unknown"))
