"""Muon (Jordan et al. 2024) without a framework: its numbers, and the iteration that equalises singular values."""

from collections.abc import Callable
from typing import Any

RATIO = 8.0  # a kernel's step, in learning rates of all other weights
MOMENTUM = 0.95
IMAGE_CHANNELS = 3  # a first layer's kernel sees pixels; Muon is for those between
ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # takes singular values of 0.01..1 to about 0.7..1.2 in five rounds


def equalised(x: Any, transposed: Callable[[Any], Any]) -> Any:
    """Return matrices (..., rows, columns >= rows) of norm at most 1 with singular values near 1 (Newton-Schulz).

    `x` and `transposed` are of TensorFlow or of PyTorch.
    """
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ transposed(x)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x
