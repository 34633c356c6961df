"""The lattice in the colour channels themselves: JPEG files whose components are R, G and B, not luma and chroma.

Such files (Adobe's transform 0, most JPEG data in TIFF) quantise each channel with the tables of luma. What they decode
to shows no lattice in luma, a sum of three, but each channel is what luma is elsewhere: the decoder's own plane.
"""

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, score
from q1net_msroi.classifier.lattice.score import Reading
from q1net_msroi.classifier.lattice.settings import LATTICE

RED, GREEN, BLUE = range(3)
CHANNELS = 3


def as_gray(pixels: NDArray[np.uint8], channel: int) -> NDArray[np.uint8]:
    """Return one channel (0 red, 1 green, 2 blue) of (height, width, 3) pixels as a gray picture, a view of that shape.

    Its luma is the channel, so that all that reads luma reads the channel.
    """
    return np.broadcast_to(pixels[..., channel : channel + 1], pixels.shape)


def read(pixels: NDArray[np.uint8], phase: tuple[int, int] = (0, 0), limit: int = LATTICE.most_blocks) -> Reading:
    """Read the channels of (height, width, 3) uint8 RGB pixels on the grid from `phase` (y, x) on, as one lattice.

    The blocks of all three count, at most `limit` together, or green's alone where they deny every lattice: then there
    is none in three. Gray pictures say three times what their luma says.
    """
    green = [_cut(pixels, GREEN, phase, limit)]
    reading = _together(green, phase)
    if reading.nats < 0:
        return reading
    return _together([_cut(pixels, RED, phase, limit), *green, _cut(pixels, BLUE, phase, limit)], phase)


def _cut(pixels: NDArray[np.uint8], channel: int, phase: tuple[int, int], limit: int) -> blocks.Blocks:
    """Return a channel's share of at most `limit` blocks."""
    return blocks.cut(as_gray(pixels, channel), phase, limit // CHANNELS)


def _together(parts: list[blocks.Blocks], phase: tuple[int, int]) -> Reading:
    """Read the blocks of all parts as one lattice."""
    together = blocks.Blocks(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.clipped for part in parts]),
        np.concatenate([part.places for part in parts]),
    )
    counts = blocks.histograms(together)
    return Reading(phase, "exact", score.table_scores(counts), counts)
