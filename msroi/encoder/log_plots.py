"""Plots of a log: what each picture gained or lost, a figure a metric, and one figure with all of them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder.log import Row, groups, metrics_of
from q1net_msroi.msroi.metrics.metric import Metric
from q1net_msroi.utils.errors import show
from q1net_msroi.utils.figures import figure

BETTER, WORSE = "#2166ac", "#b2182b"
NAMED = 40  # so many pictures still have room for their names below the bars
NAME_LENGTH = 22


def _unit(metric: Metric) -> str:
    return f" [{metric.unit}]" if metric.unit else ""


def _colours(metric: Metric, differences: NDArray[np.float64]) -> NDArray[np.str_]:
    return np.where(metric.gain(0, 1) * differences >= 0, BETTER, WORSE)


def _short(file: str) -> str:
    name = show(Path(file).stem)
    # matplotlib would read a dollar sign as the start of a formula.
    return (name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…").replace("$", r"\$")


def plot_metric(rows: Sequence[Row], metric: Metric, path: Path) -> None:
    """Draw ours minus plain JPEG as a bar a picture, a panel a group (model and quality), to a PNG."""
    panels = groups(rows)
    with figure(path, 11, 0.8 + 3.2 * len(panels)) as drawing:
        drawing.suptitle(f"{metric.title}: ours minus plain JPEG", fontweight="bold")
        places = drawing.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, ((model, quality), group) in zip(places, panels.items(), strict=True):
            differences = np.array([row.difference(metric) for row in group])
            finite = np.isfinite(differences)
            shown = np.where(finite, differences, 0.0)
            axes.bar(np.arange(len(group)), shown, color=_colours(metric, shown))
            axes.axhline(0, color="black", linewidth=0.8)
            mean = float(differences[finite].mean()) if finite.any() else math.nan
            axes.axhline(mean, color="gray", linewidth=1, linestyle="--")
            better = f"better in {int((metric.gain(0, 1) * shown > 0).sum())} of {len(group)}"
            title = f"model {model}, JPEG quality {quality}: mean {metric.signed(mean, unit=True)}, {better}"
            axes.set_title(title, fontsize=10)
            axes.set_ylabel(f"difference{_unit(metric)}")
            axes.margins(x=0.01)
            if len(group) <= NAMED:
                axes.set_xticks(np.arange(len(group)), [_short(row.file) for row in group], rotation=60, ha="right")
                axes.tick_params(axis="x", labelsize=8)
            else:
                axes.set_xlabel(f"{len(group)} pictures in the order of the log")


def _panel(axes: Any, rows: Sequence[Row], metrics: Sequence[Metric]) -> None:
    """Draw each metric's differences as dots in a row, the mean as a bar across them with its number beside it."""
    panels = groups(rows)
    scatter = np.random.default_rng(0)
    labels = []
    for place, metric in enumerate(metrics):
        for index, ((model, quality), group) in enumerate(panels.items()):
            height = place + 0.8 * ((index + 0.5) / len(panels) - 0.5)
            values = np.array([row.difference(metric) for row in group])
            values = values[np.isfinite(values)]
            if not values.size:
                continue
            spread = scatter.uniform(-0.25, 0.25, values.size) / len(panels)
            axes.scatter(values, height + spread, s=12, alpha=0.6, color=_colours(metric, values))
            mean = float(values.mean())
            axes.plot([mean, mean], [height - 0.35 / len(panels), height + 0.35 / len(panels)], color="black")
            name = f"model {model}, quality {quality}: " if len(panels) > 1 else ""
            said, beside = f"{name}{metric.signed(mean, unit=True)}", ("axes fraction", "data")
            axes.annotate(said, (1.01, height), xycoords=beside, va="center", fontsize=8)
        labels.append(metric.title)
    axes.set_yticks(range(len(metrics)), labels)
    axes.set_ylim(len(metrics) - 0.5, -0.5)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(True, axis="x")
    axes.set_xlabel(f"ours minus plain JPEG{_unit(metrics[0])}")


def plot_summary(rows: Sequence[Row], path: Path) -> None:
    """Draw every metric's differences over all pictures in one figure, a panel a unit, to a PNG."""
    found = metrics_of(rows)
    parts = [[m for m in found if m.unit == unit] for unit in dict.fromkeys(metric.unit for metric in found)]
    sizes = [len(part) * max(1, len(groups(rows))) for part in parts]
    with figure(path, 10, 1.6 + 0.55 * sum(sizes) + 0.6 * len(parts)) as drawing:
        first = next(iter(groups(rows)))
        what = f", model {first[0]}, JPEG quality {first[1]}" if len(groups(rows)) == 1 else ""
        pictures = len({row.file for row in rows})
        drawing.suptitle(f"{pictures} pictures{what}: a dot is a picture, a line the mean", fontweight="bold")
        panels = drawing.subplots(len(parts), 1, squeeze=False, height_ratios=sizes)[:, 0]
        for axes, part in zip(panels, parts, strict=True):
            _panel(axes, rows, part)
