"""A metric is described once: JSON, logs, CSV, plots, pages and tables show one that was added."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi import metrics
from q1net_msroi.msroi.encoder import combine, log, log_plots, page, report
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.msroi.metrics.metric import Metric, Pair


def largest_error(pair: Pair) -> float:
    return float(np.abs(pair.luma - pair.other_luma).max())


ADDED = Metric("largest", "Largest error", "of any pixel", largest_error, "levels", digits=1, higher_is_better=False)


def test_a_module_of_the_package_adds_its_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "added.py").write_text(
        "from q1net_msroi.msroi.metrics.metric import Metric\nMETRICS = (Metric('new', 'New', '', len),)\n"
    )
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    found = suite._gather()
    assert list(found)[: len(suite.LOG_LINE)] == list(suite.LOG_LINE)
    assert set(found) - set(suite.METRICS) == {"new"}


@pytest.fixture
def outcome(tmp_path: Path, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> combine.Outcome:
    """A picture encoded while there is one more metric."""
    monkeypatch.setitem(suite.METRICS, ADDED.key, ADDED)
    pixels = np.ascontiguousarray(photograph[40:136, 60:188])
    gray = np.zeros(pixels.shape[:2], np.uint8)
    gray[20:70, 30:90] = 255
    for name, values in (("cat.png", pixels), ("map.png", gray)):
        Image.fromarray(values).save(tmp_path / name)
    return combine.combine(tmp_path / "cat.png", tmp_path / "map.png", tmp_path, EncodingOptions(model=3))


def test_an_added_metric_is_shown_everywhere(outcome: combine.Outcome, tmp_path: Path) -> None:
    measured = report.measure(outcome)
    record = report.records(outcome, measured)[0]
    plain, ours = (record["metrics"][side]["largest"] for side in ("plain", "ours"))
    assert plain > 0
    assert report.log_lines(outcome, measured)[0].count(" ") == 21  # the originals' line stays as it is

    (tmp_path / "a.log").write_text(json.dumps(record))
    rows, _ = log.read_log(tmp_path / "a.log")
    assert any(line.startswith(f"Largest error {plain:>9.1f}{ours:>9.1f}") for line in log.table(rows))
    average = log.record(rows)["metrics"]["largest"]
    assert (average["better"], average["worse"]) == (int(ours < plain), int(ours > plain))
    log.write_csv(rows, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as handle:
        (line,) = csv.DictReader(handle)
    assert float(line["ours_largest"]) == pytest.approx(ours)
    log_plots.plot_metric(rows, ADDED, tmp_path / "a.png")
    log_plots.plot_summary(rows, tmp_path / "b.png")

    text = page.build_page(
        outcome.pixels, outcome.plain.path.read_bytes(), outcome.ours[0].path.read_bytes(), outcome.saliency, record
    )
    assert 'Largest error, levels<small class="soft">of any pixel</small>' in text
    word = "better" if ours < plain else "worse"
    assert f'<span class="{word}">{ours - plain:+.1f}'.replace("-", "−") in text
