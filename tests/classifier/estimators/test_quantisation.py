"""Tables in words and as data."""

import numpy as np

from q1net_msroi.classifier.estimators.quantisation import Quantisation


def test_side_by_side() -> None:
    luma, chroma = tuple(range(64)), tuple(range(100, 164))
    lines = Quantisation(luma, chroma, "4:2:0", "fits A").lines()
    assert lines[0].split() == ["luma", "chroma"]
    assert lines[0].index("chroma") == lines[1].index("100")
    rows = np.array([line.replace("-", "0").split() for line in lines[1:9]], int)
    np.testing.assert_array_equal(rows[:, :8], np.reshape(luma, (8, 8)))
    np.testing.assert_array_equal(rows[:, 8:], np.reshape(chroma, (8, 8)))
    assert lines[1].split()[0] == "-"
    assert lines[9:] == ["subsampling 4:2:0; fits A"]


def test_one_table_and_wide_steps() -> None:
    lines = Quantisation((30000, *[7] * 63), None, None, "x").lines()
    assert lines[0] == "luma"
    assert {len(line) for line in lines[1:9]} == {8 * 6 - 1}
    assert lines[9] == "subsampling not told; x"


def test_record() -> None:
    told = Quantisation((0, *[7] * 63), None, None, "x").record()
    assert told == {"luma_table": [None] + [7] * 63, "chroma_table": None}
