"""The known tables: sane, each pair with its writers, exact names."""

import numpy as np

from q1net_msroi.classifier.lattice import known
from q1net_msroi.utils import jpeg


def test_tables_are_whole_and_sane() -> None:
    pairs = known.pairs()
    assert len(pairs) > 200
    for pair in pairs:
        assert len(pair.luma) == len(pair.chroma) == 64
        assert min(pair.luma + pair.chroma) >= 1
        assert pair.files >= 1
    assert [pair.files for pair in pairs] == sorted((pair.files for pair in pairs), reverse=True)
    for channel in (0, 1):
        tables = known.tables(channel)
        assert tables.shape == (len(pairs), 64)
        assert tables.max() <= 255
        assert tables[5].tolist() == list((pairs[5].luma, pairs[5].chroma)[channel])


def test_nobody_is_named_for_libjpegs_own_pair() -> None:
    both = np.stack([known.tables(0), known.tables(1)], 1)[[bool(pair.name) for pair in known.pairs()]]
    standard = jpeg.standard_tables().reshape(100, 2, 64)
    assert not (both[:, None] == standard).all((2, 3)).any()


def test_names() -> None:
    one = known.Known(("A",), 1, (), (1,) * 64, (1,) * 64)
    assert one.name == "A"
    assert known.Known((), 1, (), one.luma, one.chroma).name == ""
    assert known.Known(("A", "B"), 1, (), one.luma, one.chroma).name == "A or B"
    assert known.Known(("A", "B", "C", "D"), 1, (), one.luma, one.chroma).name == "A, B or C"


def test_gray_files_tell_nothing_of_chroma() -> None:
    one = known.Known((), 1, ("11", "22"), (1,) * 64, (1,) * 64)
    assert one.gray
    assert not known.Known((), 1, ("11", "22x11x11"), one.luma, one.chroma).gray
    assert all(pair.luma == pair.chroma for pair in known.pairs() if pair.gray)


def test_the_writer_of_exactly_these_tables() -> None:
    pair = next(each for each in known.pairs() if each.name == "Photoshop save 8")
    assert known.writer(pair.luma, pair.chroma) == "Photoshop save 8"
    assert known.writer(pair.luma, pair.luma) == ""
    assert known.writer((pair.luma[0] + 1, *pair.luma[1:]), pair.chroma) == ""
