"""VIFP: visual information fidelity in the pixel domain (Sheikh and Bovik 2006, the authors' multi-scale version)."""

import numpy as np

from q1net_msroi.msroi.metrics.metric import Metric, Plane

WINDOWS = (17, 9, 5, 3)  # side of the Gaussian window at each scale; its sigma is a fifth of it
EYE_NOISE = 2.0  # variance of the visual noise
TINY = 1e-10


def _means(plane: Plane, side: int) -> Plane:
    """Return Gaussian-weighted means of side x side windows, only where the window lies inside the plane."""
    from scipy.ndimage import correlate1d

    edge = side // 2
    weights = np.exp(-np.square(np.arange(-edge, edge + 1)) / (2 * (side / 5) ** 2))
    weights /= weights.sum()
    for axis in (0, 1):
        plane = correlate1d(plane, weights, axis=axis)
    return plane[edge:-edge, edge:-edge]


def _information(reference: Plane, other: Plane, side: int) -> tuple[float, float]:
    """Return how many (decimal) digits of the reference reach the eye through the distortion, and without it."""
    mean_1, mean_2 = _means(reference, side), _means(other, side)
    variance_1 = np.maximum(_means(reference**2, side) - mean_1**2, 0.0)
    variance_2 = np.maximum(_means(other**2, side) - mean_2**2, 0.0)
    covariance = _means(reference * other, side) - mean_1 * mean_2

    gain = covariance / (variance_1 + TINY)
    noise = variance_2 - gain * covariance
    # The authors' order of exceptions: a flat reference, a flat picture, structure turned over.
    flat = variance_1 < TINY
    gain[flat], variance_1[flat] = 0.0, 0.0
    noise[flat] = variance_2[flat]
    flat = variance_2 < TINY
    gain[flat], noise[flat] = 0.0, 0.0
    turned = gain < 0
    noise[turned] = variance_2[turned]
    gain[turned] = 0.0
    noise = np.maximum(noise, TINY)
    seen = np.sum(np.log10(1 + gain**2 * variance_1 / (noise + EYE_NOISE)))
    there = np.sum(np.log10(1 + variance_1 / EYE_NOISE))
    return float(seen), float(there)


def vifp(reference: Plane, other: Plane) -> float:
    """Return VIFP of two (height, width) planes: 1 for equal ones, 0 for nothing in common, above 1 for sharpened.

    Four scales where they fit (sides of 41 pixels and more), else the first ones; NaN for a side below 17 pixels and
    for a reference that is flat, hence without information, unless the other equals it.
    """
    if min(reference.shape) < WINDOWS[0]:
        return float("nan")
    if np.array_equal(reference, other):
        return 1.0
    seen = there = 0.0
    for scale, side in enumerate(WINDOWS):
        if scale:
            if min(reference.shape) < side:
                break
            reference, other = (_means(plane, side)[::2, ::2] for plane in (reference, other))
        if min(reference.shape) < side:
            break
        seen_here, there_here = _information(reference, other, side)
        seen, there = seen + seen_here, there + there_here
    return seen / there if there > 0 else float("nan")


METRICS = (Metric("vifp", "VIFP", "visual information fidelity", lambda pair: vifp(pair.luma, pair.other_luma)),)
