"""The answer of an estimator, the same for all of them."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """What is known of a picture's quality: a number (0..100) or None with the `reason` why there is none."""

    quality: float | None
    confident_patches: int
    patches: int
    spread: float | None = None  # interquartile range of the confident patches
    interval: tuple[float, float] | None = None
    tie_set: tuple[int, ...] = ()
    reason: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def with_tie_interval(self) -> Estimate:
        """Return the estimate with the range of its tie set as interval, where it has no other one."""
        if self.interval is not None or not self.tie_set or self.quality is None:
            return self
        return replace(self, interval=(float(min(self.tie_set)), float(max(self.tie_set))))

    def record(self, file: str, comp_type: str) -> dict[str, Any]:
        """Return the answer as programs read it with `--json`; these names stay as they are."""
        values = asdict(self)
        return {
            "file": file,
            "comp_type": comp_type,
            "quality": None if self.quality is None else round(self.quality, 3),
            "interval": self.interval,
            "tie_set": list(self.tie_set),
            "confident_patches": self.confident_patches,
            "patches": self.patches,
            "spread": None if self.spread is None else round(self.spread, 3),
            "reason": self.reason,
            "evidence": values["evidence"],
            "seconds": round(self.seconds, 4),
        }


class Estimator(Protocol):
    """Anything that answers "which quality?" for a picture."""

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for (height, width, 3) uint8 RGB pixels."""
        ...


@runtime_checkable
class FileEstimator(Estimator, Protocol):
    """An estimator that also looks at the file that the pixels were read from."""

    def estimate_file(self, path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for the file at `path` and its (height, width, 3) uint8 RGB pixels."""
        ...
