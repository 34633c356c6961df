"""Lossy codecs in memory: what must be known of one to compress pictures, or only parts of them, at a quality.

Another codec is another entry of `CODECS`; for one that Pillow writes, three lines.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PIL import Image, features
from PIL import __version__ as pillow_version

from q1net_msroi.utils import jpeg

Pixels = jpeg.Pixels


@dataclass(frozen=True)
class Codec:
    """A codec: `encode` makes a file of (height, width, 3) uint8 RGB at a quality, `decode` gives such pixels back.

    `identity` tells the versions behind both. Pictures are coded in squares of `unit` pixels a side, whose decoded
    pixels `margin` and more pixels from the edge depend on nothing outside; `margin` None: on anything in the picture.
    """

    name: str
    encode: Callable[[Pixels, int], bytes]
    decode: Callable[[bytes], Pixels] = jpeg.decode
    identity: Callable[[], str] = jpeg.codec_identity
    qualities: range = range(1, 101)
    unit: int = 16
    margin: int | None = 1

    def compress(self, pixels: Pixels, quality: int) -> Pixels:
        """Return the pixels after compression and decompression, shape as given."""
        return self.decode(self.encode(pixels, quality))


def _by_pillow(pixels: Pixels, quality: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=int(quality))
    return buffer.getvalue()


JPEG = Codec("jpeg", jpeg.encode)  # 4:2:0: the smooth upsampling of chroma looks one sample beyond a unit
_ALL = (
    JPEG,
    Codec("jpeg 4:2:2", partial(jpeg.encode, subsampling="4:2:2")),
    Codec("jpeg 4:4:4", partial(jpeg.encode, subsampling="4:4:4"), unit=8, margin=0),
    Codec("libjpeg 6b", partial(jpeg.written_by, version="6b")),
    Codec("libjpeg 9e", partial(jpeg.written_by, version="9e")),
    Codec("mozjpeg", partial(jpeg.written_by, version=jpeg.MOZJPEG), margin=None),  # its trellis runs over all blocks
    Codec(
        "webp",
        partial(_by_pillow, kind="WEBP"),
        identity=lambda: f"Pillow {pillow_version}, libwebp {features.version_module('webp')}",
        margin=None,  # blocks are predicted from their neighbours
    ),
)
CODECS = {codec.name: codec for codec in _ALL}
