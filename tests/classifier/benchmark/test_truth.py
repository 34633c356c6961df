"""What is true of files by their tables, and tables near to standard ones."""

from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark import truth
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

CAMERA = [list(range(2, 66)), list(range(3, 67))]


def test_truth() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    luma, chroma = (table.ravel().tolist() for table in jpeg.standard_tables()[59])
    other = jpeg.standard_tables()[79, 1].ravel().tolist()
    changed = [luma[0] + 1, *luma[1:]]
    for tables, expected in (
        ([luma, chroma], truth.Truth(60, 60, "standard")),
        ([luma, other], truth.Truth(60, 60, "luma standard")),
        ([changed, chroma], truth.Truth(60, 60, "other")),
    ):
        assert truth.truth_of(truth.with_tables(pixels, tables, "4:2:0"), "a.jpg") == expected
    with pytest.raises(UserError, match=r"b.jpg has no header"):
        truth.truth_of(b"nothing", "b.jpg")


def test_near_standard_tables() -> None:
    random = np.random.default_rng(0)
    standard = jpeg.standard_tables().reshape(100, 2, 64)
    for _ in range(30):
        luma, chroma = truth.near_standard("two qualities", random)
        assert (standard[:, 0] == luma).all(1).any()
        assert (standard[:, 1] == chroma).all(1).any()
        assert not (standard == [luma, chroma]).all((1, 2)).any()
        off = np.abs(standard - truth.near_standard("one step off", random)).sum((1, 2)).min()
        assert off <= 3


def test_tables_of_a_csv(tmp_path: Path) -> None:
    path, (luma, chroma) = tmp_path / "t.csv", (" ".join(map(str, table)) for table in CAMERA)
    large = " ".join(["300"] * 64)
    path.write_text(f"names,luma,chroma\ncamera,{luma},{chroma}\ngray,{luma},\nlarge,{large},{chroma}\n")
    assert truth.read_tables(path) == [CAMERA, CAMERA[:1]]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="holds no tables"):
        truth.read_tables(path)
