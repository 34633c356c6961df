"""What happens to a photograph before anybody is asked for its quality: cuts, encoders, second compressions, noise."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators.header import Header, match
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.codecs import CODECS, JPEG, Codec

Pixels = NDArray[np.uint8]
FEWEST_APART = 10  # qualities between the two compressions of a picture
HIGHEST_SECOND = 97


@dataclass(frozen=True)
class Made:
    """What an estimator gets: pixels, the right quality, the JPEG file if there is one; `first`: an earlier quality."""

    pixels: Pixels
    quality: int
    file: bytes | None = None
    first: int | None = None


Make = Callable[[Pixels, int, np.random.Generator], Made]


def nearest_quality(content: bytes) -> int:
    """Return the standard quality whose tables are nearest to those of a JPEG file's header."""
    luma, *others = jpeg.quantization_tables(content)
    header = Header(luma, others[0] if others else None, 3, subsampling=None, progressive=False)
    return match(header).nearest_standard


def _file(content: bytes, quality: int) -> Made:
    return Made(JPEG.decode(content), quality, content)


def _saved(codec: Codec = JPEG) -> Make:
    return lambda p, q, r: _file(codec.encode(p, q), q)


def _then(change: Callable[[Pixels, np.random.Generator], Pixels]) -> Make:
    """Compress, then change the pixels: no file is left."""
    return lambda p, q, r: Made(change(JPEG.compress(p, q), r), q)


def _scaled(pixels: Pixels, gain: int, more: int = 0) -> Pixels:
    return np.minimum(pixels.astype(np.int16) * gain + more, 255).astype(np.uint8)


def _mozjpeg(p: Pixels, q: int, r: np.random.Generator) -> Made:
    """Compress with mozjpeg, whose tables are others: the nearest standard quality is right."""
    content = CODECS["mozjpeg"].encode(p, q)
    return _file(content, nearest_quality(content))


def _twice(aligned: bool) -> Make:
    """Compress at a lower quality, then at a higher one; the last one is right."""

    def make(p: Pixels, q: int, r: np.random.Generator) -> Made:
        last = min(max(q, FEWEST_APART + 2), HIGHEST_SECOND)
        quality = int(r.integers(1, last - FEWEST_APART + 1))
        first = JPEG.compress(p, quality)
        return replace(_file(JPEG.encode(first if aligned else _offset(first, r), last), last), first=quality)

    return make


def _crop(side: int) -> Callable[[Pixels, np.random.Generator], Pixels]:
    def crop(pixels: Pixels, r: np.random.Generator) -> Pixels:
        top, left = (int(r.integers(0, max(1, length - side + 1))) for length in pixels.shape[:2])
        return np.ascontiguousarray(pixels[top : top + side, left : left + side])

    return crop


def _offset(pixels: Pixels, r: np.random.Generator) -> Pixels:
    top, left = divmod(int(r.integers(1, 64)), 8)
    return np.ascontiguousarray(pixels[top:, left:])


def _noisy(pixels: Pixels, r: np.random.Generator) -> Pixels:
    noisy: NDArray[np.int64] = pixels + r.integers(-1, 2, pixels.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def _resized(pixels: Pixels, r: np.random.Generator) -> Pixels:
    image = Image.fromarray(pixels)
    size = (round(image.width * 0.9), round(image.height * 0.9))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


NEVER = "never compressed"  # one picture a photograph; 100 counts as right, no answer is the best one
CONDITIONS: dict[str, Make] = {
    "uncropped": _saved(),
    "random crop offset": _then(_offset),
    "crop 256": _then(_crop(256)),
    "crop 128": _then(_crop(128)),
    "crop 64": _then(_crop(64)),
    "4:2:2": _saved(CODECS["jpeg 4:2:2"]),
    "4:4:4": _saved(CODECS["jpeg 4:4:4"]),
    "gray": lambda p, q, r: _file(JPEG.encode(np.asarray(Image.fromarray(p).convert("L")), q), q),
    "overexposed": lambda p, q, r: _file(JPEG.encode(_scaled(p, 4), q), q),  # clipped in nearly every block
    "libjpeg 6b": _saved(CODECS["libjpeg 6b"]),
    "libjpeg 9e": _saved(CODECS["libjpeg 9e"]),
    "mozjpeg": _mozjpeg,
    "twice, aligned": _twice(aligned=True),
    "twice, shifted": _twice(aligned=False),
    "noise of 1 after": _then(_noisy),
    "10 brighter after": _then(lambda pixels, r: _scaled(pixels, 1, 10)),
    "resized to 90 % after": _then(_resized),
    NEVER: lambda p, q, r: Made(p, 100),
}


def make(condition: str, pixels: Pixels, quality: int, random: np.random.Generator) -> Made:
    """Return what becomes of a photograph, (height, width, 3) uint8 RGB, at `quality` 1..100 under a condition."""
    return CONDITIONS[condition](pixels, quality, random)
