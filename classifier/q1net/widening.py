"""A wider network that computes what a trained narrower one does, so that the K = 12 variant need not start at nothing.

Channels are repeated and what leaves them is shared out at random among the copies (Chen, Goodfellow, Shlens: Net2Net,
ICLR 2016): the function stays, and because copies get different shares, they learn different things from then on.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.architecture import build
from q1net_msroi.classifier.q1net.configs import MULTIPLIERS
from q1net_msroi.classifier.q1net.folding import Pair, fold, unfold
from q1net_msroi.utils.training import keras


def _copies(old: int, new: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return for each of `new` channels which of `old` ones it repeats; every old one appears."""
    extra = [random.permutation(old) for _ in range(-(-new // old) - 1)]
    return np.concatenate([np.arange(old), *extra])[:new]


def _shares(copies: NDArray[np.intp], outputs: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return (new, outputs) shares: those of the copies of one channel sum to 1 for every output."""
    values = random.uniform(0.25, 1.0, (len(copies), outputs))
    sums = np.zeros((copies.max() + 1, outputs))
    np.add.at(sums, copies, values)
    return values / sums[copies]


def widen_pairs(pairs: Sequence[Pair], width: int, seed: int) -> list[Pair]:
    """Return folded (kernel, bias) pairs of the network of `width` K; raise `ValueError` for a narrower one."""
    random = np.random.default_rng(seed)
    old = pairs[0][0].shape[-1]
    if width < old:
        raise ValueError(f"width {width} is less than {old}")
    # A stage's first convolution and the one before its sum with the skip connection must repeat the same channels.
    outputs: list[NDArray[np.intp]] = []
    for multiplier in MULTIPLIERS:
        first, *inner = (_copies(multiplier * old, multiplier * width, random) for _ in range(3))
        outputs += [first, *inner, first]
    outputs += [_copies(old, width, random), np.arange(2)]
    widened, inputs = [], np.arange(3)
    for (kernel, bias), output in zip(pairs, outputs, strict=True):
        repeated = kernel[..., inputs, :][..., output] * _shares(inputs, len(output), random)
        widened.append((repeated.astype(np.float32), bias[output]))
        inputs = output
    return widened


def widened_model(model: Any, width: int, seed: int) -> Any:
    """Return the Keras model of `width` K that predicts what the narrower `model` does.

    Its BatchNorm layers have no statistics yet, so it is to be trained with fixed ones, or after `settle_statistics`.
    """
    folded = build(width, folded=True)
    folded.set_weights([values for pair in widen_pairs(fold(model), width, seed) for values in pair])
    result = build(width)
    unfold(folded, result)
    return result


def settle_statistics(model: Any, batches: Iterable[NDArray[np.float32]]) -> None:
    """Give every BatchNorm layer the statistics of what reaches it, and scales with which it computes what it did.

    After this a training step, which normalises by its own batch, starts from about the same function.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    inputs = keras.Model(model.inputs, [layer.input for layer in layers])
    moments = [[_moments(values) for values in inputs(batch, training=False)] for batch in batches]
    for number, layer in enumerate(layers):
        mean, square = np.mean([of_batch[number] for of_batch in moments], axis=0)
        scale = layer.gamma.numpy() / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
        shift = layer.beta.numpy() - layer.moving_mean.numpy() * scale
        variance = np.maximum(square - mean**2, 0)
        layer.set_weights([scale * np.sqrt(variance + layer.epsilon), shift + mean * scale, mean, variance])


def _moments(values: Any) -> NDArray[np.float64]:
    """Return the mean and the mean square of every channel, (2, channels)."""
    channels = np.asarray(values, np.float64)
    return np.stack([channels.mean(axis=(0, 1, 2)), np.square(channels).mean(axis=(0, 1, 2))])
