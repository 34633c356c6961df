"""JPEG files from quantised coefficients, optimised by mozjpeg through jpeglib, and the metadata put into them."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

BASELINE = "turbo210"

START = b"\xff\xd8"
EXIF_MARKER, ICC_MARKER, COMMENT_MARKER = 0xE1, 0xE2, 0xFE
ICC_PREFIX = b"ICC_PROFILE\x00"
ICC_CHUNK = 65_519
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
DENSITY = 13  # where the JFIF header has its unit, 1 for the inch, and two numbers of two bytes
LONGEST = 65_533  # bytes of a segment


def write(
    grids: Sequence[NDArray[np.int16]],
    sampling: Sequence[tuple[int, int]],
    tables: NDArray[np.integer],
    size: tuple[int, int],
    progressive: bool = True,
) -> bytes:
    """Return a JFIF file of the coefficients of Y, Cb and Cr, or Y alone, each (rows, columns, 8, 8).

    `sampling` has a component's factors (vertical, horizontal), `tables` (1 or 2, 8, 8) luma's and chroma's steps
    1..255, `size` height and width in pixels. Without `progressive` a baseline file with optimised Huffman tables.
    Raises `UserError` where jpeglib is missing.
    """
    try:
        import jpeglib
    except ImportError:
        install = "pip install -r requirements-predict.txt"
        raise UserError(f"coefficients are written through jpeglib, which is not installed; {install}") from None
    with jpeg.jpeglib_lock, tempfile.TemporaryDirectory(prefix="jpeg-") as folder:
        path = Path(folder, "baseline.jpg")
        with jpeglib.version(BASELINE):
            arrays = [np.ascontiguousarray(grid) for grid in grids]
            made = jpeglib.from_dct(*arrays, qt=np.ascontiguousarray(tables, np.uint16))
            made.height, made.width = size
            made.samp_factor = np.array(sampling, np.int32)
            made.write_dct(str(path), flags=["+OPTIMIZE_CODING"])
        baseline = path.read_bytes()
    return _without_second_header(jpeg.optimised(baseline)) if progressive else baseline


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload


def _header_end(content: bytes) -> int:
    """Return where the JFIF segment after the start of a file ends."""
    if content[:2] != START or content[2:4] != b"\xff\xe0":
        raise ValueError("no JFIF header")
    return 4 + int.from_bytes(content[4:6], "big")


def _without_second_header(content: bytes) -> bytes:
    """Return a file without the JFIF segment that mozjpeg copies after its own."""
    end = _header_end(content)
    return content[:end] + content[end:].removeprefix(content[2:end])


def with_metadata(
    content: bytes,
    exif: bytes = b"",
    icc_profile: bytes = b"",
    xmp: bytes = b"",
    comment: bytes = b"",
    density: tuple[int, int] | None = None,
) -> bytes:
    """Return a file with EXIF data (beginning with `Exif\\0\\0`), colour profile, XMP and a comment behind its header.

    EXIF data and comment have at most `LONGEST` bytes, XMP `LONGEST` less its prefix; `density` (horizontal, vertical)
    is in dots per inch, and left out beyond 1..65535.
    """
    end = _header_end(content)
    if density is not None and all(0 < each < 1 << 16 for each in density):
        inch = b"\x01" + b"".join(each.to_bytes(2, "big") for each in density)
        content = content[:DENSITY] + inch + content[DENSITY + 5 :]
    return content[:end] + metadata_segments(exif, icc_profile, xmp, comment) + content[end:]


def metadata_segments(exif: bytes, icc_profile: bytes, xmp: bytes = b"", comment: bytes = b"") -> bytes:
    """Return the segments of EXIF data, a colour profile, XMP and a comment, empty for none."""
    segments = [_segment(EXIF_MARKER, exif)] if exif else []
    segments += [_segment(EXIF_MARKER, XMP_PREFIX + xmp)] if xmp else []
    chunks = [icc_profile[start : start + ICC_CHUNK] for start in range(0, len(icc_profile), ICC_CHUNK)]
    for number, chunk in enumerate(chunks, 1):
        segments.append(_segment(ICC_MARKER, ICC_PREFIX + bytes([number, len(chunks)]) + chunk))
    segments += [_segment(COMMENT_MARKER, comment)] if comment else []
    return b"".join(segments)
