"""The network that is trained: the head, with or without the features before it; its losses, scores and files."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.roi import checkpoints
from q1net_msroi.msroi.roi.architectures import build_features, build_head, get_architecture
from q1net_msroi.utils import files, hdf5, tasks
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.training import keras, tf

TEST_BATCH = 32


class Source(Protocol):
    """Training or test inputs by row."""

    labels: NDArray[np.int32]
    shape: tuple[int, int, int]

    def values(self, rows: NDArray[np.int64], draw: np.random.Generator | None) -> NDArray[np.float32]:
        """Return inputs (n, *shape), augmented when there is something to draw with."""
        ...


class Scores(NamedTuple):
    """What a network scores on a split: mean loss, and the share 0..1 of pictures whose class is among the best."""

    loss: float
    top_1: float
    top_k: float


def pooled_maps(head: Any, features: Any) -> Any:
    """Return the mean over space of the head's maps, (n, 1024), without computing `conv6` at every place.

    A linear convolution commutes with the mean: each of the nine taps sees the sum of its input over the places that
    it reaches inside the picture (SAME padding: the rest is zero). 49 times less arithmetic on 7x7 maps, same result.
    """
    maps = head.get_layer("depth")(head.get_layer("conv6_1")(features))
    height, width = tf.shape(maps)[1], tf.shape(maps)[2]

    def reach(side: Any) -> Any:
        places = tf.range(side)
        return tf.cast(tf.stack([places < side - 1, places >= 0, places > 0]), maps.dtype)

    sums = tf.einsum("nhwc,ah,bw->nabc", maps, reach(height), reach(width))
    conv6 = head.get_layer("conv6")
    kernel = tf.reshape(conv6.kernel, (-1, conv6.filters))
    flat = tf.reshape(sums, (tf.shape(sums)[0], kernel.shape[0]))
    return flat @ kernel / tf.cast(height * width, maps.dtype) + conv6.bias


def class_loss(name: str) -> Any:
    """Return the loss (labels (n,), logits (n, classes)) -> (n,): `softmax`, or `sigmoid`, summed over classes."""

    def sigmoid(labels: Any, logits: Any) -> Any:
        truth = tf.one_hot(labels, tf.shape(logits)[1])
        return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(truth, logits), axis=1)

    return sigmoid if name == "sigmoid" else tf.nn.sparse_softmax_cross_entropy_with_logits


def rank(logits: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how many classes score at least as much as the true one, (n,); ties and NaN count against it."""
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    return np.asarray((~(logits < own)).sum(axis=1) - 1)


def score(predict: Any, loss: str, source: Source, top_k: int, workers: int | None = None) -> Scores:
    """Score `predict` (inputs -> logits) on a split, every picture once, not augmented."""
    total, labels = np.zeros(3), source.labels
    rows = [np.arange(n, min(n + TEST_BATCH, len(labels))) for n in range(0, len(labels), TEST_BATCH)]
    values = tasks.ordered_map(lambda chosen: source.values(chosen, None), rows, workers)
    for chosen, inputs in zip(rows, values, strict=True):
        truth = labels[chosen]
        logits = predict(tf.constant(inputs))
        place = rank(logits.numpy(), truth)
        losses = class_loss(loss)(tf.constant(truth), logits).numpy()
        total += [losses.sum(), (place == 0).sum(), (place < top_k).sum()]
    return Scores(*(total / len(labels)).tolist())


def load_vgg(features: Any, source: str) -> None:
    """Fill VGG16 features from the Keras no-top file `source`; `imagenet` lets Keras download it."""
    if source != "imagenet":
        hdf5.open_given(source, "give the Keras no-top VGG16 file, or imagenet to download it").close()
    try:
        filled = keras.applications.VGG16(include_top=False, weights=source)
    except Exception as error:  # h5py, Keras and the network each raise their own
        reason = show((str(error) or type(error).__name__).splitlines()[0][:150])
        raise UserError(f"{show(source)} does not give VGG16's no-top weights ({reason})") from None
    features.set_weights(filled.get_weights())


def make_features(arch: str, vgg_weights: str | None) -> Any:
    """Build the feature half with its ImageNet weights (for vgg16: those of `vgg_weights`, else random ones)."""
    features = build_features(arch)
    if arch == "mobilenet_v2":
        checkpoints.load_features(features)
    elif vgg_weights:
        load_vgg(features, vgg_weights)
    return features


def features_key(arch: str, vgg_weights: str | None, size: int) -> str:
    """Return what decides the features of a picture, as the cache's key."""
    source = vgg_weights if arch == "vgg16" else str(checkpoints.SHIPPED_WEIGHTS)
    content = files.sha256(source) if source and Path(source).is_file() else source
    return f"{arch} {content} {size}"


class Network:
    """The head, with the features before it unless these are frozen; called with (inputs, seeds) it gives logits."""

    def __init__(self, arch: str, labels: int, features: Any, frozen: bool, dropout: float = 0.0) -> None:
        """`features` is the feature half; when it is `frozen`, inputs are its outputs instead of pictures."""
        self.backbone, self.features = features, None if frozen else features
        self.head = build_head(get_architecture(arch).channels, labels)
        self.dropout, self._arch = dropout, arch
        halves = [self.head] if frozen else [features, self.head]
        self.trainable_variables = [variable for half in halves for variable in half.trainable_variables]

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """Return logits (n, labels); in training a share of the pooled maps, drawn from the first seed, is left out."""
        values, seeds = inputs
        maps = values if self.features is None else self.features(values, training=training)
        pooled = pooled_maps(self.head, maps)
        if training and self.dropout:
            pooled = tf.nn.experimental.stateless_dropout(pooled, self.dropout, seed=seeds[0])
        return self.head.get_layer("GAP")(pooled)

    def load(self, arrays: checkpoints.Arrays, source: str) -> None:
        """Take the weights of a checkpoint; those of the features only where it has them and they are not frozen."""
        checkpoints.fill(self.head, arrays, source)
        if self.features is not None and any(name.startswith(("Conv/", "conv1_1/")) for name in arrays):
            checkpoints.fill(self.features, arrays, source)

    def arrays(self) -> checkpoints.Arrays:
        """Return all weights by name; shipped features are left out where they were not trained."""
        head = checkpoints.named(self.head)
        if self.features is None and self._arch == "mobilenet_v2":
            return head
        return {**checkpoints.named(self.backbone), **head}


def write_model(path: Path, arrays: checkpoints.Arrays) -> None:
    """Write a checkpoint in the original's one-file format (V1), whole or not at all."""
    names = sorted(arrays)
    with files.atomic_path(path) as temporary:
        tf.raw_ops.Save(filename=str(temporary), tensor_names=names, data=[tf.constant(arrays[n]) for n in names])
