"""The networks as tables of layers, and how to build them in TensorFlow (imported only when something is built).

A network has two halves. The *features* turn a picture (n, h, w, 3), RGB, 0..255, of any height and width, into feature
maps. The *head* is the paper's: three linear convolutions and a class matrix, after which the map of a class is the
sum of the head's feature maps weighted with that class's column of the matrix.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from q1net_msroi.utils.errors import UserError

HEAD_NARROW = 32  # channels of conv6_1
DEPTH_MULTIPLIER = 32  # so that `depth` and `conv6` have 1024 channels
HEAD_CHANNELS = HEAD_NARROW * DEPTH_MULTIPLIER
VGG_MEAN_BGR = (103.939, 116.779, 123.68)

# VGG16 without its last pooling: (convolutions, channels) of each stage, a 2x2 maximum between the stages.
VGG16_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))

# MobileNetV2 1.0: (expansion, channels, repetitions, stride of the first) of each group of blocks.
MOBILENET_V2_GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
MOBILENET_V2_FIRST = 32
MOBILENET_V2_LAST = 1280


@dataclass(frozen=True)
class Architecture:
    """A network: `channels` feature maps at one place every `stride` pixels, the first in the middle of a receptive
    field at pixel `origin`."""

    name: str
    stride: int
    origin: float
    channels: int
    residual_channels: int


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        # SAME padding of an even side puts the spare zero behind, so every stride-2 layer moves the centre by
        # its own stride: 1 + 2 + 4 + 8 + 16 = 31 instead of the 15.5 of a map that lies true.
        Architecture("mobilenet_v2", 32, 31.0, MOBILENET_V2_LAST, 320),
        Architecture("vgg16", 16, 7.5, 512, 512),
    )
}
DEFAULT = "mobilenet_v2"


def get_architecture(name: str) -> Architecture:
    """Return the architecture `name`; raise `UserError` with the known names otherwise."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise UserError(f"there is no architecture {name}; choose one of {', '.join(ARCHITECTURES)}") from None


@dataclass(frozen=True)
class Convolution:
    """One 2-D convolution, SAME padding, with bias; depthwise: outputs / inputs kernels for every input channel."""

    name: str
    kernel: int
    inputs: int
    outputs: int
    stride: int = 1
    activation: str = "linear"
    depthwise: bool = False
    adds_input_of: str | None = None  # residual: the layer whose input is added to this layer's output

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Shape of the kernel as TensorFlow holds it."""
        return (self.kernel, self.kernel, self.inputs, self.outputs // self.inputs if self.depthwise else self.outputs)


def mobilenet_v2_layers() -> Iterator[Convolution]:
    """Yield MobileNetV2's convolutions in order, batch normalisation folded into kernels and biases."""
    yield Convolution("Conv", 3, 3, MOBILENET_V2_FIRST, 2, "relu6")
    inputs, block = MOBILENET_V2_FIRST, 0
    for expansion, channels, repetitions, first_stride in MOBILENET_V2_GROUPS:
        for repetition in range(repetitions):
            stride = first_stride if repetition == 0 else 1
            wide = inputs * expansion
            first = f"block{block}_depthwise"
            if expansion != 1:
                first = f"block{block}_expand"
                yield Convolution(first, 1, inputs, wide, 1, "relu6")
            yield Convolution(f"block{block}_depthwise", 3, wide, wide, stride, "relu6", depthwise=True)
            residual = first if stride == 1 and inputs == channels else None
            yield Convolution(f"block{block}_project", 1, wide, channels, adds_input_of=residual)
            inputs, block = channels, block + 1
    yield Convolution("Conv_1", 1, inputs, MOBILENET_V2_LAST, 1, "relu6")


def vgg16_layers() -> Iterator[Convolution]:
    """Yield VGG16's 13 convolutions in order; a pooling follows the last one of each stage but the fifth."""
    inputs = 3
    for stage, (count, channels) in enumerate(VGG16_STAGES, start=1):
        for index in range(1, count + 1):
            yield Convolution(f"conv{stage}_{index}", 3, inputs, channels, 1, "relu")
            inputs = channels


def head_layers(channels: int) -> tuple[Convolution, Convolution, Convolution]:
    """Return the head's three linear convolutions for `channels` feature maps (paper, section 3)."""
    return (
        Convolution("conv6_1", 3, channels, HEAD_NARROW),
        Convolution("depth", 3, HEAD_NARROW, HEAD_CHANNELS, depthwise=True),
        Convolution("conv6", 3, HEAD_CHANNELS, HEAD_CHANNELS),
    )


def build_features(name: str, residual: bool = False) -> Any:
    """Build the feature half: a tf-keras model (n, h, w, 3) RGB 0..255 float -> (n, h/stride, w/stride, channels).

    With `residual` the model has two outputs: the last residual block's (320 channels for mobilenet_v2; for vgg16 the
    features again), then the features. Weights are random until `checkpoints.load_features` fills them.
    """
    from q1net_msroi.utils.training import keras

    get_architecture(name)
    picture = keras.Input((None, None, 3), name="picture")
    block, features = (_mobilenet_v2 if name == "mobilenet_v2" else _vgg16)(keras, picture)
    return keras.Model(picture, [block, features] if residual else features, name=f"{name}_features")


def build_head(channels: int, classes: int) -> Any:
    """Build the head: a tf-keras model (n, h, w, channels) -> [maps (n, h, w, 1024), class scores (n, classes)].

    Layers `conv6_1` (3x3 to 32), `depth` (3x3 depthwise, multiplier 32), `conv6` (3x3 to 1024), all linear, mean over
    space, `GAP` (class matrix 1024 x classes, no bias). Scores are logits.
    """
    from q1net_msroi.utils.training import keras

    features = maps = keras.Input((None, None, channels), name="features")
    for layer in head_layers(channels):
        maps = _convolution(keras, layer)(maps)
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(maps)
    scores = keras.layers.Dense(classes, use_bias=False, name="GAP")(mean)
    return keras.Model(features, [maps, scores], name="msroi_head")


def _mobilenet_v2(keras: Any, picture: Any) -> tuple[Any, Any]:
    """Return the outputs of the last residual block and of the last convolution."""
    x = keras.layers.Rescaling(1 / 127.5, -1.0, name="preprocess")(picture)
    inputs_of: dict[str, Any] = {}
    block = x
    for layer in mobilenet_v2_layers():
        inputs_of[layer.name] = block = x
        x = _convolution(keras, layer)(x)
        if layer.adds_input_of:
            x = keras.layers.Add(name=f"{layer.name}_add")([x, inputs_of[layer.adds_input_of]])
    return block, x


def _vgg16(keras: Any, picture: Any) -> tuple[Any, Any]:
    """Return the fifth stage's output, twice."""
    red_last = keras.layers.Lambda(lambda rgb: rgb[..., ::-1] - VGG_MEAN_BGR, name="preprocess")
    x = red_last(picture)
    stage = "1"
    for layer in vgg16_layers():
        if layer.name[4] != stage:
            x = keras.layers.MaxPooling2D(2, padding="same", name=f"pool{stage}")(x)
            stage = layer.name[4]
        x = _convolution(keras, layer)(x)
    return x, x


def _convolution(keras: Any, layer: Convolution) -> Any:
    from q1net_msroi.utils.training import tf

    activation = tf.nn.relu6 if layer.activation == "relu6" else layer.activation
    shared = {"strides": layer.stride, "padding": "same", "activation": activation, "name": layer.name}
    if layer.depthwise:
        return keras.layers.DepthwiseConv2D(layer.kernel, depth_multiplier=layer.outputs // layer.inputs, **shared)
    return keras.layers.Conv2D(layer.outputs, layer.kernel, **shared)
