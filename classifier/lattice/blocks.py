"""The blocks of a picture that the lattice is read from: where they lie, their integer luma, their DCT, histograms."""

import functools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice.noise import BINS, RESOLUTION
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

ZERO_MEAN = 128  # what an encoder takes from every pixel


@functools.cache
def _dct_of_blocks() -> NDArray[np.float32]:
    matrix = jpeg.dct_matrix()
    return np.ascontiguousarray(np.kron(matrix, matrix).T)


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the decoder's integer Y less 128 of (..., 3) RGB pixels: exact wherever no channel was clipped."""
    weighted = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(weighted).astype(np.int16) - np.int16(ZERO_MEAN)


@dataclass(frozen=True)
class Blocks:
    """Blocks of one grid: luma less 128 and which of them hold clipped pixels."""

    values: NDArray[np.float32]  # (blocks, 64)
    clipped: NDArray[np.bool_]  # (blocks,)
    places: NDArray[np.int64]  # (blocks, 2) upper left corner, y and x


def choose(pixels: NDArray[np.uint8], phase: tuple[int, int], limit: int) -> NDArray[np.int64]:
    """Return upper left corners of at most `limit` blocks, the textured ones first, spread over the picture."""
    height, width = pixels.shape[:2]
    rows, columns = (height - phase[0]) // 8, (width - phase[1]) // 8
    count = max(rows, 0) * max(columns, 0)
    if count == 0:
        return np.zeros((0, 2), np.int64)
    numbers = np.arange(count)
    if count > limit:
        green = pixels[phase[0] + 1 : phase[0] + 8 * rows : 4, phase[1] + 1 : phase[1] + 8 * columns : 4, 1]
        corners = np.stack([green[i::2, j::2] for i in (0, 1) for j in (0, 1)]).astype(np.int16)
        textured = numbers[(np.ptp(corners, axis=0) > LATTICE.textured_range).ravel()]
        if len(textured) > limit // 2:
            numbers = textured
        numbers = numbers[np.arange(limit) * len(numbers) // limit] if len(numbers) > limit else numbers
    places: NDArray[np.int64] = np.stack(np.divmod(numbers, columns), axis=1) * 8 + np.array(phase)
    return places


def cut(pixels: NDArray[np.uint8], phase: tuple[int, int] = (0, 0), limit: int = LATTICE.most_blocks) -> Blocks:
    """Cut (height, width, 3) uint8 RGB pixels into 8x8 blocks of the grid that starts at `phase` (y, x), 0..7 each."""
    places = choose(pixels, phase, limit)
    if not len(places):
        return Blocks(np.zeros((0, 64), np.float32), np.zeros(0, bool), places)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (8, 8), axis=(0, 1))
    chosen = np.moveaxis(windows[places[:, 0], places[:, 1]], 1, -1)  # (blocks, 8, 8, 3)
    flat = np.ascontiguousarray(chosen).reshape(len(places), 64 * 3)
    clipped = clipped_blocks(flat)
    values = luma(flat.reshape(-1, 64, 3)).astype(np.float32)
    return Blocks(values, clipped, places)


def clipped_blocks(flat: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which blocks (blocks, 192) of RGB hold clipped pixels: at 0 or 255, or where brightness moved these to.

    A least (or greatest) value of all blocks that is far more frequent than the next one was clipped before.
    """
    least, greatest = flat.min(1), flat.max(1)
    clipped: NDArray[np.bool_] = (least == 0) | (greatest == 255)
    if len(flat) < LATTICE.clipping_blocks:
        return clipped
    for ends, inward in ((least, 1), (greatest, -1)):
        end = int(ends.min() if inward > 0 else ends.max())
        if end not in (0, 255):
            number = np.count_nonzero(flat == end)
            next_to_it = np.count_nonzero(flat == end + inward)
            if number > max(LATTICE.clipping_share * flat.size, LATTICE.clipping_excess * next_to_it):
                clipped |= (ends == end) & (least < greatest)
    return clipped


@dataclass(frozen=True)
class Histograms:
    """Counts of |coefficient| in bins of 1/8, by the kind of block that they come from."""

    textured: NDArray[np.float32]  # (64, bins)
    lines: NDArray[np.float32]  # (16, bins): 8 vertical, then 8 horizontal frequencies
    flat: NDArray[np.float32]  # (256,) flat blocks by luma
    textured_blocks: int
    line_blocks: int


LINE_FREQUENCIES = np.concatenate([np.arange(8) * 8, np.arange(8)])
TRANSPOSED = np.arange(64).reshape(8, 8).T.ravel()


def turned(counts: Histograms) -> Histograms:
    """Return the histograms of the same picture with rows and columns changed."""
    return replace(counts, textured=counts.textured[TRANSPOSED], lines=np.roll(counts.lines, 8, axis=0))


def count(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms (rows, bins) of |c| for coefficients (samples, rows)."""
    rows = coefficients.shape[1]
    scaled = np.abs(coefficients)
    scaled *= RESOLUTION
    scaled += np.float32(0.5)
    index = scaled.astype(np.intp)
    bins = int(index.max(initial=0)) + 1
    for enough in (128, 256, 512):
        if bins <= enough * RESOLUTION + 1:
            bins = enough * RESOLUTION + 1
            break
    else:
        bins = BINS
    np.minimum(index, bins - 1, out=index)
    index += np.arange(rows) * bins
    return np.bincount(index.ravel(), minlength=rows * bins).reshape(rows, bins).astype(np.float32)


@functools.cache
def _key() -> NDArray[np.float64]:
    """Return whole numbers: sums with them are exact, so that equal blocks have equal ones wherever they stand."""
    return np.random.default_rng(0).integers(-(2**32), 2**32, 64).astype(np.float64)


def distinct(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return blocks (n, 64) without repetitions, in their order."""
    _, first, _ = np.unique(values @ _key(), return_index=True, return_counts=True)  # counts: see below
    return values[np.sort(first)]


def histograms(blocks: Blocks) -> Histograms:
    """Return the histograms of the blocks without clipped pixels; equal blocks are one surface and count once."""
    values = distinct(blocks.values[~blocks.clipped])
    square = values.reshape(-1, 8, 8)
    down = (square == square[:, :, :1]).all((1, 2))  # every row constant: only vertical frequencies
    across = (square == square[:, :1, :]).all((1, 2))
    flat = down & across
    textured = count(values[~(down | across)] @ _dct_of_blocks())
    lines = []
    for chosen, line in ((down & ~flat, square[:, :, 0]), (across & ~flat, square[:, 0, :])):
        # Repeated lines are one surface. Without counts np.unique loads numpy.ma, a twentieth of every start.
        different, _ = np.unique(line[chosen], axis=0, return_counts=True)
        lines.append(count(different @ (jpeg.dct_matrix().T * np.float32(np.sqrt(8)))))
    width = max(part.shape[1] for part in lines)
    line_counts = np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in lines])
    grays = np.bincount(values[flat, 0].astype(np.int64) + ZERO_MEAN, minlength=256)
    return Histograms(
        textured,
        line_counts,
        np.minimum(grays, LATTICE.flat_repeats).astype(np.float32),
        int(len(values) - (down | across).sum()),
        int(lines[0][0].sum() + lines[1][0].sum()),
    )
