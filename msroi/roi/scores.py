"""How well a map agrees with object masks or with where people looked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BETA_SQUARED = 0.3  # precision counts more than recall, as usual for salient objects since Achanta et al., 2009
LEVELS = 256


def _counts(values: NDArray[np.uint8], positive: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return how many positive and how many other pixels have at least each of the levels 255, 254 .. 0."""
    inside = np.bincount(values[positive], minlength=LEVELS)
    outside = np.bincount(values.ravel(), minlength=LEVELS) - inside
    return np.cumsum(inside[::-1]), np.cumsum(outside[::-1])


def pixel_auc(values: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Return the probability that a pixel of the mask has the higher map value (equal ones count half); NaN where the
    mask is empty or the whole picture. `values` (h, w) uint8, `mask` (h, w)."""
    hits, false_alarms = _counts(values, mask)
    if hits[-1] == 0 or false_alarms[-1] == 0:
        return float("nan")
    return float(np.trapezoid(np.r_[0, hits] / hits[-1], np.r_[0, false_alarms] / false_alarms[-1]))


def precision_recall(values: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return precision and recall of "map value at least t" for t = 255, 254 .. 0; precision is 1 where none is."""
    hits, false_alarms = _counts(values, mask)
    found = hits + false_alarms
    precision = np.where(found > 0, hits / np.maximum(found, 1), 1.0)
    return precision, hits / max(1, int(hits[-1]))


def f_measure(precision: NDArray[Any], recall: NDArray[Any]) -> NDArray[Any]:
    """Return the F-measure with beta^2 = 0.3, 0 where both are 0."""
    total = BETA_SQUARED * precision + recall
    return np.asarray((1 + BETA_SQUARED) * precision * recall / np.where(total > 0, total, 1))


def maximum_f(curves: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Return the largest F-measure of one threshold for all pictures: of the mean precision and the mean recall."""
    precision = np.mean([curve[0] for curve in curves], axis=0)
    recall = np.mean([curve[1] for curve in curves], axis=0)
    return float(f_measure(precision, recall).max())


def mean_absolute_error(values: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Return the mean of |map - mask|, both 0..1."""
    return float(np.abs(values / 255.0 - mask).mean())


def pointing(values: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Return the share of the map's highest pixels that lie in the mask: 1 or 0 where there is one highest pixel."""
    return float(mask[values == values.max()].mean())


def nss(values: NDArray[Any], points: NDArray[np.intp]) -> float:
    """Return the mean of the standardised map at gaze `points` (n, 2) of row, column; 0 for a flat map."""
    deviation = float(np.std(values, dtype=np.float64))
    if deviation == 0:
        return 0.0
    return float((values[points[:, 0], points[:, 1]].mean() - values.mean(dtype=np.float64)) / deviation)


def auc_judd(values: NDArray[np.uint8], points: NDArray[np.intp]) -> float:
    """Return the area under hits at looked-at pixels against false alarms at all others (Judd et al., 2009)."""
    looked_at = np.zeros(values.shape, bool)
    looked_at[points[:, 0], points[:, 1]] = True
    return pixel_auc(values, looked_at)


def correlation(values: NDArray[Any], density: NDArray[Any]) -> float:
    """Return Pearson's correlation of a map and a gaze density of the same size; 0 where either is flat."""
    a, b = values.astype(np.float64).ravel(), density.astype(np.float64).ravel()
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def interval(values: Sequence[float], resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean: bootstrap over pictures, NaN left out."""
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(0, known.size, (resamples, known.size))
    low, high = np.percentile(known[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
