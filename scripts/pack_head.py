#!/usr/bin/env python3
"""Pack the head of a checkpoint of msroi/train.py (int8 kernels) with its class names, as it is shipped.
The class names are read from classes.txt beside the checkpoint.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.msroi.roi import architectures, checkpoints
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXIT_OK, run_command, show


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="pack_head.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path, help="model-N of msroi/train.py, or an .npz")
    parser.add_argument("folder", help="where head.npz and classes.txt are written")
    options = parser.parse_args(arguments)
    source: Path = options.checkpoint
    arrays = checkpoints.load(source)
    layers = architectures.head_layers(checkpoints.architecture_of(arrays, show(source)).channels)
    kept = {layer.name for layer in layers} | {checkpoints.MATRIX.partition("/")[0]}
    content = source.with_name("classes.txt").read_bytes()
    packed = files.output_folder(options.folder) / "head.npz"
    checkpoints.pack({name: array for name, array in arrays.items() if name.partition("/")[0] in kept}, packed)
    files.write_bytes(packed.with_name("classes.txt"), content)
    print(f"{show(packed)}: {packed.stat().st_size:,} bytes")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("pack_head.py", main))
