"""Pictures of results, drawn with matplotlib without a screen."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from q1net_msroi.utils import files

LEAST_RANGE = 1.5  # the largest loss on an axis is at least so many times the smallest


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """Yield a matplotlib figure of `width` x `height` inches and save it to `path` (PNG) atomically."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

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
        axes.grid(True, which="both", alpha=0.3)
        axes.legend()
