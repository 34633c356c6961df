"""Comparing encoders over a folder: what is measured is kept, added to, and summed up."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.utils import jpeg, results


@pytest.fixture
def folders(tmp_path: Path, photograph: np.ndarray) -> Path:
    """Two photographs, the second a JPEG of quality 40, and their masks."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((96, 128), np.uint8)
    mask[24:64, 32:80] = 255
    Image.fromarray(photograph[80:176, 90:218]).save(tmp_path / "images" / "a.png")
    (tmp_path / "images" / "b.jpg").write_bytes(jpeg.encode(np.ascontiguousarray(photograph[150:246, 250:378]), 40))
    for name, values in (("a", mask), ("b", mask[::-1])):
        Image.fromarray(values).save(tmp_path / "masks" / f"{name}.png")
    return tmp_path


@pytest.fixture
def record(call: Callable[..., Any], folders: Path) -> Callable[..., dict[str, Any]]:
    """Run the command; return its record."""

    def run(*flags: str) -> dict[str, Any]:
        result = folders / "out" / "encoder.json"
        done = call("scripts.record_encoder", folders / "images", result, "--masks", folders / "masks", *flags)
        assert done.code == 0, done.err
        kept: dict[str, Any] = json.loads(result.read_text())
        return kept

    return run


def test_measures_what_is_missing_and_sums_up(folders: Path, record: Callable[..., dict[str, Any]]) -> None:
    record("--qualities", "50", "--encoders", "baseline")
    lines = folders / "out" / "encoder.jsonl"
    first = lines.read_text().splitlines()
    assert [json.loads(line)["encoder"] for line in first] == ["progressive", "baseline"] * 2
    kept = record("--qualities", "30,50,75", "--encoders", "baseline,flat")
    again = lines.read_text().splitlines()
    assert again[: len(first)] == first
    assert len(again) == 2 * 3 * 3
    group = kept["result"]["areas"]["5-35 %"]
    assert [(row["encoder"], row["quality"]) for row in group["summary"][:3]] == [
        ("progressive", 30),
        ("baseline", 30),
        ("flat", 30),
    ]
    for row in group["summary"]:
        assert row["pictures"] == 2
        assert 0.9 < row["size_ratio"] < 1.02
        assert row["bits_per_pixel"] == pytest.approx(8 * row["bytes"] / (96 * 128), rel=1e-3)
        if row["encoder"] == "progressive":
            assert set(row["change"].values()) == {0.0}
    assert group["bd_rate"]["progressive"]["psnr"] == pytest.approx(0)
    assert group["bd_rate"]["flat"]["psnrhvsm"] < group["bd_rate"]["progressive"]["psnrhvsm"]
    before = lines.read_bytes()
    record("--qualities", "30,50,75", "--encoders", "baseline,flat")
    assert lines.read_bytes() == before


def test_what_other_code_or_settings_measured_is_measured_again(
    folders: Path, record: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--qualities", "50", "--encoders", "ours_50")
    first = record(*flags)
    lines = folders / "out" / "encoder.jsonl"
    written = len(lines.read_text().splitlines())
    changed = replace(comparison.SETTINGS, masking_share=0.0)
    encode = comparison._ours(0.5, settings=changed)
    encoders = [replace(each, encode=encode) if each.name == "ours_50" else each for each in comparison.ENCODERS]
    monkeypatch.setattr(comparison, "ENCODERS", encoders)
    monkeypatch.setattr(comparison, "SETTINGS", changed)
    second = record(*flags)
    assert len(lines.read_text().splitlines()) == 2 * written
    (before, after) = (kept["result"]["areas"]["all"]["summary"][1] for kept in (first, second))
    assert before["encoder"] == after["encoder"] == "ours_50"
    assert before["inside"] != after["inside"]
    assert second["settings"]["encoder"] != first["settings"]["encoder"]

    monkeypatch.setattr(results, "code_hash", lambda *packages: "other code")
    record(*flags)
    assert len(lines.read_text().splitlines()) == 3 * written
    Image.fromarray(np.full((96, 128), 255, np.uint8)).save(folders / "masks" / "a.png")
    record(*flags)  # the mask is the map of both: each is the other's wrong one
    assert len(lines.read_text().splitlines()) == 4 * written


def test_no_bytes_above_a_photograph_that_is_a_jpeg(folders: Path, record: Callable[..., dict[str, Any]]) -> None:
    record("--qualities", "40,90", "--encoders", "baseline")
    rows = [json.loads(line) for line in (folders / "out" / "encoder.jsonl").read_text().splitlines()]
    sizes = {(row["file"], row["quality"]): row["bytes"] for row in rows if row["encoder"] == "progressive"}
    assert sizes["b.jpg", 90] == sizes["b.jpg", 40]
    assert sizes["a.png", 90] > sizes["a.png", 40]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--encoders", "best"], "best: unknown"),
        (["--maps", "."], "has no map"),
        (["--qualities", "a"], "--qualities a"),
    ],
)
def test_wrong_use(call: Callable[..., Any], folders: Path, flags: list[str], said: str) -> None:
    masks = ["--masks", folders / "masks"]
    call("scripts.record_encoder", folders / "images", folders / "out.json", *masks, *flags).fails(2, said)
    assert not (folders / "out.json").exists()
