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
    """`edges` between bins of the expected error, and (low, high) to add to an answer, one pair a bin.

    They were measured on answers whose patches spread by at most `most_spread`, None: on all.
    """

    edges: tuple[float, ...]
    offsets: tuple[tuple[float, float], ...]
    most_spread: float | None = None

    def hold(self, fused: Fused) -> bool:
        """Tell whether the confident patches say about the same, as they do where the intervals were measured.

        Each sees other frequencies. Tables of a standard quality say the same at all of them, others do not.
        """
        return self.most_spread is None or (fused.spread or 0.0) <= self.most_spread

    def around(self, fused: Fused) -> tuple[float, float] | None:
        """Return the interval around an answer, within 1..100; None without an answer."""
        if fused.quality is None:
            return None
        offsets = self.offsets[int(np.searchsorted(self.edges, expected_error(fused), side="right"))]
        low, high = (round(min(max(fused.quality + offset, 1.0), 100.0), 2) for offset in offsets)
        return low, high

    def record(self) -> dict[str, Any]:
        """Return what is kept beside the weights."""
        ends = {"edges": list(self.edges), "offsets": list(map(list, self.offsets))}
        return {"coverage": NETWORK.coverage, **ends, "most_spread": self.most_spread}


def from_record(record: dict[str, Any]) -> Intervals:
    """Return the intervals that `record` described."""
    offsets = tuple((low, high) for low, high in record["offsets"])
    return Intervals(tuple(record["edges"]), offsets, record.get("most_spread"))


def expected_error(fused: Fused) -> float:
    """Return a number that grows with the error to be expected: of a patch and between patches, over their root number.

    On photographs unlike those that intervals are fitted on they hold more evenly with both errors than with the first.
    """
    return (float(fused.expected or 0.0) + float(fused.spread or 0.0)) / math.sqrt(max(1, fused.confident))
