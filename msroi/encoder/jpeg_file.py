"""A progressive JPEG file from the encoder's levels, its scans and codes optimised by mozjpeg through jpeglib."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder.blocks import FREQUENCIES, NATURAL, SIDE, ZIGZAG, Component
from q1net_msroi.utils import jpeg_writer


def write(
    levels: Sequence[NDArray[np.int16]],
    components: Sequence[Component],
    tables: NDArray[np.integer],
    height: int,
    width: int,
    progressive: bool = True,
) -> bytes:
    """Return a JFIF file of the levels of Y, Cb and Cr, or Y alone, each (64, blocks) in zigzag order.

    `tables` (2, 64), luma and chroma, zigzag order, 1..255. Without `progressive` a baseline file with optimised
    Huffman tables. Raises `UserError` where jpeglib is missing.
    """
    pairs = zip(levels, components, strict=True)
    grids = [each[NATURAL].T.reshape(part.rows, part.columns, SIDE, SIDE) for each, part in pairs]
    sampling = [(each.sampling, each.sampling) for each in components]
    natural = tables[:, NATURAL].reshape(-1, SIDE, SIDE)
    return jpeg_writer.write(grids, sampling, natural, (height, width), progressive)


def zigzag_tables(natural: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return tables (..., 8, 8) in zigzag order, (..., 64)."""
    return natural.reshape(*natural.shape[:-2], FREQUENCIES)[..., ZIGZAG].astype(np.int64)
