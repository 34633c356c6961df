#!/usr/bin/env python3
"""Pack the head of a checkpoint of msroi/train.py (int8 kernels) with its class names, as it is shipped.

usage: pack_head.py CHECKPOINT FOLDER    writes FOLDER/head.npz and FOLDER/classes.txt
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.msroi.roi import architectures, checkpoints
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXIT_OK, UserError, run_command, show


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) != 2:
        raise UserError("usage: pack_head.py CHECKPOINT FOLDER")
    source, names = Path(words[0]), Path(words[0]).with_name("classes.txt")
    arrays = checkpoints.load(source)
    layers = architectures.head_layers(checkpoints.architecture_of(arrays, show(source)).channels)
    kept = {layer.name for layer in layers} | {checkpoints.MATRIX.partition("/")[0]}
    content = names.read_bytes()
    folder = files.output_folder(words[1])
    checkpoints.pack(
        {name: array for name, array in arrays.items() if name.partition("/")[0] in kept}, folder / "head.npz"
    )
    files.write_bytes(folder / "classes.txt", content)
    print(f"{show(folder / 'head.npz')}: {(folder / 'head.npz').stat().st_size:,} bytes")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("pack_head.py", main))
