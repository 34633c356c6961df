"""The network of the paper, section 3.1, as a list of layers, in tf-keras, and its loss for any framework."""

from collections.abc import Callable
from typing import Any, NamedTuple

from q1net_msroi.classifier.q1net.configs import MULTIPLIERS, PATCH


class Convolution(NamedTuple):
    """A convolution of `size` x `size` with BatchNorm and ReLU; `padding` is "valid" or "same".

    A bottleneck goes around the last three of a stage: what enters `opens` is added before the ReLU of `closes`.
    """

    inputs: int
    outputs: int
    size: int
    padding: str
    opens: bool = False
    closes: bool = False


def convolutions(width: int) -> list[Convolution]:
    """Return the normalised convolutions of the network of width K, four a stage.

    After them come a convolution 3x3 "valid" to K channels with bias and ReLU, the mean over space, and a dense layer
    to two numbers with a sigmoid, times 100.
    """
    layers, channels = list[Convolution](), 3
    for multiplier in MULTIPLIERS:
        out = multiplier * width
        layers += [
            Convolution(channels, out, 3, "valid"),
            Convolution(out, out, 1, "same", opens=True),
            Convolution(out, out, 3, "same"),
            Convolution(out, out, 1, "same", closes=True),
        ]
        channels = out
    return layers


def build(width: int, folded: bool = False) -> Any:
    """Return the Keras model of width K: input (n, 16, 16, 3) float 0..255, output (n, 2) = confidence, quality 0..100.

    Layers are made in the order of the original's, without custom classes, so that its checkpoints match by name.
    `folded`: every BatchNorm is part of its convolution, which has a bias instead (`folding` goes there and back).
    """
    from q1net_msroi.utils.training import keras

    layers = keras.layers
    keras.backend.reset_uids()  # layers are called the same in every process, and so are the tensors of a `.tflite`
    inputs = x = skip = keras.Input((PATCH, PATCH, 3), name="input_1")
    for layer in convolutions(width):
        skip = x if layer.opens else skip
        x = layers.Conv2D(layer.outputs, layer.size, padding=layer.padding, use_bias=folded)(x)
        x = x if folded else layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.Add()([x, skip]) if layer.closes else x
        x = layers.ReLU()(x)
    x = layers.Conv2D(width, 3, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(2, activation="sigmoid")(x)
    return keras.Model(inputs, layers.Rescaling(100.0)(x), name=f"q1net_k{width}")


def losses(truth: Any, predicted: Any, fixed: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return the loss 0.5 |c* - c| + |q* - q| a patch (paper, equation 2) and its |q* - q|, of any framework's tensors.

    `truth` (n,) holds q*, `predicted` (n, 2) c and q; `fixed` stops the gradient of c* = 100 - |q* - q|. The original
    runs every batch a second time to get c*; the same pass already knows it.
    """
    error = abs(truth - predicted[:, 1])
    return 0.5 * abs(100.0 - fixed(error) - predicted[:, 0]) + error, error
