"""The prior of DCT coefficients: a mixture of Laplacians and normals, its mass in the cells of lattices, its fit."""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice.noise import NOISES, RESOLUTION, STEPS, Floats, normal
from q1net_msroi.classifier.lattice.settings import LATTICE

NO_TAIL = 27.5  # erfc is 0 in double precision from here up
NEAR = LATTICE.near_reach


def _upper_tails(x: Floats) -> Floats:
    """Return what each component of the prior has above x >= 0, of the mass of one sign: (components, len(x))."""
    normals = np.zeros((len(LATTICE.normal_sigmas), len(x)))
    for row, sigma in zip(normals, LATTICE.normal_sigmas, strict=True):
        scaled = x / (sigma * math.sqrt(2))
        some = scaled < NO_TAIL
        row[some] = [math.erfc(value) for value in scaled[some]]
    return np.concatenate([np.exp(-x / np.array(LATTICE.laplacian_scales)[:, None]), normals])


@functools.cache
def half_tails(number: int) -> Floats:
    """Return what each component has above 0, 1/2, 1, ...: (components, number)."""
    return _upper_tails(np.arange(number) / 2).astype(np.float32)


@functools.cache
def coarse_edges(bins: int) -> NDArray[np.int64]:
    """Edges, in fine bins, of the bins on which the prior is fitted: geometric from 1 up."""
    edges = [*range(10)]
    while edges[-1] < bins:
        edges.append(min(bins, int(np.ceil(edges[-1] * LATTICE.bin_growth))))
    return np.array(edges)


@functools.cache
def coarse_components(bins: int) -> NDArray[np.float32]:
    """Mass that each component, rounded by a decoder, puts on the coarse bins of |c|: (components, coarse bins)."""
    samples = 4  # of a bin; even, so that sample edges meet bin edges
    fine = RESOLUTION * samples
    tails = _upper_tails(np.arange(bins * samples) / fine)
    half = tails - np.append(tails[:, 1:], np.zeros((len(tails), 1)), axis=1)
    reach = np.arange(-2 * fine, 2 * fine + 1) / fine
    kernel = normal(reach, NOISES["exact"].sigma)
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
def cells(bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
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


def near_bins(step: int) -> int:
    """Number of fine bins below the cell of the lattice point at NEAR."""
    return (2 * NEAR - step) * RESOLUTION // 2


@functools.cache
def near_density(step: int, noise: str) -> NDArray[np.float32]:
    """Density of c in the fine bins below NEAR under each component quantised with a small step: (components, bins).

    There the rounding's blur overlaps the neighbouring lattice points, so that all of them count, not only the nearest.
    """
    points = 2 * NEAR // step
    tails = _upper_tails(np.maximum(2 * np.arange(points + 1) - 1, 0) * step / 2)
    mass = tails[:, :-1] - tails[:, 1:]
    mass[:, 1:] /= 2
    kind = NOISES[noise]
    bins = np.arange(near_bins(step)) / RESOLUTION
    density = np.zeros((len(mass), len(bins)))
    for sign in (1, -1):
        distance = bins - sign * np.arange(points)[:, None] * step
        blur = (1 - kind.tail) * normal(distance, kind.sigma) + kind.tail * normal(distance, kind.tail_sigma)
        blur = (1 - kind.outliers) * blur + kind.outliers / step * (np.abs(distance) <= step / 2)
        density += mass[:, sign < 0 :] @ blur[sign < 0 :]
    return density.astype(np.float32)


@functools.cache
def far_cells(bins: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Cells of integers from NEAR up, wider ones joined: edges in fine bins, the components' density in them."""
    edges = [2 * NEAR - 1]  # in halves
    while edges[-1] * RESOLUTION // 2 < bins:
        edges.append(int(edges[-1] * LATTICE.bin_growth) // 2 * 2 + 1)
    tails = _upper_tails(np.array(edges) / 2)
    widths = np.diff(edges)  # both signs: twice the half
    density = ((tails[:, :-1] - tails[:, 1:]) / widths).astype(np.float32)
    return np.minimum(np.array(edges) * RESOLUTION // 2, bins), density


def fit(coarse: NDArray[np.float32], components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return mixture weights (rows, components) for histograms (rows, coarse bins)."""
    weights = np.full((len(coarse), len(components)), 1 / len(components), np.float32)
    total = np.maximum(coarse.sum(1, keepdims=True), 1)
    ratio = np.empty(coarse.shape, np.float32)
    for _ in range(LATTICE.fit_rounds):
        np.matmul(weights, components, out=ratio)
        np.divide(coarse, np.maximum(ratio, 1e-30, out=ratio), out=ratio)
        weights *= ratio @ components.T
        weights += LATTICE.component_hint
        weights /= total + LATTICE.component_hint * len(components)
    return weights
