"""The paper's Figure 4: confusion matrices side by side, from the counts that evaluations leave."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.evaluation import confusion
from q1net_msroi.utils import figures

ACROSS = 2  # matrices in a row


class Panel(NamedTuple):
    """One estimator's matrix: counts (100, 100), row = true quality, and the summary of its evaluation."""

    title: str
    counts: NDArray[np.intp]
    summary: dict[str, Any]


def draw(panels: Sequence[Panel], path: Path) -> None:
    """Draw the matrices, each row as its shares on one colour scale for all, with MAE and shares in the titles."""
    down, scale, ticks = -(-len(panels) // ACROSS), confusion.colour_scale(), [1, *range(20, 101, 20)]
    with figures.figure(path, 5.6 * ACROSS + 1, 5.6 * down) as drawing:
        grid = drawing.subplots(down, ACROSS, squeeze=False, sharex=True, sharey=True)
        for axes, panel in zip(grid.flat, panels, strict=False):
            confusion.paint(axes, panel.counts, scale)
            axes.set_title(confusion.heading(panel.title, panel.summary, "\n"), fontsize=10)
            axes.set(xticks=ticks, yticks=ticks)
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        drawing.supxlabel("predicted quality")
        drawing.supylabel("true quality")
        confusion.colour_bar(drawing, scale, ax=grid, shrink=0.6)
