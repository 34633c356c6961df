"""Pictures of results are whole PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import figures


def test_figure_writes_a_png_of_the_size_asked_for(tmp_path: Path) -> None:
    with figures.figure(tmp_path / "a.png", 4, 3) as drawing:
        drawing.add_subplot().plot([1, 2], [3, 4])
    image = Image.open(tmp_path / "a.png")
    assert image.size == (440, 330)
    assert len(np.unique(np.asarray(image.convert("L")))) > 5
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_an_error_while_drawing_writes_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with figures.figure(tmp_path / "a.png", 4, 3):
            raise ValueError("no data")

    with pytest.raises(ValueError, match="no data"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_loss_curves_take_the_rows_of_the_history(tmp_path: Path) -> None:
    rows = [{"epoch": str(n), "train_loss": f"{20 / n}", "val_loss": 18 / n} for n in range(1, 6)]
    figures.loss_curves(rows, tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").size == (770, 495)
