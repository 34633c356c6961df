"""Luma, PSNR, SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003), as VQMT computes them.

Planes are (height, width) float64 with 8-bit values; the peak is 255 for every metric.
"""

import numpy as np

from q1net_msroi.msroi.metrics.metric import Metric, Pair, Pixels, Plane, Region

PEAK = 255.0
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def luma(pixels: Pixels) -> Plane:
    """Return the luma plane, 16..235 in whole steps, of (height, width, 3) uint8 RGB.

    ITU-R BT.601 with studio range: what the originals' conversion to yuv420p by ffmpeg gives VQMT to read. Its
    range is 219 steps instead of 255, so a PSNR is 1.3 dB higher than one measured on full-range luma.
    """
    weights = np.array([65.481, 128.553, 24.966]) / PEAK
    return np.rint(pixels @ weights + 16.0)


def psnr_of(squared_error: float) -> float:
    """Return 10 log10(255^2 / mean squared error) in dB; infinite for no error, NaN for NaN."""
    return float(10 * np.log10(PEAK**2 / squared_error)) if squared_error != 0 else float("inf")


def psnr(reference: Plane, other: Plane) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    return psnr_of(float(np.mean(np.square(reference - other))))


def salient_region(saliency: Pixels) -> Region:
    """Return where a map is above its mean (level rule 1's objects), (height, width); everywhere for a flat map."""
    region = saliency > saliency.mean()
    return region if region.any() else np.ones_like(region)


def object_region(mask: Pixels) -> Region:
    """Return where an object mask (height, width) is brighter than half: bool of its shape."""
    return mask > np.iinfo(np.uint8).max // 2


def psnr_inside(reference: Plane, other: Plane, region: Region) -> float:
    """Return PSNR-S: the PSNR of the pixels of a region only, (height, width) bool; NaN where it is empty."""
    if not region.any():
        return float("nan")
    return psnr_of(float(np.mean(np.square(reference - other)[region])))


def _blur(plane: Plane) -> Plane:
    """Return Gaussian-weighted means of 11x11 windows, only where the window lies inside the plane."""
    from scipy.ndimage import gaussian_filter

    edge = WINDOW // 2
    return np.asarray(gaussian_filter(plane, SIGMA, radius=edge)[edge:-edge, edge:-edge])


def _similarity(reference: Plane, other: Plane) -> tuple[float, float]:
    """Return the means over all windows of SSIM and of its contrast-and-structure factor alone."""
    mean_1, mean_2 = _blur(reference), _blur(other)
    product = mean_1 * mean_2
    squares = mean_1**2 + mean_2**2
    variances = _blur(reference**2 + other**2) - squares
    covariance = _blur(reference * other) - product
    structure = (2 * covariance + C2) / (variances + C2)
    luminance = (2 * product + C1) / (squares + C1)
    return float(np.mean(luminance * structure)), float(np.mean(structure))


def ssim(reference: Plane, other: Plane) -> float:
    """Return the mean SSIM, 11x11 Gaussian windows of sigma 1.5; NaN for a side below 11 pixels.

    Equal to scikit-image's `structural_similarity` with Gaussian weights and population covariance.
    """
    return _similarity(reference, other)[0] if min(reference.shape) >= WINDOW else float("nan")


def _halve(plane: Plane) -> Plane:
    """Return means of 2x2 pixels; an odd last row or column is left out."""
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    even = plane[:height, :width]
    return np.asarray(even.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)))


def ms_ssim(reference: Plane, other: Plane) -> float:
    """Return the multi-scale SSIM over five scales, weights of the paper; NaN for a side below 11 pixels.

    Five scales need sides of 176 pixels; a smaller picture gets as many scales as fit, their weights scaled to the
    sum 1. A negative mean structure (pictures that have nothing in common) counts as 0.
    """
    scales = 0
    side = min(reference.shape)
    while scales < len(SCALE_WEIGHTS) and side >= WINDOW:
        scales, side = scales + 1, side // 2
    if scales == 0:
        return float("nan")
    weights = np.array(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales])
    factors = np.empty(scales)
    for scale in range(scales):
        if scale:
            reference, other = _halve(reference), _halve(other)
        whole, structure = _similarity(reference, other)
        factors[scale] = whole if scale == scales - 1 else structure
    return float(np.prod(np.maximum(factors, 0.0) ** weights))


def _in_region(pair: Pair) -> float | None:
    return None if pair.region is None else psnr_inside(pair.luma, pair.other_luma, pair.region)


def _outside(pair: Pair) -> float | None:
    if pair.region is None or pair.region.all():
        return None
    return psnr_inside(pair.luma, pair.other_luma, ~pair.region)


def _in_mask(pair: Pair) -> float | None:
    """Return the PSNR over R, G and B of the pixels of an object mask."""
    if pair.mask is None:
        return None
    error = pair.pixels[pair.mask].astype(np.float64) - pair.other[pair.mask]
    return psnr_of(float(np.square(error).mean())) if error.size else float("nan")


METRICS = (
    Metric("psnr", "PSNR", "peak signal to noise", lambda pair: psnr(pair.luma, pair.other_luma), "dB", 2),
    Metric("ssim", "SSIM", "structural similarity", lambda pair: ssim(pair.luma, pair.other_luma)),
    Metric("msssim", "MS-SSIM", "the same at five scales", lambda pair: ms_ssim(pair.luma, pair.other_luma)),
    Metric("inside", "PSNR inside the masks", "of R, G and B", _in_mask, "dB", 2, in_region=True, on_request=True),
    Metric("psnrs", "PSNR-S", "PSNR inside the region", _in_region, "dB", 2, in_region=True),
    Metric("outside", "PSNR outside", "PSNR outside the region", _outside, "dB", 2, in_region=True, on_request=True),
)
