"""Parts of a JPEG file that were not compressed before as the rest was, as evidence."""

import os
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.header import LUMA_FIRST, Header, match, read_header
from q1net_msroi.classifier.estimators.lattice_evidence import LatticeEvidence
from q1net_msroi.classifier.estimators.result import Evidence, number
from q1net_msroi.classifier.lattice import blockwise, splices
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.lattice.splices import Part, Splices
from q1net_msroi.utils import jpeg

Pixels = NDArray[np.uint8]
EXACT = (None, "exact", "smooth")  # noise of pixels that nobody changed since


@dataclass(frozen=True)
class PartsEvidence(Evidence):
    """Parts of a JPEG file whose first compression was another than the rest's, or none.

    `main_quality` is the rest's first quality, None: none shows; the nearest one where its tables are not
    standard. `false_alarm_rate` is the share of pictures made in
    one piece in which a part is told nevertheless, at most, as it was measured.
    """

    kind: ClassVar[str] = "parts"
    main_quality: int | None
    found: tuple[Part, ...]
    main_standard: bool = True
    false_alarm_rate: float = LATTICE.splice_false_alarms

    @property
    def earlier_quality(self) -> float | None:
        """The rest's first quality."""
        return None if self.main_quality is None else float(self.main_quality)

    @property
    def changed(self) -> str:
        """That a part is unlike the rest."""
        return "a part unlike the rest"

    @property
    def apart(self) -> str:
        """The parts in words: `a part at 120,40 to 340,260 was not compressed at 50 before, as the rest was`."""
        return "; ".join(self._told(part) for part in self.found)

    def _told(self, part: Part) -> str:
        left, top, right, bottom = part.box
        where, main = f"a part at {left},{top} to {right},{bottom}", _at(self.main_quality, self.main_standard)
        if part.quality is None:
            return f"{where} was not compressed {main} before, as the rest was"
        other = "which the rest was not" if self.main_quality is None else f"the rest {main}"
        return f"{where} was compressed {_at(part.quality, part.standard)} before, {other}"

    def values(self) -> dict[str, Any]:
        """Return what is told; a box is [left, top, right, bottom]."""
        found = [{**asdict(part), "nats": round(part.nats, 1)} for part in self.found]
        main = {"main_quality": self.main_quality, "main_standard": self.main_standard}
        return {**main, "found": found, "false_alarm_rate": self.false_alarm_rate}

    def lines(self) -> list[str]:
        """Return a line a part."""
        rate = f"false alarms: at most {self.false_alarm_rate:.0%} of pictures"
        return [
            f"part: {self._told(part)}: {part.nats:.0f} nats of {part.blocks} blocks; {rate}" for part in self.found
        ]


def _at(quality: int | None, standard: bool) -> str:
    """Return a first quality in words, of tables that are not standard the nearest one; empty without one."""
    if quality is None:
        return ""
    return f"at {number(quality)}" if standard else f"at about {number(quality)}"


def read(header: Header, coefficients: NDArray[np.int16] | None, pixels: Pixels) -> Splices | None:
    """Return the parts of a JPEG file's stored luma coefficients (rows, columns, 64) and (height, width, 3) pixels.

    None where there are no coefficients, or where luma is not of the pixels' size.
    """
    rows, columns = (-(-length // blockwise.SIDE) for length in pixels.shape[:2])
    if coefficients is None or coefficients.shape[0] < rows or coefficients.shape[1] < columns:
        return None
    stride, usable = blockwise.stride_of(rows, columns), blockwise.whole_and_unclipped(pixels, rows, columns)
    some = coefficients[:rows:stride, :columns:stride]
    below = match(header).nearest_standard - LATTICE.quality_gap + 1
    return splices.find(some, header.luma.ravel(), below, usable[::stride, ::stride], stride)


def read_file(path: str | os.PathLike[str], pixels: Pixels) -> Splices | None:
    """Return the parts of the file at `path` and its pixels; None where it is no JPEG file that tells of luma."""
    header = read_header(path)
    if header is None or header.colours not in LUMA_FIRST:
        return None
    return read(header, jpeg.luma_blocks(path), pixels)


def read_pixels(pixels: Pixels, seen: Evidence) -> Splices | None:
    """Return the parts of (height, width, 3) pixels that were a JPEG, as the lattice has `seen`.

    None where it saw no standard table, one that was turned or fails in parts of the picture, or parts that were pasted
    since, whose pixels that table did not make.
    """
    if not isinstance(seen, LatticeEvidence) or seen.quality is None or seen.phase is None:
        return None
    if not seen.standard or seen.colours or seen.turned or seen.partly or seen.noise not in EXACT:
        return None
    inside = pixels[seen.phase[0] :, seen.phase[1] :]
    rows, columns = (length // blockwise.SIDE for length in inside.shape[:2])
    stride, table = blockwise.stride_of(rows, columns), jpeg.standard_tables()[seen.quality - 1, 0].ravel()
    coefficients, decoded = blockwise.stored(inside, table, stride)
    unclipped = blockwise.whole_and_unclipped(inside, rows, columns)[::stride, ::stride]
    below = seen.quality - LATTICE.quality_gap + 1
    found = splices.find(coefficients, table, below, unclipped & decoded, stride, seen.phase)
    own = unclipped & found.marked
    return found if decoded[own].sum() >= LATTICE.splice_decoded * own.sum() else None


def read_picture(path: str | os.PathLike[str], pixels: Pixels, seen: Evidence) -> Splices | None:
    """Return the parts that a JPEG file tells, or else its pixels as an estimator has `seen` them."""
    if (found := read_file(path, pixels)) is not None:
        return found
    lattice = (said for said in (seen, *getattr(seen, "asked", ())) if isinstance(said, LatticeEvidence))
    return next((read_pixels(pixels, said) for said in lattice), None)


def evidence(found: Splices | None) -> PartsEvidence | None:
    """Return what is told of parts; None without any."""
    return PartsEvidence(found.main, found.parts, found.main_standard) if found and found.parts else None
