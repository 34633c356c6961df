"""Was a real JPEG file compressed before, as somebody claims? Asked of its own coefficients."""

from __future__ import annotations

from q1net_msroi.classifier.estimators.result import Estimate


def claimed_grid(answer: Estimate, corner: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the grid (y, x) of the file that an answer names; not found out yet."""
    return None


def stands_out(content: bytes, claimed: float, grid: tuple[int, int] | None) -> bool | None:
    """Return whether a compression at the claimed quality shows; not found out yet."""
    return None
