"""From feature maps to a map of the picture: placing, smoothing, and the three rules (energy, topk, threshold)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Map = NDArray[np.float32]


def normalize(values: NDArray[Any]) -> Map:
    """Stretch an array to 0..1; a flat one becomes all zeros."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.zeros(values.shape, np.float32)
    return np.asarray((values - low) / (high - low), np.float32)


def interpolation(length: int, count: int, network_length: int, stride: int, origin: float) -> Map:
    """Return the (length, count) matrix that takes `count` feature values along one side to `length` pixels.

    The network saw the side resized to `network_length` pixels, and its value i belongs to pixel origin + stride * i of
    those. Cubic B-spline weights: a little smoothing, no overshoot, no kinks. Beyond the first and last value the edge
    value goes on.
    """
    pixels = (np.arange(length) + 0.5) * (network_length / length) - 0.5
    places = (pixels - origin) / stride
    whole = np.floor(places).astype(int)
    t = places - whole
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    matrix = np.zeros((length, count), np.float32)
    for tap, weight in enumerate(weights):
        np.add.at(matrix, (np.arange(length), np.clip(whole + tap - 1, 0, count - 1)), weight)
    return matrix


def place(
    values: NDArray[Any], size: tuple[int, int], network_size: tuple[int, int], stride: int, origin: float
) -> Map:
    """Upsample feature values (h, w) to a picture's `size` (height, width), each where its receptive field lies."""
    rows = interpolation(size[0], values.shape[0], network_size[0], stride, origin)
    columns = interpolation(size[1], values.shape[1], network_size[1], stride, origin)
    return np.asarray(rows @ values.astype(np.float32) @ columns.T, np.float32)


def box_mean(values: NDArray[Any], radius: int) -> NDArray[np.float64]:
    """Return the mean over the (2 radius + 1)-square around every pixel, the part inside the picture only."""
    result = np.asarray(values, np.float64)
    for axis in (0, 1):
        length = result.shape[axis]
        sums = np.concatenate([np.zeros_like(np.take(result, [0], axis)), np.cumsum(result, axis)], axis)
        first = np.maximum(np.arange(length) - radius, 0)
        last = np.minimum(np.arange(length) + radius + 1, length)
        shape = [1, 1]
        shape[axis] = length
        result = (np.take(sums, last, axis) - np.take(sums, first, axis)) / (last - first).reshape(shape)
    return result


def guided_filter(values: NDArray[Any], small_guide: NDArray[Any], guide: NDArray[Any], radius: int, eps: float) -> Map:
    """Let the edges of a picture shape a map: He and Sun, "Fast Guided Filter", 2015.

    In every square of `radius` the result is a linear function of the guide; `eps` is the variance of the guide below
    which an area counts as flat. Slopes and offsets are found for `values` and `small_guide` (h, w), 0..1, and applied,
    stretched, to `guide` (H, W), 0..1, the same picture larger (or the very same). Returns (H, W).
    """
    mean_guide, mean_values = box_mean(small_guide, radius), box_mean(values, radius)
    covariance = box_mean(small_guide * values, radius) - mean_guide * mean_values
    variance = box_mean(np.square(small_guide), radius) - mean_guide**2
    slope = covariance / (variance + eps)
    lines = [box_mean(part, radius) for part in (slope, mean_values - slope * mean_guide)]
    height, width = guide.shape
    slope, offset = (
        np.asarray(Image.fromarray(part.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))
        for part in lines
    )
    return np.asarray(slope * guide + offset, np.float32)


def softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of each class, 0..1, sum 1."""
    exponents = np.exp(np.asarray(scores, np.float64) - np.max(scores))
    return np.asarray(exponents / exponents.sum())


def best_classes(scores: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Return the indices of the `count` highest scores, best first (the lower index first where two are equal)."""
    return np.argsort(-np.asarray(scores), kind="stable")[:count]


def energy(residual: NDArray[Any]) -> Map:
    """Return the length of the feature vector (h, w, channels) at each place."""
    return np.asarray(np.sqrt(np.square(residual.astype(np.float32)).sum(axis=2)))


def topk(class_maps: Sequence[NDArray[Any]]) -> Map:
    """Combine the maps of the best classes, best first, by the rule that the authors released.

    From the last to the first: r = 1.2 norm(m_k), then r = (r + norm(m)) / 2 for each next: the best counts half.
    """
    result = np.float32(1.2) * normalize(class_maps[-1])
    for class_map in reversed(class_maps[:-1]):
        result = (result + normalize(class_map)) / 2
    return normalize(result)


def threshold(features: NDArray[Any], matrix: NDArray[Any], scores: NDArray[Any], share: float) -> Map:
    """Sum the maps of all classes whose score passes a threshold (paper, section 3).

    `features` (h, w, channels), `matrix` (channels, classes), `scores` (classes,) logits. A class passes with a score
    of at least the lowest plus `share` (0..1) of the range of scores. The sum of maps is the map of the summed columns.
    """
    low, high = float(scores.min()), float(scores.max())
    passes = scores >= low + share * (high - low)
    return normalize(features.astype(np.float32) @ matrix[:, passes].sum(axis=1))
