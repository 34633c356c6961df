"""How well each of the 100 qualities explains the luma blocks of one grid, all kinds of blocks together."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, likelihood
from q1net_msroi.classifier.lattice.settings import LATTICE


@dataclass(frozen=True)
class Scores:
    """Log-likelihood ratios against "never quantised" on one grid."""

    nats: NDArray[np.float64]  # (100,) of qualities 1..100
    textured: NDArray[np.float64]  # (100,) the share of blocks that vary in both directions
    used: int  # blocks that speak: not clipped, repeated lines and flats counted once
    ratios: NDArray[np.floating]  # (64, STEPS) of every step, of the textured blocks

    @property
    def best(self) -> int:
        """The likeliest quality, 1..100."""
        return int(self.nats.argmax()) + 1

    @property
    def margin(self) -> float:
        """Nats by which the likeliest quality is ahead of the next, of none where all others are left out."""
        second, best = np.sort(self.nats)[-2:]
        return float(best - second) if np.isfinite(second) else float(best)


def table_scores(
    counts: blocks.Histograms, noise: str = "exact", channel: int = 0, ratios: NDArray[np.floating] | None = None
) -> Scores:
    """Score the 100 tables of luma (channel 0) or chroma (1); `ratios` (64, STEPS) of textured blocks may be given.

    Blocks that are constant along a side speak only where the pixels are the decoder's own.
    """
    if ratios is None:
        ratios = likelihood.ratios(counts.textured, noise, np.arange(64) == 0)
    nats = likelihood.sum_tables(ratios, np.arange(64), channel)
    textured, used = nats, counts.textured_blocks
    if noise in ("exact", "chroma"):
        if counts.line_blocks:
            lines = likelihood.ratios(counts.lines, "line", blocks.LINE_FREQUENCIES == 0)
            nats = nats + likelihood.sum_tables(lines, blocks.LINE_FREQUENCIES, channel)
        flat = (counts.flat @ likelihood.flat_table())[None]
        nats = nats + likelihood.sum_tables(flat, np.zeros(1, np.int64), channel)
        used += counts.line_blocks + int(counts.flat.sum())
    return Scores(nats, textured, used, ratios)


@dataclass(frozen=True)
class Reading:
    """What one grid says under one kind of noise."""

    phase: tuple[int, int]  # first row and column of a block, 0..7 each
    noise: str  # a key of noise.NOISES
    scores: Scores
    counts: blocks.Histograms
    grid_seen: bool = False  # block edges stand out at this phase: compressed, however little the blocks say
    clipped: int = 0  # blocks with clipped pixels that were asked too
    turned: bool = False  # rows and columns changed places since: `scores` and `counts` are of the picture turned back
    dc: NDArray[np.floating] | None = None  # ratios (STEPS,) of DC where its step is not that of AC's standard tables

    @property
    def nats(self) -> float:
        """Nats by which the likeliest quality beats "never compressed"."""
        return float(self.scores.nats.max())


def read(
    pixels: NDArray[np.uint8], phase: tuple[int, int], noise: str = "exact", limit: int = LATTICE.most_blocks
) -> Reading:
    """Read (height, width, 3) uint8 RGB pixels on the grid from `phase` (y, x) on, from at most `limit` blocks."""
    counts = blocks.histograms(blocks.cut(pixels, phase, limit))
    scores = table_scores(counts, noise)
    turned = is_turned(scores)
    if turned:
        counts = blocks.turned(counts)
        scores = table_scores(counts, noise)
    dc = None
    if shifted_dc(scores):
        dc = scores.ratios[0] if other_dc(scores) else None
        counts = without_dc(counts)
        scores = table_scores(counts, noise)
    return Reading(phase, noise, scores, counts, turned=turned, dc=dc)


class Readings(dict[tuple[int, int], Reading]):
    """The readings of a picture on its grids, each made when first asked for."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """Take (height, width, 3) uint8 RGB pixels."""
        super().__init__()
        self._pixels = pixels

    def __missing__(self, phase: tuple[int, int]) -> Reading:
        """Read the grid from `phase` (y, x) on."""
        self[phase] = read(self._pixels, phase)
        return self[phase]


def is_turned(scores: Scores) -> bool:
    """Tell whether the standard tables fit far better with rows and columns changed: a quarter turn since, or the like.

    The standard tables are not symmetric.
    """
    back = likelihood.sum_tables(scores.ratios[blocks.TRANSPOSED], np.arange(64))
    return bool(back.max() > max(float(scores.textured.max()), 0.0) + LATTICE.presence)


def shifted_dc(scores: Scores) -> bool:
    """Tell whether the AC coefficients show lattices that DC denies: brightness was changed after decoding."""
    frequencies = np.arange(64)
    ac = likelihood.sum_tables(scores.ratios[1:], frequencies[1:])
    dc = likelihood.sum_tables(scores.ratios[:1], frequencies[:1])
    return bool(ac.max() > LATTICE.ac_presence and dc[ac > ac.max() - LATTICE.ac_tie].max() < LATTICE.dc_denial)


def other_dc(scores: Scores) -> bool:
    """Tell whether DC has a lattice of its own: its step is none of AC's standard tables, nor a divisor of theirs.

    A change of brightness, by which all DC coefficients grow by multiples of 8, leaves them on divisors.
    """
    nats = likelihood.sum_tables(scores.ratios[1:], np.arange(1, 64))
    expected = likelihood.steps_of_quality()[nats > nats.max() - LATTICE.ac_tie, 0] + 1
    step = int(scores.ratios[0].argmax()) + 1
    return bool((expected % step > 0).all() and scores.ratios[0].max() > LATTICE.other_dc)


def without_dc(counts: blocks.Histograms) -> blocks.Histograms:
    """Return the histograms without what is known of DC."""
    textured, lines = counts.textured.copy(), counts.lines.copy()
    textured[0] = 0
    lines[blocks.LINE_FREQUENCIES == 0] = 0
    return replace(counts, textured=textured, lines=lines, flat=np.zeros_like(counts.flat))


def with_noise(reading: Reading, noise: str) -> Reading:
    """Return the same blocks' reading under another kind of noise."""
    return replace(reading, noise=noise, scores=table_scores(reading.counts, noise))
