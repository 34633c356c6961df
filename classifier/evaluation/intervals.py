"""Fit the intervals around answers: conformal quantiles of the errors measured on validation photographs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.fusion import Fused
from q1net_msroi.classifier.q1net.intervals import Intervals, expected_error
from q1net_msroi.classifier.q1net.settings import NETWORK

LEAST = 40  # answers in a bin; fewer say too little about one in twenty


def fit(answers: Sequence[Fused], truth: Sequence[int], bins: int = 8) -> Intervals:
    """Return intervals from answers (those without a quality are left out) and the true qualities."""
    known = [(a, t) for a, t in zip(answers, truth, strict=True) if a.quality is not None]
    score = np.array([expected_error(a) for a, _ in known])
    error = np.array([t - float(a.quality or 0) for a, t in known])
    count = max(1, min(bins, len(known) // LEAST))
    edges = np.unique(np.round(np.quantile(score, np.arange(1, count) / count), 3)) if count > 1 else np.zeros(0)
    where = np.searchsorted(edges, score, side="right")
    return Intervals(tuple(edges.tolist()), tuple(_offsets(error[where == k]) for k in range(len(edges) + 1)))


def _offsets(error: NDArray[np.float64]) -> tuple[float, float]:
    """Return the conformal quantiles of the errors of one bin."""
    if not len(error):
        return -100.0, 100.0
    tail, ordered = (1 - NETWORK.coverage) / 2, np.sort(error)
    reach = max(int(np.floor(tail * (len(error) + 1))) - 1, 0)  # as many may lie outside on each side
    return round(float(ordered[reach]), 3), round(float(ordered[-1 - reach]), 3)
