"""Optimizers for training: Adam, and Muon, which turns the momentum of a kernel into a near-orthogonal step."""

from __future__ import annotations

from typing import Any

from q1net_msroi.utils.training import keras, tf

MUON_RATIO = 8.0  # a kernel's step, in learning rates of all other weights
MUON_MOMENTUM = 0.95
IMAGE_CHANNELS = 3  # a first layer's kernel sees pixels; Muon is for those between
ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # takes singular values of 0.01..1 to about 0.7..1.2 in five rounds


def orthogonalise(matrix: Any) -> Any:
    """Return (rows, columns) with the same singular vectors and singular values near 1 (Newton-Schulz, no SVD)."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.transpose(matrix) if tall else matrix
    x = x / (tf.norm(x) + 1e-7)
    for _ in range(ITERATIONS):
        gram = tf.matmul(x, x, transpose_b=True)
        x = a * x + tf.matmul(b * gram + c * tf.matmul(gram, gram), x)
    return tf.transpose(x) if tall else x


class Muon(keras.optimizers.Adam):
    """Muon (Jordan et al. 2024) for convolution kernels behind the first layer, Adam for all other weights.

    A kernel (height, width, in, out) is one matrix (height * width * in, out). Its step is its Nesterov momentum with
    all singular values made equal, so that rare directions learn as fast as frequent ones.
    """

    def update_step(self, gradient: Any, variable: Any) -> None:
        """Take one step of one variable."""
        if len(variable.shape) != 4 or variable.shape[2] <= IMAGE_CHANNELS:
            super().update_step(gradient, variable)
            return
        momentum = self._momentums[self._index_dict[self._var_key(variable)]]
        momentum.assign(MUON_MOMENTUM * momentum + (1 - MUON_MOMENTUM) * gradient)
        ahead = MUON_MOMENTUM * momentum + (1 - MUON_MOMENTUM) * gradient
        matrix = tf.reshape(ahead, [-1, variable.shape[3]])
        rate = MUON_RATIO * tf.cast(self.learning_rate, variable.dtype)
        wide = max(1.0, matrix.shape[1] / matrix.shape[0]) ** 0.5
        variable.assign_sub(rate * wide * tf.reshape(orthogonalise(matrix), variable.shape))


OPTIMIZERS = {"adam": keras.optimizers.Adam, "muon": Muon}


def make_optimizer(name: str, learning_rate: Any) -> Any:
    """Return the optimizer called `name`, one of `OPTIMIZERS`; `learning_rate` is a number or a schedule."""
    return OPTIMIZERS[name](learning_rate)
