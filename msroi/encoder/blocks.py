"""From pixels to DCT coefficients and back: colour transform, chroma subsampling, 8x8 blocks (ITU-T T.81, JFIF 1.02).

Coefficients are unquantised float32, (64, blocks): frequency first, in zigzag order, so that what is done to all
blocks at once is an operation on whole rows. Blocks are counted row by row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.utils import jpeg
from q1net_msroi.utils.jpeg import Subsampling

SIDE = 8
FREQUENCIES = SIDE * SIDE
CENTRE = 128.0  # what is subtracted from luma before the transform

Spectrum = NDArray[np.float32]  # (64, blocks)

RGB_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], np.float32
)


def _zigzag() -> NDArray[np.intp]:
    """Return the natural (row-major) index of each zigzag position, (64,)."""
    row, column = np.divmod(np.arange(FREQUENCIES), SIDE)
    diagonal = row + column
    along = np.where(diagonal % 2 == 0, column, row)
    return np.lexsort((along, diagonal))


ZIGZAG = _zigzag()
NATURAL = np.argsort(ZIGZAG)  # the zigzag position of each natural index
DCT = jpeg.dct_matrix()


@dataclass(frozen=True)
class Component:
    """One colour component: coefficients (64, rows * columns), its grid, blocks along a minimum coded unit's side."""

    spectrum: Spectrum
    rows: int
    columns: int
    sampling: int


def pad_to_blocks(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a plane whose sides are multiples of 8, the last row and column repeated as libjpeg does."""
    height, width = plane.shape
    return np.pad(plane, ((0, -height % SIDE), (0, -width % SIDE)), mode="edge")


def to_spectrum(plane: NDArray[np.float32]) -> Spectrum:
    """Return the DCT of the 8x8 blocks of a plane whose sides are multiples of 8, (64, blocks) in zigzag order."""
    height, width = plane.shape
    columns = plane.reshape(-1, SIDE) @ DCT.T  # along each row
    both = DCT @ columns.reshape(height // SIDE, SIDE, width)
    natural = both.reshape(height // SIDE, SIDE, width // SIDE, SIDE).transpose(1, 3, 0, 2).reshape(FREQUENCIES, -1)
    return np.ascontiguousarray(natural[ZIGZAG])


def halve(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the samples of which a decoder makes the plane best: those of least squared error after its interpolation.

    Half the size in both directions; an odd last row or column is repeated. Decoders interpolate linearly (3/4 and 1/4
    of the two nearest samples in each direction), so that means of 2x2 pixels would come out blurred.
    """
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    return _halve_rows(np.ascontiguousarray(_halve_rows(even).T)).T


def _halve_rows(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Halve the height: solve the normal equations of the interpolation, tridiagonal and the same for every column."""
    near = plane[::2] + plane[1::2]
    far = np.concatenate([plane[:1], plane[1:-1:2]]) + np.concatenate([plane[2::2], plane[-1:]])
    found: NDArray[np.float32] = np.float32(0.75) * near + np.float32(0.25) * far
    if len(found) == 1:
        return np.asarray(found / 2, np.float32)
    beside = 0.375
    diagonal = [1.625, *[1.25] * (len(found) - 2), 1.625]  # at the picture's edge a decoder takes the sample itself
    for row in range(1, len(found)):  # Thomas's algorithm, a row of the picture at a time
        factor = beside / diagonal[row - 1]
        diagonal[row] -= factor * beside
        found[row] -= np.float32(factor) * found[row - 1]
    found[-1] /= np.float32(diagonal[-1])
    for row in range(len(found) - 2, -1, -1):
        found[row] -= np.float32(beside) * found[row + 1]
        found[row] /= np.float32(diagonal[row])
    return found


def doubled(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a plane of twice the size in both directions as decoders interpolate it."""
    for _ in range(2):
        long = np.pad(plane, ((1, 1), (0, 0)), mode="edge")
        rows = np.empty((2 * plane.shape[0], plane.shape[1]), np.float32)
        rows[::2] = np.float32(0.75) * plane + np.float32(0.25) * long[:-2]
        rows[1::2] = np.float32(0.75) * plane + np.float32(0.25) * long[2:]
        plane = rows.T
    return plane


def planes_of(pixels: NDArray[np.uint8], subsampling: Subsampling) -> list[NDArray[np.float32]]:
    """Return Y, Cb and Cr about zero, float32, not rounded, chroma halved at 4:2:0, sides padded to whole blocks.

    `pixels` (height, width, 3) uint8 RGB. Raises `ValueError` for 4:2:2.
    """
    if subsampling not in ("4:2:0", "4:4:4"):
        raise ValueError(f"no transform for {subsampling}")
    planes = []
    for index, weights in enumerate(RGB_TO_YCC):
        # Channel by channel: a product of the interleaved array would need a float copy of all three at once.
        plane = np.multiply(pixels[..., 0], weights[0], dtype=np.float32)
        plane += pixels[..., 1] * weights[1]
        plane += pixels[..., 2] * weights[2]
        if index == 0:
            plane -= np.float32(CENTRE)
        elif subsampling == "4:2:0":
            plane = halve(plane)
        planes.append(pad_to_blocks(plane))
    return planes


def components_of(planes: list[NDArray[np.float32]], subsampling: Subsampling) -> list[Component]:
    """Return the transformed components of `planes_of`, Y, Cb, Cr."""
    found = []
    for index, plane in enumerate(planes):
        sampling = 2 if index == 0 and subsampling == "4:2:0" else 1
        found.append(Component(to_spectrum(plane), plane.shape[0] // SIDE, plane.shape[1] // SIDE, sampling))
    return found


def block_means(plane: NDArray[np.float32], side: int, rows: int, columns: int) -> NDArray[np.float32]:
    """Return the mean of each `side` x `side` square of a plane, (rows * columns,); outside the edge is repeated."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, rows * side - height), (0, columns * side - width)), mode="edge")
    return np.asarray(padded.reshape(rows, side, columns, side).mean(axis=(1, 3), dtype=np.float32)).reshape(-1)
