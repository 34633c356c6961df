"""SSIMULACRA 2 (J. Sneyers, Cloudinary), by the package of that name."""

import io

from PIL import Image

from q1net_msroi.msroi.metrics.metric import Metric, Pair, Pixels

PACKAGE = "ssimulacra2"


def ssimulacra2(pixels: Pixels, other: Pixels) -> float:
    """Return SSIMULACRA 2 of (height, width, 3) uint8 pictures: 100 for equal ones, 90 very good, 50 middling."""
    from ssimulacra2 import compute_ssimulacra2

    def written(values: Pixels) -> io.BytesIO:  # the package reads files only
        buffer = io.BytesIO()
        Image.fromarray(values).save(buffer, "PPM")
        return buffer

    return float(compute_ssimulacra2(written(pixels), written(other)))


def _of_pair(pair: Pair) -> float:
    return ssimulacra2(pair.pixels, pair.other)


METRICS = (
    Metric(PACKAGE, "SSIMULACRA 2", "fitted to people's ratings", _of_pair, digits=2, on_request=True, needs=PACKAGE),
)
