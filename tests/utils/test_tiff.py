"""JPEG data in TIFF files: tables, colours, and None where there is none."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import jpeg, jpeg_markers, tiff

Texture = Callable[..., np.ndarray]


def written(path: Path, entries: dict[int, tuple[int, int, int]], body: bytes) -> Path:
    """Write a little-endian TIFF of (type, count, value) entries; `body` lies at byte 200."""
    tags = b"".join(struct.pack("<HHLL", tag, *entry) for tag, entry in sorted(entries.items()))
    head = b"II*\0" + struct.pack("<LH", 8, len(entries)) + tags + bytes(4)
    path.write_bytes(head.ljust(200, b"\0") + body)
    return path


def entries(compression: int, photometric: int, place: dict[int, int]) -> dict[int, tuple[int, int, int]]:
    basic = {256: 40, 257: 40, 258: 8, 259: compression, 262: photometric, 277: 3, 278: 40}
    return {tag: (4, 1, value) for tag, value in {**basic, **place}.items()}


@pytest.mark.parametrize(("mode", "colours"), [("RGB", "RGB"), ("L", "gray"), ("CMYK", "CMYK")])
def test_what_pillow_writes(tmp_path: Path, textured: Texture, mode: str, colours: str) -> None:
    """Its tables are in a tag of their own, before the first strip."""
    path = tmp_path / "x.tif"
    Image.fromarray(textured(80, 60)).convert(mode).save(path, compression="jpeg", quality=63)
    inside = tiff.jpeg_data(path)
    assert inside is not None
    assert inside.colours == colours
    found = jpeg_markers.read(inside.content)
    assert found is not None
    assert (found.complete, found.damage, found.width) == (True, [], 60)
    np.testing.assert_array_equal(found.components[0].table, jpeg.standard_tables()[62, 0])


@pytest.mark.parametrize(("compression", "place"), [
    (7, {273: 200, 279: 999}), (7, {324: 200, 325: 999, 322: 48, 323: 48}), (6, {513: 200, 514: 999}), (6, {513: 200}),
])  # fmt: skip
def test_strips_tiles_and_the_old_style(
    tmp_path: Path, textured: Texture, compression: int, place: dict[int, int]
) -> None:
    content = jpeg.encode(textured(40, 40), 35)
    found = tiff.jpeg_data(written(tmp_path / "x.tif", entries(compression, 6, place), content))
    assert found == tiff.JpegData(content[: jpeg_markers.READ[0]], "YCbCr")


@pytest.mark.parametrize(("compression", "place"), [
    (1, {273: 200}), (5, {273: 200}), (7, {}), (7, {273: 4}), (7, {273: 2**32 - 1}), (6, {}), (6, {513: 10**6}),
    (6, {273: 200}),
])  # fmt: skip
def test_none(tmp_path: Path, textured: Texture, compression: int, place: dict[int, int]) -> None:
    content = jpeg.encode(textured(40, 40), 35)
    assert tiff.jpeg_data(written(tmp_path / "x.tif", entries(compression, 6, place), content)) is None


def test_other_files(tmp_path: Path, textured: Texture) -> None:
    for name, content in (("x.jpg", jpeg.encode(textured(20, 20), 50)), ("x.tif", b"II*\0\xff\xff"), ("e.tif", b"")):
        (tmp_path / name).write_bytes(content)
        assert tiff.jpeg_data(tmp_path / name) is None
