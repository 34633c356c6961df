"""Counts to a file and back."""

from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.evaluation import confusion
from q1net_msroi.classifier.evaluation.pictures import Scores
from q1net_msroi.utils.errors import UserError


def scores(*pairs: tuple[int, float | None]) -> Scores:
    made = Scores()
    for truth, predicted in pairs:
        made.add(truth, predicted)
    return made


def test_counts_come_back(tmp_path: Path) -> None:
    counts = scores((1, 1.2), (1, 3.0), (50, 49.5), (100, 99.0), (7, None)).confusion()
    confusion.write_counts(counts, tmp_path / "c.csv")
    assert np.array_equal(confusion.read_counts(tmp_path / "c.csv"), counts)
    nothing = scores((7, None)).confusion()
    confusion.write_counts(nothing, tmp_path / "n.csv")
    assert np.array_equal(confusion.read_counts(tmp_path / "n.csv"), nothing)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "true,1\n5,3\n", "true,1\n500,3\n", "\0\xff"])
def test_other_files(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(content, encoding="latin-1")
    if content:
        with pytest.raises(UserError, match="is no confusion matrix"):
            confusion.read_counts(path)
    path.unlink()
    with pytest.raises(UserError, match="does not exist"):
        confusion.read_counts(path)
