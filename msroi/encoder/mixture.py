"""The mixture: one picture whose pixels come from several JPEG qualities of it (Section 4 of the MSROI paper)."""

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder.levels import HIGHEST, LOWEST, Levels, quality_of
from q1net_msroi.utils import tasks
from q1net_msroi.utils.codecs import JPEG


def mix(pixels: NDArray[np.uint8], levels: Levels) -> NDArray[np.uint8]:
    """Return, for every pixel, its value in the JPEG of its level's quality, decoded.

    `pixels` (height, width, 3) uint8 RGB, `levels` (height, width) 1..9. At most four decoded pictures are in memory.
    """
    present = [level for level in range(LOWEST, HIGHEST + 1) if (levels == level).any()]
    mixed = np.empty_like(pixels)

    def decoded(level: int) -> NDArray[np.uint8]:
        return JPEG.compress(pixels, quality_of(level))

    layers = tasks.ordered_map(decoded, present, workers=2, ahead=1)
    for level, layer in zip(present, layers, strict=True):
        # The mask is repeated for each channel because NumPy copies three times slower through a broadcast one.
        mask = np.repeat(levels == level, 3, axis=1).reshape(mixed.shape)
        np.copyto(mixed, layer, where=mask)
    return mixed
