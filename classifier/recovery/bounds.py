"""What the pixels say of one component's samples, the others being known: the least and the most that each can be."""

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.recovery.projection import BLUE, LUMA, RED, clipped

Plane = NDArray[np.float32]

FREE = np.float32(1e6)  # far beyond any sample: no bound on this side
GREEN_OF_CB, GREEN_OF_CR = 0.344136, 0.714136
CENTRE = 128


def bounds(pixels: NDArray[np.uint8], planes: list[NDArray[np.uint8]], component: int) -> tuple[Plane, Plane]:
    """Return the least and the greatest value (height, width) that a component's sample can have at each pixel.

    `planes` are the decoded Y, or Y, Cb and Cr, at the size of the `pixels` (height, width, 3). Where no channel is
    clipped its three roundings leave one value, whatever the other planes are. Elsewhere the others are taken to be
    right; where they cannot be, the bounds enclose what the channels say.
    """
    if len(planes) == 1:
        low = pixels[..., 0].astype(np.float32)
        high = low.copy()
    else:
        low = exact(pixels, component)
        high = low.copy()
        at = clipped(pixels)
        others = [plane[at].astype(np.float32) for plane in planes]
        one, two = _of_clipped(pixels[at].astype(np.float32), others, component)
        low[at], high[at] = np.minimum(one, two), np.maximum(one, two)
    low[low <= 0], high[high >= 255] = -FREE, FREE  # the decoder clips its samples too
    return low, high


def exact(pixels: NDArray[np.uint8], component: int) -> Plane:
    """Return a component's samples at pixels without a clipped channel: what three roundings leave is one value."""
    colours = pixels.astype(np.float32)
    luma: Plane = np.rint(colours @ LUMA)
    if component == 0:
        return luma
    channel, factor = (2, BLUE) if component == 1 else (0, RED)
    return np.asarray(np.rint((colours[..., channel] - luma) / np.float32(factor)) + CENTRE)


def _of_clipped(colours: Plane, others: list[Plane], component: int) -> tuple[Plane, Plane]:
    """Return the bounds at pixels (count, 3) some of whose channels are clipped."""
    luma, cb, cr = others[0], others[1] - CENTRE, others[2] - CENTRE
    low = np.where(colours == 0, -FREE, colours) - 0.5  # of red, green and blue before they were rounded and clipped
    high = np.where(colours == 255, FREE, colours) + 0.5
    if component == 0:
        parts = np.rint(np.stack([RED * cr, -GREEN_OF_CB * cb - GREEN_OF_CR * cr, BLUE * cb], axis=-1))
        return np.ceil((low - parts).max(-1)), np.floor((high - parts).min(-1))
    channel, factor = (2, BLUE) if component == 1 else (0, RED)
    weight, part = (GREEN_OF_CB, GREEN_OF_CR * cr) if component == 1 else (GREEN_OF_CR, GREEN_OF_CB * cb)
    least = (low[:, channel] - luma) / factor, (luma - part - high[:, 1]) / weight
    most = (high[:, channel] - luma) / factor, (luma - part - low[:, 1]) / weight
    return np.ceil(np.maximum(*least)) + CENTRE, np.floor(np.minimum(*most)) + CENTRE
