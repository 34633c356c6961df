"""What decoders, and what came after them, add to DCT coefficients: the density around the points of every lattice."""

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice.settings import LATTICE, Noise

STEPS = 255  # quantisation steps of 8-bit tables
RESOLUTION = 8  # bins per unit of a coefficient
BINS = 1024 * RESOLUTION + 1  # |c| of a block of values -128..127 is at most 1024

SHORT = 128 * RESOLUTION + 1  # bins of half a period of every lattice; they hold nearly all coefficients

Floats = NDArray[Any]  # of single or double precision


NOISES: dict[str, Noise] = {name[6:]: kind for name, kind in vars(type(LATTICE)).items() if name.startswith("noise_")}


def normal(x: Floats, sigma: float) -> Floats:
    """Return the normal density of standard deviation sigma."""
    density: Floats = np.exp(-0.5 * (x / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return density


def noise_table(name: str, bins: int = BINS) -> NDArray[np.float32]:
    """Return the log density of c around the nearest point of each lattice: (bins, STEPS), for steps 1..255."""
    return _noise_table(name, SHORT if bins <= SHORT else BINS)[:bins]


@functools.cache
def _noise_table(name: str, length: int) -> NDArray[np.float32]:
    """Return the table of a length; most questions are about the first bins, and the whole one takes 20 ms to make."""
    noise = NOISES[name]
    distance = np.arange(STEPS * RESOLUTION // 2 + RESOLUTION) / RESOLUTION

    def density(x: Floats) -> Floats:
        return (1 - noise.tail) * normal(x, noise.sigma) + noise.tail * normal(x, noise.tail_sigma)

    plain = density(distance)
    table = np.empty((STEPS, length), np.float32)
    for step in range(1, STEPS + 1):
        period = step * RESOLUTION
        one = np.arange(period)
        one = np.minimum(one, period - one)
        values = plain[one]
        reach = math.ceil(5 * noise.tail_sigma / step)
        if reach > 1 or step < 8 * noise.tail_sigma:  # neighbours of the nearest point count too
            values = np.sum([density(one / RESOLUTION + m * step) for m in range(-reach, reach + 1)], axis=0)
        folded = np.log((1 - noise.outliers) * values + noise.outliers / step).astype(np.float32)
        table[step - 1] = np.resize(folded, length)
    return table.T


@functools.cache
def expected(noise: str) -> Floats:
    """Return the mean log density of the rounding of coefficients that do lie on lattices of step 1..255: (STEPS,)."""
    table = noise_table(noise, SHORT)
    answers = []
    for step in range(1, STEPS + 1):
        half = table[: step * RESOLUTION // 2 + 1, step - 1].astype(np.float64)
        weight = np.exp(half)
        weight[[0, -1]] /= 2
        answers.append(float((weight * half).sum() / weight.sum()))
    return np.array(answers)
