"""Pairs of pictures that the metrics are checked on."""

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import jpeg


def photograph_like(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth areas, edges and texture, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (max(height // 12, 2), max(width // 12, 2), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    smooth[height // 2 :, : width // 3] = 240
    smooth[: height // 3, width // 2 :] += random.normal(0, 12, smooth[: height // 3, width // 2 :].shape)
    return np.clip(np.rint(smooth), 0, 255).astype(np.uint8)


@pytest.fixture(params=[(64, 80, 20), (61, 75, 70), (48, 48, 5)], ids=str)
def pair(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its JPEG, uint8 RGB."""
    height, width, quality = request.param
    pixels = photograph_like(height, width)
    return pixels, jpeg.compress(pixels, quality)
