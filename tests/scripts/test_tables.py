"""Tables are data: what is described is shown, what nobody describes is said."""

from pathlib import Path
from typing import Any

import pytest

from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.msroi.metrics.metric import Metric
from q1net_msroi.utils.errors import UserError
from scripts import tables

MADE = {"machine": "a machine", "date": "2026-01-02", "command": "python3 a.py"}
RECORD = {**MADE, "result": [{"name": "first", "share": 0.99999, "mae": 0.5}, {"name": "second", "mae": None}]}
SPEC = {
    "record": "classifier/x",
    "columns": ["name = {name}", "{machine} = {share:share}", "MAE = {mae:.1f}", "change = {mae:+.1f %}"],
    "told": "{name}, on {made}:",
    "command": True,
}


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What every block is made from."""
    kept: dict[str, Any] = dict(RECORD)
    monkeypatch.setattr(tables, "kept", lambda name: kept)
    return kept


def test_a_table_with_its_source(record: dict[str, Any]) -> None:
    assert tables.block({"x": SPEC}, "x").splitlines() == [
        "| name | a machine | MAE | change |",
        "| --- | --- | --- | --- |",
        "| first | 100.00% | 0.5 | +0.5 % |",
        "| second | - | - | - |",
        "",
        "first, on a machine, 2026-01-02:",
        "",
        "```sh",
        "python3 a.py",
        "```",
    ]


def test_the_commit_is_told_where_it_is_recorded(record: dict[str, Any]) -> None:
    record |= {"commit": "0123456789abcdef", "dirty": True}
    assert "on a machine, 2026-01-02, commit 0123456789 with changes:" in tables.block({"x": SPEC}, "x")


def test_an_added_metric_has_a_column(record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    added = Metric("largest", "Largest error", "", lambda pair: 0.0, digits=1)
    monkeypatch.setitem(suite.METRICS, "largest", added)
    row = {"encoder": comparison.REFERENCE, "quality": 50, "inside_better": None, "size_ratio": 1.0, "pictures": 2}
    row |= {"worst_psnrhvsm": 0.0, "seconds": 0.0, "change": {"psnr": 0.25, "largest": -3.0}}
    record["result"] = {"areas": {"all": {"summary": [row]}}}
    specs = {
        "like": {"rows": "encoders", "metric": "{{change[{key}]:+.{digits}f}}", "record": "", "columns": ["METRICS"]}
    }
    specs["x"] = {"like": "like", "with": {"area": "all", "quality": 50}}
    assert tables.block(specs, "x").splitlines()[::2] == ["| PSNR | Largest error |", "| +0.25 | -3.0 |"]


def test_a_block_that_nobody_describes(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("<!-- results: nothing -->\n<!-- end -->\n")
    with pytest.raises(UserError, match=r"nothing that tables\.toml does not describe"):
        tables.fill(document, {})
