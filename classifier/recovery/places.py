"""Where blocks lie in a picture, and which pixels their samples make: the decoder's upsampling as matrices."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.recovery import decoder
from q1net_msroi.utils import jpeg

Plane = NDArray[np.float32]
Chosen = NDArray[np.bool_]


@dataclass(frozen=True)
class Place:
    """Where a block lies along one axis; `factor` is the number of pixels of a sample.

    `first` where the picture begins with it, `seen` the number of its samples before the picture's end, 0 where the
    picture goes on.
    """

    factor: int
    first: bool = False
    seen: int = 0

    @property
    def window(self) -> int:
        """Return how many pixels the block's samples have a part in: one more at each side where they are smoothed."""
        return 8 if self.factor == 1 else 18

    def matrix(self) -> Plane:
        """Return what ten samples, the block's own between two neighbours, add to its window: (window, 10)."""
        made = np.zeros((self.window, 10), np.float32)
        if self.factor == 1:
            made[np.arange(8), np.arange(1, 9)] = 1
            return made
        near = np.repeat(np.arange(10), 2)[1:-1]
        made[np.arange(18), near] = 0.75
        made[np.arange(18), near + np.tile([1, -1], 9)] = 0.25
        samples = np.eye(10, dtype=np.float32)
        self.closed(samples)
        return made @ samples.T

    def closed(self, lines: NDArray[Any]) -> None:
        """Repeat in (..., 10) samples the outermost ones of the picture, as the decoder does."""
        if self.first:
            lines[..., 0] = lines[..., 1]
        if self.seen:
            lines[..., self.seen + 1] = lines[..., self.seen]


@functools.lru_cache(64)
def operators(down: Place, across: Place) -> tuple[Plane, Plane]:
    """Return what makes pixels of 100 samples in and around a block, (pixels, 100), and of the block's 64 alone."""
    whole = np.einsum("yi,xj->yxij", down.matrix(), across.matrix())
    inner = np.ascontiguousarray(whole[..., 1:9, 1:9]).reshape(-1, 64)
    return whole.reshape(-1, 100), inner


@functools.cache
def basis() -> Plane:
    """Return the samples of each coefficient, less 128: (64, 64)."""
    one = jpeg.dct_matrix().T
    return np.ascontiguousarray(np.einsum("yk,xl->yxkl", one, one).reshape(64, 64), np.float32)


def _line(count: int, seen: int, factor: int) -> list[Place]:
    """Return the places of `count` blocks of which `seen` samples are seen."""
    if factor == 1:
        return [Place(1)] * count
    return [Place(factor, at == 0, seen - 8 * at if at == count - 1 else 0) for at in range(count)]


def alike(chosen: Chosen, seen: tuple[int, int], factors: tuple[int, int], size: int) -> Iterator[Any]:
    """Yield the chosen blocks of a component by the kind of their place: down, across, rows, columns.

    `seen` is the component's size in samples; at most `size` blocks at once.
    """
    lines = [_line(*each) for each in zip(chosen.shape, seen, factors, strict=True)]
    for down in dict.fromkeys(lines[0]):
        for across in dict.fromkeys(lines[1]):
            here = np.outer([each == down for each in lines[0]], [each == across for each in lines[1]])
            at = np.argwhere(chosen & here)
            for first in range(0, len(at), size):
                yield down, across, *at[first : first + size].T


def around(levels: NDArray[np.int16], table: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the decoded samples of each block with one more at each side: (rows, columns, 10, 10)."""
    whole = np.pad(decoder.plane(decoder.samples(levels * table.astype(np.int32))), 1, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(whole, (10, 10))[::8, ::8]


def windows(plane: NDArray[Any], shape: tuple[int, int], factors: tuple[int, int], end: Any) -> NDArray[Any]:
    """Return the windows (rows, columns, height, width, ...) of a plane (height, width, ...), `end` beyond it."""
    sides, more = [8 * factor for factor in factors], plane.shape[2:]
    ring = [(factor - 1, factor - 1) for factor in factors]  # of 1 and 2: none or one pixel
    beyond = [
        (before, count * side - length + after)
        for (before, after), count, side, length in zip(ring, shape, sides, plane.shape, strict=False)
    ]
    whole = np.pad(plane, [*beyond, *[(0, 0)] * len(more)], constant_values=end)
    size = sides[0] + sum(ring[0]), sides[1] + sum(ring[1])
    made = np.lib.stride_tricks.sliding_window_view(whole, size, axis=(0, 1))[:: sides[0], :: sides[1]]
    return np.moveaxis(made, [-2, -1], [2, 3])


def decoded(
    coefficients: NDArray[np.int32], outside: NDArray[np.integer], down: Place, across: Place
) -> NDArray[np.int32]:
    """Return the windows (..., pixels), bit by bit, of dequantised blocks (..., 8, 8) among samples (..., 10, 10)."""
    inner = decoder.samples(coefficients).astype(np.int32)
    if (down.factor, across.factor) == (1, 1):
        return inner.reshape(*inner.shape[:-2], -1)
    whole = np.broadcast_to(outside, (*inner.shape[:-2], 10, 10)).astype(np.int32)
    whole[..., 1:9, 1:9] = inner
    down.closed(whole.swapaxes(-1, -2))
    across.closed(whole)
    bits, rounding = 2, (2, 1)
    if down.factor == 2:
        whole = _smoothed(whole.swapaxes(-1, -2)).swapaxes(-1, -2)
        bits, rounding = 4, (7, 8)
    else:
        whole = whole[..., 1:9, :]
    made: NDArray[np.int32] = (_smoothed(whole) + np.tile(np.array(rounding, np.int32), 9)) >> bits
    return made.reshape(*inner.shape[:-2], -1)


def _smoothed(lines: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return 18 pixels, not divided by 4 yet, of ten samples along the last axis: an odd one, pairs, an even one."""
    odd, even = 3 * lines[..., :9] + lines[..., 1:], 3 * lines[..., 1:] + lines[..., :9]
    made: NDArray[np.int32] = np.stack([odd, even], axis=-1).reshape(*lines.shape[:-1], 18)
    return made
