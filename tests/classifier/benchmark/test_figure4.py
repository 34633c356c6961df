"""Counts to a file and back, and the figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classifier.benchmark import figure4
from classifier.q1net.evaluation import Scores
from utils.errors import UserError


def scores(*pairs: tuple[int, float | None]) -> Scores:
    made = Scores()
    for truth, predicted in pairs:
        made.add(truth, predicted)
    return made


def test_counts_come_back(tmp_path: Path) -> None:
    counts = scores((1, 1.2), (1, 3.0), (50, 49.5), (100, 99.0), (7, None)).confusion()
    figure4.write_counts(counts, tmp_path / "c.csv")
    assert np.array_equal(figure4.read_counts(tmp_path / "c.csv"), counts)
    nothing = scores((7, None)).confusion()
    figure4.write_counts(nothing, tmp_path / "n.csv")
    assert np.array_equal(figure4.read_counts(tmp_path / "n.csv"), nothing)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "true,1\n5,3\n", "true,1\n500,3\n", "\0\xff"])
def test_other_files(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(content, encoding="latin-1")
    if content:
        with pytest.raises(UserError, match="is no confusion matrix"):
            figure4.read_counts(path)
    path.unlink()
    with pytest.raises(UserError, match="does not exist"):
        figure4.read_counts(path)


def test_drawing(tmp_path: Path) -> None:
    panels = []
    for step in (1, 2, 98):  # every quality, every second one, two of them
        made = scores(*[(q, q + 1.0) for q in range(1, 100, step)])
        panels.append(figure4.Panel(f"step {step}", made.confusion(), made.summary()))
    unknown = scores((5, None))
    figure4.draw([*panels, figure4.Panel("none", unknown.confusion(), unknown.summary())], tmp_path / "f.png")
    picture = np.asarray(Image.open(tmp_path / "f.png").convert("RGB"))
    assert picture.shape[0] > 1000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    assert "no answer" in figure4.heading(figure4.Panel("none", unknown.confusion(), unknown.summary()))
    assert "MAE 1.00" in figure4.heading(panels[0])
