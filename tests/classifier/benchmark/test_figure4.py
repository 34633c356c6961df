"""The figure."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.benchmark import figure4
from q1net_msroi.classifier.evaluation import confusion
from q1net_msroi.classifier.evaluation.pictures import Scores


def scores(*pairs: tuple[int, float | None]) -> Scores:
    made = Scores()
    for truth, predicted in pairs:
        made.add(truth, predicted)
    return made


@pytest.mark.slow
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
    assert "no answer" in confusion.heading("none", unknown.summary())
    assert "MAE 1.00" in confusion.heading(panels[0].title, panels[0].summary)
