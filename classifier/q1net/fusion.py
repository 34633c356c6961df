"""From the answers of many patches to one answer for the picture (paper, section 3.3), and three other ways."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.settings import NETWORK


@dataclass(frozen=True)
class Fused:
    """`quality` 0..100 or None without a confident patch, their number, and their interquartile range (`spread`).

    `expected` is the error that the confident patches expect of themselves, the mean of 100 - confidence.
    """

    quality: float | None
    confident: int
    spread: float | None
    expected: float | None = None


def enough(fused: Fused, textured: int) -> bool:
    """Tell whether as many of the `textured` patches, those of more than one colour, are confident as it takes."""
    return fused.confident >= NETWORK.least_share * textured


Values = NDArray[np.float32]


def median(qualities: Values, _: Values) -> float:
    """Return the plain median: the paper's rule."""
    last = len(qualities) - 1  # np.median and np.percentile load numpy.ma, a twentieth of every start
    return float(np.sort(qualities)[last // 2 : last // 2 + 1 + last % 2].mean())


def weighted_median(qualities: Values, confidences: Values) -> float:
    """Return the median weighted by 1 / (100 - confidence).

    The confidence is trained to be 100 minus the error, so 100 - c is the error that a patch expects of itself; for
    errors of Laplace's kind with these scales the weighted median is the most likely quality.
    """
    order = np.argsort(qualities, kind="stable")
    weights = 1 / np.maximum(100.0 - confidences[order].astype(float), NETWORK.smallest_error)
    # The plain median lies half way between the middle two; so does this one where the weights are equal.
    places = np.cumsum(weights) - weights / 2
    return float(np.interp(weights.sum() / 2, places, qualities[order]))


def mode(qualities: Values, _: Values) -> float:
    """Return where the answers lie densest under a Gaussian kernel (the lowest such place, to a twentieth)."""
    step, bandwidth = NETWORK.mode_step, NETWORK.mode_bandwidth
    steps = round(100 / step)
    places = np.clip(np.rint(qualities / step), 0, steps).astype(np.intp)
    reach = np.arange(-4 * bandwidth, 4 * bandwidth + step / 2, step)
    kernel = np.exp(-((reach / bandwidth) ** 2) / 2)
    density = np.convolve(np.bincount(places, minlength=steps + 1), kernel, mode="same")
    return float(int(density.argmax()) * step)


def inlier_mean(qualities: Values, _: Values) -> float:
    """Return the mean of the answers within two robust standard deviations (from the MAD) of the median."""
    middle = np.median(qualities)
    distance = np.abs(qualities - middle)
    deviation = 1.4826 * float(np.median(distance))  # that of a normal distribution
    return float(qualities[distance <= max(NETWORK.inlier_deviations * deviation, NETWORK.inlier_floor)].mean())


RULES = {rule.__name__: rule for rule in (median, weighted_median, mode, inlier_mean)}


def fuse(predictions: NDArray[np.float32], threshold: float, rule: str = "median") -> Fused:
    """Return the quality that the patches whose confidence exceeds `threshold` give by `rule`, a name of `RULES`.

    `predictions` is (n, 2): confidence and quality, both 0..100. The original answers 100 when no patch is confident;
    here the answer is None, because nothing is known.
    """
    confidences, qualities = predictions[predictions[:, 0] > threshold].T
    if len(qualities) == 0:
        return Fused(None, 0, None)
    last = len(qualities) - 1
    low, high = np.interp([0.25 * last, 0.75 * last], np.arange(last + 1), np.sort(qualities))  # quartiles
    expected = float(100 - confidences.mean(dtype=np.float64))
    return Fused(RULES[rule](qualities, confidences), len(qualities), float(high - low), expected)
