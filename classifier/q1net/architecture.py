"""The network of the paper, section 3.1: 16x16x3 pixels to (confidence, quality), in tf-keras."""

from __future__ import annotations

from typing import Any

from q1net_msroi.classifier.q1net.configs import MULTIPLIERS, PATCH


def build(width: int, folded: bool = False) -> Any:
    """Return the Keras model of width K: input (n, 16, 16, 3) float 0..255, output (n, 2) = confidence, quality 0..100.

    Layers are made in the order of the original's, without custom classes, so that its checkpoints match by name.
    `folded`: every BatchNorm is part of its convolution, which has a bias instead (`folding` goes there and back).
    """
    from tf_keras import Input, Model, backend, layers

    backend.reset_uids()  # layers are called the same in every process, and so are the tensors of a `.tflite`

    def convolution(x: Any, channels: int, size: int, padding: str) -> Any:
        y = layers.Conv2D(channels, size, padding=padding, use_bias=folded)(x)
        return y if folded else layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(y)

    def bottleneck(x: Any, channels: int) -> Any:
        y = layers.ReLU()(convolution(x, channels, 1, "same"))
        y = layers.ReLU()(convolution(y, channels, 3, "same"))
        return layers.ReLU()(layers.Add()([convolution(y, channels, 1, "same"), x]))

    inputs = x = Input((PATCH, PATCH, 3), name="input_1")
    for multiplier in MULTIPLIERS:
        x = layers.ReLU()(convolution(x, multiplier * width, 3, "valid"))
        x = bottleneck(x, multiplier * width)
    x = layers.Conv2D(width, 3, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(2, activation="sigmoid")(x)
    return Model(inputs, layers.Rescaling(100.0)(x), name=f"q1net_k{width}")


def loss(true_quality: Any, predicted: Any) -> Any:
    """Return 0.5 |c* - c| + |q* - q| a patch (paper, equation 2), c* = 100 - |q* - q| with its gradient stopped.

    The original runs every batch a second time to get c*; the same pass already knows it.
    """
    import tensorflow as tf

    error = tf.abs(tf.reshape(true_quality, [-1]) - predicted[:, 1])
    confidence = 100.0 - tf.stop_gradient(error)
    return 0.5 * tf.abs(confidence - predicted[:, 0]) + error


def quality_error(true_quality: Any, predicted: Any) -> Any:
    """Return |q* - q| a patch, in units of quality."""
    import tensorflow as tf

    return tf.abs(tf.reshape(true_quality, [-1]) - predicted[:, 1])
