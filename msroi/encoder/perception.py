"""What errors of DCT coefficients cost: PSNR-HVS-M and SSIM without decoding, and squared error of RGB pixels.

The metric looks at the same 8x8 luma blocks as JPEG does, so the error of a quantised coefficient, how much of it its
block's texture hides and how visible the rest is are known without decoding. Only the decoded block's own masking and
the rounding and clipping of pixels are left out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder.blocks import FREQUENCIES, RGB_TO_YCC, SIDE, ZIGZAG, Spectrum
from q1net_msroi.msroi.metrics import hvs, pixel
from q1net_msroi.utils import jpeg

SCALES = (1, 2, 4, 8)  # sides, in pixels, of the means that structure is compared in
DARKEST = np.float32(-128)  # of a luma plane about zero
BAND = 64  # rows
STUDIO_RANGE = 219 / 255  # the metric's luma has 219 steps where JPEG's has 255

MASKING = hvs.MASKING.reshape(FREQUENCIES)[ZIGZAG].astype(np.float32)
THRESHOLD = np.divide(1, MASKING, dtype=np.float32)  # a block's masking times this is how much error it hides
THRESHOLD[0] = 0  # the mean's error is never hidden
# Squared contrast sensitivity: weight of a coefficient's squared error.
SENSITIVITY = np.square(hvs.SENSITIVITY * STUDIO_RANGE).reshape(FREQUENCIES)[ZIGZAG].astype(np.float32)
# Sensitivity times squared step of the standard table: what an error of one step costs.
STEP_COST = float(np.mean(SENSITIVITY * np.square(hvs.JPEG_LUMINANCE.reshape(FREQUENCIES)[ZIGZAG])))


def block_masking(plane: NDArray[np.float32], spectrum: Spectrum) -> NDArray[np.float32]:
    """Return how much each 8x8 block of a full-range luma plane hides, (blocks,), in the metric's own unit.

    Weighted AC energy, less where it comes from one edge (Ponomarenko et al. 2007, equations 4 and 5).
    """
    height, width = plane.shape
    quarters = plane.reshape(height // 4, 4, width // 4, 4)
    sums = quarters.sum(axis=(1, 3), dtype=np.float32)
    squares = np.square(quarters).sum(axis=(1, 3), dtype=np.float32)
    # Sample variance times number of pixels, of each quarter and of the whole block.
    spread = (squares - sums * sums / 16) * (16 / 15)

    def of_four(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(values.reshape(height // SIDE, 2, width // SIDE, 2).sum(axis=(1, 3)))

    # The block's own spread is its AC energy (Parseval).
    whole = np.square(spectrum[1:]).sum(axis=0) * (64 / 63)
    evenness = np.divide(of_four(spread).reshape(-1), whole, out=np.zeros_like(whole), where=whole > 1e-3)
    energy = MASKING[1:] @ np.square(spectrum[1:])
    return np.asarray(np.sqrt(np.maximum(energy * np.clip(evenness, 0, None), 0)) / 32)


def blurred(
    plane: NDArray[np.float32], sigma: float = pixel.SIGMA, radius: int = pixel.WINDOW // 2
) -> NDArray[np.float32]:
    """Return Gaussian-weighted means of windows, by default those of SSIM; outside the plane is mirrored.

    scipy.ndimage's `gaussian_filter`, without the fifth of a second that its import takes, in bands that stay in the
    processor's cache.
    """
    weights = np.exp(-0.5 * np.square(np.arange(radius + 1) / sigma)).astype(np.float32)
    weights /= 2 * weights.sum() - weights[0]
    found = np.empty_like(plane)
    mirrored = np.pad(plane, ((radius, radius), (0, 0)), mode="symmetric")
    for top in range(0, len(plane), BAND):
        rows = mirrored[top : top + BAND + 2 * radius]
        down = _weighted(rows, weights, len(rows) - 2 * radius)
        across = np.pad(down, ((0, 0), (radius, radius)), mode="symmetric")
        found[top : top + BAND] = _weighted(across.T, weights, plane.shape[1]).T
    return found


def _weighted(values: NDArray[np.float32], weights: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Return sums along the first axis of `length` windows, symmetrical `weights` from the middle on."""
    radius = len(weights) - 1
    total: NDArray[np.float32] = weights[0] * values[radius : radius + length]
    for away in range(1, radius + 1):
        pair = values[radius - away : radius - away + length] + values[radius + away : radius + away + length]
        pair *= weights[away]
        total += pair
    return total


def overshot(plane: NDArray[np.float32], reach: float, limit: float) -> NDArray[np.float32]:
    """Return a luma plane about zero with its black and white moved beyond what pixels hold, up to `limit`.

    Decoders cut off what is beyond, so that there the ringing of an edge is not seen, as in mozjpeg's overshoot
    deringing. How far depends on how much of the surroundings (Gaussian of sigma `reach` pixels) is neither.
    """
    white, black = plane > DARKEST + 254.5, plane < DARKEST + 0.5
    if not (white.any() or black.any()):
        return plane
    around = blurred(plane, reach, round(3 * reach))
    moved = np.where(white, np.minimum(DARKEST + 255 - around, limit), 0)
    moved -= np.where(black, np.minimum(around - DARKEST, limit), 0)
    return np.asarray(plane + moved, np.float32)


def scale_spectra() -> NDArray[np.float32]:
    """Return how much of a coefficient's squared error is left at each of `SCALES`, (4, 64), zigzag order.

    In means of 1, 2, 4 and 8 pixels along each side: of the last only the block's mean is left.
    """
    waves = jpeg.dct_matrix().astype(np.float64)
    rows = []
    for side in SCALES:
        means = waves.reshape(SIDE, SIDE // side, side).mean(axis=2)
        left = np.square(means).sum(axis=1) * side
        rows.append(np.outer(left, left).reshape(FREQUENCIES)[ZIGZAG])
    return np.asarray(rows, np.float32)


def ssim_sensitivity(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a squared error in each 8x8 block of a plane takes from SSIM at `SCALES`, (4, blocks).

    What quantisation takes away, d, is nearly orthogonal to what is left, so that in a window of variance v the factor
    (2 covariance + C2) / (variances + C2) falls from 1 by about d^2 / (2 v + C2): the mean of 1 / (2 v + C2) over all
    windows that see the block (Wang et al. 2004, equation 13), in the plane and in its means of 2, 4 and 8 pixels.
    """
    small, found = plane, []
    for side in SCALES:
        if side > 1:
            small = _means(small, 2)
        mean = blurred(small)
        variance = blurred(np.square(small))
        variance -= np.square(mean, out=mean)
        np.maximum(variance, 0, out=variance)
        variance *= 2
        variance += np.float32(pixel.C2)
        taken = blurred(np.reciprocal(variance, out=variance))
        found.append(_means(taken, SIDE // side).reshape(-1))
    return np.asarray(found, np.float32)


def _means(plane: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the means of squares of `side` x `side`, rows first, which is faster than both axes at once."""
    height, width = plane.shape
    rows = plane.reshape(height // side, side, width).sum(axis=1)
    return np.asarray(rows.reshape(height // side, width // side, side).sum(axis=2) / np.float32(side * side))


def radial(knots: Sequence[float], values: Sequence[float], halved: int = 1) -> NDArray[np.float32]:
    """Return a curve of frequency at a block's 64 coefficients, zigzag order, straight in its logarithm between knots.

    Frequencies are counted as in a block of full resolution; `halved`: by how much its sides are larger.
    """
    rows, columns = np.mgrid[:SIDE, :SIDE]
    radius = (np.hypot(rows, columns) / halved).reshape(FREQUENCIES)[ZIGZAG]
    return np.asarray(np.exp(np.interp(radius, knots, np.log(values))), np.float32)


def darkness(means: NDArray[np.float32], exponent: float) -> NDArray[np.float32]:
    """Return by how much errors in dark blocks count more, (blocks,), from the luma coefficients of their means.

    Brightness as seen goes with the cube root of light, sRGB's numbers nearly with its 2.2nd root.
    """
    return np.asarray((np.maximum(0.5 + means / (2 * 1024), 0.01) * 2 + 0.1) ** -exponent, np.float32)


def rgb_weights() -> NDArray[np.float64]:
    """Return what independent squared errors of Y, Cb, Cr add to the sum of those of R, G, B, (3,)."""
    back = np.linalg.inv(RGB_TO_YCC.astype(np.float64))
    return np.asarray(np.square(back).sum(axis=0))


def upsampling_gain() -> NDArray[np.float32]:
    """Return how much of a chroma coefficient's squared error is left after decoding at 4:2:0, (64,), zigzag order.

    Of 4 for each coefficient (a sample covers four pixels), less at high frequencies: decoders interpolate
    (3/4 and 1/4 of the two nearest samples in each direction).
    """
    frequency, place = np.mgrid[:SIDE, :SIDE]
    waves = np.cos((2 * place + 1) * frequency * np.pi / (2 * SIDE))
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    long = np.pad(waves, ((0, 0), (1, 1)), mode="symmetric")
    doubled = np.concatenate([0.75 * waves + 0.25 * long[:, :-2], 0.75 * waves + 0.25 * long[:, 2:]], axis=1)
    gain = np.square(doubled).sum(axis=1)
    return np.outer(gain, gain).reshape(FREQUENCIES)[ZIGZAG].astype(np.float32)
