"""All metrics by key, gathered from the modules of this package, and what they say of a pair of pictures.

A module that has `METRICS`, a tuple of `Metric`, adds them; nothing else has to be changed.
"""

import importlib
import pkgutil
from collections.abc import Collection

from q1net_msroi.msroi import metrics
from q1net_msroi.msroi.metrics import pixel
from q1net_msroi.msroi.metrics.metric import Metric, Pair, Pixels

LOG_LINE = ("psnr", "ssim", "msssim", "vifp", "psnrhvs", "psnrhvsm")  # of the originals' log, in its order


def _gather() -> dict[str, Metric]:
    names = [f"{metrics.__name__}.{module.name}" for module in pkgutil.iter_modules(metrics.__path__)]
    modules = [importlib.import_module(name) for name in names if name != __name__]
    found = {metric.key: metric for module in modules for metric in getattr(module, "METRICS", ())}
    return {key: found[key] for key in (*LOG_LINE, *(key for key in found if key not in LOG_LINE))}


METRICS = _gather()


def shown() -> list[Metric]:
    """Return the metrics in the order of pages and tables: those of a region first."""
    return sorted(METRICS.values(), key=lambda metric: not metric.in_region)


class Reference:
    """A picture to compare others with, the salient region of its map and an object mask where there are such."""

    def __init__(self, pixels: Pixels, saliency: Pixels | None = None, mask: Pixels | None = None) -> None:
        """Take (height, width, 3) uint8 RGB and (height, width) uint8; a mask is object where it is above half."""
        self.pixels, self.luma = pixels, pixel.luma(pixels)
        self.region = None if saliency is None else pixel.salient_region(saliency)
        self.mask = None if mask is None else pixel.object_region(mask)


def pair_of(reference: Reference, pixels: Pixels) -> Pair:
    """Return a reference and a picture of its size, (height, width, 3) uint8 RGB, as metrics take them."""
    if reference.pixels.shape != pixels.shape:
        raise ValueError(f"sizes differ: {reference.pixels.shape} and {pixels.shape}")
    return Pair(reference.luma, pixel.luma(pixels), reference.pixels, pixels, reference.region, reference.mask)


def measure(reference: Reference, pixels: Pixels, also: Collection[str] = ()) -> dict[str, float]:
    """Return by key every metric of `pixels`, (height, width, 3) uint8 RGB, against a reference of the same size.

    `also` names some measured on request. Left out: what a pair has no value for (PSNR-S without a map). Infinite for
    equal pictures (the PSNRs), NaN where the picture is too small.
    """
    pair = pair_of(reference, pixels)
    wanted = [metric for metric in METRICS.values() if not metric.on_request or metric.key in also]
    values = {metric.key: metric.function(pair) for metric in wanted}
    return {key: value for key, value in values.items() if value is not None}
