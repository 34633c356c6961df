"""draw_figure4.py: one figure and one record of several evaluations."""

import json
from pathlib import Path

import pytest
from PIL import Image

from q1net_msroi.classifier.evaluation.confusion import write_counts
from q1net_msroi.classifier.evaluation.pictures import Scores
from q1net_msroi.utils import results
from q1net_msroi.utils.errors import UserError
from scripts import draw_figure4


def evaluated(folder: Path, name: str) -> str:
    scores = Scores()
    for quality in range(1, 101):
        scores.add(quality, quality + 2.0)
    (folder / name).mkdir()
    write_counts(scores.confusion(), folder / name / "confusion_matrix.csv")
    results.record(
        folder / f"{name}.json", results.provenance("command", "classifier"), {"comp_type": name, **scores.summary()}
    )
    return str(folder / name)


def test_figure_and_record(tmp_path: Path) -> None:
    folders = [evaluated(tmp_path, name) for name in ("mobilenet_v2", "auto")]
    assert draw_figure4.main([str(tmp_path / "f.png"), str(tmp_path / "f.json"), *folders]) == 0
    assert Image.open(tmp_path / "f.png").size[0] > 1000
    kept = json.loads((tmp_path / "f.json").read_text())
    assert [record["result"]["comp_type"] for record in kept] == ["mobilenet_v2", "auto"]
    assert all(record["machine"] and record["date"] for record in kept)


def test_wrong_use_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        draw_figure4.main([str(tmp_path / "f.png")])
    with pytest.raises(UserError, match="reproduce_figure4"):
        draw_figure4.main([str(tmp_path / "f.png"), str(tmp_path / "f.json"), str(tmp_path / "x")])
    assert list(tmp_path.iterdir()) == []
