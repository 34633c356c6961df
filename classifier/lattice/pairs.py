"""Two compressions: quality q1, then a higher q2, on one grid or on two.

On one grid, holes in the histogram of the last lattice tell of q1: after both, a coefficient lies on the lattice of q2,
but only at the points next to those of q1's lattice. For each pair the mass of a point of the last lattice is the mass
of the points of the first that round to it. On another grid the first lattice is still there, under the noise of the
second quantisation, which differs from frequency to frequency.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, grid, likelihood
from q1net_msroi.classifier.lattice.noise import RESOLUTION

SIGMA = 0.289  # rounding of the pixels between the two compressions
UNEXPLAINED = 0.01  # share of coefficients of which the first compression says nothing: clipped or changed since
CANDIDATES = 4  # last qualities that are looked at beside the likeliest
GLANCE = 12  # frequencies that are looked at first
CLOSE = 15.0  # nats below the likeliest, of last qualities that are looked at too
MISFIT = 0.02  # nats a coefficient by which their lattices must fit better than the likeliest's
CLOSEST = 8  # a first quality must be this far below the last: closer ones leave hardly a hole
FINEST = 97  # last qualities above it leave steps of 1 and 2, which are hardly more than another kind of noise
PRESENT = 10.0  # nats that the pair must be ahead of the single compression: the choice of 100 qualities is one of 5
# The same from this last quality (less 1) on: the errors of a fast inverse transform look like a second, fine
# quantisation, which gains up to 100 nats.
FINE, FINE_PRESENT = 85, 200.0
TIE = 5.0  # nats below the likeliest: not told apart

NOISES = ("blurred", "noisy", "coarse", "rough", "rougher")  # that a second quantisation may leave
LOW_FREQUENCIES = 30  # of another grid that are looked at
REACH = 128 * RESOLUTION + 1  # bins of coefficients of another grid that are looked at
LIKELIEST = 3  # grids of all that are looked at again with more blocks
SHIFTED_BLOCKS = 2048
SHIFTED_PRESENT = 250.0  # nats of another grid's lattice: each frequency has its choice of noise
EDGE = 3.0  # standard errors by which steps stand out, both ways, before another grid is looked at
EDGE_ALONE = 5.0  # the same for a grid that is shifted one way only


@dataclass(frozen=True)
class Pair:
    """The likeliest pair of compressions."""

    first: int
    last: int
    gain: float  # nats ahead of `last` alone
    total: float  # nats ahead of "never compressed"
    first_ties: tuple[int, ...]  # first qualities that the picture cannot tell apart
    last_ties: tuple[int, ...] = ()  # the same of last qualities
    margin: float = 0.0  # nats ahead of the next last quality, alone or as a pair


def _below(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Approximate the normal distribution function by the logistic one (to 0.01)."""
    return 1 / (1 + np.exp(np.clip(-1.702 * x, -60, 60)))


def gains(counts: NDArray[np.float32], quality: int, most: int = 64) -> NDArray[np.float64]:
    """Return, for q1 = 1..quality - 1, the nats by which (q1, quality) beats `quality` alone.

    `counts` (64, bins) are histograms of textured blocks; of `most` AC frequencies (64: of all, DC too), the fullest.
    """
    steps = likelihood.steps_of_quality() + 1
    cumulative = np.concatenate([np.zeros((64, 1)), np.cumsum(counts, axis=1, dtype=np.float64)], axis=1)
    end = counts.shape[1]
    others = cumulative[:, -1] - cumulative[:, RESOLUTION]  # than zeros
    speaking = np.flatnonzero(others)
    if most < 64:
        others[0] = 0
        speaking = np.intersect1d(speaking, np.argsort(others)[-most:])
    result = np.zeros(quality - 1)
    if not len(speaking):
        return result
    halves = likelihood.prior_tails(counts[speaking])  # (frequencies, halves): mass of |c| above i / 2, both signs
    halves[speaking == 0] = np.maximum(1 - np.arange(halves.shape[1]) / 2048, 0)  # DC: uniform
    last = steps[quality - 1, speaking]
    reach = likelihood.occupied(counts[speaking]) // last + 1
    frequency = np.repeat(np.arange(len(speaking)), reach)
    k2 = np.arange(reach.sum()) - np.repeat(np.cumsum(reach) - reach, reach)
    step2 = last[frequency]
    edges = [np.clip((2 * k2 + s) * step2 * RESOLUTION // 2, 0, end) for s in (-1, 1)]
    held = cumulative[speaking[frequency], edges[1]] - cumulative[speaking[frequency], edges[0]]
    frequency, k2, step2, held = (a[held > 0] for a in (frequency, k2, step2, held))

    def mass(k: NDArray[np.int64], step: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.floating]:
        low = np.where(k > 0, halves[row, np.minimum(np.maximum(2 * k - 1, 0) * step, halves.shape[1] - 1)], 1.0)
        return low - halves[row, np.minimum((2 * k + 1) * step, halves.shape[1] - 1)]

    alone = mass(k2, step2, frequency) + 1e-9
    step1 = steps[: quality - 1][:, speaking[frequency]]  # (q1, cells)
    centre = k2 * step2
    reached = np.zeros(step1.shape)
    nearest = centre // step1
    for k1 in (nearest, nearest + 1):
        high = _below((centre + step2 / 2 - k1 * step1) / SIGMA)
        low = _below((centre - step2 / 2 - k1 * step1) / SIGMA)
        # Zero's cell has two sides; a point k1 > 0 reaches it from both, each with half of its mass.
        reached += mass(k1, step1, np.broadcast_to(frequency, step1.shape)) * (high - low)
    pair = (1 - UNEXPLAINED) * reached + UNEXPLAINED * alone
    return (held * np.log(pair / alone)).sum(1)


def search(counts: NDArray[np.float32], nats: NDArray[np.float64], misfit: NDArray[np.float64]) -> Pair | None:
    """Return the likeliest pair if it is decisively better than every single compression and than none.

    `counts` (64, bins) are histograms of textured blocks, `nats` (100,) their scores as single compressions
    and `misfit` (100,) their distances from each table's lattice.
    """
    best: Pair | None = None
    totals = nats.astype(np.float64).copy()
    likeliest = int(nats.argmax())
    exact = [int(i) for i in np.argsort(misfit[:FINEST])[:CANDIDATES] if misfit[i] < misfit[likeliest] - MISFIT]
    alike = [int(i) for i in np.argsort(nats[:FINEST])[-CANDIDATES:] if nats[i] > nats[likeliest] - CLOSE]
    for index in {likeliest, *exact, *alike}:
        if not CLOSEST <= index < FINEST:
            continue
        if gains(counts, index + 1, GLANCE)[: index + 1 - CLOSEST].max() < 0:
            continue
        gain = gains(counts, index + 1)[: index + 1 - CLOSEST]
        first = int(gain.argmax())
        total = float(nats[index] + gain[first])
        totals[index] = max(totals[index], total)
        if best is None or total > best.total:
            ties = tuple(int(q) for q in np.flatnonzero(gain >= gain[first] - TIE) + 1)
            best = Pair(first + 1, index + 1, float(gain[first]), total, ties)
    if best is None:
        return None
    present = PRESENT if best.last <= FINE else FINE_PRESENT
    if best.gain < present or best.total < max(float(nats.max()), 0.0) + present:
        return None
    ties = tuple(int(q) for q in np.flatnonzero(totals >= best.total - TIE) + 1)
    return replace(best, last_ties=ties, margin=best.total - float(np.delete(totals, best.last - 1).max()))


@dataclass(frozen=True)
class Shifted:
    """An earlier compression on another grid."""

    quality: int
    phase: tuple[int, int]
    nats: float


def _standing_out(pixels: NDArray[np.uint8], phase: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the other phases at which steps between pixels stand out."""
    rows, columns = grid.edges(pixels)
    rows[phase[0]], columns[phase[1]] = -np.inf, -np.inf
    y, x = int(rows.argmax()), int(columns.argmax())
    down, across = rows[y], columns[x]
    return [
        place
        for place, stands_out in (
            ((y, x), min(down, across) > EDGE),
            ((y, phase[1]), down > EDGE_ALONE),
            ((phase[0], x), across > EDGE_ALONE),
        )
        if stands_out
    ]


def _likeliest(pixels: NDArray[np.uint8], phase: tuple[int, int], finest: int) -> list[tuple[int, int]]:
    """Return the other phases whose lattices of a quality up to `finest` are the likeliest on a sample."""
    sample = grid.Sample(pixels)
    if not sample.number:
        return []
    phases = np.array([divmod(i, 8) for i in range(64) if divmod(i, 8) != phase])
    frequencies = grid.zigzag()[: grid.FIRST_FREQUENCIES]
    ratios = np.maximum(np.max([sample.ratios(phases, frequencies, noise) for noise in NOISES], axis=0), 0)
    steps = likelihood.steps_of_quality()[:finest, frequencies]
    nats = ratios[:, np.arange(len(frequencies)), steps].sum(-1).max(1)
    return [(int(y), int(x)) for y, x in phases[np.argsort(nats)[-LIKELIEST:]]]


def search_shifted(
    pixels: NDArray[np.uint8], phase: tuple[int, int], quality: int, thorough: bool = False
) -> Shifted | None:
    """Return a compression below `quality` on another grid than the one from `phase` (y, x) on, if there are traces.

    `pixels` is (height, width, 3) uint8 RGB. A lattice is looked for only where steps between pixels stand out, or, in
    some 0.3 seconds more, on all grids (`thorough`).
    """
    finest = min(quality, FINEST) - CLOSEST
    if finest < 1:
        return None
    found = _best_of(pixels, _standing_out(pixels, phase), finest)
    if found is None and thorough:
        found = _best_of(pixels, _likeliest(pixels, phase, finest), finest)
    return found


def _best_of(pixels: NDArray[np.uint8], phases: list[tuple[int, int]], finest: int) -> Shifted | None:
    """Return the likeliest lattice of a quality up to `finest` on the given grids, if it is decisive."""
    best: Shifted | None = None
    frequencies = grid.zigzag()[:LOW_FREQUENCIES]
    for place in phases:
        counts = blocks.histograms(blocks.cut(pixels, place, SHIFTED_BLOCKS)).textured[frequencies, :REACH]
        ratios = np.maximum(np.max([likelihood.ratios(counts, noise) for noise in NOISES], axis=0), 0)
        nats = likelihood.sum_tables(ratios, frequencies)[:finest]
        if nats.max() > max(SHIFTED_PRESENT, best.nats if best else 0):
            best = Shifted(int(nats.argmax()) + 1, place, float(nats.max()))
    return best
