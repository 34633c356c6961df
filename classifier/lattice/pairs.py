"""Two compressions: quality q1, then a higher q2, on one grid or on two.

On one grid, holes in the histogram of the last lattice tell of q1: after both, a coefficient lies on the lattice of q2,
but only at the points next to those of q1's lattice. For each pair the mass of a point of the last lattice is the mass
of the points of the first that round to it. On another grid the first lattice is still there, under the noise of the
second quantisation, which differs from frequency to frequency.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, grid, likelihood
from q1net_msroi.classifier.lattice.noise import RESOLUTION, SHORT
from q1net_msroi.classifier.lattice.settings import LATTICE

Integers = NDArray[np.int64]


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


@dataclass(frozen=True)
class _Cells:
    """The occupied cells of the last lattice, of all frequencies in one row: (cells,) each."""

    frequency: Integers  # row of `tails`
    point: Integers  # number k of the lattice point, 0 and up: |c| = k * step
    step: Integers  # of the last compression
    held: NDArray[np.float64]  # coefficients in it


def _below(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Approximate the normal distribution function by the logistic one (to 0.01)."""
    share: NDArray[np.floating] = 1 / (1 + np.exp(np.clip(-1.702 * x, -60, 60)))
    return share


def _fullest(cumulative: NDArray[np.float64], most: int) -> Integers:
    """Return the frequencies that hold more than zeros; of fewer than 64, the `most` fullest without DC."""
    others = cumulative[:, -1] - cumulative[:, RESOLUTION]
    speaking = np.flatnonzero(others)
    if most == 64:
        return speaking
    others[0] = 0
    return np.intersect1d(speaking, np.argsort(others)[-most:], assume_unique=True)


def _cells(cumulative: NDArray[np.float64], reach: Integers, steps: Integers) -> _Cells:
    """Cut cumulative histograms (rows, bins + 1) into `reach` (rows,) cells of the lattices of `steps` (rows,)."""
    row = np.repeat(np.arange(len(steps)), reach)
    point = np.arange(reach.sum()) - np.repeat(np.cumsum(reach) - reach, reach)
    step = steps[row]
    low, high = (np.clip((2 * point + s) * step * RESOLUTION // 2, 0, cumulative.shape[1] - 1) for s in (-1, 1))
    held = cumulative[row, high] - cumulative[row, low]
    some = held > 0
    return _Cells(row[some], point[some], step[some], held[some])


def _mass(tails: NDArray[np.floating], row: Integers, k: Integers, step: Integers) -> NDArray[np.floating]:
    """Return the prior's mass, both signs, of the lattice points k >= 0; `tails` (rows, halves) is above 0, 1/2, ..."""
    last = tails.shape[1] - 1
    above = np.where(k > 0, tails[row, np.minimum(np.maximum(2 * k - 1, 0) * step, last)], 1.0)
    mass: NDArray[np.floating] = above - tails[row, np.minimum((2 * k + 1) * step, last)]
    return mass


def _mass_by_way_of(steps: Integers, cells: _Cells, tails: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the mass that first lattices of `steps` (first qualities, cells) send into the cells, shape as `steps`.

    A point k1 of the first reaches a cell as far as the rounding of pixels between the two puts it there. Only the
    two points next to the cell's middle can: the others are at least half a step of the last lattice off.
    """
    middle = cells.point * cells.step
    row = np.broadcast_to(cells.frequency, steps.shape)
    reached = np.zeros(steps.shape)
    for k1 in (middle // steps, middle // steps + 1):
        distance = middle - k1 * steps
        share = _below((distance + cells.step / 2) / LATTICE.pixel_sigma) - _below(
            (distance - cells.step / 2) / LATTICE.pixel_sigma
        )
        # Zero's cell has two sides; a point k1 > 0 reaches it from both, each with half of its mass.
        reached += _mass(tails, row, k1, steps) * share
    return reached


def gains(counts: NDArray[np.float32], quality: int, most: int = 64) -> NDArray[np.float64]:
    """Return, for q1 = 1..quality - 1, the nats by which (q1, quality) beats `quality` alone.

    `counts` (64, bins) are histograms of textured blocks; of `most` AC frequencies (64: of all, DC too), the fullest.
    """
    cumulative = np.concatenate([np.zeros((64, 1)), np.cumsum(counts, axis=1, dtype=np.float64)], axis=1)
    speaking = _fullest(cumulative, most)
    if not len(speaking):
        return np.zeros(quality - 1)
    steps = likelihood.steps_of_quality()[:quality, speaking] + 1
    tails = likelihood.prior_tails(counts[speaking], speaking == 0)
    cells = _cells(cumulative[speaking], likelihood.occupied(counts[speaking]) // steps[-1] + 1, steps[-1])
    alone = _mass(tails, cells.frequency, cells.point, cells.step) + 1e-9
    reached = _mass_by_way_of(steps[:-1, cells.frequency], cells, tails)
    pair = (1 - LATTICE.pair_outliers) * reached + LATTICE.pair_outliers * alone
    total: NDArray[np.float64] = (cells.held * np.log(pair / alone)).sum(1)
    return total


def likeliest(counts: NDArray[np.float32], nats: NDArray[np.float64], misfit: NDArray[np.float64]) -> Pair | None:
    """Return the likeliest pair, decisive or not; None where no last quality gains anything from a first one.

    `counts` (64, bins) are histograms of textured blocks, `nats` (100,) their scores as single compressions
    and `misfit` (100,) their distances from each table's lattice.
    """
    best: Pair | None = None
    totals = nats.astype(np.float64).copy()
    for index in _last_ones(nats, misfit):
        firsts = slice(index + 1 - LATTICE.quality_gap)
        if gains(counts, index + 1, LATTICE.glance_frequencies)[firsts].max() < 0:
            continue
        gain = gains(counts, index + 1)[firsts]
        first = int(gain.argmax())
        total = float(nats[index] + gain[first])
        totals[index] = max(totals[index], total)
        if best is None or total > best.total:
            ties = tuple(int(q) for q in np.flatnonzero(gain >= gain[first] - LATTICE.tie) + 1)
            best = Pair(first + 1, index + 1, float(gain[first]), total, ties)
    if best is None:
        return None
    ties = tuple(int(q) for q in np.flatnonzero(totals >= best.total - LATTICE.tie) + 1)
    return replace(best, last_ties=ties, margin=best.total - float(np.delete(totals, best.last - 1).max()))


def _last_ones(nats: NDArray[np.float64], misfit: NDArray[np.float64]) -> list[int]:
    """Return the indices of last qualities worth a look: the likeliest, those that fit better and those as likely."""
    best, end, most = int(nats.argmax()), LATTICE.finest_last, LATTICE.pair_alternatives
    fitting = [int(i) for i in np.argsort(misfit[:end])[:most] if misfit[i] < misfit[best] - LATTICE.alternative_fit]
    alike = [int(i) for i in np.argsort(nats[:end])[-most:] if nats[i] > nats[best] - LATTICE.alternative_tie]
    return [index for index in {best, *fitting, *alike} if LATTICE.quality_gap <= index < end]


def lead(pair: Pair, nats: NDArray[np.float64]) -> float:
    """Return the nats by which a pair is ahead of its last quality alone, every other single one and none."""
    return min(pair.gain, pair.total - max(float(nats.max()), 0.0))


def search(counts: NDArray[np.float32], nats: NDArray[np.float64], misfit: NDArray[np.float64]) -> Pair | None:
    """Return the likeliest pair if it is decisively better than every single compression and than none.

    The arguments are those of `likeliest`.
    """
    best = likeliest(counts, nats, misfit)
    if best is None:
        return None
    needed = LATTICE.pair_presence if best.last <= LATTICE.fine_last else LATTICE.fine_pair_presence
    return best if lead(best, nats) >= needed else None


@dataclass(frozen=True)
class Shifted:
    """An earlier compression on another grid."""

    quality: int
    phase: tuple[int, int]
    nats: float


def standing_out(pixels: NDArray[np.uint8], phase: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the other phases at which steps between pixels stand out."""
    rows, columns = grid.edges(pixels)
    rows[phase[0]], columns[phase[1]] = -np.inf, -np.inf
    y, x = int(rows.argmax()), int(columns.argmax())
    down, across = rows[y], columns[x]
    return [
        place
        for place, stands_out in (
            ((y, x), min(down, across) > LATTICE.edges_both_ways),
            ((y, phase[1]), down > LATTICE.edges_one_way),
            ((phase[0], x), across > LATTICE.edges_one_way),
        )
        if stands_out
    ]


def search_shifted(pixels: NDArray[np.uint8], phase: tuple[int, int], quality: int) -> Shifted | None:
    """Return a compression below `quality` on another grid than the one from `phase` (y, x) on, if there are traces.

    `pixels` is (height, width, 3) uint8 RGB. A lattice is looked for only where steps between pixels stand out.
    """
    found = best_of(pixels, standing_out(pixels, phase), min(quality, LATTICE.finest_last) - LATTICE.quality_gap)
    return found if found is not None and found.nats > LATTICE.shifted_presence else None


def best_of(pixels: NDArray[np.uint8], phases: list[tuple[int, int]], finest: int) -> Shifted | None:
    """Return the likeliest lattice of a quality up to `finest` on the given grids, decisive or not."""
    best: Shifted | None = None
    frequencies = grid.zigzag()[: LATTICE.low_frequencies]
    for place in phases if finest > 0 else ():
        textured = blocks.histograms(blocks.cut(pixels, place, LATTICE.shifted_blocks)).textured
        counts = textured[frequencies, :SHORT]
        ratios = np.maximum(np.max([likelihood.ratios(counts, noise) for noise in LATTICE.left_noises], axis=0), 0)
        nats = likelihood.sum_tables(ratios, frequencies)[:finest]
        if best is None or nats.max() > best.nats:
            best = Shifted(int(nats.argmax()) + 1, place, float(nats.max()))
    return best
