"""What a JPEG file's own header says: its quantisation tables, and which encoder setting writes such tables.

Only the last compression is in there. The tables are compared with those that libjpeg's scaling rule makes at all 100
qualities from known base tables; where none fits and none is near, there is no number.
"""

from __future__ import annotations

import functools
import os
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators.result import Estimate, Evidence, number
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

LARGEST_STEP = 32767  # of 16-bit tables
TABLE = 64  # steps
COLOURS = 3  # components from which chroma may be subsampled
PHOTOSHOP_QUALITY = 0x0406  # the image resource in which Photoshop keeps its own setting, two bytes, -4..8 for 0..12
PHOTOSHOP_SETTINGS = range(13)
SAVED_BY = {"mozjpeg": " by mozjpeg", "photoshop": " by Photoshop"}

SUBSAMPLINGS: dict[tuple[float, float], str] = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}


@dataclass(frozen=True)
class Header:
    """What the header holds: `luma` (8, 8), `chroma` (8, 8) or None (gray, or one table for all), and how it is coded.

    `photoshop` is Photoshop's own setting 0..12 where the file carries it, None elsewhere.
    """

    luma: NDArray[np.int64]
    chroma: NDArray[np.int64] | None
    components: int
    subsampling: str | None
    progressive: bool
    photoshop: int | None = None

    @property
    def tables(self) -> NDArray[np.int64]:
        """The tables (1 or 2, 8, 8), luma first."""
        return np.stack([self.luma] if self.chroma is None else [self.luma, self.chroma])


@dataclass(frozen=True)
class HeaderEvidence(Evidence):
    """Which setting made the tables, and how the file is coded; `exact` tells whether a setting of `family` fits.

    `distance` is the root mean square difference, in quantisation steps, to the tables of `nearest_standard`;
    `relative_distance` the same as a share of those tables' root mean square. `luma_quality` and `chroma_quality` are
    told where each table alone is exactly a standard one, `photoshop_quality` (0..12) where the file carries it.
    """

    kind: ClassVar[str] = "header"
    family: str
    quality: int | None
    exact: bool
    nearest_standard: int
    distance: float
    relative_distance: float
    luma_quality: int | None
    chroma_quality: int | None
    photoshop_quality: int | None
    tables: int
    components: int
    subsampling: str | None
    progressive: bool

    def sentence(self, answer: Estimate) -> str:
        """Return the answer as a sentence: a file is saved, what pixels tell is compressed."""
        saved = "saved" + SAVED_BY.get(self.family, "")
        quality = number(answer.quality)
        return f"{saved} at {quality}" if self.exact else f"{saved} at about {quality}{answer.range_text}"

    def lines(self) -> list[str]:
        """Return one line: the tables, how far they are from standard ones, and how the file is coded."""
        quality = "no quality" if self.quality is None else f"quality {self.quality}"
        parts = [
            f"{quality}, {self.family} tables",
            f"nearest standard quality {self.nearest_standard} at a distance of {self.distance:g} "
            f"({self.relative_distance:.1%})",
            f"{self.subsampling or ('gray' if self.components == 1 else 'no chroma')}",
            "progressive" if self.progressive else "baseline",
        ]
        if self.photoshop_quality is not None:
            parts.append(f"Photoshop's own setting {self.photoshop_quality} of 12")
        return ["header: " + ", ".join(parts)]


def read_header(path: str | os.PathLike[str]) -> Header | None:
    """Return the header of a JPEG file, None for any other file; no pixel is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Path(path).open("rb") as handle:
                if handle.read(2) != b"\xff\xd8":
                    return None  # said here, because Pillow would load all its formats in search of another
                handle.seek(0)
                with Image.open(handle, formats=("JPEG",)) as image:
                    return _header(image)
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, Image.DecompressionBombError):
        return None  # whether the file can be used at all is said where its pixels are read


def _header(image: Image.Image) -> Header | None:
    tables = {number: np.array(values, np.int64) for number, values in image.quantization.items()}  # type: ignore[attr-defined]
    layers: list[tuple[int, int, int, int]] = image.layer  # type: ignore[attr-defined]
    if not layers or any(0 in each[1:3] or each[3] not in tables or tables[each[3]].size != TABLE for each in layers):
        return None
    luma, second = layers[0], layers[min(1, len(layers) - 1)]
    return Header(
        luma=tables[luma[3]].reshape(8, 8),
        chroma=None if second[3] == luma[3] else tables[second[3]].reshape(8, 8),
        components=len(layers),
        subsampling=_subsampling(layers),
        progressive=bool(image.info.get("progressive")),
        photoshop=_photoshop(image.info.get("photoshop")),
    )


def _subsampling(layers: list[tuple[int, int, int, int]]) -> str | None:
    """Return 4:2:0 and the like, `2x2,1x2,1x2` for unusual factors, None for a single component."""
    if len(layers) < COLOURS:
        return None
    factors = [layer[1:3] for layer in layers]
    (h, v), chroma = factors[0], factors[1]
    if chroma == factors[2] and (h / chroma[0], v / chroma[1]) in SUBSAMPLINGS:
        return SUBSAMPLINGS[h / chroma[0], v / chroma[1]]
    return ",".join(f"{h}x{v}" for h, v in factors)


def _photoshop(resources: Any) -> int | None:
    content = resources.get(PHOTOSHOP_QUALITY) if isinstance(resources, dict) else None
    if not isinstance(content, bytes) or not content[1:]:
        return None
    setting = int.from_bytes(content[:2], "big", signed=True) + 4
    return setting if setting in PHOTOSHOP_SETTINGS else None


@functools.cache
def _families() -> tuple[tuple[str, NDArray[np.int64]], ...]:
    """Return (family, tables (100, 2, 8, 8)) of every known base, clipped to 8 bits and not, standard ones first."""
    base = jpeg.standard_tables()[49]
    newer = base.copy()
    newer[1, 0, 0] = 16  # libjpeg 9e and later
    scale = jpeg.quality_scale()[:, None, None, None]
    return tuple(
        (family, np.clip((tables * scale + 50) // 100, 1, largest))
        for family, tables in (("standard", base), ("standard", newer), ("mozjpeg", np.stack([jpeg.MOZJPEG_BASE] * 2)))
        for largest in (255, LARGEST_STEP)
    )


def _exact(tables: NDArray[np.int64], known: NDArray[np.int64]) -> int | None:
    """Return the highest quality 1..100 whose known tables (100, ...) are `tables`, None without any."""
    equal = np.flatnonzero((known == tables).all(axis=tuple(range(1, known.ndim))))
    return int(equal[-1]) + 1 if len(equal) else None


def match(header: Header) -> HeaderEvidence:
    """Return which encoder setting the tables are of, and how far they are from libjpeg's standard ones."""
    found = header.tables
    # A file with one table is compared with luma alone: libjpeg scales its gray and RGB files' only table so.
    families = [(name, tables[:, : len(found)]) for name, tables in _families()]
    near = min((_nearest(found, tables) for name, tables in families if name == "standard"), key=lambda n: n[1])
    family, quality = "unknown", None
    for name, tables in families:
        quality = _exact(found, tables)
        if quality is not None:
            family = name
            break
    single = [
        next((q for name, t in families if name == "standard" and (q := _exact(table, t[:, k])) is not None), None)
        for k, table in enumerate(found)
    ]
    if family == "unknown" and header.photoshop is not None:
        family = "photoshop"
    elif family == "unknown" and None not in single:
        family = "standard"  # two different qualities for luma and chroma
    return HeaderEvidence(
        family=family,
        quality=quality,
        exact=quality is not None,
        nearest_standard=near[0],
        distance=near[1],
        relative_distance=near[2],
        luma_quality=single[0],
        chroma_quality=single[1] if len(single) > 1 else None,
        photoshop_quality=header.photoshop,
        tables=len(found),
        components=header.components,
        subsampling=header.subsampling,
        progressive=header.progressive,
    )


def _nearest(found: NDArray[np.int64], known: NDArray[np.int64]) -> tuple[int, float, float]:
    """Return (quality, distance, relative distance) of the tables (100, n, 8, 8) with the least squared difference."""
    distance = np.sqrt(((known - found) ** 2).mean(axis=(1, 2, 3)))
    index = int(distance.argmin())
    size = np.sqrt((known[index].astype(float) ** 2).mean())
    return index + 1, float(distance[index]), float(distance[index] / size)


def estimate_header(header: Header | None) -> Estimate:
    """Return the quality of the last compression as the header tells it; None with the reason where it does not."""
    started = time.perf_counter()
    if header is None:
        return Estimate(None, reason="not a JPEG file: there is no header to read")
    found = match(header)
    quality, interval, reason = found.quality, None, None
    if quality is None and found.relative_distance <= LATTICE.header_far:
        quality = found.nearest_standard
        ends = [q for q in (found.luma_quality, found.chroma_quality, quality) if q is not None]
        interval = _bracket(header) if None in (found.luma_quality, found.chroma_quality) else (min(ends), max(ends))
    elif quality is None and found.luma_quality is not None and found.chroma_quality is not None:
        reason = f"luma is saved at {found.luma_quality} and chroma at {found.chroma_quality}: no single quality"
    elif quality is None:
        reason = (
            f"the header's tables are no standard ones (nearest: quality {found.nearest_standard}, "
            f"{found.relative_distance:.0%} away)"
        )
    else:
        interval = (quality, quality)
    distance, relative = round(found.distance, 3), round(found.relative_distance, 4)
    evidence = replace(found, quality=quality, distance=distance, relative_distance=relative)
    return Estimate(
        None if quality is None else float(quality),
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        tie_set=() if found.quality is None else (found.quality,),
        reason=reason,
        evidence=evidence,
        seconds=time.perf_counter() - started,
    )


def _bracket(header: Header) -> tuple[int, int]:
    """Return between which standard qualities nine tenths of the table's single steps lie, the nearest one included."""
    found = header.tables
    known = jpeg.standard_tables()[:, : len(found)]
    each, nearest = np.abs(known - found).argmin(axis=0) + 1, _nearest(found, known)[0]
    low, high = np.percentile(each, LATTICE.header_percentiles)
    return min(int(low), nearest), max(int(np.ceil(high)), nearest)


class HeaderEstimator:
    """Answers from the header of a JPEG file alone."""

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the answer for pixels without a file: unknown."""
        return estimate_header(None)

    def estimate_file(self, path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> Estimate:
        """Return what the header of the file at `path` tells; None with a reason for other files."""
        return estimate_header(read_header(path))
