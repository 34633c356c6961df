"""What is known of a metric, and the two pictures that it compares."""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Region = NDArray[np.bool_]
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Pair:
    """A reference and another picture of its size as metrics see them.

    `luma`, `other_luma` (height, width): studio-range luma; `pixels`, `other` (height, width, 3): uint8 RGB; `region`,
    `mask` (height, width): a map's salient region and an object mask's, None where there is no map or mask.
    """

    luma: Plane
    other_luma: Plane
    pixels: Pixels
    other: Pixels
    region: Region | None = None
    mask: Region | None = None
    _kept: dict[Callable[..., Any], Any] = field(default_factory=dict)

    def once(self, function: Callable[[Plane, Plane], Value]) -> Value:
        """Return `function(luma, other_luma)`, computed once for all metrics that are parts of it."""
        if function not in self._kept:
            self._kept[function] = function(self.luma, self.other_luma)
        value: Value = self._kept[function]
        return value


@dataclass(frozen=True)
class Metric:
    """A metric: all that JSON, CSV, logs, pages, plots, tables and help say of it, and how it is computed.

    `key` names it in JSON and file names. `function` returns its value, None where a pair has none (no region).
    `in_region`: it looks at a part of the picture, and is shown first. `on_request`: only measured where asked for by
    its key. `needs`: a package that it cannot do without, `runs`: a program.
    """

    key: str
    title: str
    explanation: str
    function: Callable[[Pair], float | None]
    unit: str = ""
    digits: int = 4
    higher_is_better: bool = True
    in_region: bool = False
    on_request: bool = False
    needs: str = ""
    runs: str = ""

    @property
    def is_there(self) -> bool:
        """Whether what it needs is installed."""
        package = not self.needs or importlib.util.find_spec(self.needs) is not None
        return package and (not self.runs or shutil.which(self.runs) is not None)

    @property
    def label(self) -> str:
        """The title with the unit, for axes and tables."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def gain(self, before: float, after: float) -> float:
        """Return by how much `after` is better, below 0 for worse."""
        return after - before if self.higher_is_better else before - after

    def signed(self, difference: float, unit: bool = False) -> str:
        """Return a difference of two values with its sign and as many digits as it deserves."""
        return f"{difference:+.{self.digits}f}" + (f" {self.unit}" if unit and self.unit else "")
