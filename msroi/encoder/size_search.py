"""The largest JPEG quality whose file is not larger than a number of bytes."""

from collections.abc import Callable
from typing import NamedTuple

from q1net_msroi.msroi.encoder.settings import SETTINGS

TOP, BOTTOM = 90, 21  # the originals look from 90 down to 21


class Found(NamedTuple):
    """A JPEG file in memory and the quality it was encoded at."""

    quality: int
    content: bytes


def largest_quality(encode: Callable[[int], bytes], budget: int, top: int = TOP, bottom: int = BOTTOM) -> Found | None:
    """Return the JPEG of the largest quality of `top`..`bottom` with at most `budget` bytes, or None if there is none.

    `encode(quality)` returns a file. Sizes grow with quality, but for dips where a picture was a JPEG before (deepest
    measured: 0.23 %). So the bisection's answer is checked upwards until a file exceeds `budget` by more than 1 % + 64
    bytes: it is that of trying every quality if no dip is deeper. In a flat or tiny picture, whose files all lie within
    the margin, every quality above the answer is tried.
    """
    sizes: dict[int, int] = {}
    best: Found | None = None

    def fits(quality: int) -> bool:
        nonlocal best
        if quality not in sizes:
            content = encode(quality)
            sizes[quality] = len(content)
            if len(content) <= budget and (best is None or quality > best.quality):
                best = Found(quality, content)
        return sizes[quality] <= budget

    if not fits(top):
        low, high = bottom - 1, top
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        surely_larger = budget * (1 + SETTINGS.dip_share) + SETTINGS.dip_bytes
        for quality in range(high, top):
            if not fits(quality) and sizes[quality] > surely_larger:
                break
    return best
