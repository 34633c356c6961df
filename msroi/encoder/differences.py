"""Where two JPEGs of a picture differ most: squares inside the region where one gains, outside where it loses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.metrics.metric import Pixels, Region

CELL = 8  # pixels; squares lie on this grid of a JPEG's blocks
SMALLEST, LARGEST = 64, 160  # pixels a side of a square
SHARE = 8  # and between those the picture's long side divided by this
ROWS = 512  # pixel rows at a time: what is computed on the way stays small


@dataclass(frozen=True)
class Place:
    """A square (`top`, `left`, `height`, `width`, pixels) and the root-mean-square errors there, gray levels 0..255.

    The errors are those of the square's pixels inside the region (`inside`), or of those outside it.
    """

    top: int
    left: int
    height: int
    width: int
    inside: bool
    plain: float
    ours: float


def _cells(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return sums over cells; what a cell lacks at the right and bottom edge counts as 0."""
    height, width = values.shape
    padded = np.pad(values, ((0, -height % CELL), (0, -width % CELL)))
    rows, columns = padded.shape[0] // CELL, padded.shape[1] // CELL
    return np.asarray(padded.reshape(rows, CELL, columns, CELL).sum(axis=(1, 3), dtype=np.float64))


def _squared_error(original: Pixels, other: Pixels) -> NDArray[np.float32]:
    """Return the mean over the channels of the squared difference, (height, width)."""
    difference = original.astype(np.float32) - other
    return np.asarray(np.einsum("hwc,hwc->hw", difference, difference) / np.float32(original.shape[2]))


def _window_sums(cells: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """Return the sum over every window of `rows` x `columns` cells."""
    total = np.pad(cells, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    top, bottom = total[:-rows], total[rows:]
    return np.asarray(bottom[:, columns:] - top[:, columns:] - bottom[:, :-columns] + top[:, :-columns])


def find_places(original: Pixels, plain: Pixels, ours: Pixels, region: Region, count: int = 2) -> list[Place]:
    """Return up to `count` squares inside the region where `ours` gains most, then as many outside where it loses most.

    Pictures are (height, width, 3) uint8, the region (height, width) bool. Squares of one kind do not overlap; half of
    each is inside (outside), or nearly as much as any square has. A side without pixels has no square.
    """
    height, width = region.shape
    side = min(max(max(height, width) // SHARE, SMALLEST), LARGEST) // CELL
    rows, columns = min(side, -(-height // CELL)), min(side, -(-width // CELL))
    places = []
    for inside in (True, False):
        parts: list[list[NDArray[np.float64]]] = [[], [], []]
        for top in range(0, height, ROWS):
            band = slice(top, top + ROWS)
            chosen = (region[band] == inside).astype(np.float32)
            parts[0].append(_cells(chosen))
            for values, picture in zip(parts[1:], (plain, ours), strict=True):
                values.append(_cells(_squared_error(original[band], picture[band]) * chosen))
        pixels, *errors = (_window_sums(np.concatenate(part), rows, columns) for part in parts)
        if not pixels.max():
            continue
        enough = pixels >= min(rows * columns * CELL * CELL / 2, 0.9 * pixels.max())
        before, after = (np.sqrt(np.maximum(error, 0) / np.maximum(pixels, 1)) for error in errors)
        gain = np.where(enough, before - after if inside else after - before, -np.inf)
        for _ in range(count):
            y, x = np.unravel_index(np.argmax(gain), gain.shape)
            if not np.isfinite(gain[y, x]):
                break
            top, left = int(y) * CELL, int(x) * CELL
            size = min(rows * CELL, height - top), min(columns * CELL, width - left)
            places.append(Place(top, left, *size, inside, float(before[y, x]), float(after[y, x])))
            gain[max(0, y - rows + 1) : y + rows, max(0, x - columns + 1) : x + columns] = -np.inf
    return places
