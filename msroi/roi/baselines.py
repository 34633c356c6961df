"""Maps that know nothing of objects: what any network's map has to beat."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.msroi.roi import maps

SPECTRUM_SIDE = 64  # pixels; the spectral residual looks at a thumbnail


def flat(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a map (h, w) uint8 that is gray everywhere."""
    return np.full(pixels.shape[:2], 128, np.uint8)


def centre_prior(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a Gaussian (h, w) uint8 in the middle, its deviation a quarter of each side: photographers aim."""
    rows, columns = (np.square((np.arange(side) + 0.5) / side - 0.5) for side in pixels.shape[:2])
    bump = np.exp(-(rows[:, None] + columns[None]) / (2 * 0.25**2))
    return np.rint(maps.normalize(bump) * 255).astype(np.uint8)


def spectral_residual(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the spectral-residual saliency (h, w) uint8 of Hou and Zhang, CVPR 2007.

    What a thumbnail's log amplitude spectrum has beyond its local mean, taken back with the phases kept, smoothed.
    """
    height, width = pixels.shape[:2]
    scale = SPECTRUM_SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    thumbnail = Image.fromarray(pixels).convert("L").resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    spectrum = np.fft.fft2(np.asarray(thumbnail, float) / 255)
    amplitude = np.log(np.abs(spectrum) + 1e-9)
    neighbours = sum(np.roll(amplitude, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)) / 9
    saliency = np.abs(np.fft.ifft2(np.exp(amplitude - neighbours + 1j * np.angle(spectrum)))) ** 2
    for _ in range(3):  # three box means make nearly a Gaussian, here of deviation 2.4 pixels
        saliency = maps.box_mean(saliency, 2)
    small = Image.fromarray(np.rint(maps.normalize(saliency) * 255).astype(np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


BASELINES = {"centre prior": centre_prior, "flat": flat, "spectral residual": spectral_residual}
