"""How well a quantisation lattice explains DCT coefficients, in nats: for every step 1..255 at once, from histograms.

A coefficient c of a decoded block lies at k*Q plus the decoder's rounding. Its density is the mass that a smooth prior
puts on the cell of lattice point k (a finer lattice pays for its freedom) times the density of the rounding. The prior
is a mixture of Laplacians fitted to each frequency, and the same mixture, without a lattice, is the reference: scores
are log-likelihood ratios "quantised with Q" against "never quantised", on the same coefficients.

Histograms hold |c| in bins of 1/8. The rounding's part is then one matrix product, the prior's part sums over cells:
the cost does not depend on the number of blocks.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import prior
from q1net_msroi.classifier.lattice.noise import BINS, RESOLUTION, SHORT, STEPS, Floats, noise_table
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

PIXELS = 8.0  # a block's side: a flat block of value v has the DC 8 v
LENGTHS = (SHORT, 2 * SHORT, 4 * SHORT, BINS)  # bins of histograms: most frequencies have no larger coefficients
RANGE = 2048  # coefficients lie in -1024..1024


def reference(coarse: Floats, bins: int) -> Floats:
    """Return the log-likelihood without a lattice, (rows,), of counts (rows, coarse bins) of |c|."""
    edges, components = prior.coarse_edges(bins), prior.coarse_components(bins)
    widths = 2 * np.diff(edges) / RESOLUTION  # both signs
    widths[0] = 1 / RESOLUTION
    density = (1 - LATTICE.uniform_share) * (prior.fit(coarse, components) @ components) / widths
    total: Floats = (coarse * np.log(density + LATTICE.uniform_share / RANGE)).sum(1)
    return total


def _lattice_weights(counts: Floats, cumulative: Floats, noise: str) -> Floats:
    """Fit the prior of the lattices: under the lattice of step 1, with the rounding's blur as part of the model."""
    near = counts[:, : prior.near_bins(1)]
    far, far_density = prior.far_cells(counts.shape[1])
    known = np.concatenate([near, np.diff(cumulative[:, far], axis=1)], axis=1)
    return prior.fit(known, np.concatenate([prior.near_density(1, noise), far_density], axis=1))


def prior_tails(counts: Floats, dc: NDArray[np.bool_]) -> Floats:
    """Return the prior's mass of |c| above 0, 1/2, 1, ... for histograms (rows, bins): (rows, halves).

    It is fitted to the rows, but uniform over -1024..1024 for those marked in `dc`.
    """
    cumulative = np.zeros((len(counts), counts.shape[1] + 1), np.float32)
    np.cumsum(counts, axis=1, out=cumulative[:, 1:])
    weights = _lattice_weights(counts, cumulative, "exact")
    tails: Floats = weights @ prior.half_tails(2 * counts.shape[1] // RESOLUTION + 2 * STEPS)
    tails[dc] = np.maximum(1 - np.arange(tails.shape[1]) / RANGE, 0)
    return tails


def occupied(counts: Floats) -> NDArray[np.int64]:
    """Return the largest |c| that each row of histograms (rows, bins) holds, in whole units rounded up."""
    last: NDArray[np.int64] = counts.shape[1] - 1 - (counts[:, ::-1] > 0).argmax(1)
    return last // RESOLUTION + 1


def ratios(counts: Floats, noise: str, uniform: NDArray[np.bool_] | None = None) -> Floats:
    """Return the nats by which lattices of step 1..255 explain histograms better than none does: (rows, STEPS).

    `counts` (rows, bins) are numbers of |c| in bins of 1/8; `noise` is a key of `noise.NOISES`. Rows marked in
    `uniform` (DC) have a uniform prior over -1024..1024 in place of the mixture.
    """
    uniform = np.zeros(len(counts), bool) if uniform is None else uniform
    score = np.empty((len(counts), STEPS), np.float32)
    most = counts.shape[1]
    rest = ~uniform
    for bins in sorted({min(length, most) for length in LENGTHS}):  # long empty ends cost time
        chosen = rest & ~counts[:, bins:].any(1)
        if chosen.any():
            part = np.ascontiguousarray(counts[chosen, :bins], np.float32)
            score[chosen] = _mixture_ratios(part, part @ noise_table(noise, bins), noise)
            rest &= ~chosen
    if uniform.any():
        dense = np.log(np.arange(1, STEPS + 1, dtype=np.float32))
        score[uniform] = counts[uniform] @ noise_table(noise, most) + counts[uniform].sum(1, keepdims=True) * dense
    return score


def _mixture_ratios(counts: Floats, rounding: Floats, noise: str) -> Floats:
    """Return the ratios of rows whose prior is the mixture; `rounding` is the rounding's part."""
    rows, bins = counts.shape
    cumulative = np.zeros((rows, bins + 1), np.float32)
    np.cumsum(counts, axis=1, out=cumulative[:, 1:])
    plain = reference(np.diff(cumulative[:, prior.coarse_edges(bins)], axis=1), bins)

    weights = _lattice_weights(counts, cumulative, noise)
    low, high, first, masses = prior.cells(bins)
    step = np.repeat(np.arange(1, STEPS + 1), np.diff(np.append(first, len(low))))
    held = cumulative[:, high] - cumulative[:, low]
    share, everywhere = 1 - LATTICE.uniform_share, LATTICE.uniform_share / RANGE
    logs = held * np.log(share * (weights @ masses) + (everywhere * step).astype(np.float32))
    score = rounding + np.add.reduceat(logs, first, axis=1)
    for small in (1, 2):  # around zero all points of a narrow lattice count, not only the nearest
        split = prior.near_bins(small)
        near = counts[:, :split]
        density = share * (weights @ prior.near_density(small, noise)) + everywhere
        start = first[small - 1] + prior.NEAR // small
        score[:, small - 1] = (
            (near * np.log(density)).sum(1)
            + counts[:, split:] @ noise_table(noise, bins)[split:, small - 1]
            + logs[:, start : first[small]].sum(1)
        )
    return score - plain[:, None]


@functools.cache
def flat_table() -> NDArray[np.float32]:
    """Return the score of a flat block of luma 0..255 under each step of DC, an exact interval test: (256, STEPS)."""
    k = np.arange(-1100, 1101)
    step = np.arange(1, STEPS + 1)[:, None]
    value = np.rint(128 + k * step / PIXELS).astype(np.int64)
    table = np.zeros((STEPS, 256))
    inside = (value >= 0) & (value <= 255)
    np.add.at(table, (np.broadcast_to(np.arange(STEPS)[:, None], value.shape)[inside], value[inside]), 1)
    # A lattice point has the mass step / 2048, a value without a lattice 8 / 2048.
    return np.log((1 - LATTICE.flat_error) * table * step / PIXELS + LATTICE.flat_error).T.astype(np.float32)


@functools.cache
def steps_of_quality(channel: int = 0) -> NDArray[np.int64]:
    """Return the index (step - 1) of each quality's table, luma (0) or chroma (1): (100, 64)."""
    return jpeg.standard_tables()[:, channel].reshape(100, 64) - 1


def sum_tables(ratio: Floats, frequency: NDArray[np.int64], channel: int = 0) -> Floats:
    """Sum scores (rows, STEPS) of rows with the given frequencies 0..63 along each of the 100 tables: (100,)."""
    steps = steps_of_quality(channel)[:, frequency]
    sums: NDArray[np.float64] = ratio[np.arange(len(frequency)), steps].sum(1, dtype=np.float64)
    return sums
