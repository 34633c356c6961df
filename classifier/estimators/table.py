"""Answers as a flat table: a row a picture, the same columns in a CSV file, on the report page and in Python."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.utils import images
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.jobs import Task

if TYPE_CHECKING:
    from q1net_msroi.classifier.estimators.sketch import Sketch

COLUMNS = ("file", "quality", "low", "high", "strongest", "earlier", "codec", "software", "parts", "reason")
DIGITS = 2  # behind the point
LOSSY = {"WEBP": "WebP", "AVIF": "AVIF", "HEIF": "HEIC"}  # formats that change pixels, by Pillow's names

Row = dict[str, Any]


@dataclass(frozen=True)
class PictureTask(Task):
    """A picture of a list and what it is called there; with `sketched` a report page's parts are made of it."""

    name: str = ""
    sketched: bool = False


@dataclass(frozen=True)
class Entry:
    """What is kept of a picture: its row of the table, and its part of a page where that was asked for."""

    row: Row
    sketch: Sketch | None = None


@dataclass(frozen=True)
class Answer:
    """The estimate of a picture, and what is kept of it."""

    estimate: Estimate
    entry: Entry


def answer(asked: Asked, fallback: float | None, task: PictureTask) -> Answer:
    """Return the answer for the picture of a folder job's task; raise `UserError` where it cannot be read."""
    try:
        estimate, picture = registry.read_and_estimate(asked, fallback, task.image)
    except UserError as error:
        raise UserError(str(error).replace(show(task.image), show(task.name or task.image))) from None
    row = make_row(task.name or str(task.image), estimate, *_written_by(task.image, estimate, picture))
    sketch = None
    if task.sketched and picture is not None:
        from q1net_msroi.classifier.estimators import sketch as sketches

        sketch = sketches.make(picture, estimate, asked)
    return Answer(estimate, Entry(row, sketch))


def make_row(name: str, estimate: Estimate, codec: str = "", software: str = "") -> Row:
    """Return the row of a picture; `low` and `high` are the ends of its interval, None stands in empty cells."""
    low, high = estimate.interval or (None, None)
    return {
        "file": name,
        "quality": estimate.quality,
        "low": low,
        "high": high,
        "strongest": estimate.strongest,
        "earlier": estimate.evidence.earlier_quality,
        "codec": codec or None,
        "software": software or None,
        "parts": estimate.evidence.apart or None,
        "reason": estimate.reason or estimate.evidence.unread,
    }


def failed_row(name: str, reason: str) -> Row:
    """Return the row of a picture that has no answer, for a reason of its own."""
    return {**dict.fromkeys(COLUMNS), "file": name, "reason": reason}


def csv_text(rows: Iterable[Row]) -> str:
    """Return rows as CSV; what a spreadsheet would take for a formula is guarded, a path so that it stays a path."""
    from q1net_msroi.utils import results

    plain = ({**row, "file": _plain_name(str(row["file"]))} for row in rows)
    return "".join(results.csv_lines(plain, COLUMNS, DIGITS))


def _plain_name(name: str) -> str:
    return name if name == "-" or name[:1] not in "=+-@\t\r" else f"./{name}"


def _written_by(path: str | os.PathLike[str], estimate: Estimate, picture: images.Picture | None) -> tuple[str, str]:
    """Return codec and software as far as evidence and file tell them: a compression found, or a lossy format."""
    evidence = estimate.evidence
    codec = evidence.codec or ("JPEG" if estimate.strongest is not None else "")
    if picture is None:
        return codec, evidence.software
    lossless = picture.format == "WEBP" and images.is_lossless_webp(Path(path))
    return codec or ("" if lossless else LOSSY.get(picture.format, "")), picture.software or evidence.software
