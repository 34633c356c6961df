"""draw_encoder.py: curves from a record."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scripts import draw_encoder


def test_draws_all_photographs(call: Callable[..., Any], tmp_path: Path) -> None:
    rows = [
        {"encoder": name, "quality": quality, "bits_per_pixel": quality / 50, "inside": 30.0, "psnrhvsm": 40.0}
        for name in ("progressive", "ours_50")
        for quality in (30, 50, 75)
    ]
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"result": {"areas": {"5-35 %": {"summary": []}, "all": {"summary": rows}}}}))
    figure = tmp_path / "curves.png"
    done = call("scripts.draw_encoder", record, figure)
    assert done.code == 0, done.err
    with Image.open(figure) as image:
        assert image.width > 2 * image.height


def test_no_record(call: Callable[..., Any], tmp_path: Path) -> None:
    call("scripts.draw_encoder", tmp_path / "none.json", tmp_path / "a.png").fails(2, "none.json does not exist")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("inside", "panels"), [(True, 2), (False, 1)])
def test_draws_a_panel_a_metric(tmp_path: Path, inside: bool, panels: int) -> None:
    summary = [
        {"encoder": name, "bits_per_pixel": bits, "psnrhvsm": 30 + gain + 6 * bits}
        | ({"inside": 25 + gain + 5 * bits} if inside else {"inside": None})
        for name, gain in (("plain", 0), ("ours", 1), ("untitled", 2))
        for bits in (0.4, 0.8, 1.6)
    ]
    path = tmp_path / "curves.png"
    draw_encoder.draw(summary, {"plain": "plain JPEG", "ours": "model 7"}, path)
    with Image.open(path) as image:
        assert image.size == (round(110 * 5.2 * panels), round(110 * 4.6))
        assert len(image.convert("RGB").getcolors(1 << 16)) > 50


def test_what_others_are_compared_with_is_seen_where_curves_meet(tmp_path: Path) -> None:
    summary = [
        {"encoder": name, "bits_per_pixel": bits, "psnrhvsm": 30 + 6 * bits}
        for name in ("plain", "ours")
        for bits in (0.4, 0.8, 1.6)
    ]
    draw_encoder.draw(summary, {"plain": "plain JPEG", "ours": "model 7"}, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)[100:380, 100:520]  # within the axes, legend below
    blue = (pixels[..., 2] > 150) & (pixels[..., 0] < 60)
    black = pixels.max(axis=2) < 30
    assert blue.sum() > 100
    assert black.sum() > 100  # dashes over the other line
