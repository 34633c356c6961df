#!/usr/bin/env python3
"""Build save/mobilenet_v2 (weights.npz, mobilenet_v2.tflite, class names, checksums) from ImageNet weights in an .npz.

The source has, for each layer, `<layer>/kernel_int8` (HWIO), `<layer>/scale` (a channel) and `<layer>/bias`, batch
normalisation folded in; the class matrix is `Logits`, 1001 classes of which 0 is background.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from q1net_msroi.msroi.roi import architectures, checkpoints, network
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError, note, run_command, show


def read_source(path: Path) -> checkpoints.Arrays:
    """Return the source's weights under our names, the background class left out."""
    try:
        source = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        raise UserError(f"{show(path)} is missing or not an .npz archive") from None
    arrays: checkpoints.Arrays = {}
    for key in (key for key in source.files if key.endswith("/kernel_int8")):
        layer = key.removesuffix("/kernel_int8")
        kernel, scale = source[key].astype(np.float32), source[f"{layer}/scale"]
        name = layer.replace("/", "_")
        arrays[f"{name}/W"] = kernel * (scale[:, None] if layer.endswith("depthwise") else scale)
        arrays[f"{name}/b"] = source[f"{layer}/bias"]
    arrays[checkpoints.MATRIX] = arrays.pop("Logits/W")[0, 0, :, 1:]
    arrays[checkpoints.BIAS] = arrays.pop("Logits/b")[1:]
    return arrays


def convert(model: Any) -> bytes:
    """Return a tf-keras model with free height and width as `.tflite`, weights in float16."""
    from q1net_msroi.utils.training import tf

    signature = [tf.TensorSpec((1, None, None, 3), tf.float32, name="picture")]

    def run(picture: Any) -> dict[str, Any]:
        residual, features = model(picture)
        return {"residual": residual, "features": features}

    concrete = tf.function(run, input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--weights", type=Path, required=True, help=".npz of int8 kernels with scales")
    parser.add_argument("--names", type=Path, required=True, help="text file of the 1000 class names, one a line")
    parser.add_argument("--save_path", type=Path, default=checkpoints.SHIPPED, help="default: save/mobilenet_v2")
    options = parser.parse_args(arguments)
    folder = files.output_folder(options.save_path)
    arrays = read_source(options.weights)
    packed = folder / checkpoints.SHIPPED_WEIGHTS.name
    checkpoints.pack(arrays, packed)
    returned = checkpoints.unpack(packed)
    worst = max(float(np.abs(returned[name] - values).max() / np.abs(values).max()) for name, values in arrays.items())
    note(f"{show(packed)}: largest change of a weight {worst:.1e} of its layer's largest")
    model = architectures.build_features("mobilenet_v2", residual=True)
    checkpoints.load_features(model, packed)
    files.write_bytes(folder / network.SHIPPED_MODEL.name, convert(model))
    with files.atomic_path(folder / network.SHIPPED_NAMES.name) as temporary:
        shutil.copyfile(options.names, temporary)
    kept = [packed.name, network.SHIPPED_MODEL.name, network.SHIPPED_NAMES.name]
    files.write_text(folder / "SHA256SUMS", "".join(f"{files.sha256(folder / name)}  {name}\n" for name in kept))
    for name in kept:
        note(f"{name}: {files.human_bytes((folder / name).stat().st_size)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("convert_mobilenet.py", main))
