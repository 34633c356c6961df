"""All coefficients of a picture, strip by strip, and which of its blocks they explain exactly."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.recovery import search
from q1net_msroi.classifier.recovery.layout import Coefficients, Layout
from q1net_msroi.classifier.recovery.projection import Projection
from q1net_msroi.classifier.recovery.settings import RECOVERY

Fits = NDArray[np.bool_]


@dataclass(frozen=True)
class Recovered:
    """Coefficients under one hypothesis, and the blocks (rows, columns) of 8x8 pixels that they decode to exactly."""

    layout: Layout
    tables: NDArray[np.int64]
    levels: Coefficients
    fits: Fits

    @property
    def told(self) -> str:
        """Return how many blocks fit."""
        return f"{int(self.fits.sum()):,} of {self.fits.size:,} blocks fit"


def differing(pixels: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how many pixels differ in each block of 8x8 pixels (rows, columns), those cut by the border too."""
    differ = (pixels != decoded).any(-1)
    differ = np.pad(differ, ((0, -differ.shape[0] % 8), (0, -differ.shape[1] % 8)))
    number: NDArray[np.int64] = differ.reshape(differ.shape[0] // 8, 8, -1, 8).sum((1, 3))
    return number


def fitting(pixels: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> Fits:
    """Return which blocks of 8x8 pixels are the same in both."""
    same: Fits = differing(pixels, decoded) == 0
    return same


def _blocks(chosen: Fits, layout: Layout, component: int) -> Fits:
    """Return which blocks of a component have a part in the `chosen` blocks of pixels."""
    if component == 0 or layout.factors is None:
        return chosen
    (down, across), (rows, columns) = layout.factors, chosen.shape
    whole = np.pad(chosen, ((0, -rows % down), (0, -columns % across)))
    return np.asarray(whole.reshape(whole.shape[0] // down, down, -1, across).any((1, 3)))


def _strip(
    pixels: NDArray[np.uint8], layout: Layout, tables: NDArray[np.int64], rounds: int, inner: slice
) -> Coefficients:
    """Return the coefficients of a strip: one rounding, then projections of the blocks that do not fit.

    Of the rows of blocks `inner` are the strip's own; the others only lend their samples to chroma's upsampling.
    """
    projection = Projection(pixels, layout, tables)
    levels = first = projection.first()
    wrong = before = differing(pixels, layout.decoded(levels, tables))
    fewest, at = int(wrong[inner].sum()), 0
    for number in range(rounds):
        if not fewest or number - at > len(RECOVERY.gains):
            break
        asked = projection.again(levels, RECOVERY.gains[number % len(RECOVERY.gains)])
        levels = _where(wrong > 0, layout, asked, levels)
        wrong = differing(pixels, layout.decoded(levels, tables))
        if (left := int(wrong[inner].sum())) < fewest:
            fewest, at = left, number
    levels = _where(wrong > before, layout, first, levels)  # what went astray
    share = float((wrong[inner] > 0).mean())
    return _searched(projection, tables, levels, inner) if rounds and 0 < share < RECOVERY.search_share else levels


def _searched(projection: Projection, tables: NDArray[np.int64], levels: Coefficients, inner: slice) -> Coefficients:
    """Return the coefficients after a search among the near lattice points of blocks that do not fit."""
    layout, known = projection.layout, ~projection.clipped.any(-1)
    wrong = differing(projection.pixels, layout.decoded(levels, tables))
    for component in list(range(layout.components)) * RECOVERY.search_passes:
        if not wrong[inner].any():
            break
        factors = (layout.factors if component else None) or (1, 1)
        target = np.rint(projection.planes[component]).astype(np.int32)
        chosen, table = _blocks(wrong > 0, layout, component), tables[min(component, 1)]
        asked = list(levels)
        asked[component] = search.improve(levels[component], chosen, table, target, known, factors)
        after = differing(projection.pixels, layout.decoded(asked, tables))
        levels = _where(after > wrong, layout, levels, asked)
        wrong = differing(projection.pixels, layout.decoded(levels, tables))
    return levels


def _where(wrong: Fits, layout: Layout, new: Coefficients, old: Coefficients) -> Coefficients:
    """Return `new` coefficients of blocks with a part in `wrong` blocks of pixels, `old` ones of the others."""
    return [
        np.where(_blocks(wrong, layout, component)[..., None, None], *pair)
        for component, pair in enumerate(zip(new, old, strict=True))
    ]


def recover(
    pixels: NDArray[np.uint8], layout: Layout, tables: NDArray[np.int64], workers: int = 1, rounds: int | None = None
) -> Recovered:
    """Return the coefficients of (height, width, 3) RGB pixels on the grid that begins at (0, 0).

    `tables` (2, 8, 8) are luma's and chroma's. Strips overlap by a unit, so that chroma's upsampling has its
    neighbours; `workers` threads take one each, and memory is that of the strips in work.
    """
    unit, reach = layout.unit[0], RECOVERY.strip_units
    rounds = RECOVERY.rounds if rounds is None else rounds
    starts = range(0, -(-layout.height // unit), reach)

    def one(start: int) -> Coefficients:
        first = max(start - 1, 0)
        rows = slice(first * unit, min((start + reach + 1) * unit, layout.height))
        part = pixels[rows]
        inner = slice((start - first) * unit // 8, (start - first + reach) * unit // 8)
        found = _strip(part, Layout(len(part), layout.width, layout.factors), tables, rounds, inner)
        blocks = (layout.factors[0] if layout.factors else 1, 1, 1)
        return [each[(start - first) * n : (start - first + reach) * n] for each, n in zip(found, blocks, strict=False)]

    if workers > 1 and len(starts) > 1:
        with ThreadPoolExecutor(workers) as pool:
            strips = list(pool.map(one, starts))
    else:
        strips = [one(start) for start in starts]
    levels = [np.concatenate(parts) for parts in zip(*strips, strict=True)]
    return Recovered(layout, tables, levels, check(pixels, layout, tables, levels))


def check(pixels: NDArray[np.uint8], layout: Layout, tables: NDArray[np.int64], levels: Coefficients) -> Fits:
    """Return which blocks the coefficients decode to exactly, strip by strip as `recover` reads them."""
    unit, reach = layout.unit[0], RECOVERY.strip_units
    found = []
    for start in range(0, -(-layout.height // unit), reach):
        first = max(start - 1, 0)
        rows = slice(first * unit, min((start + reach + 1) * unit, layout.height))
        blocks = (layout.factors[0] if layout.factors else 1, 1, 1)
        part = [each[first * n : (start + reach + 1) * n] for each, n in zip(levels, blocks, strict=False)]
        decoded = Layout(rows.stop - rows.start, layout.width, layout.factors).decoded(part, tables)
        kept = slice((start - first) * unit // 8, (start - first + reach) * unit // 8)
        found.append(fitting(pixels[rows], decoded)[kept])
    return np.concatenate(found)
