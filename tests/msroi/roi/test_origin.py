"""A map's file says which picture it is of, whatever its name holds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.roi.origin import Origin, stranger

NAMES = ("a.png", "ünï, sha256 x.jpg", "line\nbreak.png", "=cmd.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("name", NAMES)
def test_written_and_read(tmp_path: Path, name: str, suffix: str) -> None:
    image, gray = tmp_path / name, tmp_path / f"m{suffix}"
    image.write_bytes(b"content")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(gray, **Origin.of(image).saving(suffix))
    assert Origin.read(gray) == Origin.of(image)
    assert stranger(gray, image) == ("", False)
    other = tmp_path / "other.png"
    other.write_bytes(b"other")
    said, certain = stranger(gray, other)
    assert certain
    assert said.isprintable()


def test_files_that_tell_nothing(tmp_path: Path) -> None:
    for name, content in (("x.jpg", b"text"), ("y.png", b"")):
        (tmp_path / name).write_bytes(content)
        assert Origin.read(tmp_path / name) is None
    Image.new("L", (8, 8)).save(tmp_path / "z.jpg", comment=b"map of nothing")
    assert Origin.read(tmp_path / "z.jpg") is None
