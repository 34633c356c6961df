"""JPEG in memory, by libjpeg-turbo through Pillow."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features
from PIL import __version__ as pillow_version

Subsampling = Literal["4:2:0", "4:2:2", "4:4:4"]

MCU = 16  # side in pixels of the minimum coded unit at 4:2:0; 4:2:2 and 4:4:4 divide it


def encode(
    pixels: NDArray[np.uint8],
    quality: int,
    subsampling: Subsampling = "4:2:0",
    exif: bytes = b"",
    icc_profile: bytes = b"",
) -> bytes:
    """Return (height, width, 3) uint8 RGB as a baseline JPEG with libjpeg's standard tables at `quality` 1..100.

    `exif` (at most 65,533 bytes, beginning with `Exif\\0\\0`) and `icc_profile` are stored in the file as given.
    """
    buffer = io.BytesIO()
    metadata = {"exif": exif, "icc_profile": icc_profile}
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(quality), subsampling=subsampling, **metadata)
    return buffer.getvalue()


def decode(content: bytes) -> NDArray[np.uint8]:
    """Return a JPEG's pixels, (height, width, 3) uint8 RGB."""
    image = Image.open(io.BytesIO(content))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def compress(pixels: NDArray[np.uint8], quality: int, subsampling: Subsampling = "4:2:0") -> NDArray[np.uint8]:
    """Return the pixels after one JPEG compression and decompression, shape as given."""
    return decode(encode(pixels, quality, subsampling))


def codec_identity() -> str:
    """Return which encoder and decoder made the pixels, e.g. `Pillow 13.0.0, libjpeg-turbo 3.1.2`."""
    library = features.version_feature("libjpeg_turbo") or features.version_codec("jpg") or "unknown"
    return f"Pillow {pillow_version}, libjpeg-turbo {library}"
