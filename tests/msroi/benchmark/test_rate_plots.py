"""The picture of rate-distortion curves."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.benchmark import rate_plots


@pytest.mark.parametrize(("inside", "panels"), [(True, 2), (False, 1)])
def test_draws_a_panel_a_metric(tmp_path: Path, inside: bool, panels: int) -> None:
    summary = [
        {"encoder": name, "bits_per_pixel": bits, "psnrhvsm": 30 + gain + 6 * bits}
        | ({"inside": 25 + gain + 5 * bits} if inside else {"inside": None})
        for name, gain in (("plain", 0), ("ours", 1), ("untitled", 2))
        for bits in (0.4, 0.8, 1.6)
    ]
    path = tmp_path / "curves.png"
    rate_plots.draw(summary, {"plain": "plain JPEG", "ours": "model 7"}, path)
    with Image.open(path) as image:
        assert image.size == (round(110 * 5.2 * panels), round(110 * 4.2))
        assert len(image.convert("RGB").getcolors(1 << 16)) > 50


def test_what_others_are_compared_with_is_seen_where_curves_meet(tmp_path: Path) -> None:
    summary = [
        {"encoder": name, "bits_per_pixel": bits, "psnrhvsm": 30 + 6 * bits}
        for name in ("plain", "ours")
        for bits in (0.4, 0.8, 1.6)
    ]
    rate_plots.draw(summary, {"plain": "plain JPEG", "ours": "model 7"}, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)[100:380, 100:520]  # within the axes, legend above
    blue = (pixels[..., 2] > 150) & (pixels[..., 0] < 60)
    black = pixels.max(axis=2) < 30
    assert blue.sum() > 100
    assert black.sum() > 100  # dashes over the other line
