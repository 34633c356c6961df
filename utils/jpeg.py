"""JPEG in memory, by libjpeg-turbo through Pillow and by other libraries through jpeglib, and its tables."""

import functools
import io
import os
import threading
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features
from PIL import __version__ as pillow_version

Pixels = NDArray[np.uint8]
Subsampling = Literal["4:2:0", "4:2:2", "4:4:4"]

jpeglib_lock = threading.Lock()  # jpeglib has one current version of the library a process

MOZJPEG = "mozjpeg403"  # its name in jpeglib
BASE_QUALITY = 50  # at which the base tables are the file's own

# mozjpeg's default base table at quality 50 (its set 3, by N. Robidoux), luma and chroma alike, as its files show it.
MOZJPEG_BASE = np.array(
    [
        [16, 16, 16, 18, 25, 37, 56, 85],
        [16, 17, 20, 27, 34, 40, 53, 75],
        [16, 20, 24, 31, 43, 62, 91, 135],
        [18, 27, 31, 40, 53, 74, 106, 156],
        [25, 34, 43, 53, 69, 94, 131, 189],
        [37, 40, 62, 74, 94, 124, 169, 238],
        [56, 53, 91, 106, 131, 169, 226, 311],
        [85, 75, 135, 156, 189, 238, 311, 418],
    ]
)


def encode(
    pixels: Pixels, quality: int, subsampling: Subsampling = "4:2:0", progressive: bool = False, **metadata: bytes
) -> bytes:
    """Return (height, width, 3) uint8 RGB as a baseline JPEG with libjpeg's standard tables at `quality` 1..100.

    With `progressive` the same coefficients in a progressive file with optimised Huffman tables, the smallest that
    libjpeg-turbo writes. `metadata` is stored in the file as given: `exif` (at most 65,533 bytes, beginning with
    `Exif\\0\\0`) and `icc_profile`.
    """
    buffer = io.BytesIO()
    how = {"subsampling": subsampling, "progressive": progressive, "optimize": progressive, **metadata}
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(quality), **how)
    return buffer.getvalue()


def decode(content: bytes) -> Pixels:
    """Return the pixels of a JPEG or other picture file, (height, width, 3) uint8 RGB."""
    image = Image.open(io.BytesIO(content))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def compress(pixels: Pixels, quality: int, subsampling: Subsampling = "4:2:0") -> Pixels:
    """Return the pixels after one JPEG compression and decompression, shape as given."""
    return decode(encode(pixels, quality, subsampling))


def written_by(pixels: Pixels, quality: int, version: str) -> bytes:
    """Return the JPEG, 4:2:0, that another library writes at its defaults; `version` is its name in jpeglib."""
    import tempfile

    import jpeglib

    with jpeglib_lock, tempfile.TemporaryDirectory() as folder, jpeglib.version(version):
        path = Path(folder) / "picture.jpg"
        jpeglib.from_spatial(pixels).write_spatial(str(path), qt=quality)
        return path.read_bytes()


def optimised(content: bytes) -> bytes:
    """Return a JPEG with the same coefficients in the progressive scans that mozjpeg finds the smallest."""
    import tempfile

    import jpeglib

    # jpeglib hands no request for a progressive file to a coefficient writer, but mozjpeg's own default is one.
    with jpeglib_lock, tempfile.TemporaryDirectory() as folder, jpeglib.version(MOZJPEG):
        path, smaller = Path(folder, "given.jpg"), Path(folder, "progressive.jpg")
        path.write_bytes(content)
        read = jpeglib.read_dct(str(path))
        read.load()
        read.write_dct(str(smaller))
        return smaller.read_bytes()


def luma_coefficients(path: str | os.PathLike[str], limit: int) -> NDArray[np.int16] | None:
    """Return the quantised luma coefficients of at most `limit` blocks of a JPEG file, evenly spread: (blocks, 64).

    None where libjpeg-turbo cannot read them. `k[8 * v + u]` is of vertical frequency v and horizontal frequency u.
    """
    read = luma_blocks(path)
    return None if read is None else some_blocks(read, limit)


def luma_blocks(path: str | os.PathLike[str]) -> NDArray[np.int16] | None:
    """Return the quantised luma coefficients of all blocks of a JPEG file as they lie: (rows, columns, 64), or None."""
    import jpeglib

    try:
        with jpeglib_lock:
            read: NDArray[np.int16] = jpeglib.read_dct(os.fspath(path)).Y
    except (OSError, RuntimeError, ValueError):
        return None
    return read.reshape(*read.shape[:2], 64)


def some_blocks(blocks: NDArray[np.int16], limit: int) -> NDArray[np.int16]:
    """Return at most `limit` of the blocks (rows, columns, 64), evenly spread: (blocks, 64)."""
    blocks = blocks.reshape(-1, 64)
    return blocks[np.arange(limit) * len(blocks) // limit] if len(blocks) > limit else blocks


def quantization_tables(content: bytes) -> list[NDArray[np.int64]]:
    """Return the quantisation tables of a JPEG's header by number, each (8, 8), rows of vertical frequency."""
    with Image.open(io.BytesIO(content)) as image:
        found = image.quantization  # type: ignore[attr-defined]
    return [np.array(found[number], np.int64).reshape(8, 8) for number in sorted(found)]


@functools.cache
def dct_matrix() -> NDArray[np.float32]:
    """Return the orthonormal 8-point DCT-II, (8 frequencies, 8 samples): in two dimensions JPEG's, scale included."""
    frequency, place = np.mgrid[:8, :8]
    matrix: NDArray[np.float64] = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


def quality_scale() -> NDArray[np.int64]:
    """Return the percentages by which libjpeg (jcparam.c) scales its base tables for qualities 1..100: (100,)."""
    quality = np.arange(1, 101)
    return np.where(quality < BASE_QUALITY, 5000 // quality, 200 - 2 * quality)


@functools.cache
def standard_tables() -> NDArray[np.int64]:
    """Return libjpeg's tables of qualities 1..100: (100, 2, 8, 8), luma and chroma (ITU-T T.81, annex K, scaled)."""
    base = np.stack(quantization_tables(encode(np.zeros((8, 8, 3), np.uint8), BASE_QUALITY)))
    tables: NDArray[np.int64] = np.clip((base * quality_scale()[:, None, None, None] + 50) // 100, 1, 255)
    tables.setflags(write=False)  # one array for all callers
    return tables


def codec_identity() -> str:
    """Return which encoder and decoder made the pixels, e.g. `Pillow 13.0.0, libjpeg-turbo 3.1.2`."""
    library = features.version_feature("libjpeg_turbo") or features.version_codec("jpg") or "unknown"
    return f"Pillow {pillow_version}, libjpeg-turbo {library}"
