"""What a JPEG file says of itself, read from its marker segments (ITU-T T.81, annex B); no pixel is decoded.

Truncated, 12-bit, arithmetic and oddly assembled files are read as well, as libjpeg would. No bytes make it raise, and
of a long file only the beginning is looked at.
"""

import os
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

START = b"\xff\xd8"
SOI, EOI, SOS, DQT, DHP, APP0, APP14 = 0xD8, 0xD9, 0xDA, 0xDB, 0xDE, 0xE0, 0xEE
NO_LENGTH = {0x01, *range(0xD0, 0xD8)}  # TEM and restart markers: no segment follows
KINDS = ("baseline", "extended", "progressive", "lossless")
HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, DHP}
FRAMES = {**{0xC0 + i: KINDS[i] for i in range(4)}, **{0xC8 + i: f"{KINDS[i]} arithmetic" for i in (1, 2, 3)}}
FRAMES |= {**dict.fromkeys(HIERARCHICAL, "hierarchical"), 0xF7: "JPEG-LS"}

# The beginning that is read: enough for most files, and for those with long profiles and previews before the picture.
READ = (1 << 16, 1 << 24)  # bytes
MOST_SEGMENTS = 4096
MARKER = re.compile(rb"\xff[^\x00\xff]")
MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
PHOTOSHOP_QUALITY = re.compile(rb"8BIM\x04\x06\0\0\0\0..(..)", re.DOTALL)  # image resource 0x0406, without a name

EARLY = "data end early"
JUNK = "bytes that belong to no segment between segments"
DAMAGED_TABLE, DAMAGED_FRAME, DAMAGED_SCAN = "damaged table", "damaged frame header", "damaged scan header"

ZIGZAG = np.array(sorted(range(64), key=lambda i: (i // 8 + i % 8, i % 8 if (i // 8 + i % 8) % 2 == 0 else i // 8)))


@dataclass(eq=False)
class Component:
    """A colour component: its identifier, samples across and down in a unit, and the (8, 8) table in force for it."""

    identifier: int
    across: int
    down: int
    selector: int
    table: NDArray[np.int64] | None = None


@dataclass
class Markers:
    """What the segments hold up to where the tables of all components are known.

    `process` is None where no frame was found, `colours` one of gray, YCbCr, RGB, CMYK, YCCK and unknown as libjpeg
    concludes it, `photoshop` Photoshop's own setting 0..12. `fatal` is damage that leaves the tables in doubt, `damage`
    all that was seen.
    """

    process: str | None = None
    precision: int = 0
    width: int = 0
    height: int = 0
    components: list[Component] = field(default_factory=list)
    tables: dict[int, NDArray[np.int64]] = field(default_factory=dict)  # in force at this place
    damage: list[str] = field(default_factory=list)
    fatal: str | None = None
    jfif: bool = False
    adobe_transform: int | None = None
    photoshop: int | None = None
    complete: bool = False

    @property
    def colours(self) -> str:
        """The components' colour space, by libjpeg's rules (jdapimin.c)."""
        identifiers, transform = bytes(each.identifier for each in self.components), self.adobe_transform
        if len(identifiers) == 3:
            rgb = identifiers == b"RGB" if transform is None else transform == 0
            return "RGB" if rgb and not self.jfif else "YCbCr"
        if len(identifiers) == 4:
            return "CMYK" if transform in (None, 0) else "YCCK"
        return "gray" if len(identifiers) == 1 else "unknown"

    def see(self, damage: str, fatal: bool = False) -> None:
        """Note damage, once each kind."""
        if damage not in self.damage:
            self.damage.append(damage)
        if fatal and self.fatal is None:
            self.fatal = damage


def read_file(path: str | os.PathLike[str]) -> Markers | None:
    """Return what the JPEG file at `path` says of itself, None for any other file; raise `OSError` for none."""
    found = None
    with open(path, "rb") as handle:  # noqa: PTH123
        for most in READ:
            handle.seek(0)
            content = handle.read(most)
            found = read(content)
            if found is None or found.complete or found.fatal or len(content) < most:
                break
    return found


def read(content: bytes) -> Markers | None:
    """Return what the bytes of a JPEG file say of it; None where they do not begin as one."""
    if not content.startswith(START):
        return None
    markers, at, in_scan = Markers(), len(START), False
    for _ in range(MOST_SEGMENTS):
        place = (MARKER_AFTER_SCAN if in_scan else MARKER).search(content, at)
        if place is None:
            break
        if not in_scan and content[at : place.start()].strip(b"\xff"):
            markers.see(JUNK)
        marker, at = content[place.start() + 1], place.end()
        if marker in NO_LENGTH:
            continue
        length = int.from_bytes(content[at : at + 2], "big")
        if marker in (SOI, EOI) or at + max(length, 2) > len(content):
            break
        if length < 2:
            markers.see("a segment of impossible length", fatal=True)
            return markers
        _segment(markers, marker, content[at + 2 : at + length])
        if markers.complete or markers.fatal:
            return markers
        at, in_scan = at + length, marker == SOS
    markers.see(EARLY)
    _latch(markers, markers.components)
    return markers


def _segment(markers: Markers, marker: int, payload: bytes) -> None:
    """Take in one whole segment."""
    if marker == DQT:
        _tables(markers, payload)
    elif marker in FRAMES:
        _frame(markers, FRAMES[marker], payload)
    elif marker == SOS:
        _scan(markers, payload)
    elif marker == APP0 and payload.startswith(b"JFIF\0") and len(payload) >= 14:
        markers.jfif = True
    elif marker == APP14 and payload.startswith(b"Adobe") and len(payload) >= 12:
        markers.adobe_transform = payload[11]
    elif payload.startswith(b"Photoshop 3.0\0") and (own := PHOTOSHOP_QUALITY.search(payload)):
        setting = int.from_bytes(own[1], "big", signed=True) + 4  # Photoshop keeps 0..12 as -4..8
        markers.photoshop = setting if 0 <= setting <= 12 else None


def _tables(markers: Markers, payload: bytes) -> None:
    """Take in one or more tables, of 8 or 16 bits a step, in natural order."""
    at = 0
    while at < len(payload):
        wide, number = divmod(payload[at], 16)
        steps = payload[at + 1 : at + 1 + 64 * (wide + 1)]
        if wide > 1 or number > 3 or len(steps) < 64 * (wide + 1):
            markers.see(DAMAGED_TABLE, fatal=True)
            return
        table = np.zeros(64, np.int64)
        table[ZIGZAG] = np.frombuffer(steps, ">u2" if wide else "u1")
        markers.tables[number] = table.reshape(8, 8)
        at += 1 + len(steps)


def _frame(markers: Markers, process: str, payload: bytes) -> None:
    """Take in the frame header."""
    count = payload[5] if len(payload) > 5 else 0
    parts = [payload[at : at + 3] for at in range(6, len(payload), 3)]
    found = [Component(part[0], part[1] >> 4, part[1] & 15, part[2]) for part in parts if len(part) == 3]
    sound = 1 <= count <= 4 and len(payload) == 6 + 3 * count and markers.process is None
    sound &= all(1 <= each.across <= 4 and 1 <= each.down <= 4 and each.selector <= 3 for each in found)
    markers.process = process
    if not sound:
        markers.see(DAMAGED_FRAME, fatal=True)
        return
    markers.precision, markers.components = payload[0], found
    markers.height, markers.width = (int.from_bytes(payload[i : i + 2], "big") for i in (1, 3))


def _scan(markers: Markers, payload: bytes) -> None:
    """Take in a scan header: the tables now in force are those of its components, if this is their first scan."""
    count = payload[0] if payload else 0
    left, chosen = list(markers.components), []
    for identifier in payload[1 : 1 + 2 * count : 2]:  # identifiers may be the same, then their order counts
        found = [each for each in left if each.identifier == identifier][:1]
        chosen += found
        left = [each for each in left if each not in found]
    if not chosen or len(chosen) != count or len(payload) != 4 + 2 * count:
        markers.see(DAMAGED_SCAN, fatal=True)
        return
    _latch(markers, chosen)
    markers.complete = all(each.table is not None for each in markers.components)


def _latch(markers: Markers, components: list[Component]) -> None:
    """Give components without a table the one in force now."""
    for each in components:
        if each.table is None:
            each.table = markers.tables.get(each.selector)
