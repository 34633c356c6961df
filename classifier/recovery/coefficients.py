"""All coefficients of a picture, strip by strip, and which of its blocks they explain exactly."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from q1net_msroi.classifier.recovery import joint, search
from q1net_msroi.classifier.recovery.bounds import FREE, bounds
from q1net_msroi.classifier.recovery.layout import Coefficients, Layout
from q1net_msroi.classifier.recovery.projection import Projection, clipped
from q1net_msroi.classifier.recovery.settings import RECOVERY, List

Fits = NDArray[np.bool_]
ALL = np.True_


@dataclass(frozen=True)
class Recovered:
    """Coefficients under one hypothesis, and the blocks (rows, columns) of 8x8 pixels that they decode to exactly.

    Of the others those are `changed` that differ where nothing else explains it: not only at pixels that chroma's
    upsampling mixes with a neighbour's samples, of a unit that was changed itself.
    """

    layout: Layout
    tables: NDArray[np.int64]
    levels: Coefficients
    fits: Fits
    changed: Fits

    @property
    def told(self) -> str:
        """Return how many blocks fit."""
        return f"{int(self.fits.sum()):,} of {self.fits.size:,} blocks fit"


def in_blocks(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many pixels (height, width) are chosen in each block of 8x8, those cut by the border too."""
    whole = np.pad(chosen, ((0, -chosen.shape[0] % 8), (0, -chosen.shape[1] % 8)))
    number: NDArray[np.int64] = whole.reshape(whole.shape[0] // 8, 8, -1, 8).sum((1, 3))
    return number


def differing(pixels: NDArray[np.uint8], decoded: NDArray[np.uint8], asked: Fits | np.bool_ = ALL) -> NDArray[np.int64]:
    """Return how many pixels of those `asked` for differ in each block of 8x8 (rows, columns), cut ones too."""
    red, green, blue = np.moveaxis(pixels != decoded, -1, 0)  # an any() over three is ten times slower
    return in_blocks((red | green | blue) & asked)


def fitting(pixels: NDArray[np.uint8], decoded: NDArray[np.uint8], asked: Fits | np.bool_ = ALL) -> Fits:
    """Return which blocks of 8x8 pixels are the same in both."""
    same: Fits = differing(pixels, decoded, asked) == 0
    return same


def _blocks(chosen: Fits, layout: Layout, component: int) -> Fits:
    """Return which blocks of a component have a part in the `chosen` blocks of pixels."""
    if component == 0 or layout.factors is None:
        return chosen
    (down, across), (rows, columns) = layout.factors, chosen.shape
    whole = np.pad(chosen, ((0, -rows % down), (0, -columns % across)))
    return np.asarray(whole.reshape(whole.shape[0] // down, down, -1, across).any((1, 3)))


class Strip:
    """Rows of blocks that are recovered at once; those outside `inner` only lend their samples to chroma's upsampling.

    The outermost rows of pixels lack such a neighbour where the picture goes on, so nothing is asked of them; nor is it
    of an invented margin.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        layout: Layout,
        tables: NDArray[np.int64],
        inner: slice,
        asked: Fits,
        invented: Fits,
    ) -> None:
        """Take (height, width, 3) pixels, and which (height, width) of them are asked for, and which are invented."""
        self.pixels, self.layout, self.tables, self.inner = pixels, layout, tables, inner
        self.asked, self.others = asked, np.nonzero(~asked)
        self.projection = Projection(pixels, layout, tables, invented)
        self.clipped = in_blocks(self.projection.clipped) > 0
        self.levels = self.projection.first()
        self.planes = layout.planes(self.levels, tables)
        self.wrong = self._judged(self.planes)

    def _judged(self, planes: list[NDArray[np.uint8]]) -> NDArray[np.int64]:
        """Return how many pixels of each block differ."""
        return differing(self.pixels, self.layout.coloured(planes), self.asked)

    def _take(self, asked: Coefficients) -> NDArray[np.int64]:
        """Take other coefficients, and return how many pixels of each block differ now."""
        for component, each in enumerate(asked):
            if each is not self.levels[component]:
                self.planes[component] = self.layout.plane(component, each, self.tables)
        self.levels = asked
        return self._judged(self.planes)

    def _take_better(self, asked: Coefficients) -> None:
        """Take other coefficients of those blocks in which no more pixels differ then."""
        before, number = self.levels, self.wrong
        self.wrong = self._take(asked)
        if (worse := self.wrong > number).any():
            self.wrong = self._take(_where(worse, self.layout, before, asked))

    def recovered(self, rounds: int) -> Coefficients:
        """Return the coefficients: one rounding, `rounds` projections of the blocks that do not fit, then a search."""
        first, number = self.levels, self.wrong
        for gain in RECOVERY.gains[:rounds]:
            if not (self.clipped & (self.wrong > 0)).any():
                break
            asked = self.projection.again(self.levels, gain)
            self.wrong = self._take(_where(self.wrong > 0, self.layout, asked, self.levels))
        if (worse := self.wrong > number).any():  # what went astray
            self.wrong = self._take(_where(worse, self.layout, first, self.levels))
        if rounds:
            self._search(RECOVERY.lists)
            if self.wrong[self.inner].any() and self.layout.components == 3:
                self._search_beside_changes()
        return self.levels

    def _search_beside_changes(self) -> None:
        """Search again without the blocks whose luma fits no lattice: likely they alone of their units were changed."""
        changed = _luma_denies(self.pixels, self.planes)
        if changed.any():
            self.asked = self.asked & ~self._pixels_of(changed)
            self.others = np.nonzero(~self.asked)
            self.wrong = self._judged(self.planes)
            self._search(RECOVERY.lists_beside)

    def _search(self, lists: tuple[List, ...]) -> None:
        """Search among the lattice points near blocks that do not fit."""
        for how in lists:
            if not self.wrong[self.inner].any():
                break
            before = self._near()
            for component in (1, 2, 0) if self.layout.components == 3 else (0,):
                self._search_one(component, how)
            if how.joint and self.layout.components == 3:
                self._search_together(replace(how, kept=how.joint))
            if self._near() > max(RECOVERY.search_few, RECOVERY.search_vain * before):
                break

    def _near(self) -> int:
        """Return of how many blocks less than half the pixels differ."""
        wrong = self.wrong[self.inner]
        return int(((wrong > 0) & (wrong <= 32)).sum())

    def _search_one(self, component: int, how: List) -> None:
        """Search the blocks of one component that contradict the pixels."""
        low, high = bounds(self.pixels, self.planes, component)
        low[self.others], high[self.others] = -FREE, FREE
        excess = np.maximum(low - self.planes[component], self.planes[component] - high)
        excess *= self._pixels_of(self.wrong > 0)
        if component and self.layout.factors != (1, 1):
            excess = maximum_filter(excess, 3)  # chroma's samples have a part in pixels beside their block
        chosen = _blocks(in_blocks(excess > 0) > 0, self.layout, component)
        if chosen.sum() > how.far:
            chosen &= ~_blocks(in_blocks(excess > RECOVERY.search_far) > 0, self.layout, component)
        if component == 0:
            chosen[: self.inner.start] = chosen[self.inner.stop :] = False
        if chosen.any():
            asked, factors = list(self.levels), (self.layout.factors if component else None) or (1, 1)
            table, limits = self.tables[min(component, 1)], (low, high)
            asked[component] = search.improve(self.levels[component], chosen, table, limits, factors, how)
            self._take_better(asked)

    def _search_together(self, how: List) -> None:
        """Search the units in which a pixel is clipped and a block does not fit."""
        inner = np.zeros(self.wrong.shape, bool)
        inner[self.inner] = True
        chosen = _blocks((self.wrong > 0) & inner, self.layout, 1) & _blocks(self.clipped, self.layout, 1)
        if 0 < chosen.sum() <= RECOVERY.search_few:
            given = self.pixels, self.layout, self.tables, self.levels, chosen
            self._take_better(joint.improve(*given, self.asked, how))

    def _pixels_of(self, chosen: Fits) -> Fits:
        """Return the pixels (height, width) of chosen blocks."""
        return chosen.repeat(8, 0).repeat(8, 1)[: self.layout.height, : self.layout.width]


def _where(wrong: Fits, layout: Layout, new: Coefficients, old: Coefficients) -> Coefficients:
    """Return `new` coefficients of blocks with a part in `wrong` blocks of pixels, `old` ones of the others."""
    return [
        np.where(_blocks(wrong, layout, component)[..., None, None], *pair)
        for component, pair in enumerate(zip(new, old, strict=True))
    ]


def recover(
    pixels: NDArray[np.uint8],
    layout: Layout,
    tables: NDArray[np.int64],
    workers: int = 1,
    rounds: int | None = None,
    inside: tuple[slice, slice] = (slice(None), slice(None)),
) -> Recovered:
    """Return the coefficients of (height, width, 3) RGB pixels on the grid that begins at (0, 0).

    `tables` (2, 8, 8) are luma's and chroma's. What lies not `inside` these rows and columns is invented: nothing is
    asked of it. Strips overlap by a unit, so that chroma's upsampling has its neighbours; `workers` threads take one
    each, and memory is that of the strips in work.
    """
    rounds = len(RECOVERY.gains) if rounds is None else rounds
    invented = np.ones(pixels.shape[:2], bool)
    invented[inside] = False

    def one(strip: tuple[slice, slice]) -> Coefficients:
        rows, inner = strip
        asked = ~invented[rows]
        if rows.start > 0:
            asked[0] = False
        if rows.stop < layout.height:
            asked[-1] = False
        part = Layout(len(asked), layout.width, layout.factors)
        found = Strip(pixels[rows], part, tables, inner, asked, invented[rows]).recovered(rounds)
        return [each[_of_component(inner, layout, component)] for component, each in enumerate(found)]

    parts = list(_strips(layout))
    if workers > 1 and len(parts) > 1:
        with ThreadPoolExecutor(workers) as pool:
            strips = list(pool.map(one, parts))
    else:
        strips = [one(part) for part in parts]
    levels = [np.concatenate(each) for each in zip(*strips, strict=True)]
    return Recovered(layout, tables, levels, *check(pixels, layout, tables, levels, ~invented))


def _strips(layout: Layout) -> Iterator[tuple[slice, slice]]:
    """Yield the rows of pixels of each strip, and which of its rows of blocks are its own."""
    unit, reach = layout.unit[0], RECOVERY.strip_units
    for start in range(0, -(-layout.height // unit), reach):
        first, last = max(start - 1, 0), min((start + reach + 1) * unit, layout.height)
        yield slice(first * unit, last), slice((start - first) * unit // 8, (start - first + reach) * unit // 8)


def _of_component(rows: slice, layout: Layout, component: int) -> slice:
    """Return the rows of a component's blocks that lie in rows of luma's."""
    factor = layout.factors[0] if component and layout.factors else 1
    return slice(rows.start // factor, rows.stop // factor)


def check(
    pixels: NDArray[np.uint8], layout: Layout, tables: NDArray[np.int64], levels: Coefficients, asked: Fits
) -> tuple[Fits, Fits]:
    """Return which blocks the coefficients decode to exactly, where `asked` (height, width), and which were changed."""
    fits, changed = [], []
    for rows, inner in _strips(layout):
        blocks = slice(rows.start // 8, -(-rows.stop // layout.unit[0]) * layout.unit[0] // 8)
        part = [each[_of_component(blocks, layout, component)] for component, each in enumerate(levels)]
        strip = Layout(rows.stop - rows.start, layout.width, layout.factors)
        planes = strip.planes(part, tables)
        whole = strip.coloured(planes)
        fit = fitting(pixels[rows], whole, asked[rows])
        fits.append(fit[inner])
        if not fit.all() and layout.factors not in (None, (1, 1)):
            own = asked[rows] & ~_beside(_luma_denies(pixels[rows], planes), strip)
            fit = fitting(pixels[rows], whole, own)
        changed.append(~fit[inner])
    return np.concatenate(fits), np.concatenate(changed)


def _luma_denies(pixels: NDArray[np.uint8], planes: list[NDArray[np.uint8]]) -> Fits:
    """Return the blocks in which luma, as unclipped pixels alone tell it, is not what was recovered."""
    low, high = bounds(pixels, planes, 0)
    return in_blocks(((planes[0] < low) | (planes[0] > high)) & ~clipped(pixels)) > 0


def _beside(changed: Fits, layout: Layout) -> Fits:
    """Return the pixels (height, width) that are mixed with samples of another unit, one that has `changed` blocks."""
    down, across = layout.factors or (1, 1)
    units = _blocks(changed, layout, 1).repeat(8 * down, 0).repeat(8 * across, 1)[: layout.height, : layout.width]
    return np.asarray(maximum_filter(units, (2 * down - 1, 2 * across - 1)) & ~units)
