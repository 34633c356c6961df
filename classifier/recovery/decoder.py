"""What libjpeg-turbo's decoder makes of coefficients, bit by bit: islow inverse DCT, fancy upsampling, colour."""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int32]

CONST_BITS, PASS1_BITS = 13, 2  # jidctint.c: its constants are whole numbers of 2**-13
CENTRE = 128


def _descaled(value: Integers, bits: int) -> Integers:
    return (value + (1 << (bits - 1))) >> bits


def _pass(given: list[Integers], bits: int) -> list[Integers]:
    """Do one pass of the inverse DCT over eight values, as jidctint.c does."""
    z1 = (given[2] + given[6]) * 4433
    even2, even3 = z1 - given[6] * 15137, z1 + given[2] * 6270
    even0, even1 = (given[0] + given[4]) << CONST_BITS, (given[0] - given[4]) << CONST_BITS
    tops = (even0 + even3, even1 + even2, even1 - even2, even0 - even3)
    a, b, c, d = given[7], given[5], given[3], given[1]
    z5 = (a + c + b + d) * 9633
    z1, z2 = (a + d) * -7373, (b + c) * -20995
    z3, z4 = (a + c) * -16069 + z5, (b + d) * -3196 + z5
    odd = (d * 12299 + z1 + z4, c * 25172 + z2 + z3, b * 16819 + z2 + z4, a * 2446 + z1 + z3)
    sums = [_descaled(top + low, bits) for top, low in zip(tops, odd, strict=True)]
    return sums + [_descaled(top - low, bits) for top, low in zip(tops[::-1], odd[::-1], strict=True)]


def samples(coefficients: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the samples 0..255 of dequantised coefficients, both (..., 8, 8), vertical frequencies first.

    libjpeg-turbo's jidctint.c (Loeffler, Ligtenberg and Moschytz), the decoder's default and Pillow's only one.
    """
    values = coefficients.astype(np.int32)
    columns = np.stack(_pass([values[..., k, :] for k in range(8)], CONST_BITS - PASS1_BITS), axis=-2)
    rows = _pass([columns[..., k] for k in range(8)], CONST_BITS + PASS1_BITS + 3)
    return np.clip(np.stack(rows, axis=-1) + CENTRE, 0, 255).astype(np.uint8)


def plane(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return blocks (rows, columns, 8, 8) side by side: (8 * rows, 8 * columns)."""
    rows, columns = blocks.shape[:2]
    return blocks.swapaxes(1, 2).reshape(8 * rows, 8 * columns)


def _neighbours(lines: Integers) -> tuple[Integers, Integers]:
    """Return what stands before and after each column, the ends repeated."""
    before, after = lines[:, :1], lines[:, -1:]
    return np.hstack([before, lines[:, :-1]]), np.hstack([lines[:, 1:], after])


def upsampled(chroma: NDArray[np.uint8], factors: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a chroma plane at the picture's `shape` (jdsample.c); `factors` (vertical, horizontal) are of 1 and 2.

    Planes of two columns and less are not smoothed. Raises `ValueError` for other factors.
    """
    if factors == (1, 1):
        return chroma
    if factors not in ((1, 2), (2, 2)):
        raise ValueError(f"no subsampling by {factors}")
    if chroma.shape[1] <= 2:
        return chroma.repeat(factors[0], 0).repeat(2, 1)[: shape[0], : shape[1]]
    lines = chroma.astype(np.int32)
    bits, rounding = 2, (1, 2)
    if factors[0] == 2:
        above, below = (each.T for each in _neighbours(lines.T))
        lines = np.stack([3 * lines + above, 3 * lines + below], axis=1).reshape(-1, lines.shape[1])
        bits, rounding = 4, (8, 7)
    before, after = _neighbours(lines)
    left, right = (3 * lines + before + rounding[0]) >> bits, (3 * lines + after + rounding[1]) >> bits
    whole = np.stack([left, right], axis=-1).reshape(len(lines), -1)
    return whole[: shape[0], : shape[1]].astype(np.uint8)


def colours(luma: NDArray[np.integer], cb: NDArray[np.integer], cr: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return RGB pixels (height, width, 3) of three full planes (jdcolor.c)."""
    y, b, r = luma.astype(np.int32), cb.astype(np.int32) - CENTRE, cr.astype(np.int32) - CENTRE
    pixels = np.empty((*luma.shape, 3), np.uint8)
    pixels[..., 0] = np.clip(y + _descaled(91881 * r, 16), 0, 255)
    pixels[..., 1] = np.clip(y + _descaled(-22554 * b - 46802 * r, 16), 0, 255)
    pixels[..., 2] = np.clip(y + _descaled(116130 * b, 16), 0, 255)
    return pixels
