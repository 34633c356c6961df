"""Find pictures and read their pixels exactly as stored: no rotation, no colour management, no resampling."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.utils.errors import UserError, existing_folder, note, os_error_line, show

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
)
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
JPEG_FORMATS = ("JPEG", "MPO")  # what Pillow calls a JPEG file, the second with more pictures behind the first
MAXIMUM_PIXELS = 300_000_000  # 0.9 GB of RGB; a decompression bomb is far beyond, the largest scans are not

Image.MAX_IMAGE_PIXELS = None  # our own limit below refuses by name, before a pixel is decoded


@dataclass(frozen=True)
class Picture:
    """A decoded picture: `pixels` (height, width, 3) uint8 RGB as stored, and what had to be done to get them."""

    pixels: NDArray[np.uint8]
    format: str
    notes: tuple[str, ...] = ()


def find_images(folder: str | os.PathLike[str], recursive: bool = False) -> list[Path]:
    """Return the pictures in `folder` by suffix, sorted by name; hidden files and folder links are left out.

    Raises `UserError` when the folder is missing, is a file, or holds no picture.
    """
    root = existing_folder(folder)
    if recursive:
        # os.walk does not follow links to folders, so a loop of links cannot catch it.
        candidates = [
            Path(where) / name
            for where, folders, names in os.walk(root, onerror=_say)
            for name in names
            if not any(part.startswith(".") for part in Path(where).relative_to(root).parts)
        ]
    else:
        try:
            candidates = list(root.iterdir())
        except OSError as error:
            raise UserError(os_error_line(error)) from None
    found = sorted(
        path
        for path in candidates
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    )
    if not found:
        hint = "" if recursive else "; --recursive looks into its subfolders too"
        raise UserError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {show(root)}{hint}")
    return found


def _say(error: OSError) -> None:
    note(f"left out: {os_error_line(error)}")


def _rgb(image: Image.Image) -> tuple[NDArray[np.uint8], list[str]]:
    """Convert a decoded Pillow image to (height, width, 3) uint8, with a note for everything that was not plain RGB."""
    mode = image.mode
    if mode == "RGB":
        return np.asarray(image), []
    if mode in ("L", "1"):
        gray = np.asarray(image.convert("L"))
        return np.repeat(gray[..., None], 3, axis=2), ["gray"]
    if mode in ("LA", "RGBA", "La", "RGBa", "PA"):
        # The stored colours, not a blend with a background: a blend would disturb the compression's traces.
        return np.asarray(image.convert("RGBA"))[..., :3], ["alpha ignored"]
    if mode == "P":
        transparent = ["alpha ignored"] if "transparency" in image.info else []
        return np.asarray(image.convert("RGBA"))[..., :3], ["palette", *transparent]
    if mode.startswith("I;16"):
        samples = np.asarray(image).astype(np.uint32)
        gray = ((samples * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2), ["gray", "16 bits reduced to 8"]
    if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        return np.asarray(image.convert("RGB")), [f"{mode} converted to RGB"]
    raise UserError(f"holds {mode} samples (floating point or 32 bits); save it with 8 or 16 bits a channel first")


def read_rgb(path: str | os.PathLike[str], minimum_side: int = 1) -> Picture:
    """Read a picture's pixels as stored (EXIF orientation is not applied; first frame of an animation).

    Raises `UserError` with one line for a missing, unreadable, damaged, too large or too small file.
    """
    name = show(path)
    try:
        if os.path.isdir(path):  # noqa: PTH112
            raise UserError(f"{name} is a folder, not a picture")
        if os.path.getsize(path) == 0:  # noqa: PTH202
            raise UserError(f"{name} is empty (0 bytes); restore it from its source")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # EXIF and ICC oddities do not touch the pixels
            with Image.open(path, formats=FORMATS) as probe:
                width, height = probe.size
                if width * height > MAXIMUM_PIXELS:
                    raise UserError(
                        f"{name} claims {width}x{height} pixels, more than {MAXIMUM_PIXELS // 1_000_000} megapixels; "
                        "cut it into parts first"
                    )
                if min(width, height) < minimum_side:
                    raise UserError(
                        f"{name} is {width}x{height} pixels; at least {minimum_side}x{minimum_side} are needed"
                    )
                if probe.format == "PNG":
                    probe.verify()  # reads every chunk's checksum, which decoding alone skips
            with Image.open(path, formats=FORMATS) as image:
                notes = ["first frame of an animation"] if getattr(image, "n_frames", 1) > 1 else []
                image.load()
                pixels, conversions = _rgb(image)
                return Picture(np.ascontiguousarray(pixels), image.format or "unknown", (*conversions, *notes))
    except UserError as error:
        text = str(error)
        raise UserError(text if name in text else f"{name} {text}") from None
    except MemoryError:
        raise UserError(f"{name} does not fit into memory; cut it into parts first") from None
    except Image.UnidentifiedImageError:
        raise UserError(f"{name} is not a picture in a format that can be read ({', '.join(FORMATS)})") from None
    except OSError as error:
        if error.errno is not None:
            raise UserError(os_error_line(error)) from None
        raise UserError(f"{name} is damaged ({_first_line(error)}); restore it from its source") from None
    except Exception as error:  # decoders raise whatever a damaged file makes them raise
        raise UserError(f"{name} is damaged ({_first_line(error)}); restore it from its source") from None


def _first_line(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return show(text.splitlines()[0][:120])


def is_gray(pixels: NDArray[np.uint8]) -> bool:
    """Return whether the three channels of (height, width, 3) pixels are equal everywhere."""
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
