"""What is true of a JPEG file's last compression, and quantisation tables to make files with that are not libjpeg's."""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from q1net_msroi.classifier.benchmark.treatments import Pixels
from q1net_msroi.classifier.estimators.header import Header, match, read_header
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError, show

Random = np.random.Generator
Tables = list[list[int]]  # luma and, where there is one, chroma: 64 steps each, rows of vertical frequency

LARGEST_STEP = 255  # of tables that Pillow writes
NEAR = ("one step off", "two qualities")  # what tables near to standard ones are


@dataclass(frozen=True)
class Truth:
    """What the last compression's tables are.

    `quality` is the standard quality nearest to them, `luma` the one nearest to luma's alone, `tables` is standard,
    luma standard (but not chroma at the same quality: `quality` is luma's) or other. `mozjpeg` is that encoder's own
    setting where it has made them: a number on another scale.
    """

    quality: int
    luma: int
    tables: str
    mozjpeg: int | None = None

    @classmethod
    def standard(cls, quality: int) -> Truth:
        """Return the truth of libjpeg's tables of a quality."""
        return cls(quality, quality, "standard")


def truth_of(content: bytes, name: str) -> Truth:
    """Return what is true of a JPEG file's last compression by its header; raise `UserError` where it has none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(content)
        header = read_header(path)
    if header is None:
        raise UserError(f"{name} has no header with quantisation tables: what is true of it is not known")
    found = match(header)
    if found.family == "standard" and found.exact and found.quality is not None:
        return Truth.standard(found.quality)
    if found.luma_quality is not None:
        return Truth(found.luma_quality, found.luma_quality, "luma standard")
    luma = match(Header(header.luma, None, 1, subsampling=None, progressive=False))
    setting = found.quality if found.family == "mozjpeg" else None
    return Truth(found.nearest_standard, luma.nearest_standard, "other", setting)


def read_tables(path: Path) -> list[Tables]:
    """Return the pairs of tables of a CSV with columns `luma` and `chroma`, without those of more than 8 bits."""
    return read_counted(path)[0]


def read_counted(path: Path) -> tuple[list[Tables], list[float]]:
    """Return the same pairs, and in how many files each was found by the column `files`: 1 where there is none."""
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    texts = [[row.get(name) or "" for name in ("luma", "chroma")] for row in rows]
    pairs = [[[int(step) for step in text.split()] for text in pair if text] for pair in texts]
    counts = [float(row.get("files") or 1) for row in rows]
    usable = [
        (pair, count)
        for pair, count in zip(pairs, counts, strict=True)
        if pair and all(len(table) == 64 and max(table) <= LARGEST_STEP for table in pair)
    ]
    if not usable:
        raise UserError(f"{show(path)} holds no tables: columns luma and chroma with 64 steps each are needed")
    return [pair for pair, _ in usable], [count for _, count in usable]


def with_tables(pixels: Pixels, tables: Tables, subsampling: str) -> bytes:
    """Return a JPEG file with the given quantisation tables."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", qtables=tables, subsampling=subsampling)
    return buffer.getvalue()


def near_standard(kind: str, random: Random) -> Tables:
    """Return standard tables with one to three steps one up or down, or of two qualities for luma and chroma."""
    quality = int(random.integers(40, 97))
    luma, chroma = (table.ravel().tolist() for table in jpeg.standard_tables()[quality - 1])
    if kind == "two qualities":
        other = min(max(quality + int(random.choice([-20, -10, -5, 5, 10, 20])), 5), 98)
        return [luma, jpeg.standard_tables()[other - 1, 1].ravel().tolist()]
    for _ in range(int(random.integers(1, 4))):
        table, place = (luma, chroma)[int(random.integers(0, 2))], int(random.integers(0, 64))
        table[place] = min(max(table[place] + int(random.choice([-1, 1])), 1), LARGEST_STEP)
    return [luma, chroma]
