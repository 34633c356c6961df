#!/usr/bin/env python3
"""Take the network's weights from TensorFlow's checkpoint to the .npz that `train_torch.py` reads, and back.

The .npz holds the arrays in the order of the Keras model's `get_weights()`, named "0", "1", ...
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import CONFIGS, get_config
from q1net_msroi.utils import images
from q1net_msroi.utils.errors import UserError, note, run_command, show

VALIDATION_PATCHES = 20_000  # as train.py and train_torch.py
TOLERANCE = 0.02  # in units of the loss, between what both frameworks find on the same patches


def unpack(archive: Path, comp_type: str, folder: Path, val_path: str) -> None:
    """Validate the weights of `archive` in TensorFlow and save them as the checkpoint of `folder`."""
    from q1net_msroi.classifier.q1net.architecture import build
    from q1net_msroi.classifier.q1net.photographs import validation_batches
    from q1net_msroi.classifier.q1net.training import CHANNEL_ORDER, validate

    config = get_config(comp_type)
    values, record = weights.read_archive(archive)
    model = build(config.width)
    try:
        model.set_weights(values)
    except ValueError:
        raise UserError(f"{show(archive)} holds weights of another network than {comp_type}") from None
    loss, error = validate(lambda batch: model(batch, training=False), validation_batches(val_path, VALIDATION_PATCHES))
    note(f"TensorFlow finds a validation loss of {loss:.4f} (quality error {error:.4f})")
    before = weights.read_card(folder)
    if loss >= before.get("val_loss", math.inf):
        raise UserError(f"the weights at {show(folder)} are better ({before['val_loss']}) and were kept")
    found = record.pop("val_loss", None)
    if found is not None and abs(found - loss) > TOLERANCE:
        raise UserError(f"{show(archive)} claims a validation loss of {found:.4f}; one of the two frameworks is wrong")
    earlier = [*before.get("earlier_runs", []), *([before["trained"]] if "trained" in before else [])]
    weights.save(
        config, values, folder, comp_type=comp_type, channel_order=CHANNEL_ORDER, val_loss=round(loss, 5),
        trained=record, earlier_runs=earlier,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    parser = argparse.ArgumentParser(prog="exchange_weights.py", description=__doc__)
    parser.add_argument("direction", choices=("pack", "unpack"), help="checkpoint to .npz, or back")
    parser.add_argument("archive", type=Path, help="the .npz")
    parser.add_argument("--comp_type", default="jpeg_paper", choices=list(CONFIGS), help="default: %(default)s")
    parser.add_argument("--weights", type=Path, help="folder of the checkpoint (default: save/<comp_type>)")
    parser.add_argument("--val_path", help="unpack: folder of photographs to validate on")
    options = parser.parse_args(arguments)
    folder = options.weights or weights.model_folder(get_config(options.comp_type))
    if options.direction == "pack":
        config = get_config(options.comp_type)
        weights.write_archive(options.archive, weights.load_model(config, folder).get_weights())
    else:
        if not options.val_path:
            raise UserError("give --val_path FOLDER: weights are saved only with the loss that TensorFlow finds")
        images.find_images(options.val_path)
        unpack(options.archive, options.comp_type, folder, options.val_path)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("exchange_weights.py", main))
