"""Optimizers for training: Adam, and Muon, which turns the momentum of a kernel into a near-orthogonal step."""

from typing import Any

from q1net_msroi.utils import muon
from q1net_msroi.utils.training import keras, make_schedule, tf
from q1net_msroi.utils.training_options import TrainingSettings


def orthogonalise(matrix: Any) -> Any:
    """Return (rows, columns) with the same singular vectors and singular values near 1."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.transpose(matrix) if tall else matrix
    x = muon.equalised(x / (tf.norm(x) + 1e-7), tf.transpose)
    return tf.transpose(x) if tall else x


class Muon(keras.optimizers.Adam):  # type: ignore[misc]  # Keras has no types
    """Muon (Jordan et al. 2024) for convolution kernels behind the first layer, Adam for all other weights.

    A kernel (height, width, in, out) is one matrix (height * width * in, out). Its step is its Nesterov momentum with
    all singular values made equal, so that rare directions learn as fast as frequent ones.
    """

    def update_step(self, gradient: Any, variable: Any) -> None:
        """Take one step of one variable."""
        if len(variable.shape) != 4 or variable.shape[2] <= muon.IMAGE_CHANNELS:
            super().update_step(gradient, variable)
            return
        momentum = self._momentums[self._index_dict[self._var_key(variable)]]
        momentum.assign(muon.MOMENTUM * momentum + (1 - muon.MOMENTUM) * gradient)
        ahead = muon.MOMENTUM * momentum + (1 - muon.MOMENTUM) * gradient
        matrix = tf.reshape(ahead, [-1, variable.shape[3]])
        rate = muon.RATIO * tf.cast(self.learning_rate, variable.dtype)
        wide = max(1.0, matrix.shape[1] / matrix.shape[0]) ** 0.5
        variable.assign_sub(rate * wide * tf.reshape(orthogonalise(matrix), variable.shape))


def make_optimizer(settings: TrainingSettings, steps: int) -> Any:
    """Return the optimizer (adam, muon, or momentum: plain descent) with its schedule over `steps` steps."""
    rate = make_schedule(settings.schedule, settings.learning_rate, steps, settings.warmup_steps)
    if settings.optimizer == "momentum":
        return keras.optimizers.SGD(rate, momentum=settings.momentum)
    kind = {"adam": keras.optimizers.Adam, "muon": Muon}[settings.optimizer]
    return kind(rate, beta_1=settings.momentum, epsilon=settings.epsilon)
