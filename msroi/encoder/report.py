"""What is said about an encoded picture: a line for a person, the originals' log line, a JSON record."""

import io
import math
from typing import Any

from PIL import Image

from q1net_msroi.msroi.encoder.combine import Outcome
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import show, text

Measured = dict[str, Any]


def measure(outcome: Outcome) -> Measured:
    """Return an outcome's metrics, `plain` and `ours` (a list, one a file), and `png_bytes`, its size as a PNG."""
    if outcome.image.suffix.lower() == ".png":
        png_bytes = outcome.image.stat().st_size
    else:
        buffer = io.BytesIO()
        Image.fromarray(outcome.pixels).save(buffer, "PNG")
        png_bytes = len(buffer.getvalue())
    reference = suite.Reference(outcome.pixels, outcome.saliency)
    files = (jpeg.decode(written.content) for written in (outcome.plain, *outcome.ours))
    plain, *ours = (suite.measure(reference, pixels) for pixels in files)
    return {"png_bytes": png_bytes, "plain": plain, "ours": ours}


def sentences(outcome: Outcome) -> list[str]:
    """Return a line a file: its bytes and quality, the plain JPEG's, and the difference."""
    plain = outcome.plain
    return [
        f"{show(ours.path or outcome.image)}: {ours.bytes:,} bytes at quality {ours.quality}; "
        f"plain JPEG {plain.bytes:,} bytes at quality {plain.quality} ({100 * (ours.bytes / plain.bytes - 1):+.1f} %)"
        for ours in outcome.ours
    ]


def log_lines(outcome: Outcome, measured: Measured) -> list[str]:
    """Return the originals' log line a file: name, sizes and qualities, six metrics of the plain JPEG, six of ours."""

    def six(values: dict[str, float]) -> str:
        return " ".join(f"{values[key]:.6f}" for key in suite.LOG_LINE)

    plain = outcome.plain
    return [
        f"{show(outcome.image)} {outcome.model} {measured['png_bytes']} {plain.bytes} {ours.bytes} {plain.quality} "
        f"{ours.quality} | {six(measured['plain'])} | {six(values)} |"
        for ours, values in zip(outcome.ours, measured["ours"], strict=True)
    ]


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {key: round(value, 6) if math.isfinite(value) else None for key, value in values.items()}


def records(outcome: Outcome, measured: Measured | None) -> list[dict[str, Any]]:
    """Return a JSON record a file; a metric that has no finite value (equal pictures, too small) is null."""
    answers = []
    for index, ours in enumerate(outcome.ours):
        metrics = None
        if measured:
            sides = {"plain": _finite(measured["plain"]), "ours": _finite(measured["ours"][index])}
            metrics = {"png_bytes": measured["png_bytes"], **sides}
        answers.append(
            {
                "file": text(outcome.image),
                "output": text(ours.path or outcome.image),
                "model": outcome.model,
                "quality": ours.quality,
                "bytes": ours.bytes,
                "plain": text(outcome.plain.path) if outcome.plain.path else None,
                "plain_quality": outcome.plain.quality,
                "plain_bytes": outcome.plain.bytes,
                "metrics": metrics,
                "seconds": round(outcome.seconds, 3),
            }
        )
    return answers
