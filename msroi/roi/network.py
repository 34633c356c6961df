"""A network ready to look at pictures: what it computes, its class matrix, its class names; LiteRT or TensorFlow."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.msroi.roi import checkpoints, maps
from q1net_msroi.msroi.roi.architectures import ARCHITECTURES, Architecture, build_features, build_head
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.litert import ResizableModel

SHIPPED_MODEL = checkpoints.SHIPPED / "mobilenet_v2.tflite"
SHIPPED_NAMES = checkpoints.SHIPPED / "synset_words.txt"

# Takes (1, h, w, 3) float32 RGB 0..255, gives the last residual block (1, h', w', r) and the maps before the class
# matrix (1, h', w', c).
Run = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class Network:
    """`matrix` (channels, classes) and `bias` (classes,) turn the mean of the feature maps into class scores."""

    architecture: Architecture
    run: Run
    matrix: NDArray[np.float32]
    bias: NDArray[np.float32]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Activations:
    """What the network says of a picture that was resized to `network_size` (height, width), and perhaps `turned`."""

    residual: NDArray[np.float32]
    features: NDArray[np.float32]
    network_size: tuple[int, int]
    architecture: Architecture
    turned: bool

    def place(self, values: NDArray[Any], size: tuple[int, int]) -> maps.Map:
        """Upsample values (h', w') to `size` (height, width), each where its receptive field lies in the picture."""
        placed = maps.place(values, size, self.network_size, self.architecture.stride, self.architecture.origin)
        return placed[::-1, ::-1] if self.turned else placed


def class_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read class names, one a line; of a WordNet line "n01440764 tench, Tinca tinca" the first name is taken."""
    names = []
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        first, _, rest = line.strip().partition(" ")
        wordnet = len(first) == 9 and first[0] == "n" and first[1:].isdigit()
        name = rest.split(",")[0].strip() if wordnet else line.strip()
        if name:
            names.append(name)
    return tuple(names)


def load_lite(threads: int, path: Path = SHIPPED_MODEL) -> Network:
    """Load the shipped MobileNetV2 with ImageNet's class matrix; `threads` of LiteRT; one instance a worker."""
    model = ResizableModel(path, threads)
    architecture = ARCHITECTURES["mobilenet_v2"]
    weights = checkpoints.unpack(checkpoints.SHIPPED_WEIGHTS, (checkpoints.MATRIX, checkpoints.BIAS))
    names = class_names(SHIPPED_NAMES)
    matrix, bias = weights[checkpoints.MATRIX], weights[checkpoints.BIAS]
    if len(names) != matrix.shape[1]:
        raise UserError(f"{show(SHIPPED_NAMES)} has {len(names)} names for {matrix.shape[1]} classes; restore it")

    def run(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        outputs = {output.shape[-1]: output for output in model(picture)}
        return outputs[architecture.residual_channels], outputs[architecture.channels]

    return Network(architecture, run, matrix, bias, names)


def load_tensorflow(checkpoint: str | os.PathLike[str] | None) -> Network:
    """Load a checkpoint or packed `.npz` (None: the shipped weights) for TensorFlow, and `classes.txt` beside it."""
    if checkpoint is None:
        architecture, source = ARCHITECTURES["mobilenet_v2"], show(checkpoints.SHIPPED_WEIGHTS)
        arrays = checkpoints.unpack(checkpoints.SHIPPED_WEIGHTS)
        names = class_names(SHIPPED_NAMES)
    else:
        source = show(checkpoint)
        arrays = checkpoints.load(checkpoint)
        architecture = checkpoints.architecture_of(arrays, source)
        count = arrays[checkpoints.MATRIX].shape[1]
        listed = Path(checkpoint).with_name("classes.txt")
        names = class_names(listed) if listed.is_file() else tuple(f"class {k}" for k in range(count))
        if len(names) != count:
            raise UserError(f"{show(listed)} has {len(names)} names, but the checkpoint {count} classes")
        if architecture.name == "mobilenet_v2" and "Conv/W" not in arrays:
            shipped = checkpoints.unpack(checkpoints.SHIPPED_WEIGHTS)
            arrays = {**shipped, checkpoints.BIAS: np.zeros(count, np.float32), **arrays}
    from q1net_msroi.utils.training import compiled, tf

    matrix = arrays[checkpoints.MATRIX]
    features = build_features(architecture.name, residual=True)
    checkpoints.fill(features, arrays, source)
    head = None
    if "conv6_1/W" in arrays:
        head = build_head(architecture.channels, matrix.shape[1])
        checkpoints.fill(head, arrays, source)

    @compiled
    def predict(picture: Any) -> Any:
        residual, last = features(picture, training=False)
        return residual, head(last, training=False)[0] if head else last

    def run(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        residual, last = predict(tf.constant(picture))
        return residual.numpy(), last.numpy()

    bias = arrays.get(checkpoints.BIAS, np.zeros(matrix.shape[1], np.float32))
    return Network(architecture, run, matrix, bias, names)


def analyse(network: Network, pixels: NDArray[np.uint8], long_side: int, turned: bool = False) -> Activations:
    """Run `network` over a whole picture (h, w, 3) uint8 RGB, resized to about `long_side` pixels.

    `turned`: it sees the picture turned by 180 degrees; `Activations.place` turns back.
    Both sides become multiples of the stride, so that every layer pads alike and feature maps lie where we think.
    """
    height, width = pixels.shape[:2]
    stride = network.architecture.stride
    scale = long_side / max(height, width)
    sides = [max(stride, round(side * scale / stride) * stride) for side in (width, height)]
    resized = Image.fromarray(pixels).resize((sides[0], sides[1]), Image.Resampling.BICUBIC, reducing_gap=3.0)
    seen = np.asarray(resized, np.float32)
    residual, features = network.run(np.ascontiguousarray(seen[::-1, ::-1] if turned else seen)[None])
    return Activations(residual[0], features[0], (sides[1], sides[0]), network.architecture, turned)


def class_scores(network: Network, activations: Activations) -> NDArray[np.float32]:
    """Return the score (logit) of every class: the mean of the feature maps times the class matrix."""
    return np.asarray(activations.features.mean(axis=(0, 1)) @ network.matrix + network.bias, np.float32)
