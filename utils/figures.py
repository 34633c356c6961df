"""Pictures of results, drawn with matplotlib without a screen."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from q1net_msroi.utils import files

LEAST_RANGE = 1.5  # the largest loss on an axis is at least so many times the smallest
# One style that reads on light and on dark pages: the ground is transparent, what stands on it is a gray whose contrast
# to white and to nearly black is the same (4.3), and what is plotted stands on a light panel.
GRAY, PANEL, INK, LINE = "#797980", "#fbfbf9", "#26262b", "#b4b4ba"
COLOURS = ("#0b62a4", "#d1603d", "#2f8f5b", "#8e5ea2", "#b8860b", "#4a4a55")  # told apart by the colour-blind as well
STYLE: dict[str, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": PANEL,
    "axes.edgecolor": LINE,
    "axes.labelcolor": GRAY,
    "axes.titlesize": 11,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10.5,
    "grid.color": "#dededf",
    "legend.edgecolor": LINE,
    "legend.framealpha": 1,
    "legend.labelcolor": INK,
    "text.color": GRAY,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
}


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """Yield a matplotlib figure of `width` x `height` inches in `STYLE` and save it to `path` (PNG) atomically."""
    from cycler import cycler
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {**STYLE, "axes.prop_cycle": cycler(color=COLOURS)}
    with rc_context(style):
        drawing = Figure(figsize=(width, height), dpi=110, layout="constrained")
        FigureCanvasAgg(drawing)
        yield drawing
        with files.atomic_path(path) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a panel with nothing to show
            drawing.savefig(temporary, format="png")


def loss_curves(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw training and validation loss by epoch; `rows` have epoch, train_loss, val_loss."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    with figure(path, 7, 4.5) as drawing:
        axes = drawing.add_subplot()
        epochs = [int(row["epoch"]) for row in rows]
        for name, label in (("train_loss", "training"), ("val_loss", "validation")):
            axes.plot(epochs, [float(row[name]) for row in rows], marker=".", label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        if high < LEAST_RANGE * low:  # a single epoch, or hardly any change: noise is not to fill the picture
            middle = (low * high) ** 0.5
            axes.set_ylim(middle / LEAST_RANGE**0.5, middle * LEAST_RANGE**0.5)
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which(ScalarFormatter())  # plain numbers, not powers of ten
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(True, which="both")
        axes.legend()
