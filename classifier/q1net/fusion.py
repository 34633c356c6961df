"""From the answers of many patches to one answer for the picture (paper, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fused:
    """`quality` 0..100 or None without a confident patch, their number, and their interquartile range (`spread`)."""

    quality: float | None
    confident: int
    spread: float | None


def fuse(predictions: NDArray[np.float32], threshold: float) -> Fused:
    """Return the median quality of the patches whose confidence exceeds `threshold`.

    `predictions` is (n, 2): confidence and quality, both 0..100. The original answers 100 when no patch is confident;
    here the answer is None, because nothing is known.
    """
    qualities = predictions[predictions[:, 0] > threshold, 1]
    if len(qualities) == 0:
        return Fused(None, 0, None)
    low, median, high = np.percentile(qualities, [25, 50, 75])
    return Fused(float(median), len(qualities), float(high - low))
