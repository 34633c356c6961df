"""Rate-distortion curves of the encoders compared, drawn from a committed record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from q1net_msroi.utils import figures

PANELS = {
    "inside": "PSNR inside the masks, dB",
    "psnrhvsm": "PSNR-HVS-M of the whole picture, dB",
}


def draw(summary: Sequence[dict[str, Any]], titles: dict[str, str], path: Path) -> None:
    """Draw the metrics of `PANELS` against bits a pixel, one line an encoder, one point a quality, to a PNG file.

    `summary`: rows with encoder, bits_per_pixel and the metrics, means over pictures; `titles` by encoder, in the order
    of the legend; an encoder without a title is left out, a metric without values too.
    """
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    panels = {key: label for key, label in PANELS.items() if any(row.get(key) is not None for row in summary)}
    with figures.figure(path, 5.2 * len(panels), 4.2) as drawing:
        for number, (key, label) in enumerate(panels.items(), 1):
            axes = drawing.add_subplot(1, len(panels), number)
            for name, title in titles.items():
                points = sorted((row["bits_per_pixel"], row[key]) for row in summary if row["encoder"] == name)
                axes.plot([x for x, _ in points], [y for _, y in points], marker=".", label=title)
            axes.set_xscale("log")
            axes.set_xticks([0.5, 1, 2, 4])
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_minor_formatter(NullFormatter())
            bits = [row["bits_per_pixel"] for row in summary]
            axes.set_xlim(0.9 * min(bits), 1.1 * max(bits))
            axes.set_xlabel("bits per pixel")
            axes.set_ylabel(label)
            axes.grid(True, which="both", alpha=0.3)
        axes.legend()
