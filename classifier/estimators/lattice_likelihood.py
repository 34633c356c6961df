"""How well a quantisation lattice explains DCT coefficients, in nats: for every step 1..255 at once, from histograms.

A coefficient c of a decoded block lies at k*Q plus the decoder's rounding. Its density is the mass that a smooth prior
puts on the cell of lattice point k (a finer lattice pays for its freedom) times the density of the rounding. The prior
is a mixture of Laplacians fitted to each frequency, and the same mixture, without a lattice, is the reference: scores
are log-likelihood ratios "quantised with Q" against "never quantised", on the same coefficients.

Histograms hold |c| in bins of 1/8. The rounding's part is then one matrix product, the prior's part sums over cells:
the cost does not depend on the number of blocks.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from utils import jpeg

STEPS = 255  # quantisation steps of 8-bit tables
RESOLUTION = 8  # bins per unit of a coefficient
BINS = 1024 * RESOLUTION + 1  # |c| of a block of values -128..127 is at most 1024
PIXELS = 8.0  # a block's side: the sum of squares of its DC basis is 1, a flat block of value v has the DC 8 v

# Scales of the prior's components in coefficient units. Laplacians, the first a spike at zero; normals for the faint
# coefficients of smooth pictures, which are sums of sensor noise.
LAPLACIANS = (0.04, 0.5, 1.2, 3.0, 7.5, 18.0, 45.0, 110.0, 280.0)
NORMALS = (0.22, 0.4, 0.7, 1.2, 2.0)
ITERATIONS = 20  # of expectation-maximisation; the likelihood moves by less than a nat afterwards
NEAR = 16  # coefficients below it are scored under all points of the lattices of step 1 and 2
FLOOR = 1e-4  # share of a uniform prior that keeps every lattice point possible

Floats = NDArray[Any]  # of single or double precision


@dataclass(frozen=True)
class Noise:
    """What a decoder and what came after it added to the coefficients: two normals and an unexplained share."""

    sigma: float  # standard deviation of the core
    tail_sigma: float
    tail: float  # share of the wider normal
    outliers: float  # share spread over the whole cell


# A pixel's rounding has variance 1/12. Lines: a block that is constant along rows or columns repeats the rounding of 8
# pixels, so its 8 coefficients have variance 8/12.
NOISES = {
    "exact": Noise(0.280, 0.50, 0.05, 2e-4),
    "line": Noise(0.816, 1.2, 0.05, 1e-3),
    "chroma": Noise(0.36, 0.70, 0.20, 5e-3),
    "blurred": Noise(0.289, 0.82, 0.30, 5e-3),
    "noisy": Noise(0.85, 1.3, 0.10, 1e-2),
    "coarse": Noise(1.50, 2.5, 0.20, 1e-2),
}


def _normal(x: Floats, sigma: float) -> Floats:
    return np.exp(-0.5 * (x / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


@functools.cache
def noise_table(name: str) -> NDArray[np.float32]:
    """Return the log density of c around the nearest point of each lattice: (BINS, STEPS), for steps 1..255."""
    noise = NOISES[name]
    distance = np.arange(STEPS * RESOLUTION // 2 + RESOLUTION) / RESOLUTION

    def density(x: Floats) -> Floats:
        return (1 - noise.tail) * _normal(x, noise.sigma) + noise.tail * _normal(x, noise.tail_sigma)

    plain = density(distance)
    table = np.empty((STEPS, BINS), np.float32)
    bins = np.arange(BINS)
    for step in range(1, STEPS + 1):
        period = step * RESOLUTION
        one = np.arange(period)
        one = np.minimum(one, period - one)
        values = plain[one]
        if step < 16 * noise.sigma:  # neighbours of the nearest point count too
            values = np.sum([density(one / RESOLUTION + m * step) for m in range(-8, 9)], axis=0)
        folded = np.log((1 - noise.outliers) * values + noise.outliers / step).astype(np.float32)
        table[step - 1] = np.resize(folded, len(bins))
    return np.ascontiguousarray(table.T)


@functools.cache
def coarse_edges(bins: int) -> NDArray[np.int64]:
    """Edges, in fine bins, of the bins on which the prior is fitted: geometric from 1 up."""
    edges = [*range(10)]
    while edges[-1] < bins:
        edges.append(min(bins, int(np.ceil(edges[-1] * 1.15))))
    return np.array(edges)


def _upper_tails(x: Floats) -> Floats:
    """Return what each component of the prior has above x >= 0, of the mass of one sign: (components, len(x))."""
    normals = [[math.erfc(value) for value in x / (sigma * math.sqrt(2))] for sigma in NORMALS]
    return np.concatenate([np.exp(-x / np.array(LAPLACIANS)[:, None]), np.array(normals)])


@functools.cache
def _coarse_components(bins: int) -> NDArray[np.float32]:
    """Mass that each component, rounded by a decoder, puts on the coarse bins of |c|: (components, coarse bins)."""
    samples = 4  # of a bin; even, so that sample edges meet bin edges
    fine = RESOLUTION * samples
    tails = _upper_tails(np.arange(bins * samples) / fine)
    half = tails - np.append(tails[:, 1:], np.zeros((len(tails), 1)), axis=1)
    reach = np.arange(-2 * fine, 2 * fine + 1) / fine
    kernel = _normal(reach, NOISES["exact"].sigma)
    kernel /= 2 * kernel.sum()  # half of a component lies on each side of zero
    blurred = min(NEAR * 4 * fine, half.shape[1])  # further out the components are smooth already
    masses = []
    for one in half:
        near = np.convolve(np.concatenate([one[: 4 * fine][::-1], one[: blurred + 4 * fine]]), kernel, "same")
        start = min(4 * fine, len(one))
        mass = np.concatenate([near[start : start + blurred], one[blurred:] / 2])
        absolute = 2 * mass  # both signs
        edge = samples // 2  # bin 0 holds |c| up to half a bin, bin b from b - 1/2 to b + 1/2
        absolute = np.append(absolute[:edge].sum(), absolute[edge : -edge or None].reshape(-1, samples).sum(1))
        masses.append(np.add.reduceat(absolute, coarse_edges(bins)[:-1]))
    return np.array(masses, np.float32)


@functools.cache
def _cells(bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Cells of all lattices below `bins`: first bin, bin after the last, first cell of each step, component masses."""
    reach = (bins - 1) // RESOLUTION
    steps = np.arange(1, STEPS + 1)
    counts = reach // steps + 2
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    step = np.repeat(steps, counts)
    k = np.arange(counts.sum()) - np.repeat(first, counts)
    low = np.clip((2 * k - 1) * step * RESOLUTION // 2, 0, bins)
    high = np.clip((2 * k + 1) * step * RESOLUTION // 2, 0, bins)
    halves = _upper_tails(np.arange(2 * reach + 3 * STEPS + 2) / 2)
    mass = halves[:, np.maximum(2 * k - 1, 0) * step] - halves[:, (2 * k + 1) * step]
    return low, high, first, np.where(k == 0, mass, mass / 2).astype(np.float32)  # of one sign


@functools.cache
def _near(step: int, noise: str) -> NDArray[np.float32]:
    """Density of c in the fine bins below NEAR under each component quantised with a small step: (components, bins).

    There the rounding's blur overlaps the neighbouring lattice points, so that all of them count, not only the nearest.
    """
    points = 2 * NEAR // step
    tails = _upper_tails(np.maximum(2 * np.arange(points + 1) - 1, 0) * step / 2)
    mass = tails[:, :-1] - tails[:, 1:]
    mass[:, 1:] /= 2
    kind = NOISES[noise]
    bins = np.arange(_near_bins(step)) / RESOLUTION
    density = np.zeros((len(mass), len(bins)))
    for sign in (1, -1):
        distance = bins - sign * np.arange(points)[:, None] * step
        blur = (1 - kind.tail) * _normal(distance, kind.sigma) + kind.tail * _normal(distance, kind.tail_sigma)
        blur = (1 - kind.outliers) * blur + kind.outliers / step * (np.abs(distance) <= step / 2)
        density += mass[:, sign < 0 :] @ blur[sign < 0 :]
    return density.astype(np.float32)


def _near_bins(step: int) -> int:
    """Number of fine bins below the cell of the lattice point at NEAR."""
    return (2 * NEAR - step) * RESOLUTION // 2


@functools.cache
def _far_cells(bins: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Cells of integers from NEAR up, wider ones joined: edges in fine bins, the components' density in them."""
    edges = [2 * NEAR - 1]  # in halves
    while edges[-1] * RESOLUTION // 2 < bins:
        edges.append(int(edges[-1] * 1.15) // 2 * 2 + 1)
    tails = _upper_tails(np.array(edges) / 2)
    widths = np.diff(edges)  # both signs: twice the half
    return np.minimum(np.array(edges) * RESOLUTION // 2, bins), ((tails[:, :-1] - tails[:, 1:]) / widths).astype(
        np.float32
    )


def _fit_prior(coarse: NDArray[np.float32], components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return mixture weights (rows, components) for histograms (rows, coarse bins)."""
    weights = np.full((len(coarse), len(components)), 1 / len(components), np.float32)
    total = np.maximum(coarse.sum(1, keepdims=True), 1)
    for _ in range(ITERATIONS):
        ratio = coarse / np.maximum(weights @ components, 1e-30)
        weights = weights * (ratio @ components.T) + 0.05  # a hint of every component
        weights /= total + 0.05 * len(components)
    return weights


def reference(coarse: Floats, bins: int) -> Floats:
    """Return the log-likelihood without a lattice, (rows,), of counts (rows, coarse bins) of |c|."""
    edges, components = coarse_edges(bins), _coarse_components(bins)
    widths = 2 * np.diff(edges) / RESOLUTION  # both signs
    widths[0] = 1 / RESOLUTION
    density = (1 - FLOOR) * (_fit_prior(coarse, components) @ components) / widths + FLOOR / 2048
    return (coarse * np.log(density)).sum(1)


def _lattice_weights(counts: Floats, cumulative: Floats, noise: str) -> Floats:
    """Fit the prior of the lattices: under the lattice of step 1, with the rounding's blur as part of the model."""
    near = counts[:, : _near_bins(1)]
    far, far_density = _far_cells(counts.shape[1])
    known = np.concatenate([near, np.diff(cumulative[:, far], axis=1)], axis=1)
    return _fit_prior(known, np.concatenate([_near(1, noise), far_density], axis=1))


def prior_tails(counts: Floats) -> Floats:
    """Return the fitted prior's mass of |c| above 0, 1/2, 1, ... for histograms (rows, bins): (rows, halves)."""
    cumulative = np.zeros((len(counts), counts.shape[1] + 1), np.float32)
    np.cumsum(counts, axis=1, out=cumulative[:, 1:])
    weights = _lattice_weights(counts, cumulative, "exact")
    return weights @ _half_tails(2 * counts.shape[1] // RESOLUTION + 2 * STEPS)


@functools.cache
def _half_tails(number: int) -> Floats:
    """Return what each component has above 0, 1/2, 1, ...: (components, number)."""
    return _upper_tails(np.arange(number) / 2).astype(np.float32)


@functools.cache
def _expected(noise: str) -> Floats:
    """Return the mean log density of the rounding of coefficients that do lie on lattices of step 1..255: (STEPS,)."""
    table = noise_table(noise)
    answers = []
    for step in range(1, STEPS + 1):
        half = table[: step * RESOLUTION // 2 + 1, step - 1].astype(np.float64)
        weight = np.exp(half)
        weight[[0, -1]] /= 2
        answers.append(float((weight * half).sum() / weight.sum()))
    return np.array(answers)


def roundings(counts: Floats, noise: str) -> Floats:
    """Return the log-likelihood of what steps 1..255 leave of the coefficients in histograms: (rows, STEPS)."""
    return counts @ noise_table(noise)[: counts.shape[1]]


def misfit(counts: Floats, noise: str, rounding: Floats | None = None) -> NDArray[np.float64]:
    """Return the nats a coefficient by which histograms (64, bins) are further from each table's lattice: (100,).

    About 0 for lattices on which the coefficients do lie, whatever a prior says; large for the others. `rounding` is
    `roundings(counts, noise)` where that is known already.
    """
    rounding = roundings(counts, noise) if rounding is None else rounding
    number = counts.sum(1)
    excess = number[:, None] * _expected(noise) - rounding
    return sum_tables(excess, np.arange(64)) / max(float(number.sum()), 1)


def occupied(counts: Floats) -> NDArray[np.int64]:
    """Return the largest |c| that each row of histograms (rows, bins) holds, in whole units rounded up."""
    last = counts.shape[1] - 1 - (counts[:, ::-1] > 0).argmax(1)
    return last // RESOLUTION + 1


def ratios(
    counts: Floats, noise: str, uniform: NDArray[np.bool_] | None = None, rounding: Floats | None = None
) -> Floats:
    """Return the nats by which lattices of step 1..255 explain histograms better than none does: (rows, STEPS).

    `rounding` is `roundings(counts, noise)` where that is known already. `counts` (rows, bins) are numbers of |c| in bins of 1/8; `noise` is a key of NOISES. Rows marked in `uniform` (DC)
    have a uniform prior over -1024..1024 in place of the mixture.
    """
    rows, bins = counts.shape
    counts = np.ascontiguousarray(counts, np.float32)
    rounding = roundings(counts, noise) if rounding is None else rounding
    score = rounding.copy()
    cumulative = np.zeros((rows, bins + 1), np.float32)
    np.cumsum(counts, axis=1, out=cumulative[:, 1:])
    plain = reference(np.diff(cumulative[:, coarse_edges(bins)], axis=1), bins)

    weights = _lattice_weights(counts, cumulative, noise)
    low, high, first, masses = _cells(bins)
    step = np.repeat(np.arange(1, STEPS + 1), np.diff(np.append(first, len(low))))
    held = cumulative[:, high] - cumulative[:, low]
    logs = held * np.log((1 - FLOOR) * (weights @ masses) + (FLOOR / 2048 * step).astype(np.float32))
    score += np.add.reduceat(logs, first, axis=1)
    for small in (1, 2):
        split = _near_bins(small)
        near = counts[:, :split]
        density = (1 - FLOOR) * (weights @ _near(small, noise)) + FLOOR / 2048
        start = first[small - 1] + NEAR // small
        score[:, small - 1] = (
            (near * np.log(density)).sum(1)
            + counts[:, split:] @ noise_table(noise)[split:bins, small - 1]
            + logs[:, start : first[small]].sum(1)
        )
    score -= plain[:, None]
    if uniform is not None and uniform.any():
        total = counts[uniform].sum(1)
        score[uniform] = rounding[uniform] + total[:, None] * np.log(np.arange(1, STEPS + 1, dtype=np.float32))
    return score


@functools.cache
def flat_table() -> NDArray[np.float32]:
    """Return the score of a flat block of luma 0..255 under each step of DC, an exact interval test: (256, STEPS)."""
    k = np.arange(-1100, 1101)
    step = np.arange(1, STEPS + 1)[:, None]
    value = np.rint(128 + k * step / PIXELS).astype(np.int64)
    table = np.zeros((STEPS, 256))
    inside = (value >= 0) & (value <= 255)
    np.add.at(table, (np.broadcast_to(np.arange(STEPS)[:, None], value.shape)[inside], value[inside]), 1)
    # A lattice point has the mass step / 2048, a value without a lattice 8 / 2048; 0.002 are decoders that differ.
    return np.log(0.998 * table * step / PIXELS + 0.002).T.astype(np.float32)


@functools.cache
def steps_of_quality(channel: int = 0) -> NDArray[np.int64]:
    """Return the index (step - 1) of each quality's table, luma (0) or chroma (1): (100, 64)."""
    return jpeg.standard_tables()[:, channel].reshape(100, 64) - 1


def sum_tables(ratio: Floats, frequency: NDArray[np.int64], channel: int = 0) -> Floats:
    """Sum scores (rows, STEPS) of rows with the given frequencies 0..63 along each of the 100 tables: (100,)."""
    steps = steps_of_quality(channel)[:, frequency]
    return ratio[np.arange(len(frequency)), steps].sum(1, dtype=np.float64)
