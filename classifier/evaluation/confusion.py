"""The confusion matrix: as a picture that a person can read at 100 classes, and as a table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.configs import QUALITIES
from q1net_msroi.utils import figures, results
from q1net_msroi.utils.errors import UserError, show


def draw(counts: NDArray[np.intp], path: Path, title: str, summary: dict[str, Any]) -> None:
    """Draw (100, 100) counts, row = true quality, as the share of its row, beside the error by true quality."""
    from matplotlib.colors import LogNorm

    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    with figures.figure(path, 11, 7) as drawing:
        matrix, column = drawing.subplots(1, 2, width_ratios=(3, 1), sharey=True)
        visible = np.ma.masked_less_equal(shares, 0)
        # One colour step a decade: a single wrong answer among a hundred pictures still shows beside the diagonal.
        image = matrix.pcolormesh(
            np.arange(0.5, 101), np.arange(0.5, 101), visible, cmap="viridis_r", norm=LogNorm(0.01, 1, clip=True)
        )
        matrix.set_aspect("equal")
        matrix.set_facecolor("#f4f4f4")
        matrix.set_xlabel("predicted quality")
        matrix.set_ylabel("true quality")
        ticks = [1, *range(10, 101, 10)]
        matrix.set_xticks(ticks)
        matrix.set_yticks(ticks)
        matrix.grid(True, color="white", linewidth=0.6)
        matrix.set_axisbelow(True)
        bar = drawing.colorbar(image, ax=matrix, shrink=0.8, location="left", pad=0.02)
        bar.set_label("share of the pictures of a true quality")
        bar.set_ticks([0.01, 0.1, 1], labels=["1 %", "10 %", "100 %"])

        rows = np.flatnonzero(totals[:, 0])
        predicted = np.arange(1, 101)
        distance = np.abs(predicted[None] - (rows + 1)[:, None])
        errors = (shares[rows] * distance).sum(axis=1)
        # Without clipping an error of 0 shows on the axis, too.
        column.plot(errors, rows + 1, color="#30638e", linewidth=1.5, marker=".", markersize=3, clip_on=False, zorder=3)
        column.set_xlabel("mean absolute error")
        column.set_xlim(0, max(0.5, 1.05 * errors.max(initial=0)))
        column.tick_params(labelleft=True)
        column.grid(True, alpha=0.3)
        if summary["mae"] is None:
            heading = f"{title}: no answer"
        else:
            unknown = summary["predictions"] - summary["answered"]
            exact, within = (results.percent(summary[key]) for key in ("exact", "within_2"))
            heading = (
                f"{title}: MAE {summary['mae']:.2f}, exact {exact}, within 2 {within} "
                f"of {summary['predictions']} predictions" + (f", {unknown} unknown (not drawn)" if unknown else "")
            )
        drawing.suptitle(heading)


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
