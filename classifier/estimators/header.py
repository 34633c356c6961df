"""What a JPEG file's own header says: its quantisation tables, and which encoder setting writes such tables.

Only the last compression is in there. The tables are compared with those that libjpeg's scaling rule makes at all 100
qualities from known base tables; where none fits, the number is that of the nearest, with a range.
"""

import functools
import os
import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.quantisation import Quantisation
from q1net_msroi.classifier.estimators.result import Estimate, Evidence, number
from q1net_msroi.classifier.lattice import known
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg, jpeg_markers, tiff
from q1net_msroi.utils.errors import UserError
from q1net_msroi.utils.jpeg_markers import Component, Markers

LARGEST_STEP = 32767  # of 16-bit tables
COLOURS = 3  # components from which chroma may be subsampled
LUMA_FIRST = ("YCbCr", "gray")  # colour spaces whose first component is what pixels tell as luma
NO_HEADER = "not a JPEG file: there is no header to read"
UNREAD = {  # what refused pixels, by a word of the refusal
    "truncated": f"its {jpeg_markers.EARLY}",
    "damaged": "its data are damaged",
    "scans of": "it holds too many scans",
    "claims": "it is too large",
    "memory": "it is too large",
}
SAVED_BY = {"mozjpeg": " by mozjpeg", "photoshop": " by Photoshop"}

_RATIOS: tuple[tuple[float, float], ...] = ((1, 1), (2, 1), (2, 2), (1, 2), (4, 1), (4, 2))
SUBSAMPLINGS = dict(zip(_RATIOS, ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0"), strict=True))


@dataclass(frozen=True)
class Header:
    """What the header holds: `luma` (8, 8), `chroma` (8, 8) or None (gray, or one table for all), and how it is coded.

    `photoshop` is Photoshop's own setting 0..12 where the file carries it, None elsewhere. `colours` is the components'
    colour space, `process` a name of `jpeg_markers.FRAMES`, `precision` the bits of a sample, `damage` what was seen.
    """

    luma: NDArray[np.int64]
    chroma: NDArray[np.int64] | None
    components: int
    subsampling: str | None
    progressive: bool
    photoshop: int | None = None
    colours: str = "YCbCr"
    process: str = "baseline"
    precision: int = 8
    damage: tuple[str, ...] = ()

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
    `unread` says why the pixels were not looked at, `written_by` who is known to write such tables (64 steps each).
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
    colours: str = "YCbCr"
    process: str = "baseline"
    precision: int = 8
    unread: str | None = None
    written_by: str | None = None
    luma_table: tuple[int, ...] = ()
    chroma_table: tuple[int, ...] | None = None

    @property
    def codec(self) -> str:
        """A header is a JPEG file's."""
        return "JPEG"

    @property
    def software(self) -> str:
        """Who writes such tables."""
        return self.written_by or SAVED_BY.get(self.family, "").removeprefix(" by ")

    @property
    def quantisation(self) -> Quantisation:
        """The file's own tables."""
        if self.exact:
            fits = f"{'libjpeg' if self.family == 'standard' else self.family}'s of quality {self.quality}"
        elif None not in (self.luma_quality, self.chroma_quality):
            fits = f"libjpeg's of {self.luma_quality} for luma and {self.chroma_quality} for chroma"
        elif self.written_by:
            fits = f"fits {self.written_by}; no other of {len(known.pairs())} known tables"
        else:
            fits = f"who writes them is not known: {len(known.pairs())} known tables are others or nobody's"
        subsampling = self.subsampling or ("none, it is gray" if self.components == 1 else None)
        return Quantisation(self.luma_table, self.chroma_table, subsampling, fits)

    def values(self) -> dict[str, Any]:
        """Return what is told, without the tables and without a writer where none is known."""
        told = {name: value for name, value in super().values().items() if not name.endswith("_table")}
        return told if self.written_by else {name: value for name, value in told.items() if name != "written_by"}

    def sentence(self, answer: Estimate) -> str:
        """Return the answer as a sentence: a file is saved, what pixels tell is compressed."""
        saved = "saved" + SAVED_BY.get(self.family, "")
        quality = number(answer.quality)
        if self.exact:
            return f"{saved} at {quality}"
        if None not in (self.luma_quality, self.chroma_quality):
            return f"{saved} at {self.luma_quality} for luma and {self.chroma_quality} for chroma, near to {quality}"
        return f"{saved} with tables that are not standard, near to {quality}{answer.range_text}"

    def lines(self) -> list[str]:
        """Return one line: the tables, how far they are from standard ones, and how the file is coded."""
        quality = "no quality" if self.quality is None else f"quality {self.quality}"
        nearest = f"nearest standard quality {self.nearest_standard} at a distance of {self.distance:g}"
        sampling = self.subsampling or ("gray" if self.components == 1 else "no chroma")
        coded = self.process + (f", {self.precision} bits" if self.precision != 8 else "")
        coded += "" if self.colours in LUMA_FIRST else f", {self.colours}"
        own = "" if self.photoshop_quality is None else f", Photoshop's own setting {self.photoshop_quality} of 12"
        tables = f"{quality}, {self.family} tables, {nearest} ({self.relative_distance:.1%})"
        own += "" if self.written_by is None else f", written by {self.written_by}"
        return [f"header: {tables}, {sampling}, {coded}{own}"]


def read_header(path: str | os.PathLike[str]) -> Header | None:
    """Return the header of a JPEG file, or of the JPEG data in a TIFF; None without; no pixel is decoded."""
    return find_header(path)[0]


def find_header(path: str | os.PathLike[str]) -> tuple[Header | None, str]:
    """Return a file's header and an empty text, or None and why there is none."""
    try:
        found = jpeg_markers.read_file(path)
        colours = None if found is None else found.colours
        if found is None and (inside := tiff.jpeg_data(path)) is not None:
            found, colours = jpeg_markers.read(inside.content), inside.colours
    except OSError:
        return None, NO_HEADER  # whether the file can be used at all is said where its pixels are read
    if found is None or colours is None:
        return None, NO_HEADER
    wrong = _wrong(found)
    return (None, f"the JPEG header tells no quality: {wrong}") if wrong else (_header(found, colours), "")


def _wrong(found: Markers) -> str:
    """Return why markers do not tell whole and sane tables, empty where they do."""
    if found.process is not None and found.process.startswith(("lossless", "hierarchical", "JPEG-LS")):
        return f"{found.process} coding"
    if found.fatal or not found.components:
        return found.fatal or jpeg_markers.EARLY
    tables = [each.table for each in found.components]
    if any(table is None or table.min() < 1 for table in tables):
        return jpeg_markers.DAMAGED_TABLE
    sane = found.precision in (8, 12) and found.width and found.height
    return "" if sane else jpeg_markers.DAMAGED_FRAME


def _header(found: Markers, colours: str) -> Header:
    first, second = found.components[0], found.components[min(1, len(found.components) - 1)]
    assert first.table is not None
    assert second.table is not None
    one = second.selector == first.selector and np.array_equal(first.table, second.table)  # not redefined for chroma
    chroma = None if one else second.table
    process = found.process or ""
    return Header(
        first.table, chroma, len(found.components), _subsampling(found.components), process.startswith("progressive"),
        found.photoshop, colours, process, found.precision, tuple(found.damage),
    )  # fmt: skip


def _subsampling(components: list[Component]) -> str | None:
    """Return 4:2:0 and the like, `2x2,1x2,1x2` for unusual factors, None for a single component."""
    if len(components) < COLOURS:
        return None
    factors = [(each.across, each.down) for each in components]
    (h, v), chroma = factors[0], factors[1]
    if chroma == factors[2] and (h / chroma[0], v / chroma[1]) in SUBSAMPLINGS:
        return SUBSAMPLINGS[h / chroma[0], v / chroma[1]]
    return ",".join(f"{h}x{v}" for h, v in factors)


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


def _exact(tables: NDArray[np.int64], expected: NDArray[np.int64]) -> int | None:
    """Return the highest quality 1..100 whose `expected` tables (100, ...) are `tables`, None without any."""
    equal = np.flatnonzero((expected == tables).all(axis=tuple(range(1, expected.ndim))))
    return int(equal[-1]) + 1 if len(equal) else None


def match(header: Header) -> HeaderEvidence:
    """Return which encoder setting the tables are of, and how far they are from libjpeg's standard ones."""
    found = header.tables
    # A file with one table is compared with luma alone: libjpeg scales its gray and RGB files' only table so.
    families = [(name, tables[:, : len(found)]) for name, tables in _families()]
    nearest = (_nearest(found, tables) for name, tables in families if name == "standard")
    near, far, share = min(nearest, key=lambda each: each[1])
    fitting = ((name, q) for name, tables in families if (q := _exact(found, tables)) is not None)
    family, quality = next(fitting, ("unknown", None))
    single = [
        next((q for name, t in families if name == "standard" and (q := _exact(table, t[:, k])) is not None), None)
        for k, table in enumerate(found)
    ]
    if family == "unknown" and header.photoshop is not None:
        family = "photoshop"
    elif family == "unknown" and None not in single:
        family = "standard"  # two different qualities for luma and chroma
    luma, chroma = single[0], single[1] if len(single) > 1 else None
    coded = (len(found), header.components, header.subsampling, header.progressive)
    how = (header.colours, header.process, header.precision)
    exact = quality is not None
    steps = [tuple(table.ravel().tolist()) for table in found]
    writer = None if exact else known.writer(steps[0], steps[-1]) or None
    told = HeaderEvidence(family, quality, exact, near, far, share, luma, chroma, header.photoshop, *coded, *how)
    return replace(told, written_by=writer, luma_table=steps[0], chroma_table=steps[1] if len(steps) > 1 else None)


def _nearest(found: NDArray[np.int64], expected: NDArray[np.int64]) -> tuple[int, float, float]:
    """Return (quality, distance, relative distance) of the tables (100, n, 8, 8) with the least squared difference."""
    distance = np.sqrt(((expected - found) ** 2).mean(axis=(1, 2, 3)))
    index = int(distance.argmin())
    size = np.sqrt((expected[index].astype(float) ** 2).mean())
    return index + 1, float(distance[index]), float(distance[index] / size)


def estimate_header(header: Header | None, without: str = NO_HEADER) -> Estimate:
    """Return the quality of the last compression as the header tells it: of other tables that of the nearest standard.

    `without` is the reason where there is no header.
    """
    started = time.perf_counter()
    if header is None:
        return Estimate(None, reason=without)
    found = match(header)
    quality = found.quality
    luma, chroma = found.luma_quality, found.chroma_quality
    if quality is None:
        quality = found.nearest_standard
        ends = (luma or quality, chroma or quality, quality)
        interval = _bracket(header) if None in (luma, chroma) else (min(ends), max(ends))
    else:
        interval = (quality, quality)
    distance, relative = round(found.distance, 3), round(found.relative_distance, 4)
    evidence = replace(found, quality=quality, distance=distance, relative_distance=relative)
    around = (float(interval[0]), float(interval[1]))
    ties = () if found.quality is None else (found.quality,)
    return Estimate(float(quality), around, ties, None, evidence, time.perf_counter() - started)


def _bracket(header: Header) -> tuple[int, int]:
    """Return between which standard qualities nine tenths of the table's single steps lie, the nearest one included."""
    found = header.tables
    standard = jpeg.standard_tables()[:, : len(found)]
    each, nearest = np.abs(standard - found).argmin(axis=0) + 1, _nearest(found, standard)[0]
    low, high = np.percentile(each, LATTICE.header_percentiles)
    return min(int(low), nearest), max(int(np.ceil(high)), nearest)


def estimate_unread(path: str | os.PathLike[str], error: UserError) -> Estimate | None:
    """Return the header's answer for a file whose pixels were refused with `error`; None without a header."""
    header = read_header(path)
    if header is None:
        return None
    said = next((why for word, why in UNREAD.items() if word in str(error)), "its pixels cannot be read")
    if header.precision != 8:
        said = f"its samples have {header.precision} bits"
    elif "arithmetic" in header.process:
        said = f"its coding is {header.process}"
    elif header.damage:
        said = f"its {header.damage[0]}" if header.damage[0] == jpeg_markers.EARLY else f"it holds {header.damage[0]}"
    unread = f"{said}, so the pixels were not looked at"
    answer = estimate_header(header)
    reason = None if answer.reason is None else f"{answer.reason}; {unread}"
    assert isinstance(answer.evidence, HeaderEvidence)
    return replace(answer, reason=reason, evidence=replace(answer.evidence, unread=unread))


class HeaderEstimator:
    """Answers from the header of a JPEG file alone."""

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the answer for pixels without a file: unknown."""
        return estimate_header(None)

    def estimate_file(self, path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> Estimate:
        """Return what the header of the file at `path` tells; None with a reason for other files."""
        return estimate_header(*find_header(path))

    def estimate_unread(self, path: str | os.PathLike[str], error: UserError) -> Estimate | None:
        """Return what the header tells of a file whose pixels were refused with `error`; None without a header."""
        return estimate_unread(path, error)
