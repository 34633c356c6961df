"""Marker segments: what Pillow reads of sound files, what it loses of others, and nothing but None of no JPEG."""

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import jpeg, jpeg_markers
from q1net_msroi.utils.jpeg_markers import Markers
from tests import hostile

Texture = Callable[..., np.ndarray]
TABLE = jpeg.standard_tables()[29, 0]


def read(content: bytes) -> Markers:
    found = jpeg_markers.read(content)
    assert found is not None
    return found


def zigzag(table: np.ndarray) -> list[int]:
    """The order of T.81, figure A.6, walked diagonal by diagonal."""
    steps = []
    for diagonal in range(15):
        down = [int(table[i, diagonal - i]) for i in range(8) if 0 <= diagonal - i < 8]
        steps += down if diagonal % 2 else down[::-1]
    return steps


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def dqt(number: int, table: np.ndarray, wide: bool = False) -> bytes:
    steps = zigzag(table)
    return segment(0xDB, bytes([number | wide << 4]) + struct.pack(">64H" if wide else "64B", *steps))


def sof(
    marker: int = 0xC0, precision: int = 8, components: tuple[tuple[int, int, int], ...] = ((1, 0x11, 0),)
) -> bytes:
    return segment(marker, struct.pack(">BHHB", precision, 24, 16, len(components)) + bytes(sum(components, ())))


def sos(*identifiers: int) -> bytes:
    return segment(0xDA, bytes([len(identifiers), *sum(((i, 0) for i in identifiers), ()), 0, 63, 0]))


def saved(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [
    {"quality": 40}, {"quality": 95, "subsampling": "4:4:4"}, {"quality": 71, "progressive": True},
    {"quality": 60, "keep_rgb": True}, {"quality": 60, "restart_marker_blocks": 1, "comment": b"x" * 60_000},
])  # fmt: skip
def test_pillow_reads_the_same(textured: Texture, options: dict[str, object]) -> None:
    content = saved(textured(45, 37), **options)
    found = read(content)
    with Image.open(io.BytesIO(content)) as image:
        tables = {number: np.array(steps).reshape(8, 8) for number, steps in image.quantization.items()}
        layers, size = image.layer, image.size
    assert [(c.identifier, c.across, c.down, c.selector) for c in found.components] == [tuple(each) for each in layers]
    for component in found.components:
        np.testing.assert_array_equal(component.table, tables[component.selector])
    assert (found.width, found.height) == size == (37, 45)
    assert found.process == ("progressive" if "progressive" in options else "baseline")
    assert (found.colours, found.damage, found.complete) == ("RGB" if "keep_rgb" in options else "YCbCr", [], True)


@pytest.mark.parametrize(("marker", "process"), [
    (0xC1, "extended"), (0xC2, "progressive"), (0xC3, "lossless"), (0xC5, "hierarchical"), (0xCF, "hierarchical"),
    (0xC9, "extended arithmetic"), (0xCA, "progressive arithmetic"), (0xCB, "lossless arithmetic"), (0xF7, "JPEG-LS"),
])  # fmt: skip
def test_every_process_has_a_name(marker: int, process: str) -> None:
    assert read(b"\xff\xd8" + dqt(0, TABLE) + sof(marker) + sos(1)).process == process


def test_12_bits_and_wide_tables() -> None:
    wide = TABLE * 300
    found = read(b"\xff\xd8" + dqt(0, wide, wide=True) + sof(0xC1, 12) + sos(1))
    assert (found.precision, found.process, found.complete) == (12, "extended", True)
    np.testing.assert_array_equal(found.components[0].table, wide)


def test_a_table_redefined_counts_from_the_next_scan_on() -> None:
    """Each component keeps the table that was in force when its first scan began."""
    three = ((1, 0x11, 0), (2, 0x11, 0), (3, 0x11, 0))
    tables = [TABLE + added for added in (0, 1, 2, 3)]
    scan = b"\x12\xff\x00\x34\xff\xd0\x56"  # with a stuffed byte and a restart marker
    content = b"\xff\xd8" + dqt(0, tables[0]) + sof(components=three) + dqt(0, tables[1])
    content += sos(1) + scan + dqt(0, tables[2]) + sos(2) + scan + sos(1) + scan + dqt(0, tables[3]) + sos(3)
    found = read(content)
    assert (found.complete, found.damage) == (True, [])
    for component, table in zip(found.components, tables[1:], strict=True):
        np.testing.assert_array_equal(component.table, table)


def test_junk_and_fill_bytes(textured: Texture) -> None:
    sound = jpeg.encode(textured(40, 40), 60)
    for between, damage in ((b"\xff" * 9, []), (b"abc", [jpeg_markers.JUNK]), (b"\xff\0\xff\0", [jpeg_markers.JUNK])):
        found = read(hostile.join(hostile.split(sound), between))
        assert (found.damage, found.fatal, found.complete) == (damage, None, True)
        np.testing.assert_array_equal(found.components[1].table, jpeg.standard_tables()[59, 1])


def test_truncated_at_every_byte(textured: Texture) -> None:
    """Tables are told from the byte on where the frame header ends, all of them or none."""
    content = jpeg.encode(textured(40, 40), 60)
    end = content.index(b"\xff\xc0") + 2 + 17
    for length in range(2, 700):
        found = read(content[:length])
        assert bool(found.components) == (length >= end)
        assert (jpeg_markers.EARLY in found.damage) == (not found.complete)
        for component, channel in zip(found.components, (0, 1, 1), strict=False):
            np.testing.assert_array_equal(component.table, jpeg.standard_tables()[59, channel])


@pytest.mark.parametrize(("jfif", "adobe", "identifiers", "colours"), [
    (True, 0, (1, 2, 3), "YCbCr"), (False, 0, (1, 2, 3), "RGB"), (False, 1, (82, 71, 66), "YCbCr"),
    (False, None, (82, 71, 66), "RGB"), (False, None, (0, 1, 2), "YCbCr"), (True, None, (82, 71, 66), "YCbCr"),
    (False, None, (1, 2, 3, 4), "CMYK"), (False, 0, (1, 2, 3, 4), "CMYK"), (False, 2, (1, 2, 3, 4), "YCCK"),
    (False, 0, (1,), "gray"), (False, None, (1, 2), "unknown"),
])  # fmt: skip
def test_colours_are_those_that_libjpeg_concludes(
    jfif: bool, adobe: int | None, identifiers: tuple[int, ...], colours: str
) -> None:
    head = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") if jfif else b""
    head += b"" if adobe is None else segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe))
    frame = sof(components=tuple((number, 0x11, 0) for number in identifiers))
    assert read(b"\xff\xd8" + head + dqt(0, TABLE) + frame + sos(*identifiers)).colours == colours


@pytest.mark.parametrize(("setting", "told"), [(4, 8), (-4, 0), (8, 12), (9, None), (-5, None)])
def test_photoshops_own_setting(setting: int, told: int | None) -> None:
    other = b"8BIM\x03\xed\0\0" + struct.pack(">I", 4) + b"abcd"
    own = b"8BIM\x04\x06\0\0" + struct.pack(">Ihhhb", 7, setting, 1, 1, 0)
    head = segment(0xED, b"Photoshop 3.0\0" + other + own)
    assert read(b"\xff\xd8" + head + dqt(0, TABLE) + sof() + sos(1)).photoshop == told


@pytest.mark.parametrize(("content", "fatal"), [
    (dqt(0, TABLE)[:-1].replace(b"\0\x43", b"\0\x42", 1) + sof() + sos(1), jpeg_markers.DAMAGED_TABLE),
    (segment(0xDB, b"\x20" + bytes(64)), jpeg_markers.DAMAGED_TABLE),
    (segment(0xDB, b"\x04" + bytes(64)), jpeg_markers.DAMAGED_TABLE),
    (dqt(0, TABLE) + sof(components=((1, 0x10, 0),)), jpeg_markers.DAMAGED_FRAME),
    (dqt(0, TABLE) + sof(components=((1, 0x51, 0),)), jpeg_markers.DAMAGED_FRAME),
    (dqt(0, TABLE) + sof(components=((1, 0x11, 4),)), jpeg_markers.DAMAGED_FRAME),
    (dqt(0, TABLE) + sof(components=()), jpeg_markers.DAMAGED_FRAME),
    (dqt(0, TABLE) + sof() + sof(), jpeg_markers.DAMAGED_FRAME),
    (dqt(0, TABLE) + sof() + sos(2), jpeg_markers.DAMAGED_SCAN),
    (dqt(0, TABLE) + b"\xff\xe1\0\1" + sof() + sos(1), "a segment of impossible length"),
])  # fmt: skip
def test_damage_that_leaves_the_tables_in_doubt(content: bytes, fatal: str) -> None:
    assert read(b"\xff\xd8" + content).fatal == fatal


def test_files(tmp_path: Path) -> None:
    """Long profiles before the picture are passed over; of other files nothing is told."""
    profile = segment(0xE2, b"ICC_PROFILE\0" + bytes(65_000))
    path = tmp_path / "long.jpg"
    path.write_bytes(b"\xff\xd8" + profile * 20 + dqt(0, TABLE) + sof() + sos(1) + bytes(100_000))
    found = jpeg_markers.read_file(path)
    assert found is not None
    assert (found.complete, found.damage) == (True, [])
    path.write_bytes(b"\x89PNG" + dqt(0, TABLE) + sof())
    assert jpeg_markers.read_file(path) is None
    with pytest.raises(FileNotFoundError):
        jpeg_markers.read_file(tmp_path / "missing.jpg")


@pytest.mark.parametrize("unit", [
    b"\xff", b"\0", b"\xff\0", b"\xff\xd0", b"\xff\xe0\0\2", dqt(0, TABLE), b"\xff\xd8", b"8BIM\x04\x06\0\0\0\0",
    sof(components=((1, 0x11, 0), (2, 0x11, 0))) + sos(1), sos(1), segment(0xED, b"Photoshop 3.0\0" + b"8BIM" * 16_000),
], ids=range(11))  # fmt: skip
def test_hostile_files_are_bounded_in_time(tmp_path: Path, unit: bytes) -> None:
    path = tmp_path / "long.jpg"
    path.write_bytes(b"\xff\xd8" + unit * ((20 << 20) // len(unit)))
    started = time.process_time()
    jpeg_markers.read_file(path)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("seed", range(4))
def test_no_bytes_make_it_raise(textured: Texture, seed: int) -> None:
    content, random = saved(textured(40, 40), quality=60, progressive=True), np.random.default_rng(seed)
    for _ in range(500):
        damaged = bytearray(content)
        for at in random.integers(2, 700, 5):
            damaged[at] = int(random.choice([0, 1, 255, random.integers(256)]))
        found = read(bytes(damaged))
        assert found.complete or found.damage
        assert len(found.colours)
