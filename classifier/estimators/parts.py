"""Parts of a JPEG file that were not compressed before as the rest was, as evidence."""

import os
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.header import LUMA_FIRST, Header, match, read_header
from q1net_msroi.classifier.estimators.result import Evidence, number
from q1net_msroi.classifier.lattice import splices
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.lattice.splices import Part, Splices
from q1net_msroi.utils import jpeg

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class PartsEvidence(Evidence):
    """Parts of a JPEG file whose first compression was another than the rest's, or none.

    `main_quality` is the rest's first quality, None: none shows. `false_alarm_rate` is the share of pictures made in
    one piece in which a part is told nevertheless, at most, as it was measured.
    """

    kind: ClassVar[str] = "parts"
    main_quality: int | None
    found: tuple[Part, ...]
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
        where = f"a part at {left},{top} to {right},{bottom}"
        if part.quality is None:
            return f"{where} was not compressed at {number(self.main_quality)} before, as the rest was"
        other = "which the rest was not" if self.main_quality is None else f"the rest at {number(self.main_quality)}"
        return f"{where} was compressed at {part.quality} before, {other}"

    def values(self) -> dict[str, Any]:
        """Return what is told; a box is [left, top, right, bottom]."""
        found = [{**asdict(part), "nats": round(part.nats, 1)} for part in self.found]
        return {"main_quality": self.main_quality, "found": found, "false_alarm_rate": self.false_alarm_rate}

    def lines(self) -> list[str]:
        """Return a line a part."""
        rate = f"false alarms: at most {self.false_alarm_rate:.0%} of pictures"
        return [
            f"part: {self._told(part)}: {part.nats:.0f} nats of {part.blocks} blocks; {rate}" for part in self.found
        ]


def read(header: Header, coefficients: NDArray[np.int16] | None, pixels: Pixels) -> Splices | None:
    """Return the parts of a JPEG file's stored luma coefficients (rows, columns, 64) and (height, width, 3) pixels.

    None where there are no coefficients, or where luma is not of the pixels' size.
    """
    rows, columns = (-(-length // splices.SIDE) for length in pixels.shape[:2])
    if coefficients is None or coefficients.shape[0] < rows or coefficients.shape[1] < columns:
        return None
    below = match(header).nearest_standard - LATTICE.quality_gap + 1
    usable = splices.whole_and_unclipped(pixels, rows, columns)
    return splices.find(coefficients[:rows, :columns], header.luma.ravel(), below, usable)


def read_file(path: str | os.PathLike[str], pixels: Pixels) -> Splices | None:
    """Return the parts of the file at `path` and its pixels; None where it is no JPEG file that tells of luma."""
    header = read_header(path)
    if header is None or header.colours not in LUMA_FIRST:
        return None
    return read(header, jpeg.luma_blocks(path), pixels)


def evidence(found: Splices | None) -> PartsEvidence | None:
    """Return what is told of parts; None without any."""
    return PartsEvidence(found.main, found.parts) if found and found.parts else None
