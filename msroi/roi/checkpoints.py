"""Weights in files: the shipped ones, and TensorFlow checkpoints with the names of the original (V1 or V2 format).

A checkpoint holds `<layer>/W`, `<layer>/b` for every convolution of `architectures`, and `GAP/W`, the class matrix. One
that holds only the head (`conv6_1`, `depth`, `conv6`, `GAP`) goes with the shipped features.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.roi import architectures
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError, show

SHIPPED = files.REPOSITORY / "save" / "mobilenet_v2"
SHIPPED_WEIGHTS = SHIPPED / "weights.npz"
MATRIX = "GAP/W"
BIAS = "GAP/b"
SCALE = ":scale"

Arrays = dict[str, NDArray[np.float32]]


def pack(arrays: Arrays, path: str | os.PathLike[str]) -> None:
    """Write `arrays` (.npz), kernels as int8 with a scale a channel; those quantised so before come back exactly."""
    packed: dict[str, NDArray[Any]] = {}
    for name, values in arrays.items():
        if values.ndim < 2:
            packed[name] = values.astype(np.float32)
            continue
        flat = values.reshape(-1, values.shape[-2] * values.shape[-1]) if _depthwise(name) else values
        largest = np.abs(flat).reshape(-1, flat.shape[-1]).max(axis=0)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        packed[name] = np.rint(flat / scale).astype(np.int8).reshape(values.shape)
        packed[f"{name}{SCALE}"] = scale
    with files.atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **packed)


def unpack(path: str | os.PathLike[str], only: Collection[str] = ()) -> Arrays:
    """Read what `pack` wrote as float32 (of `only` these names); raise `UserError` for a missing or damaged file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            chosen = [name for name in archive.files if not only or name.removesuffix(SCALE) in only]
            stored = {name: archive[name] for name in chosen}
    except FileNotFoundError:
        raise UserError(f"{show(path)} is missing; restore it from the repository") from None
    except Exception:  # zipfile, zlib and NumPy each raise their own
        raise UserError(f"{show(path)} is damaged (not an .npz archive); restore it from the repository") from None
    arrays = {}
    for name, values in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(f"{name}{SCALE}")
        if scale is not None and _depthwise(name):
            scale = scale.reshape(values.shape[-2:])
        arrays[name] = values.astype(np.float32) if scale is None else values.astype(np.float32) * scale
    return arrays


def _depthwise(name: str) -> bool:
    return name.endswith("depthwise/W") or name == "depth/W"


def _layers(model: Any) -> list[Any]:
    """Return the layers of `model` and of the models inside it that have weights."""
    found = []
    for layer in model.layers:
        if hasattr(layer, "layers"):
            found += _layers(layer)
        elif layer.weights:
            found.append(layer)
    return found


def named(model: Any) -> Arrays:
    """Return the weights of a tf-keras model built by `architectures` under the original's names."""
    return {
        f"{layer.name}/{letter}": values
        for layer in _layers(model)
        for letter, values in zip("Wb", layer.get_weights(), strict=False)
    }


def fill(model: Any, arrays: Arrays, source: str) -> None:
    """Put `arrays` into a tf-keras model of `architectures`; raise `UserError`, naming `source`, where one is unfit."""
    for layer in _layers(model):
        names = [f"{layer.name}/{letter}" for letter in "Wb"][: len(layer.weights)]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise UserError(f"{source} lacks {missing[0]}; it is not a checkpoint of this network")
        values = [arrays[name] for name in names]
        for name, value, weight in zip(names, values, layer.weights, strict=True):
            if tuple(value.shape) != tuple(weight.shape):
                shapes = f"{tuple(value.shape)} instead of {tuple(weight.shape)}"
                raise UserError(f"{source}: {name} has shape {shapes}; it belongs to another network")
        layer.set_weights(values)


def load_features(model: Any, path: str | os.PathLike[str] = SHIPPED_WEIGHTS) -> None:
    """Fill MobileNetV2 features built by `architectures.build_features` with the shipped ImageNet weights."""
    fill(model, unpack(path), show(path))


def load(path: str | os.PathLike[str]) -> Arrays:
    """Read a checkpoint of train.py or of the original, or a packed `.npz`; raise `UserError` as `read` does."""
    if Path(path).suffix != ".npz":
        return read(path)
    arrays = unpack(path)
    if MATRIX not in arrays:
        raise UserError(f"{show(path)} holds no class matrix {MATRIX}; it is not of an MSROI network")
    return arrays


def read(path: str | os.PathLike[str]) -> Arrays:
    """Read a TensorFlow checkpoint: one file (V1) or the prefix of `.index` and `.data-*` (V2; either name works too).

    A common leading scope, optimizer slots and counters do no harm. Raises `UserError` where it is missing or damaged.
    """
    prefix = _prefix(path)
    from q1net_msroi.utils.training import tf

    try:
        reader = tf.compat.v1.train.NewCheckpointReader(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        arrays = {name: np.asarray(reader.get_tensor(name), np.float32) for name in shapes if name[-2:] in ("/W", "/b")}
    except (tf.errors.OpError, ValueError, RuntimeError):
        raise UserError(f"{show(path)} is damaged or not a TensorFlow checkpoint; restore it from its source") from None
    scope = next((name[: -len(MATRIX)] for name in arrays if name.endswith(MATRIX)), None)
    if scope is None:
        raise UserError(f"{show(path)} holds no class matrix {MATRIX}; it is not a checkpoint of an MSROI network")
    return {name[len(scope) :]: values for name, values in arrays.items() if name.startswith(scope)}


def _prefix(path: str | os.PathLike[str]) -> Path:
    prefix = Path(path)
    if prefix.is_dir():
        raise UserError(f"{show(path)} is a folder; give the checkpoint itself, like {show(prefix)}/model-50")
    if prefix.suffix == ".index" or ".data-" in prefix.name:
        prefix = prefix.with_name(prefix.name.split(".index" if prefix.suffix == ".index" else ".data-")[0])
    index = prefix.with_name(prefix.name + ".index")
    found = prefix if prefix.is_file() else index
    if not found.is_file():
        raise UserError(f"{show(path)} does not exist, nor {show(index)}; give a checkpoint like models/model-50")
    files.refuse_lfs_pointer(found)
    return prefix


def architecture_of(arrays: Arrays, source: str) -> architectures.Architecture:
    """Return the architecture whose features a checkpoint's head was trained on."""
    kernel = arrays.get("conv6_1/W")
    known = {a.channels: a for a in architectures.ARCHITECTURES.values()}
    if kernel is None or kernel.ndim != 4 or kernel.shape[2] not in known:
        raise UserError(f"{source} holds no kernel conv6_1/W that fits {' or '.join(a.name for a in known.values())}")
    return known[kernel.shape[2]]
