"""Coefficients from pixels: colour and upsampling undone, rounded to the lattice; clipped pixels by projections."""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded

from q1net_msroi.classifier.recovery.layout import Coefficients, Layout
from q1net_msroi.utils import jpeg

Plane = NDArray[np.float32]

RED, BLUE = 1.402, 1.772  # of Cr and Cb (JFIF); luma is the usual sum of red, green and blue
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
BELOW, ABOVE = 0.49, 254.51  # what a pixel that was clipped can at most, or must at least, have been before
UPSAMPLED = 0.75, 0.25


def upsample(lines: Plane, axis: int, length: int) -> Plane:
    """Return samples along `axis` at twice their number, cut to `length`: the triangle filter without rounding."""
    lines = lines.swapaxes(axis, 0)
    before, after = np.concatenate([lines[:1], lines[:-1]]), np.concatenate([lines[1:], lines[-1:]])
    own, other = UPSAMPLED
    both = np.stack([own * lines + other * before, own * lines + other * after], axis=1)
    made: Plane = both.reshape(-1, *lines.shape[1:])[:length].swapaxes(axis, 0).astype(np.float32, copy=False)
    return made


@functools.lru_cache(8)
def _normal(count: int, length: int) -> NDArray[np.float64]:
    """Return the bands of U'U, where U upsamples `count` samples to `length` pixels."""
    eye = np.zeros((count, 3), np.float32)  # a comb of samples that do not touch: three give every entry
    eye[np.arange(count), np.arange(count) % 3] = 1
    bands = np.zeros((3, count))
    seen = _transposed(upsample(eye, 0, length), count)
    for offset in (-1, 0, 1):
        rows = np.arange(max(0, -offset), min(count, count - offset))
        bands[1 - offset, rows + offset] = seen[rows, (rows + offset) % 3]
    return bands


def _transposed(pixels: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Return U'x for pixels (length, ...)."""
    padded = np.zeros((2 * count, *pixels.shape[1:]))
    padded[: len(pixels)] = pixels
    even, odd = padded[::2], padded[1::2]
    own, other = UPSAMPLED
    made = own * (even + odd)
    made[:-1] += other * even[1:]
    made[0] += other * even[0]
    made[1:] += other * odd[:-1]
    made[-1] += other * odd[-1]
    return made


def downsample(pixels: NDArray[Any], axis: int) -> Plane:
    """Return the samples along `axis` whose upsampling is nearest to `pixels`: least squares, whole lines at once."""
    lines: NDArray[Any] = np.moveaxis(pixels, axis, 0)
    count = -(-len(lines) // 2)
    right = _transposed(lines, count).reshape(count, -1)
    found = solve_banded((1, 1), _normal(count, len(lines)), right, overwrite_b=True, check_finite=False)
    made: Plane = np.moveaxis(found.reshape(count, *lines.shape[1:]), 0, axis).astype(np.float32)
    return made


def forward(plane: NDArray[Any]) -> Plane:
    """Return the DCT of a plane of whole blocks, less 128: (rows, columns, 8, 8)."""
    matrix = jpeg.dct_matrix()
    blocks = (plane - 128).reshape(plane.shape[0] // 8, 8, -1, 8).swapaxes(1, 2)
    made: Plane = matrix @ blocks @ matrix.T
    return made


def inverse(coefficients: NDArray[Any]) -> Plane:
    """Return the plane of dequantised coefficients, neither rounded nor clipped."""
    matrix = jpeg.dct_matrix()
    blocks = matrix.T @ coefficients @ matrix
    plane: Plane = blocks.swapaxes(1, 2).reshape(8 * blocks.shape[0], -1) + 128
    return plane


def clipped(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pixels (height, width, 3) have a channel of 0 or 255."""
    red, green, blue = np.moveaxis((pixels == 0) | (pixels == 255), -1, 0)
    return np.asarray(red | green | blue)


class Projection:
    """The pixels of a picture, or of a strip of it, and what they say of its coefficients under one hypothesis."""

    def __init__(
        self, pixels: NDArray[np.uint8], layout: Layout, tables: NDArray[np.integer], invented: NDArray[np.bool_]
    ) -> None:
        """Take (height, width, 3) pixels, `tables` (2, 8, 8), and which pixels (height, width) are invented."""
        self.pixels, self.layout, self.tables = pixels, layout, tables.astype(np.float32)
        self.invented, self.clipped = invented, clipped(pixels) | invented
        self.somewhere = np.nonzero(self.clipped)
        self.planes = self._planes(pixels.astype(np.float32))
        for each in self.planes:  # a decoder's planes are whole numbers
            np.rint(each, out=each)

    def _planes(self, colours: Plane) -> list[Plane]:
        """Return Y, or Y, Cb and Cr, of (..., 3) colours; the decoder's own, once rounded, where nothing clips."""
        luma: Plane = colours @ LUMA
        if self.layout.factors is None:
            return [luma]
        whole = np.rint(luma)
        return [luma, (colours[..., 2] - whole) / BLUE + 128, (colours[..., 0] - whole) / RED + 128]

    def first(self) -> Coefficients:
        """Return the nearest lattice points of the pixels as they are, those beyond the picture repeated."""
        levels = []
        for component, part in enumerate(self._parts()):
            rows, columns = self.layout.padded(component)
            whole = np.pad(part, ((0, rows - part.shape[0]), (0, columns - part.shape[1])), mode="edge")
            table = self.tables[min(component, 1)]
            asked = forward(whole) / table
            levels.append(_whole_numbers(asked))
        return levels

    def again(self, levels: Coefficients, gain: float) -> Coefficients:
        """Return the nearest lattice points once clipped and unseen pixels are what `levels` make of them."""
        samples = [inverse(each * self.tables[min(c, 1)]) for c, each in enumerate(levels)]
        self._unclip(samples)
        made = []
        for component, part in enumerate(self._parts()):
            change = np.zeros_like(samples[component])
            rows, columns = part.shape
            change[:rows, :columns] = gain * (part - samples[component][:rows, :columns])
            asked = forward(change + 128) / self.tables[min(component, 1)]
            made.append(_whole_numbers(levels[component] + asked))
        return made

    def _parts(self) -> list[Plane]:
        """Return the planes as samples, as far as they are seen."""
        parts = []
        for component, whole in enumerate(self.planes):
            part, (down, across) = whole, (self.layout.factors if component else None) or (1, 1)
            part = downsample(part, 0) if down == 2 else part
            parts.append(downsample(part, 1) if across == 2 else part)
        return parts

    def _unclip(self, samples: list[Plane]) -> None:
        """Put the clipped pixels, where they are decoded on the wrong side, at the limit, and renew their planes."""
        at = self.somewhere
        if not len(at[0]):
            return
        shape = self.layout.height, self.layout.width
        free = samples[0][at]  # luma before the decoder clips it to 0..255
        full = [np.clip(free, 0, 255)]
        for component, each in enumerate(samples[1:], 1):
            part = np.clip(
                np.rint(each[slice(self.layout.seen(component)[0]), : self.layout.seen(component)[1]]), 0, 255
            )
            down, across = self.layout.factors or (1, 1)
            part = upsample(part, 1, shape[1]) if across == 2 else part
            full.append((upsample(part, 0, shape[0]) if down == 2 else part)[at])
        given = self.pixels[at].astype(np.float32)
        if len(full) == 1:
            made = np.repeat(full[0][:, None], 3, axis=1)
        else:
            y, cb, cr = full[0], full[1] - 128, full[2] - 128
            made = np.stack([y + RED * cr, y - 0.344136 * cb - 0.714136 * cr, y + BLUE * cb], axis=-1)
        limited = np.where(given == 0, np.minimum(made, BELOW), np.where(given == 255, np.maximum(made, ABOVE), given))
        made = np.where(self.invented[at][:, None], made, limited)
        luma = made @ LUMA
        beyond = ((free > 255) & (luma > ABOVE)) | ((free < 0) & (luma < BELOW))
        self.planes[0][at] = np.where(beyond, free, luma)
        if len(full) == 3:
            self.planes[1][at] = (made[:, 2] - luma) / BLUE + 128
            self.planes[2][at] = (made[:, 0] - luma) / RED + 128


def _whole_numbers(coefficients: Plane) -> NDArray[np.int16]:
    made: NDArray[np.int16] = np.clip(np.rint(coefficients), -1024, 1023).astype(np.int16)
    return made
