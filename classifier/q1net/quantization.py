"""The network in 8-bit numbers, simulated in TensorFlow so that ranges can be chosen and weights adapt to them.

BatchNorm is folded into the convolutions; then every activation is rounded to 256 steps of a chosen range and every
kernel to 255 steps a channel. Ranges cut off rare extremes: with the full range of a trained network the traces of a
light compression, one or two grey levels, would drown in the rounding. `adapt` then trains kernels and biases to say
again what the network says without. The last layers stay float: 256 steps over 0..100 are too few for the answer.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.architecture import Convolution, convolutions
from q1net_msroi.classifier.q1net.folding import Pair
from q1net_msroi.utils.training import compiled, keras, make_schedule, tf

LAST = Convolution(0, 0, 3, "valid")  # before the mean
LEARNING_RATE = 2e-4  # of `adapt`, at its highest


class QuantizedNetwork(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """The folded network; `limits` holds a (low, high) for each rounding, None: nothing is rounded.

    Rounding 2i is that of convolution i's output, 2i + 1 that of the sum with the skip connection after it, if any.
    """

    def __init__(self, pairs: Sequence[Pair], limits: Sequence[tuple[float, float]] | None = None) -> None:
        super().__init__()
        self.kernels = [tf.Variable(kernel) for kernel, _ in pairs]
        self.biases = [tf.Variable(bias) for _, bias in pairs]
        self.limits = limits

    def __call__(self, inputs: Any, seen: list[Any] | None = None) -> Any:
        """Return (n, 2) confidence and quality for (n, 16, 16, 3) pixels 0..255; collect activations in `seen`."""

        def rounded(values: Any, place: int) -> Any:
            if seen is not None:
                seen.append(values)
            if self.limits is None:
                return values
            low, high = self.limits[place]
            return tf.quantization.fake_quant_with_min_max_args(values, low, high, num_bits=8)

        def convolution(values: Any, index: int, padding: str) -> Any:
            kernel = self.kernels[index]
            if self.limits is not None:
                most = tf.maximum(tf.reduce_max(tf.abs(tf.stop_gradient(kernel)), axis=(0, 1, 2)), 1e-6)
                kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
                    kernel, -most, most, num_bits=8, narrow_range=True
                )
            return tf.nn.conv2d(values, kernel, 1, padding.upper()) + self.biases[index]

        values = skip = inputs
        if self.limits is not None:
            values = tf.quantization.fake_quant_with_min_max_args(values, 0.0, 255.0, num_bits=8)
        layers = [*convolutions(self.kernels[-1].shape[0]), LAST]
        for index, layer in enumerate(layers):
            skip = values if layer.opens else skip
            values = convolution(values, index, layer.padding)
            values = rounded(values if layer.closes else tf.nn.relu(values), 2 * index)
            if layer.closes:
                values = rounded(tf.nn.relu(values + skip), 2 * index + 1)
            elif seen is not None:
                seen.append(values)
        values = tf.reduce_mean(values, axis=(1, 2))
        return 100.0 * tf.sigmoid(tf.matmul(values, self.kernels[-1]) + self.biases[-1])


def choose_limits(
    pairs: Sequence[Pair], patches: Sequence[NDArray[np.float32]], percent: float
) -> list[tuple[float, float]]:
    """Return the range of every activation: what `percent` of the values of real patches lie below (and above)."""
    network = QuantizedNetwork(pairs)
    collected: list[list[NDArray[np.float32]]] = []
    for batch in patches:
        seen: list[Any] = []
        network(tf.constant(batch), seen)
        collected.append([values.numpy().ravel()[::7] for values in seen])
    limits = []
    for values in map(np.concatenate, zip(*collected, strict=True)):
        low, high = np.percentile(values, [100 - percent, percent])
        limits.append((min(0.0, float(low)), max(1e-3, float(high))))
    return limits


def adapt(network: QuantizedNetwork, model: Any, batches: Iterable[NDArray[np.float32]], steps: int) -> None:
    """Train the rounded network for `steps` batches (n, 16, 16, 3) of patches to predict what `model` does.

    The gradient passes through the rounding as if it were not there.
    """
    optimizer = keras.optimizers.Adam(make_schedule("cosine", LEARNING_RATE, steps, 0))
    optimizer.build(network.trainable_variables)

    @compiled
    def step(patches: Any) -> None:
        wanted = model(patches, training=False)
        with tf.GradientTape() as tape:
            difference = tf.reduce_mean(tf.abs(network(patches) - wanted))
        gradients = tape.gradient(difference, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    for batch in batches:
        step(tf.constant(batch))
