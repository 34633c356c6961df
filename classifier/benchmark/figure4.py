"""The paper's Figure 4: confusion matrices side by side, from the counts that evaluations leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.utils import figures, results

ACROSS = 2  # matrices in a row


@dataclass(frozen=True)
class Panel:
    """One estimator's matrix: counts (100, 100), row = true quality, and the summary of its evaluation."""

    title: str
    counts: NDArray[np.intp]
    summary: dict[str, Any]


def draw(panels: Sequence[Panel], path: Path) -> None:
    """Draw the matrices, each row as its shares on one colour scale for all, with MAE and shares in the titles."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    down = -(-len(panels) // ACROSS)
    with figures.figure(path, 5.6 * ACROSS + 1, 5.6 * down) as drawing:
        grid = drawing.subplots(down, ACROSS, squeeze=False, sharex=True, sharey=True)
        colours = ScalarMappable(LogNorm(0.01, 1, clip=True), "viridis_r")
        for axes, panel in zip(grid.flat, panels, strict=False):
            rows = np.flatnonzero(panel.counts.any(axis=1))
            if len(rows):
                counts = panel.counts[rows]
                shares = np.ma.masked_less_equal(counts / counts.sum(axis=1, keepdims=True), 0)
                axes.pcolormesh(np.arange(0.5, 101), edges(rows + 1), shares, cmap=colours.cmap, norm=colours.norm)
            axes.set_aspect("equal")
            axes.set_facecolor("#f4f4f4")
            axes.set_xlim(0.5, 100.5)
            axes.set_ylim(0.5, 100.5)
            axes.set_title(heading(panel), fontsize=10)
            axes.set_xticks([1, *range(20, 101, 20)])
            axes.set_yticks([1, *range(20, 101, 20)])
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        drawing.supxlabel("predicted quality")
        drawing.supylabel("true quality")
        bar = drawing.colorbar(colours, ax=grid, shrink=0.6)
        bar.set_label("share of the pictures of a true quality")
        bar.set_ticks([0.01, 0.1, 1], labels=["1 %", "10 %", "100 %"])


def edges(qualities: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return where rows of these qualities begin and end: halfway to their neighbours, where not all were asked for."""
    middle = (qualities[1:] + qualities[:-1]) / 2
    return np.concatenate([[qualities[0] - 0.5], middle, [qualities[-1] + 0.5]])


def heading(panel: Panel) -> str:
    """Return a panel's title: the estimator and how right it was."""
    s = panel.summary
    if s["mae"] is None:
        return f"{panel.title}: no answer"
    unknown = s["predictions"] - s["answered"]
    exact, within = (results.percent(s[key]) for key in ("exact", "within_2"))
    return f"{panel.title}\nMAE {s['mae']:.2f}, exact {exact}, within 2 {within} of {s['predictions']:,}" + (
        f" ({unknown} unknown, not drawn)" if unknown else ""
    )
