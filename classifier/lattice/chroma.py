"""What the chroma says: how it was subsampled and brought back, and its own tables."""

import functools
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, likelihood, score, steps
from q1net_msroi.classifier.lattice.noise import STEPS
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

PIXEL_ROUNDING = 12**-0.5  # standard deviation


@dataclass(frozen=True)
class Subsampling:
    """A way in which a decoder made full chroma planes; 2 halves a direction."""

    name: str
    vertical: int
    horizontal: int
    smooth: bool = True  # triangle filter ("fancy upsampling"), or repeated samples

    @property
    def filtered(self) -> bool:
        """Whether pixels are mixed of several samples."""
        return self.smooth and max(self.vertical, self.horizontal) > 1


NAMES = {(2, 2): "4:2:0", (1, 2): "4:2:2", (1, 1): "4:4:4", (2, 1): "4:4:0", (1, 4): "4:1:1", (2, 4): "4:1:0"}
WAYS = tuple(
    Subsampling(name, *factors, smooth)
    for factors, name in NAMES.items()
    for smooth in (True, False)
    if max(factors) == 2 or smooth == (max(factors) == 1)  # nobody smooths over four pixels
)


@functools.cache
def upsampling(factor: int, smooth: bool) -> NDArray[np.float64]:
    """Return what makes 8 * factor pixels of samples: (pixels, samples).

    The triangle filter gives a pixel 3/4 of its own sample and 1/4 of the nearest other one; the samples beyond the
    block's two ends are unknowns too.
    """
    if factor != 2 or not smooth:
        return np.repeat(np.eye(8), factor, axis=0)
    own = np.arange(16) // 2 + 1
    other = own + np.where(np.arange(16) % 2, 1, -1)
    matrix = np.zeros((16, 10))
    matrix[np.arange(16), own] = 0.75
    matrix[np.arange(16), other] = 0.25
    return matrix


@functools.cache
def inverse(factor: int, smooth: bool) -> NDArray[np.float32]:
    """Return the least-squares inverse of an upsampling: (8 samples, 8 * factor pixels)."""
    every = np.linalg.pinv(upsampling(factor, smooth))
    return every[(len(every) - 8) // 2 :][:8].astype(np.float32)


@functools.cache
def projection(factor: int, smooth: bool) -> NDArray[np.float32]:
    """Return what makes of any 8 * factor pixels the nearest that samples can make: (pixels, pixels)."""
    matrix = upsampling(factor, smooth)
    return (matrix @ np.linalg.pinv(matrix)).astype(np.float32)


def planes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the decoder's own Cb and Cr less 128 of (..., 3) RGB pixels, exact wherever no channel was clipped."""
    luma = blocks.luma(pixels).astype(np.float32) + blocks.ZERO_MEAN
    # The decoder adds round(1.772 (Cb - 128)) and round(1.402 (Cr - 128)): both can be undone exactly.
    return np.stack([np.rint((pixels[..., c] - luma) / weight) for c, weight in ((2, 1.772), (0, 1.402))])


def ways(pixels: NDArray[np.uint8], phase: tuple[int, int]) -> tuple[Subsampling, ...]:
    """Return the likeliest ways of subsampling of (height, width, 3) RGB pixels on the luma grid's `phase` (y, x).

    Between two samples the triangle filter makes four pixels of a straight line, so their third difference is no more
    than rounding; repeated samples do not differ at all. Pixels between other samples, or never halved, do.
    """
    factors = []
    for axis in (0, 1):
        lines = pixels[:, :: max(pixels.shape[1] // LATTICE.chroma_lines, 1)].swapaxes(0, 1) if axis == 0 else pixels
        lines = lines[:: max(len(lines) // LATTICE.chroma_lines, 1)]
        factors.append(_factors(planes(lines), ((lines == 0) | (lines == 255)).any(-1), phase[axis]))
    down, across = factors
    return tuple(w for w in WAYS if (w.vertical, w.smooth) in down and (w.horizontal, w.smooth) in across) or WAYS


def _factors(lines: NDArray[np.float32], clipped: NDArray[np.bool_], start: int) -> list[tuple[int, bool]]:
    """Return by how much lines (2, lines, pixels) of Cb and Cr may have been subsampled, and whether a filter made up.

    `start` is where the first sample begins, modulo the factor.
    """

    def energy(order: int, period: int) -> NDArray[np.float64]:
        """Return the mean square of differences that begin at each place of the period, none where nothing varies."""
        change = np.minimum(np.diff(lines, order, axis=-1) ** 2, LATTICE.chroma_outlier)
        long = clipped.shape[-1] - order
        known: NDArray[np.bool_] = ~np.logical_or.reduce([clipped[:, k : k + long] for k in range(order + 1)])
        sums = [
            float((change * known)[:, :, k::period].sum()) / max(2 * int(known[:, k::period].sum()), 1)
            for k in range(period)
        ]
        return np.roll(sums, -start)

    whole, halved = [(1, True), (1, False)], [(2, True)]
    if lines.shape[-1] < 2 * 8:
        return whole
    single = energy(1, 4)
    if max(single[:3]) < LATTICE.chroma_repeats * single[3]:
        return [(4, False)]
    if max(single[::2]) < LATTICE.chroma_repeats * min(single[1::2]):
        return [(2, False)]
    inside, outside = energy(3, 2)[::-1]
    if inside > LATTICE.chroma_rounding or outside < LATTICE.chroma_whole * inside:
        return whole
    return halved if outside > LATTICE.chroma_halved * inside else whole + halved


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
    full = planes(windows).reshape(-1, height, width)
    samples = inverse(way.vertical, way.smooth) @ full @ inverse(way.horizontal, way.smooth).T
    unclear = np.tile(clipped, 2)
    if way.filtered:
        # Where pixels hardly vary, their roundings go together and spoil the samples; much more than rounding is a
        # sign of other samples.
        down, across = projection(way.vertical, way.smooth), projection(way.horizontal, way.smooth)
        error = 12 * ((full - down @ full @ across) ** 2).mean((1, 2))
        expected = 1 - float(np.trace(down) * np.trace(across)) / full[0].size
        least, most = LATTICE.chroma_rounded
        unclear |= (np.ptp(full, axis=(1, 2)) > 0) & ((error < least * expected) | (error > most * expected))
    samples = np.rint(samples * 256) / 256  # flat stays flat
    return blocks.Blocks(samples.reshape(-1, 64).astype(np.float32), unclear, np.tile(places, (2, 1)))


@dataclass(frozen=True)
class Chroma:
    """What the chroma planes say: of the standard tables, and of all steps from the same histograms."""

    nats: NDArray[np.float64]  # (100,) against "never quantised"
    way: Subsampling
    phase: tuple[int, int]  # of the chroma blocks in pixels
    ratios: NDArray[np.float64]  # (64, STEPS) of every step, of the textured blocks
    counts: NDArray[np.float32]  # (64, bins) histograms of |c| of the textured blocks
    textured: int  # their number

    @property
    def clear(self) -> bool:
        """Whether a lattice shows, in blocks enough: of a standard or known table, or of coarse steps one by one."""
        free = self.ratios[:, LATTICE.coarse_step - 1 :].max(1) - np.log(STEPS)
        presence = max(self.presence, float(np.maximum(free, 0).sum()))
        return presence > LATTICE.chroma_sure and self.textured >= LATTICE.chroma_blocks

    @property
    def explains(self) -> bool:
        """Whether a coarse table explains nearly all that any steps could, as none does of other ways."""
        table = steps.prior(1).exact[int(self._known.argmax())]
        nearly = max(LATTICE.chroma_sure, LATTICE.chroma_explained * float(self.ratios.max(1).sum()))
        return self.presence > nearly and float(table.mean()) >= LATTICE.coarse_step

    @property
    def presence(self) -> float:
        """Nats by which the likeliest table, standard or known, explains the planes better than none."""
        return max(float(self.nats.max()), float(self._known.max()))

    @property
    def _known(self) -> NDArray[np.float64]:
        nats: NDArray[np.float64] = self.ratios[steps.ENTRIES, steps.prior(1).exact - 1].sum(1)
        return nats


def scores(pixels: NDArray[np.uint8], phase: tuple[int, int]) -> Chroma | None:
    """Score the chroma tables on the luma grid's `phase` under the likeliest subsampling; None for gray pictures."""
    sample = pixels[::3, ::3]
    if (sample[..., 0] == sample[..., 1]).all() and (sample[..., 1] == sample[..., 2]).all():
        return None
    likely = set(ways(pixels, phase))
    if all(way.smooth for way in likely):  # repeated samples are seen
        likely.add(WAYS[0])  # the commonest, whose blocks fit finer ways too
    best = _best(pixels, phase, likely)
    others = [way for way in WAYS if way.smooth and way not in likely]
    if best.presence > LATTICE.chroma_sure or best.textured < LATTICE.chroma_blocks or not others:
        return best
    return max((best, _best(pixels, phase, others)), key=_likelihood)


def _best(pixels: NDArray[np.uint8], phase: tuple[int, int], among: Collection[Subsampling]) -> Chroma:
    """Return what the likeliest of several ways says, on the grid of its own that fits best."""
    grids = [
        (way, (y, x))
        for way in among
        for y in range(phase[0], 8 * way.vertical, 8)
        for x in range(phase[1], 8 * way.horizontal, 8)
        if (y, x) != phase
    ]
    found = []
    for way in sorted(among, key=lambda one: -one.vertical * one.horizontal):
        found.append(_read(pixels, way, phase))  # most pictures begin with a whole square
        if found[-1].explains:
            return max(found, key=_likelihood)
    return max(found + [_read(pixels, *grid) for grid in grids], key=_likelihood)


def _likelihood(one: Chroma) -> float:
    """Return what ways of subsampling are compared by: where a coarser one fits too, finer ones see blocks twice."""
    return one.presence * one.way.vertical * one.way.horizontal


def _read(pixels: NDArray[np.uint8], way: Subsampling, phase: tuple[int, int]) -> Chroma:
    """Read the chroma planes under one way of subsampling, on one grid."""
    counts = blocks.histograms(cut(pixels, phase, way))
    kinds = noises(way) if way.filtered else np.full(64, "exact")
    ratios = np.zeros((64, STEPS))
    for noise in sorted(set(kinds.tolist())):
        rows = kinds == noise
        ratios[rows] = likelihood.ratios(counts.textured[rows], noise, steps.ENTRIES[rows] == 0)
    smooth = "chroma_widest" if way.filtered else "smooth"
    ratios = steps.or_smooth(counts.textured, ratios, smooth, LATTICE.small_chroma)
    nats = score.table_scores(counts, "exact", 1, ratios).nats
    return Chroma(nats, way, phase, ratios, counts.textured, counts.textured_blocks)


@functools.cache
def noises(way: Subsampling) -> NDArray[np.str_]:
    """Return the kind of noise of 64 frequencies: samples were rounded, then pixels, which the inverse scales."""
    gains = [np.linalg.norm(jpeg.dct_matrix() @ inverse(n, way.smooth), axis=1) for n in (way.vertical, way.horizontal)]
    deviation = PIXEL_ROUNDING * np.sqrt(1 + np.outer(*gains) ** 2).ravel()
    names, least = zip(*LATTICE.chroma_noises, strict=True)
    kinds: NDArray[np.str_] = np.array(names)[np.searchsorted(least, deviation) - 1]
    kinds[0] = names[-1]  # where pixels hardly vary their roundings go together
    return kinds
