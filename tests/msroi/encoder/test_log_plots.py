"""Plots of a log: right size, something drawn, no trouble with odd names, many groups, missing values."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.encoder import log_plots
from q1net_msroi.msroi.encoder.log import Row
from q1net_msroi.msroi.metrics.suite import METRICS


def row(file: str, gain: float, model: str = "3", quality: int = 50) -> Row:
    values = dict.fromkeys(METRICS, 30.0)
    return Row(file, model, 9, 5, 5, quality, 55, values, {key: value + gain for key, value in values.items()})


def colours(path: Path) -> tuple[int, int]:
    """Return how many pixels are of the better's and of the worse's colour."""
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    codes = [tuple(int(code[i : i + 2], 16) for i in (1, 3, 5)) for code in (log_plots.BETTER, log_plots.WORSE)]
    return tuple(int((pixels == code).all(axis=1).sum()) for code in codes)


def test_bars_are_coloured_by_sign(tmp_path: Path) -> None:
    log_plots.plot_metric([row("a", 1.0), row("b", 1.0)], METRICS["psnr"], tmp_path / "up.png")
    log_plots.plot_metric([row("a", -1.0), row("b", -1.0)], METRICS["psnr"], tmp_path / "down.png")
    up, down = colours(tmp_path / "up.png"), colours(tmp_path / "down.png")
    assert up[0] > 10_000
    assert down[1] > 10_000
    assert up[1] == down[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        [row("a", 0.0)],
        [row("a", math.nan), row("b", math.inf)],
        [row("$\\frac$ \udcff\n _^{" + "x" * 300, 0.1)],
        [row(f"{i}.png", i - 30) for i in range(60)],
        [row("a", 1.0, model, quality) for model in "135" for quality in (30, 50)],
    ],
    ids=["same", "not finite", "odd name", "many", "groups"],
)
def test_draws_whatever_a_log_holds(tmp_path: Path, rows: list[Row]) -> None:
    log_plots.plot_metric(rows, METRICS["psnr"], tmp_path / "metric.png")
    log_plots.plot_summary(rows, tmp_path / "summary.png")
    for name in ("metric.png", "summary.png"):
        with Image.open(tmp_path / name) as image:
            assert image.width > 500
            assert max(image.size) < 4000
