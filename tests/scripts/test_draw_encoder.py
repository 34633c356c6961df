"""draw_encoder.py: curves from a record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image


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
