"""All metrics of a pair of pictures, and the names that logs, JSON and tables give them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.metrics import hvs, pixel, vif


@dataclass(frozen=True)
class Metric:
    """A metric's `key` in JSON and file names, its printed `title`, its unit, and whether the log line has it."""

    key: str
    title: str
    unit: str
    logged: bool = True


METRICS = (
    Metric("psnr", "PSNR", "dB"),
    Metric("ssim", "SSIM", ""),
    Metric("msssim", "MS-SSIM", ""),
    Metric("vifp", "VIFP", ""),
    Metric("psnrhvs", "PSNR-HVS", "dB"),
    Metric("psnrhvsm", "PSNR-HVS-M", "dB"),
    Metric("psnrs", "PSNR-S", "dB", logged=False),
)
LOGGED = tuple(metric for metric in METRICS if metric.logged)  # in the order of the log line


class Reference:
    """A picture to compare others with: its luma, and the salient region of its map where there is one."""

    def __init__(self, pixels: NDArray[np.uint8], saliency: NDArray[np.uint8] | None = None) -> None:
        """Take (height, width, 3) uint8 RGB and (height, width) uint8."""
        self.luma = pixel.luma(pixels)
        self.region = None if saliency is None else pixel.salient_region(saliency)


def measure(reference: Reference, pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Return every metric of `pixels`, (height, width, 3) uint8 RGB, against a reference of the same size.

    PSNR-S is there only with a map. Infinite for equal pictures (the PSNRs), NaN where the picture is too small.
    """
    plane, other = reference.luma, pixel.luma(pixels)
    if plane.shape != other.shape:
        raise ValueError(f"sizes differ: {plane.shape} and {other.shape}")
    psnr_hvs, psnr_hvs_m = hvs.psnr_hvs_pair(plane, other)
    values = {
        "psnr": pixel.psnr(plane, other),
        "ssim": pixel.ssim(plane, other),
        "msssim": pixel.ms_ssim(plane, other),
        "vifp": vif.vifp(plane, other),
        "psnrhvs": psnr_hvs,
        "psnrhvsm": psnr_hvs_m,
    }
    if reference.region is not None:
        values["psnrs"] = pixel.psnr_inside(plane, other, reference.region)
    return values
