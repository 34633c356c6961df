"""The reading of a picture: over the 64 grids and the kinds of noise, the lattice that explains its blocks best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import chroma, grid, score, tables
from q1net_msroi.classifier.lattice.score import Reading, Scores

SURE = 1000.0  # nats on the grid of an uncropped picture beyond which no other grid is looked for
PRESENT = 15.0  # nats that a lattice must be ahead of none: 64 phases x 100 qualities are a choice of 9 nats
SEEN = 2.0  # the same where block edges stand out: that something was compressed is sure, if not how strongly
WEAK = 100.0  # nats of a grid that gives way to one whose edges stand out
ABSENT = 0.3  # nats a block by which every lattice must be worse than none to say "never compressed"
FEWEST_BLOCKS = 100  # that can say "never compressed"
TIE = 5.0  # nats below the best: not told apart
MOST_TIED, WIDEST_TIE = 12, 40  # qualities in a tie set, and from its first to its last; a longer one is no answer
ROUND_NUMBER = 0.5  # nats that a multiple of 5 is ahead: people choose them, and some tables can hardly be told apart
CLOSE = 15.0  # nats: so close to the best, chroma decides
INEXACT = ("blurred", "noisy", "coarse")
INEXACT_FINEST = 94
INEXACT_PRESENT = 60.0  # nats that a lattice must be ahead of none if the pixels were changed after decoding


def find(pixels: NDArray[np.uint8]) -> Reading:
    """Return the best reading of (height, width, 3) uint8 RGB pixels over grids and kinds of noise."""
    first = score.read(pixels, (0, 0))
    other_tables = tables.other_tables(first) if first.nats <= SURE else None
    if first.nats > SURE or (other_tables is not None and other_tables.family != "unknown"):
        return first
    best = grid.find_phase(pixels).reading
    if best.nats < WEAK:
        edges = grid.block_edges(pixels)
        reading = best if best.phase == edges.phase else score.read(pixels, edges.phase)
        if edges.visible and strong_only(reading).nats > SEEN:
            return replace(strong_only(reading), grid_seen=True)
        if edges.visible or reading.nats > PRESENT:
            best = reading  # what a grid without visible edges seems to say is chance
    if best.nats > PRESENT:
        return best
    for noise in INEXACT:
        other = strong_only(score.with_noise(best, noise))
        if other.nats > max(best.nats, INEXACT_PRESENT):
            best = other
    return best


def says_never(reading: Reading) -> bool:
    """Tell whether blocks enough say that there never was a lattice."""
    used = reading.scores.used
    return used >= FEWEST_BLOCKS and reading.nats < -ABSENT * used


def tied(scores: Scores) -> tuple[int, ...]:
    """Return the qualities that the blocks do not tell from the likeliest one."""
    return tuple(int(q) for q in np.flatnonzero(scores.nats >= scores.nats.max() - TIE) + 1)


def strong_only(reading: Reading) -> Reading:
    """Leave out the qualities whose steps are no wider than the noise that the reading allows for."""
    scores = reading.scores
    nats = np.where(np.arange(1, 101) <= INEXACT_FINEST, scores.nats, np.minimum(scores.nats, scores.nats.min()))
    return replace(reading, scores=replace(scores, nats=nats))


def with_chroma(luma: Scores, colour: chroma.Chroma | None) -> Scores:
    """Return the scores with the chroma's added among the qualities that luma leaves, if chroma shows a lattice."""
    if colour is None or colour.nats.max() < PRESENT:
        return luma
    close = luma.nats > luma.nats.max() - CLOSE
    nats = np.where(close, luma.nats + colour.nats - colour.nats[close].max(), luma.nats - CLOSE)
    return replace(luma, nats=nats)
