"""What a fused answer is off by on average, by what it is: measured on validation photographs, then taken away.

A patch that is not sure answers towards what is usual, so the median of many does too: too high at low qualities, too
low at high ones. The whole picture knows better than its patches, and the same error in every photograph can be
corrected. The correction is the monotone line through a few knots with the least absolute error (a linear program).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.fusion import Fused
from q1net_msroi.classifier.q1net.settings import NETWORK

KNOTS = np.array(NETWORK.correction_knots, float)


@dataclass(frozen=True)
class Correction:
    """The corrected qualities, 0..100, of the answers `KNOTS`; straight lines in between."""

    values: tuple[float, ...]

    def quality(self, answer: float) -> float:
        """Return the corrected quality, 0..100, of a fused answer."""
        return float(np.interp(answer, KNOTS, self.values))

    def apply(self, fused: Fused) -> Fused:
        """Return the answer with its quality corrected, where it has one."""
        return fused if fused.quality is None else replace(fused, quality=self.quality(fused.quality))

    def record(self) -> dict[str, Any]:
        """Return what is kept beside the weights, enough to correct elsewhere (on a phone): knots and values."""
        return {"knots": KNOTS.tolist(), "values": [round(value, 3) for value in self.values]}


NONE = Correction(tuple(KNOTS.tolist()))


def from_record(record: dict[str, Any]) -> Correction:
    """Return the correction that `record` described, also with other knots."""
    return Correction(tuple(np.interp(KNOTS, record["knots"], record["values"]).tolist()))


def fit(answers: Sequence[float] | NDArray[np.float64], truth: Sequence[int] | NDArray[np.float64]) -> Correction:
    """Return the correction with the least mean absolute error over fused answers, 0..100, and true qualities.

    It never decreases. One right answer at every knot is taken for granted: where nothing is known nothing changes.
    """
    from scipy import sparse
    from scipy.optimize import linprog

    x, y = (np.concatenate([KNOTS, values]) for values in (answers, truth))
    n, m = len(x), len(KNOTS)
    # Unknowns: values at the knots, absolute errors, absolute bends. All constraints say "... <= limit".
    line = sparse.csr_matrix(np.stack([np.interp(x, KNOTS, row) for row in np.eye(m)], axis=1))
    steps = np.diff(np.eye(m), axis=0) / np.diff(KNOTS)[:, None]
    bends = sparse.csr_matrix(np.diff(steps, axis=0))
    error, bend = sparse.identity(n), sparse.identity(m - 2)
    constraints = sparse.bmat(
        [[line, -error, None], [-line, -error, None], [bends, None, -bend], [-bends, None, -bend], [-steps, None, None]]
    )
    limits = np.concatenate([y, -y, np.zeros(2 * (m - 2) + m - 1)])
    cost = np.concatenate([np.zeros(m), np.full(n, 1 / n), np.full(m - 2, NETWORK.bend_cost)])
    bounds = [(0, 100)] * m + [(0, None)] * (n + m - 2)
    solved = linprog(cost, A_ub=constraints, b_ub=limits, bounds=bounds, method="highs")
    return Correction(tuple(solved.x[:m].tolist()))
