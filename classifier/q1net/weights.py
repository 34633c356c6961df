"""Weights on disk: ours and the original's (Keras TensorFlow-format checkpoints under the prefix `best/`)."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.q1net.configs import CONFIGS, Config
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError, show

SAVE = files.REPOSITORY / "save"
OUT = "out/save"  # where what is made of the shipped weights goes
VARIABLES = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
FIRST_KERNEL = "layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE"
TFLITE_NAMES = {"float32": "comp_cls.tflite", "float16": "comp_cls_float16.tflite", "int8": "comp_cls_int8.tflite"}


def model_folder(config: Config, save_path: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a variant's weights: `save_path` (default: the repository's `save`) / comp_type."""
    return Path(save_path or SAVE) / config.comp_type


def add_out_path(parser: argparse.ArgumentParser) -> None:
    """Add --out_path to a command that writes beside weights; `written_folder` reads it."""
    where = f"folder of <comp_type>/ to write to (default: --save_path, or {OUT} for the weights that are shipped)"
    parser.add_argument("--out_path", help=f"{where}; then --save_path of the other commands names it")


def written_folder(config: Config, save_path: str | None, out_path: str | None) -> Path:
    """Return the folder of a variant to write to: `out_path` (default: `save_path`, or `OUT`) / comp_type.

    Where it is not the folder of the weights it gets their record and models, so that it can be used in its place. The
    shipped weights are written to only if that is asked for.
    """
    source, target = model_folder(config, save_path), Path(out_path or save_path or OUT) / config.comp_type
    if target.resolve() != source.resolve():
        files.output_folder(target)
        for path in (source / "model.json", *sorted(source.glob("*.tflite"))):
            if path.exists():
                files.write_bytes(target / path.name, path.read_bytes())
    return target


def read_card(folder: Path) -> dict[str, Any]:
    """Return what is recorded beside weights; the original's have no record: BGR, threshold of the paper."""
    path = folder / "model.json"
    card = files.read_json(path) if path.exists() else {}
    if not isinstance(card, dict):
        raise UserError(f"{show(path)} is damaged (not a record); restore it or remove it")
    return card


def update_card(folder: Path, **entries: Any) -> None:
    """Set entries of the record beside weights, and below `made_by` what made each of them."""
    from q1net_msroi.utils import results

    card = read_card(folder)
    command = results.command_line(f"classifier/{Path(sys.argv[0]).name}")
    made = results.provenance(command, "classifier", weights=sorted(folder.glob("*.tflite")))
    made_by = {**card.get("made_by", {}), **dict.fromkeys(entries, made)}
    files.write_json(folder / "model.json", {**card, **entries, "made_by": made_by})


def channel_order(folder: Path) -> str:
    """Return the channel order that weights expect, "BGR" (the original's, the default) or "RGB"."""
    return str(read_card(folder).get("channel_order", "BGR"))


def threshold(config: Config, folder: Path, kind: str = "float32") -> float:
    """Return the calibrated confidence threshold (0..100) of weights, or the paper's where none is recorded."""
    calibration = read_card(folder).get("calibration", {})
    entry = calibration.get(kind) or calibration.get("float32") or {}
    return float(entry.get("threshold", config.threshold))


def checkpoint_prefix(path: str | os.PathLike[str]) -> str:
    """Return the prefix of the checkpoint at `path`: a variant's folder, its `best` folder, or the prefix itself."""
    base = os.fspath(path).rstrip("/")
    for prefix in (f"{base}/best/", f"{base}/", base):
        index = Path(f"{prefix}.index")
        if index.is_file():
            shards = sorted(index.parent.glob(f"{index.name[: -len('.index')]}.data-*"))
            if not shards:
                raise UserError(f"{show(index)} has no data file (.data-00000-of-00001) beside it; restore it")
            for part in (index, *shards):
                files.refuse_lfs_pointer(part)
            return prefix
    raise UserError(
        f"no weights at {show(base)} (looked for best/.index and .index); train them or restore them "
        "(checkpoints lie in save/ of the repository and are not installed: --save_path)"
    )


def _open(prefix: str) -> tuple[Any, dict[str, list[int]]]:
    """Return a checkpoint's reader and the shapes of its variables; raise `UserError` when it is damaged."""
    from q1net_msroi.utils.training import tf

    try:
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        return reader, reader.get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError, UnicodeDecodeError):
        raise UserError(f"the weights {show(prefix)}.index are damaged; restore them") from None


def load(model: Any, path: str | os.PathLike[str]) -> None:
    """Load a Keras checkpoint into `model` with exact matching: every variable present, every shape equal."""
    from q1net_msroi.utils.training import tf

    prefix = checkpoint_prefix(path)
    reader, shapes = _open(prefix)
    weighted = [layer for layer in model.layers if layer.weights]
    wanted = {
        f"layer_with_weights-{number}/{name}/.ATTRIBUTES/VARIABLE_VALUE": getattr(layer, name)
        for number, layer in enumerate(weighted)
        for name in VARIABLES
        if getattr(layer, name, None) is not None
    }
    found = {key for key in shapes if key.startswith("layer_with_weights-") and ".OPTIMIZER_SLOT" not in key}
    if found != set(wanted) or any(list(shapes[key]) != value.shape.as_list() for key, value in wanted.items()):
        raise UserError(f"the weights at {show(prefix)} are of another network{_width_hint(shapes)}; check --comp_type")
    try:
        values = [(variable, reader.get_tensor(key)) for key, variable in wanted.items()]
    except (tf.errors.OpError, ValueError, IndexError):
        raise UserError(f"the weights {show(prefix)}.data-* are damaged; restore them") from None
    for variable, value in values:
        variable.assign(value)


def saved_config(path: str | os.PathLike[str]) -> Config:
    """Return the variant that the checkpoint at `path` belongs to; raise `UserError` when it is none that is known."""
    prefix = checkpoint_prefix(path)
    _, shapes = _open(prefix)
    width = shapes.get(FIRST_KERNEL, [0])[-1]
    for config in CONFIGS.values():
        if config.width == width:
            return config
    raise UserError(f"the weights at {show(prefix)} are of another network{_width_hint(shapes)}")


def _width_hint(shapes: dict[str, list[int]]) -> str:
    match shapes.get(FIRST_KERNEL):
        case [_, _, _, width]:  # a convolution, so it is a network of some width
            names = [config.comp_type for config in CONFIGS.values() if config.width == width]
            return f" (width {width}{', ' + names[0] if names else ''})"
    return ""


def load_model(config: Config, path: str | os.PathLike[str]) -> Any:
    """Return the Keras model of a variant with weights from `path`."""
    from q1net_msroi.classifier.q1net.architecture import build

    model = build(config.width)
    load(model, path)
    return model


def save(config: Config, values: list[Any], folder: Path, **record: Any) -> None:
    """Write weights (`model.get_weights()`) as `folder/best/`, swapping the whole folder in, and `record` beside it."""
    from q1net_msroi.classifier.q1net.architecture import build

    model = build(config.width)  # a model that was never compiled, so that no optimizer state is written along
    model.set_weights(values)
    best, fresh, previous = folder / "best", folder / "best.partial", folder / "best.previous"
    recover(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    model.save_weights(f"{fresh}/", save_format="tf")
    # Keras notes the absolute name of what it wrote; the files have no name but their folder's.
    (fresh / "checkpoint").write_text('model_checkpoint_path: "."\nall_model_checkpoint_paths: "."\n')
    (fresh / "val_loss.txt").write_text(f"{record['val_loss']:.6f}\n")
    if best.exists():
        best.rename(previous)
    fresh.rename(best)
    shutil.rmtree(previous, ignore_errors=True)
    update_card(folder, **record)


def write_archive(path: Path, values: Sequence[Any], record: dict[str, Any] | None = None) -> None:
    """Write weights (`model.get_weights()`) as an .npz of arrays "0", "1", ..., which any framework reads."""
    arrays: dict[str, Any] = {str(number): value for number, value in enumerate(values)}
    if record is not None:
        arrays["record"] = np.array(json.dumps(record))
    with files.atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, **arrays)


def read_archive(path: Path) -> tuple[list[NDArray[np.float32]], dict[str, Any]]:
    """Return the weights and the record (or {}) that `write_archive` wrote; raise `UserError` for another file."""
    import zipfile  # these two not at every start
    import zlib

    try:
        with np.load(path, allow_pickle=False) as stored:
            values = [stored[str(number)] for number in range(sum(name.isdigit() for name in stored.files))]
            return values, json.loads(str(stored["record"])) if "record" in stored else {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"{show(path)} is missing or not what exchange_weights.py and train_torch.py write") from None


def recover(folder: Path) -> None:
    """Bring back the previous weights when a run was killed between the two renames of `save`."""
    best, previous = folder / "best", folder / "best.previous"
    if previous.exists() and not best.exists():
        previous.rename(best)
    shutil.rmtree(previous, ignore_errors=True)


def checked_tflite(folder: Path, name: str, remedy: str) -> tuple[Path, dict[str, Any]]:
    """Return a shipped model's path and what the card says of it; raise `UserError` when its checksum differs."""
    path = folder / name
    recorded: dict[str, Any] = read_card(folder).get("tflite", {}).get(name, {})
    if recorded and path.exists() and files.sha256(path) != recorded["sha256"]:
        raise UserError(f"{show(path)} is damaged (its checksum differs); restore it or run {remedy}")
    return path, recorded


def weights_hash(folder: Path) -> str | None:
    """Return the SHA-256 of a variant's weights, None without any."""
    shard = folder / "best" / ".data-00000-of-00001"
    return files.sha256(shard) if shard.exists() else None
