"""What the chroma says where luma leaves several qualities: its own tables, through each way of subsampling."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, score
from q1net_msroi.classifier.lattice.settings import LATTICE


@dataclass(frozen=True)
class Subsampling:
    """A way in which a decoder made full chroma planes; 2 halves a direction."""

    name: str
    vertical: int
    horizontal: int
    smooth: bool = True  # triangle filter ("fancy upsampling"), or repeated samples


WAYS = (
    Subsampling("4:2:0", 2, 2),
    Subsampling("4:2:2", 1, 2),
    Subsampling("4:4:4", 1, 1),
    Subsampling("4:2:0", 2, 2, smooth=False),
    Subsampling("4:2:2", 1, 2, smooth=False),
)


@functools.cache
def inverse(factor: int, smooth: bool) -> NDArray[np.float32]:
    """Return the least-squares inverse of an upsampling: (8 samples, 8 * factor pixels).

    The triangle filter gives a pixel 3/4 of its own sample and 1/4 of the nearest other one; the samples beyond the
    block's two ends are unknowns too.
    """
    if factor == 1:
        return np.eye(8, dtype=np.float32)
    own = np.arange(16) // 2 + 1
    other = own + np.where(np.arange(16) % 2, 1, -1)
    matrix = np.zeros((16, 10))
    matrix[np.arange(16), own] = 0.75 if smooth else 1.0
    if smooth:
        matrix[np.arange(16), other] = 0.25
    return np.linalg.pinv(matrix)[1:9].astype(np.float32)


def cut(
    pixels: NDArray[np.uint8], phase: tuple[int, int], way: Subsampling, limit: int = LATTICE.chroma_squares
) -> blocks.Blocks:
    """Cut at most `limit` squares of pixels into 8x8 blocks of samples of Cb and Cr (less 128), upsampling undone.

    `phase` (y, x) is where the first block begins: 0..15 where that direction is halved, else 0..7.
    """
    height, width = 8 * way.vertical, 8 * way.horizontal
    rows, columns = (
        (side - start) // step for side, start, step in zip(pixels.shape[:2], phase, (height, width), strict=True)
    )
    if rows < 1 or columns < 1:
        return blocks.Blocks(np.zeros((0, 64), np.float32), np.zeros(0, bool), np.zeros((0, 2), np.int64))
    count = rows * columns
    chosen = np.arange(count) if count <= limit else np.arange(limit) * count // limit
    places = np.stack(np.divmod(chosen, columns), axis=1) * (height, width) + np.array(phase)
    view = np.lib.stride_tricks.sliding_window_view(pixels, (height, width), axis=(0, 1))
    windows = np.moveaxis(view[places[:, 0], places[:, 1]], 1, -1)
    clipped = ((windows == 0) | (windows == 255)).any((1, 2, 3))
    luma = blocks.luma(windows).astype(np.float32) + blocks.ZERO_MEAN
    # The decoder adds round(1.772 (Cb - 128)) and round(1.402 (Cr - 128)): both can be undone exactly.
    planes = [np.rint((windows[..., c] - luma) / weight) for c, weight in ((2, 1.772), (0, 1.402))]
    samples = inverse(way.vertical, way.smooth) @ np.concatenate(planes) @ inverse(way.horizontal, way.smooth).T
    samples = np.rint(samples * 256) / 256  # flat stays flat
    return blocks.Blocks(samples.reshape(-1, 64), np.tile(clipped, 2), np.tile(places, (2, 1)))


@dataclass(frozen=True)
class Chroma:
    """What the chroma planes say."""

    nats: NDArray[np.float64]  # (100,) against "never quantised"
    subsampling: str
    phase: tuple[int, int]  # of the chroma blocks in pixels


def scores(pixels: NDArray[np.uint8], phase: tuple[int, int]) -> Chroma | None:
    """Score the chroma tables on the luma grid's `phase` under the likeliest subsampling; None for gray pictures."""
    sample = pixels[::3, ::3]
    if (sample[..., 0] == sample[..., 1]).all() and (sample[..., 1] == sample[..., 2]).all():
        return None
    best: Chroma | None = None
    for way in WAYS:
        for y in range(phase[0], 8 * way.vertical, 8):
            for x in range(phase[1], 8 * way.horizontal, 8):
                counts = blocks.histograms(cut(pixels, (y, x), way))
                exact = way.name == "4:4:4"
                nats = score.table_scores(counts, "exact" if exact else "chroma", channel=1).nats
                if best is None or nats.max() > best.nats.max():
                    best = Chroma(nats, way.name, (y, x))
    return best
