"""The picture of rate-distortion curves."""

from pathlib import Path

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
