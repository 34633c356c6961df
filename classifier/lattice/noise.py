"""What decoders, and what came after them, add to DCT coefficients: the density around the points of every lattice."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 255  # quantisation steps of 8-bit tables
RESOLUTION = 8  # bins per unit of a coefficient
BINS = 1024 * RESOLUTION + 1  # |c| of a block of values -128..127 is at most 1024

SHORT = 128 * RESOLUTION + 1  # bins that hold nearly all coefficients, and half a period of every lattice

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
    "rough": Noise(2.5, 4.0, 0.20, 1e-2),
    "rougher": Noise(4.5, 7.0, 0.20, 1e-2),
}


def normal(x: Floats, sigma: float) -> Floats:
    """Return the normal density of standard deviation sigma."""
    return np.exp(-0.5 * (x / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


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
