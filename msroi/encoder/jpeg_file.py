"""A progressive JPEG file from quantised coefficients, its scans and codes optimised by mozjpeg through jpeglib."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder.blocks import FREQUENCIES, NATURAL, SIDE, ZIGZAG, Component
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

BASELINE = "turbo210"

START = b"\xff\xd8"
EXIF_MARKER, ICC_MARKER = 0xE1, 0xE2
ICC_PREFIX = b"ICC_PROFILE\x00"
ICC_CHUNK = 65_519


def write(
    levels: Sequence[NDArray[np.int16]],
    components: Sequence[Component],
    tables: NDArray[np.integer],
    height: int,
    width: int,
    progressive: bool = True,
) -> bytes:
    """Return a JFIF file of the levels of Y, Cb and Cr, or Y alone, each (64, blocks) in zigzag order.

    `tables` (2, 64), luma and chroma, zigzag order, 1..255. Without `progressive` a baseline file with optimised
    Huffman tables. Raises `UserError` where jpeglib is missing.
    """
    try:
        import jpeglib
    except ImportError:
        install = "pip install -r requirements-predict.txt"
        raise UserError(f"-model 7 writes its files through jpeglib, which is not installed; {install}") from None
    pairs = zip(levels, components, strict=True)
    grids = (each[NATURAL].T.reshape(part.rows, part.columns, SIDE, SIDE) for each, part in pairs)
    arrays = [np.ascontiguousarray(grid) for grid in grids]
    natural_tables = np.ascontiguousarray(tables[:, NATURAL].reshape(-1, SIDE, SIDE), np.uint16)
    with jpeg.jpeglib_lock, tempfile.TemporaryDirectory(prefix="msroi-") as folder:
        path = Path(folder, "baseline.jpg")
        with jpeglib.version(BASELINE):
            made = jpeglib.from_dct(*arrays, qt=natural_tables)
            made.height, made.width = height, width
            made.samp_factor = np.array([[each.sampling, each.sampling] for each in components], np.int32)
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


def with_metadata(content: bytes, exif: bytes = b"", icc_profile: bytes = b"") -> bytes:
    """Return a file with EXIF data (beginning with `Exif\\0\\0`) and colour profile put in after its JFIF segment."""
    return content[: _header_end(content)] + metadata_segments(exif, icc_profile) + content[_header_end(content) :]


def metadata_segments(exif: bytes, icc_profile: bytes) -> bytes:
    """Return the APP1 and APP2 segments of EXIF data and a colour profile, empty for none."""
    segments = [_segment(EXIF_MARKER, exif)] if exif else []
    chunks = [icc_profile[start : start + ICC_CHUNK] for start in range(0, len(icc_profile), ICC_CHUNK)]
    for number, chunk in enumerate(chunks, 1):
        segments.append(_segment(ICC_MARKER, ICC_PREFIX + bytes([number, len(chunks)]) + chunk))
    return b"".join(segments)


def zigzag_tables(natural: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return tables (..., 8, 8) in zigzag order, (..., 64)."""
    return natural.reshape(*natural.shape[:-2], FREQUENCIES)[..., ZIGZAG].astype(np.int64)
