"""What becomes of a picture's pixels before anybody is asked for its quality: other codecs, sizes, curves, turns."""

import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from q1net_msroi.utils import images, jpeg
from q1net_msroi.utils.codecs import CODECS
from q1net_msroi.utils.errors import UserError, show

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels], Pixels]
CROP = (200, 300)  # height and width of what is cut out
OFF = 5  # pixels off the grid of 8x8 blocks


def contrast(pixels: Pixels, factor: float) -> Pixels:
    """Return pixels further from (or nearer to) the picture's mean by a factor, as an editor does."""
    return np.asarray(ImageEnhance.Contrast(Image.fromarray(pixels)).enhance(factor))


def brightness(pixels: Pixels, factor: float) -> Pixels:
    """Return pixels multiplied by a factor."""
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(pixels)).enhance(factor))


def saturation(pixels: Pixels, factor: float) -> Pixels:
    """Return pixels further from (or nearer to) their gray by a factor."""
    return np.asarray(ImageEnhance.Color(Image.fromarray(pixels)).enhance(factor))


def gamma(pixels: Pixels, exponent: float) -> Pixels:
    """Return pixels raised to a power, on a scale of 0..1."""
    return np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)[pixels]


def levels(pixels: Pixels, low: int, high: int) -> Pixels:
    """Return pixels with `low` made 0 and `high` made 255."""
    return np.rint((np.arange(256.0) - low) * 255 / (high - low)).clip(0, 255).astype(np.uint8)[pixels]


def brighter(pixels: Pixels, by: int) -> Pixels:
    """Return pixels with a number added."""
    return np.minimum(pixels.astype(np.int16) + by, 255).astype(np.uint8)


def enlarged(pixels: Pixels, factor: float, how: Image.Resampling) -> Pixels:
    """Return pixels resampled to a greater size."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((round(image.width * factor), round(image.height * factor)), how))


def avif(pixels: Pixels, quality: int) -> Pixels:
    """Return pixels after AVIF at a quality 1..100."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "AVIF", quality=quality)
    return jpeg.decode(buffer.getvalue())


def corner_of_crop(pixels: Pixels) -> tuple[int, int]:
    """Return where (y, x) the part begins that `crop` cuts out: near the middle, off the grid where there is room."""
    spare = [max(0, side - part) for side, part in zip(pixels.shape, CROP, strict=False)]
    y, x = (min(room // 16 * 8 + OFF, room) for room in spare)
    return y, x


def crop(pixels: Pixels) -> Pixels:
    """Return a part of at most 200x300 pixels."""
    y, x = corner_of_crop(pixels)
    return np.ascontiguousarray(pixels[y : y + CROP[0], x : x + CROP[1]])


def quarter_turn(pixels: Pixels) -> Pixels:
    """Return pixels turned by 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels))


def mirrored(pixels: Pixels) -> Pixels:
    """Return pixels with left and right exchanged."""
    return np.ascontiguousarray(pixels[:, ::-1])


def without_smoothing(path: Path) -> Pixels:
    """Return a JPEG file's pixels decoded with chroma repeated, not smoothed; raise `UserError` where that fails."""
    import jpeglib

    try:
        with jpeg.jpeglib_lock:
            pixels = np.asarray(jpeglib.read_spatial(str(path), flags=["-DO_FANCY_UPSAMPLING"]).spatial)
    except Exception as error:  # the library raises whatever it likes
        raise UserError(f"{show(path)} cannot be decoded without smoothing ({error})") from None
    if pixels.shape[2] == 4:  # CMYK, which Adobe stores inverted
        return np.asarray(Image.fromarray(255 - pixels, "CMYK").convert("RGB"))
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)


def cut_losslessly(path: Path) -> tuple[bytes, Pixels] | None:
    """Return a part of a JPEG file as a file with the same coefficients and tables, and its pixels.

    It is near the middle, at most as large as what `crop` cuts out. None of a file that is too small or damaged, or of
    CMYK, whose markers the library does not keep.
    """
    import jpeglib

    with jpeg.jpeglib_lock, tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.jpg"
        try:
            file = jpeglib.read_dct(str(path))
            planes = [name for name in ("Y", "Cb", "Cr", "K") if getattr(file, name) is not None]
            factors = np.array(file.samp_factor)[: len(planes)]
            unit = factors.max(0)  # blocks down and across in which all planes are whole
            units = np.array([file.height, file.width]) // (8 * unit)
            taken = np.minimum(units, np.array(CROP) // (8 * unit))
            if "K" in planes or not taken.all():
                return None
            first = (units - taken) // 2
            for name, factor in zip(planes, factors, strict=True):
                (top, left), (bottom, right) = first * factor, (first + taken) * factor
                setattr(file, name, np.ascontiguousarray(getattr(file, name)[top:bottom, left:right]))
            file.height, file.width = (int(side) for side in taken * 8 * unit)
            file.write_dct(str(part))
        except Exception:  # the library raises whatever it likes
            return None
        content = part.read_bytes()
    return content, jpeg.decode(content)


OF_FILES: dict[str, Change] = {  # of decoded real files, besides those decoded without smoothing
    "decoded": np.asarray,
    "cropped": crop,
    "turned by 90": quarter_turn,
    "mirrored": mirrored,
    "contrast x0.8": partial(contrast, factor=0.8),
    "contrast x1.2": partial(contrast, factor=1.2),
}
NEVER_JPEG: dict[str, Change] = {
    "as it is": np.asarray,
    **{f"WebP {quality}": partial(CODECS["webp"].compress, quality=quality) for quality in (20, 50, 75, 90)},
    **{f"AVIF {quality}": partial(avif, quality=quality) for quality in (30, 60, 90)},
    "enlarged x1.25": partial(enlarged, factor=1.25, how=Image.Resampling.BICUBIC),
    "enlarged x1.5": partial(enlarged, factor=1.5, how=Image.Resampling.BILINEAR),
    "enlarged x2": partial(enlarged, factor=2, how=Image.Resampling.LANCZOS),
}
CHANGED: dict[str, Change] = {
    **{f"contrast x{factor}": partial(contrast, factor=factor) for factor in (0.5, 0.8, 1.2, 1.5)},
    **{f"gamma {exponent}": partial(gamma, exponent=exponent) for exponent in (0.8, 1.25)},
    "levels 16..235": partial(levels, low=16, high=235),
    "10 brighter": partial(brighter, by=10),
    "brightness x1.1": partial(brightness, factor=1.1),
    **{f"saturation x{factor}": partial(saturation, factor=factor) for factor in (0.7, 1.3)},
}
TURNED: dict[str, Change] = {
    f"orientation {number}": partial(images.upright, orientation=number) for number in images.ORIENTATIONS
}
