"""The reading of a picture: over the 64 grids and the kinds of noise, the lattice that explains its blocks best."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, chroma, fit, grid, likelihood, score, tables
from q1net_msroi.classifier.lattice.noise import RESOLUTION
from q1net_msroi.classifier.lattice.score import Reading, Scores
from q1net_msroi.classifier.lattice.settings import LATTICE


def find(pixels: NDArray[np.uint8]) -> Reading:
    """Return the reading of (height, width, 3) uint8 RGB pixels on the likeliest of all grids."""
    readings = score.Readings(pixels)
    first = readings[0, 0]
    if first.nats > LATTICE.no_other_grid:
        return first
    free = tables.free_nats(first.scores.ratios)
    if free > LATTICE.no_other_grid and tables.others(first, fit.Residuals(first.counts.textured)) is not None:
        return first
    best = grid.find_phase(pixels, readings)
    if best.nats < LATTICE.edges_overrule:
        edges = grid.block_edges(pixels)
        reading = readings[edges.phase]
        if edges.visible and strong_only(reading).nats > LATTICE.presence_on_edges:
            return replace(strong_only(reading), grid_seen=True)
        if edges.visible or reading.nats > LATTICE.presence:
            best = reading  # what a grid without visible edges seems to say is chance
    return best


def inexact(reading: Reading) -> Reading | None:
    """Return a reading of a decoder's own pixels as one of pixels changed since, None where that shows no lattice."""
    if _denied_at_a_glance(reading):
        return None
    others = [strong_only(score.with_noise(reading, noise)) for noise in LATTICE.inexact_noises]
    best = max(others, key=lambda other: other.nats)
    return best if best.nats > max(reading.nats, LATTICE.inexact_presence) else None


def _denied_at_a_glance(reading: Reading) -> bool:
    """Tell whether a few frequencies already deny a lattice in changed pixels, as where there never was one."""
    some = grid.zigzag()[:: LATTICE.inexact_every]
    counts = reading.counts.textured[some]
    glances = (likelihood.sum_tables(likelihood.ratios(counts, noise), some) for noise in LATTICE.inexact_noises)
    best = max(float(nats[: LATTICE.inexact_finest].max()) for nats in glances)
    return best < -max(LATTICE.never_per_block * reading.scores.used, LATTICE.presence)


def says_never(reading: Reading) -> bool:
    """Tell whether blocks enough say that there never was a lattice."""
    used = reading.scores.used
    return used >= LATTICE.never_blocks and reading.nats < -LATTICE.never_per_block * used


def is_drawn(reading: Reading, parts: int) -> bool:
    """Tell whether few of a picture's `parts` blocks differ from each other and from flat ones, as in drawings."""
    return reading.scores.used < LATTICE.drawn_share * parts


def proves(reading: Reading, parts: int, nats: float, points: int) -> bool:
    """Tell whether a lattice with so many nats and coefficients at `points` beyond zero is more than chance.

    The lines and letters of a drawing repeat, and its few colours are multiples of something.
    """
    if not is_drawn(reading, parts) or reading.grid_seen:
        return True
    few = points < LATTICE.drawn_points
    needed = LATTICE.drawn_clipped if few and reading.phase != (0, 0) else LATTICE.drawn_presence
    return (not few or reading.clipped > 0) and nats > needed


def beyond_zero(reading: Reading) -> int:
    """Return how many AC coefficients lie beyond zero under the likeliest table, repeated blocks counted once."""
    steps = likelihood.steps_of_quality()[reading.scores.best - 1] + 1
    both = ((reading.counts.textured, np.arange(64)), (reading.counts.lines, blocks.LINE_FREQUENCIES))
    number = 0.0
    for counts, frequency in both:
        beyond = 2 * np.arange(counts.shape[1]) > (steps[frequency] * RESOLUTION)[:, None]
        number += float(counts[(frequency > 0)[:, None] & beyond].sum())
    return int(number)


def tied(scores: Scores) -> tuple[int, ...]:
    """Return the qualities that the blocks do not tell from the likeliest one."""
    return tuple(int(q) for q in np.flatnonzero(scores.nats >= scores.nats.max() - LATTICE.tie) + 1)


def is_answer(ties: tuple[int, ...]) -> bool:
    """Tell whether a tie set is short enough to name a quality."""
    return len(ties) <= LATTICE.most_tied and ties[-1] - ties[0] <= LATTICE.widest_tie


def likeliest(scores: Scores) -> int:
    """Return the likeliest quality, 1..100, a multiple of 5 where another is hardly ahead."""
    return int((scores.nats + LATTICE.round_number * (np.arange(1, 101) % 5 == 0)).argmax()) + 1


def without(scores: Scores, allowed: NDArray[np.bool_]) -> Scores:
    """Leave out the qualities that are not `allowed` (100,)."""
    return replace(scores, nats=np.where(allowed, scores.nats, -np.inf))


def strong_only(reading: Reading) -> Reading:
    """Leave out the qualities whose steps are no wider than the noise that the reading allows for."""
    scores = reading.scores
    nats = np.where(
        np.arange(1, 101) <= LATTICE.inexact_finest, scores.nats, np.minimum(scores.nats, scores.nats.min())
    )
    return replace(reading, scores=replace(scores, nats=nats))


def with_chroma(luma: Scores, colour: chroma.Chroma | None) -> Scores:
    """Return the scores with the chroma's added among the qualities that luma leaves, if chroma shows a lattice."""
    if colour is None or not colour.clear:
        return luma
    close = luma.nats > luma.nats.max() - LATTICE.chroma_decides
    nats = np.where(close, luma.nats + colour.nats - colour.nats[close].max(), luma.nats - LATTICE.chroma_decides)
    return replace(luma, nats=nats)
