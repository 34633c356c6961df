"""The quantisation tables that evidence tells of, in words and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SIDE = 8


@dataclass(frozen=True)
class Quantisation:
    """Steps of `luma` and `chroma` (64, natural order, rows of vertical frequency), 0 where they are not told.

    `chroma` is None where a file has one table for all or pixels tell nothing of it; `fits` says whose they are.
    """

    luma: tuple[int, ...]
    chroma: tuple[int, ...] | None
    subsampling: str | None
    fits: str

    def lines(self) -> list[str]:
        """Return the tables side by side, then whose they are; `-` where a step is not told."""
        both = [("luma", _rows(self.luma))] + ([] if self.chroma is None else [("chroma", _rows(self.chroma))])
        width = len(both[0][1][0])
        lines = ["   ".join(name.ljust(width) for name, _ in both).rstrip()]
        lines += ["   ".join(rows) for rows in zip(*(rows for _, rows in both), strict=True)]
        return [*lines, f"subsampling {self.subsampling or 'not told'}; {self.fits}"]

    def record(self) -> dict[str, Any]:
        """Return what `--json` has of them: 64 numbers each, None where a step is not told."""
        return {"luma_table": _plain(self.luma), "chroma_table": _plain(self.chroma)}


NOT_TOLD: dict[str, Any] = {"luma_table": None, "chroma_table": None}


def _rows(steps: Sequence[int]) -> list[str]:
    """Return a table as eight lines of the same width."""
    width = max(3, *(len(str(step)) for step in steps))
    cells = [str(step or "-").rjust(width) for step in steps]
    return [" ".join(cells[row : row + SIDE]) for row in range(0, SIDE * SIDE, SIDE)]


def _plain(steps: Sequence[int] | None) -> list[int | None] | None:
    return None if steps is None else [int(step) or None for step in steps]
