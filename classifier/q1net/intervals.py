"""How far off may an answer be? Intervals that held for nine of ten answers on validation photographs.

How far off an answer is likely to be, its confident patches tell by the error they expect of themselves (100 minus
confidence), by how far they differ and by how many they are. Answers are put into bins by that; each bin keeps the 5 %
and 95 % quantiles of truth minus answer (conformal: as many of the measured errors inside as their number demands). No
assumption about the errors' shape is made, only that new pictures are like those measured.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from q1net_msroi.classifier.q1net.fusion import Fused
from q1net_msroi.classifier.q1net.settings import NETWORK


@dataclass(frozen=True)
class Intervals:
    """`edges` between bins of the expected error, and (low, high) to add to an answer, one pair a bin."""

    edges: tuple[float, ...]
    offsets: tuple[tuple[float, float], ...]

    def around(self, fused: Fused) -> tuple[float, float] | None:
        """Return the interval around an answer, within 1..100; None without an answer."""
        if fused.quality is None:
            return None
        offsets = self.offsets[int(np.searchsorted(self.edges, expected_error(fused), side="right"))]
        low, high = (round(min(max(fused.quality + offset, 1.0), 100.0), 2) for offset in offsets)
        return low, high

    def record(self) -> dict[str, Any]:
        """Return what is kept beside the weights."""
        return {"coverage": NETWORK.coverage, "edges": list(self.edges), "offsets": list(map(list, self.offsets))}


def from_record(record: dict[str, Any]) -> Intervals:
    """Return the intervals that `record` described."""
    return Intervals(tuple(record["edges"]), tuple((low, high) for low, high in record["offsets"]))


def expected_error(fused: Fused) -> float:
    """Return a number that grows with the error to be expected: of a patch and between patches, over their root number.

    On photographs unlike those that intervals are fitted on they hold more evenly with both errors than with the first.
    """
    return (float(fused.expected or 0.0) + float(fused.spread or 0.0)) / math.sqrt(max(1, fused.confident))
