"""PSNR-HVS and PSNR-HVS-M (Egiazarian et al. 2006; Ponomarenko et al. 2007): DCT errors as the eye sees them.

The published tables are the standard JPEG luminance table in other clothes, to all six printed digits: contrast
sensitivity is 25.735088 / Q, masking (10 / Q)^2.
"""

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.metrics.metric import Metric, Plane
from q1net_msroi.msroi.metrics.pixel import psnr_of
from q1net_msroi.utils import jpeg

JPEG_LUMINANCE = jpeg.standard_tables()[49, 0]  # ITU-T T.81, table K.1: that of quality 50
SENSITIVITY = 25.735088 / JPEG_LUMINANCE
MASKING = (10 / JPEG_LUMINANCE) ** 2
BLOCK = 8

Blocks = NDArray[np.float64]


def _blocks(plane: Plane) -> Blocks:
    """Return the whole 8x8 blocks of a plane as (blocks, 8, 8); what is left at the right and below is left out."""
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    whole = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.asarray(whole.transpose(0, 2, 1, 3).reshape(-1, BLOCK, BLOCK))


def _spread(blocks: Blocks) -> NDArray[np.float64]:
    """Return the sample variance times the number of pixels of the last two axes."""
    pixels = blocks.shape[-1] * blocks.shape[-2]
    return np.asarray(blocks.var(axis=(-2, -1), ddof=1) * pixels)


def _masking(blocks: Blocks, spectrum: Blocks) -> NDArray[np.float64]:
    """Return each block's masking: its weighted AC energy, less where the energy comes from one edge."""
    energy = np.square(spectrum) * MASKING
    energy = energy.sum(axis=(-2, -1)) - energy[:, 0, 0]
    quarters = sum(_spread(blocks[:, top : top + 4, left : left + 4]) for top in (0, 4) for left in (0, 4))
    whole = _spread(blocks)
    evenness = np.divide(quarters, whole, out=np.zeros_like(whole), where=whole != 0)
    return np.asarray(np.sqrt(np.maximum(energy, 0.0) * evenness) / 32)


def psnr_hvs_pair(reference: Plane, other: Plane) -> tuple[float, float]:
    """Return PSNR-HVS and PSNR-HVS-M in dB of two planes; infinite for equal ones, NaN for a side below 8 pixels."""
    if min(reference.shape) < BLOCK:
        return float("nan"), float("nan")
    from scipy.fft import dctn

    blocks = [_blocks(plane) for plane in (reference, other)]
    spectra = [dctn(each, axes=(-2, -1), norm="ortho") for each in blocks]
    error = np.abs(spectra[0] - spectra[1])
    masking = np.maximum(*(_masking(each, spectrum) for each, spectrum in zip(blocks, spectra, strict=True)))
    hidden = masking[:, None, None] / MASKING
    hidden[:, 0, 0] = 0.0  # the mean's error is never masked
    seen = np.maximum(error - hidden, 0.0)
    plain, masked = (psnr_of(float(np.mean(np.square(each * SENSITIVITY)))) for each in (error, seen))
    return plain, masked


METRICS = (
    Metric(
        "psnrhvs", "PSNR-HVS", "weighted by the eye's sensitivity", lambda pair: pair.once(psnr_hvs_pair)[0], "dB", 2
    ),
    Metric("psnrhvsm", "PSNR-HVS-M", "the same with masking", lambda pair: pair.once(psnr_hvs_pair)[1], "dB", 2),
)
