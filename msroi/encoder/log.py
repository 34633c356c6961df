"""Logs of metrics: read the originals' lines and our JSON records, average them, write them as a table."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from q1net_msroi.msroi.metrics import suite
from q1net_msroi.msroi.metrics.metric import Metric
from q1net_msroi.utils import results
from q1net_msroi.utils.errors import UserError, show

NUMBERS = ("png_bytes", "jpeg_bytes", "our_bytes", "jpeg_quality", "our_quality")


@dataclass(frozen=True)
class Row:
    """A line of a log: a picture, the two files' bytes and qualities, and metric key to value for each of them."""

    file: str
    model: str
    png_bytes: int
    jpeg_bytes: int
    our_bytes: int
    jpeg_quality: int
    our_quality: int
    jpeg: dict[str, float]
    ours: dict[str, float]

    @property
    def group(self) -> tuple[str, int]:
        """What is averaged together: the model and the plain JPEG's quality."""
        return self.model, self.jpeg_quality

    def difference(self, metric: Metric) -> float:
        """Return ours minus plain JPEG; 0 for equal values, also infinite ones; NaN where one is missing."""
        ours, plain = self.ours.get(metric.key, math.nan), self.jpeg.get(metric.key, math.nan)
        return 0.0 if ours == plain else ours - plain


@dataclass(frozen=True)
class Average:
    """Means over the `pictures` of a group that have finite values, and how many of all went which way."""

    metric: Metric
    pictures: int
    jpeg: float
    ours: float
    better: int
    same: int
    worse: int


def _row(file: str, model: str, numbers: Iterable[Any], jpeg: dict[str, float], ours: dict[str, float]) -> Row:
    named = dict(zip(NUMBERS, map(int, numbers), strict=True))
    return Row(file, model, jpeg=jpeg, ours=ours, **named)


def _from_text(line: str) -> Row:
    head, *sides = line.rstrip().removesuffix("|").rsplit("|", 2)
    # The name comes first and may hold spaces, so the six numbers are taken from the right.
    name, model, *numbers = head.rsplit(maxsplit=6)
    jpeg, ours = (dict(zip(suite.LOG_LINE, map(float, side.split()), strict=True)) for side in sides)
    return _row(name.strip(), model, numbers, jpeg, ours)


def _from_json(line: str) -> Row:
    record = json.loads(line)
    metrics = record["metrics"]

    def values(side: str) -> dict[str, float]:
        known = metrics[side]
        return {key: math.nan if known[key] is None else float(known[key]) for key in suite.METRICS if key in known}

    numbers = metrics["png_bytes"], *(record[name] for name in ("plain_bytes", "bytes", "plain_quality", "quality"))
    return _row(str(record["file"]), str(record["model"]), numbers, values("plain"), values("ours"))


def read_log(path: str | os.PathLike[str]) -> tuple[list[Row], list[str]]:
    """Return a log's rows in order, a notice for every line that is none; raise `UserError` where there is no row."""
    name = show(path)
    if Path(path).is_dir():
        raise UserError(f"{name} is a folder; give the log that combine_images.py -print_metrics 1 printed")
    lines = Path(path).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    rows, notices = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_from_json(line) if line.lstrip().startswith("{") else _from_text(line))
        except (ValueError, KeyError, TypeError):
            notices.append(f"{name} line {number} is no log line and left out: {show(line.strip()[:60])}")
    if not rows:
        raise UserError(f"{name} holds no log line; make one with combine_images.py -print_metrics 1 > {name}")
    return rows, notices


def groups(rows: Sequence[Row]) -> dict[tuple[str, int], list[Row]]:
    """Return the rows by model and plain JPEG quality, in the order of their first appearance."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        found.setdefault(row.group, []).append(row)
    return found


def metrics_of(rows: Sequence[Row]) -> list[Metric]:
    """Return the metrics that at least one row has, in their usual order."""
    return [metric for metric in suite.METRICS.values() if any(metric.key in row.ours for row in rows)]


def average(rows: Sequence[Row], metric: Metric) -> Average:
    """Average one metric over rows."""
    gains = [metric.gain(0, row.difference(metric)) for row in rows]
    better, same, worse = sum(g > 0 for g in gains), gains.count(0), sum(g < 0 for g in gains)
    pairs = [(row.jpeg[metric.key], row.ours[metric.key]) for row in rows if metric.key in row.ours]
    pairs = [pair for pair in pairs if all(map(math.isfinite, pair))]
    jpeg, ours = map(_mean, zip(*pairs, strict=True)) if pairs else (math.nan, math.nan)
    return Average(metric, len(pairs), jpeg, ours, better, same, worse)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def table(rows: Sequence[Row]) -> list[str]:
    """Return one group's averages as lines of text for a person."""
    jpeg_bytes, our_bytes = _mean([row.jpeg_bytes for row in rows]), _mean([row.our_bytes for row in rows])
    pictures = "1 picture" if len(rows) == 1 else f"{len(rows)} pictures"
    width = max(12, *(len(metric.title) + 1 for metric in metrics_of(rows)))
    lines = [
        f"model {rows[0].model}, {pictures}: plain JPEG {jpeg_bytes:,.0f} bytes at quality {rows[0].jpeg_quality}, "
        f"ours {our_bytes:,.0f} bytes ({100 * (our_bytes / jpeg_bytes - 1):+.2f} %) at quality "
        f"{_mean([row.our_quality for row in rows]):.1f}",
        f"{'metric':<{width}}{'JPEG':>9}{'ours':>9}{'difference':>12}{'better':>8}{'same':>6}{'worse':>7}",
    ]
    for metric in metrics_of(rows):
        mean = average(rows, metric)
        left_out = "" if mean.pictures == len(rows) else f"  ({len(rows) - mean.pictures} without a finite value)"
        lines.append(
            f"{metric.title:<{width}}{mean.jpeg:>9.{metric.digits}f}{mean.ours:>9.{metric.digits}f}"
            f"{metric.signed(mean.ours - mean.jpeg):>12}{mean.better:>8}{mean.same:>6}{mean.worse:>7}{left_out}"
        )
    return lines


def record(rows: Sequence[Row]) -> dict[str, Any]:
    """Return one group's averages as a JSON record; a mean that does not exist is null."""

    def number(value: float) -> float | None:
        return round(value, 6) if math.isfinite(value) else None

    def cells(mean: Average) -> dict[str, float | None]:
        values = {"jpeg": mean.jpeg, "ours": mean.ours, "difference": mean.ours - mean.jpeg}
        counts = {"better": mean.better, "same": mean.same, "worse": mean.worse, "pictures": mean.pictures}
        return {**{name: number(value) for name, value in values.items()}, **counts}

    return {
        "model": rows[0].model,
        "pictures": len(rows),
        "jpeg_quality": rows[0].jpeg_quality,
        "our_quality": round(_mean([row.our_quality for row in rows]), 3),
        "jpeg_bytes": round(_mean([row.jpeg_bytes for row in rows]), 1),
        "our_bytes": round(_mean([row.our_bytes for row in rows]), 1),
        "metrics": {metric.key: cells(average(rows, metric)) for metric in metrics_of(rows)},
    }


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as CSV, a column a number, atomically."""
    sides = [(side, metric.key) for side in ("jpeg", "ours") for metric in metrics_of(rows)]
    lines = [
        {"file": show(row.file)}
        | {column: getattr(row, column) for column in ("model", *NUMBERS)}
        | {f"{side}_{key}": getattr(row, side).get(key, "") for side, key in sides}
        for row in rows
    ]
    results.write_csv(path, lines, digits=6)
