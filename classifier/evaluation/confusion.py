"""The confusion matrix: as a picture that a person can read at 100 classes, and as a table."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.configs import QUALITIES
from q1net_msroi.utils import figures, results
from q1net_msroi.utils.errors import UserError, show


def paint(axes: Any, counts: NDArray[np.intp], scale: Any) -> None:
    """Draw (100, 100) counts, row = true quality, as shares of their rows with the colours of `scale`."""
    rows = np.flatnonzero(counts.any(axis=1))
    if len(rows):
        shares = np.ma.masked_less_equal(counts[rows] / counts[rows].sum(axis=1, keepdims=True), 0)
        axes.pcolormesh(np.arange(0.5, 101), edges(rows + 1), shares, cmap=scale.cmap, norm=scale.norm)
    axes.set(aspect="equal", xlim=(0.5, 100.5), ylim=(0.5, 100.5))
    axes.set_axisbelow(True)


def edges(qualities: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return where rows of these qualities begin and end: halfway to their neighbours, where not all were asked for."""
    middle = (qualities[1:] + qualities[:-1]) / 2
    return np.concatenate([[qualities[0] - 0.5], middle, [qualities[-1] + 0.5]])


def colour_scale() -> Any:
    """Return the colours of shares: one step a decade, so that one wrong answer in a hundred shows, too."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    return ScalarMappable(LogNorm(0.01, 1, clip=True), "viridis_r")


def colour_bar(drawing: Any, scale: Any, **where: Any) -> None:
    """Draw the legend of `colour_scale`."""
    bar = drawing.colorbar(scale, label="share of the pictures of a true quality", **where)
    bar.set_ticks([0.01, 0.1, 1], labels=["1 %", "10 %", "100 %"])


def heading(title: str, summary: dict[str, Any], between: str = ": ") -> str:
    """Return an estimator's title and how right it was."""
    if summary["mae"] is None:
        return f"{title}: no answer"
    unknown = summary["predictions"] - summary["answered"]
    exact, within = (results.percent(summary[key]) for key in ("exact", "within_2"))
    shares = f"exact {exact}, within 2 {within} of {summary['predictions']:,}"
    return f"{title}{between}MAE {summary['mae']:.2f}, {shares}{f' ({unknown} unknown, not drawn)' if unknown else ''}"


def draw(counts: NDArray[np.intp], path: Path, title: str, summary: dict[str, Any]) -> None:
    """Draw (100, 100) counts, row = true quality, as the share of its row, beside the error by true quality."""
    rows, scale, ticks = np.flatnonzero(counts.any(axis=1)), colour_scale(), [1, *range(10, 101, 10)]
    with figures.figure(path, 11, 7) as drawing:
        matrix, column = drawing.subplots(1, 2, width_ratios=(3, 1), sharey=True)
        paint(matrix, counts, scale)
        matrix.set(xlabel="predicted quality", ylabel="true quality", xticks=ticks, yticks=ticks)
        matrix.grid(True)
        colour_bar(drawing, scale, ax=matrix, shrink=0.8, location="left", pad=0.02)
        distance = np.abs(np.arange(1, 101)[None] - (rows + 1)[:, None])
        errors = (counts[rows] * distance).sum(axis=1) / counts[rows].sum(axis=1)
        # Without clipping an error of 0 shows on the axis, too.
        column.plot(errors, rows + 1, linewidth=1.5, marker=".", markersize=3, clip_on=False, zorder=3)
        column.set(xlabel="mean absolute error", xlim=(0, max(0.5, 1.05 * errors.max(initial=0))))
        column.tick_params(labelleft=True)
        column.grid(True)
        drawing.suptitle(heading(title, summary))


def write_counts(counts: NDArray[np.intp], path: Path) -> None:
    """Write (100, 100) counts as CSV: a row a true quality that was asked for, a column a predicted one."""
    rows = np.flatnonzero(counts.any(axis=1))
    write = [{"true": q + 1, **{str(p): int(n) for p, n in zip(QUALITIES, counts[q], strict=True)}} for q in rows]
    results.write_csv(path, write or [{"true": ""}])


def read_counts(path: Path) -> NDArray[np.intp]:
    """Return what `write_counts` wrote; raise `UserError` for any other file."""
    counts = np.zeros((len(QUALITIES), len(QUALITIES)), np.intp)
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                if row["true"]:
                    counts[int(row["true"]) - 1] = [int(row[str(p)]) for p in QUALITIES]
    except FileNotFoundError:
        raise UserError(f"{show(path)} does not exist; run evaluate_cls.py with this --out_path") from None
    except (ValueError, KeyError, IndexError, TypeError, UnicodeDecodeError):
        raise UserError(f"{show(path)} is no confusion matrix of evaluate_cls.py; run it again") from None
    return counts
