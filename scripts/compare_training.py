#!/usr/bin/env python3
"""What makes the network more accurate? Short trainings at equal patch steps that differ in one thing each.

From scratch, the first hundred thousand patches leave the network at chance; so all start from the same weights.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import get_config
from q1net_msroi.utils import files, images, results
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError, run_command

if TYPE_CHECKING:
    from q1net_msroi.classifier.q1net.photographs import Batch, PatchSource

SHOWN = Path("classifier", "results", "training_comparisons.json")  # the record that the repository shows
VALIDATION_PATCHES = 10_000
Values = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """One training. `photographs` is the share of them used; `high_qualities` how often those above 50 come."""

    name: str
    aligned_share: float = 0.5
    augment: bool = True
    batch_size: int = 256
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    average_weights: float = 0.0
    photographs: float = 1.0
    high_qualities: float = 1.0
    seed: int = 0


VARIANTS = (
    Variant("reference"),
    Variant("reference, another seed", seed=1),
    Variant("all patches on the block grid", aligned_share=1.0),
    Variant("no patch on the block grid by choice", aligned_share=0.0),
    Variant("no augmentation before the compression", augment=False),
    Variant("constant learning rate", schedule="constant"),
    Variant("batches of 1024", batch_size=1024),
    Variant("a third of the learning rate", learning_rate=3e-4),
    Variant("three times the learning rate", learning_rate=3e-3),
    Variant("Muon in place of Adam", optimizer="muon"),
    Variant("averaged weights (0.98)", average_weights=0.98),
    Variant("a quarter of the photographs", photographs=0.25),
    Variant("qualities above 50 twice as often", high_qualities=2.0),
)
START = Variant("no training: where all start")


@dataclass
class Sampled:
    """A source whose patches above quality 50 come `high_qualities` times as often as the others."""

    source: PatchSource
    high_qualities: float
    batch_size: int

    def batches(self, epoch: int, start: int, stop: int) -> Iterator[Batch]:
        """Yield batches drawn from twice as many of the source's."""
        random = np.random.default_rng([epoch, start])
        drawn = self.source.batches(epoch, 2 * start, 2 * stop)
        for (first, q1), (second, q2) in zip(drawn, drawn, strict=True):
            qualities = np.concatenate([q1, q2])
            weight = np.where(qualities > 50, self.high_qualities, 1.0)
            chosen = random.choice(len(qualities), self.batch_size, replace=False, p=weight / weight.sum())
            yield np.concatenate([first, second])[chosen], qualities[chosen]


def train(variant: Variant, photographs: Sequence[Any], validation: Values, options: argparse.Namespace) -> Values:
    """Train one variant for `options.patch_steps` patches; return its losses."""
    from q1net_msroi.classifier.q1net.photographs import PatchSource
    from q1net_msroi.classifier.q1net.training import PatchTask, Settings
    from q1net_msroi.utils.loop import Run
    from q1net_msroi.utils.training import keras

    keras.backend.clear_session()
    used = photographs[: max(1, round(len(photographs) * variant.photographs))]
    source = PatchSource(used, variant.batch_size, variant.seed, variant.aligned_share, augment=variant.augment)
    drawn = Sampled(source, variant.high_qualities, variant.batch_size) if variant.high_qualities != 1 else source
    steps = options.patch_steps // variant.batch_size
    fixed = {"comp_type": "jpeg_paper", "base_weights": options.base_weights, "data": "photographs", "epochs": 1}
    course = {"steps_per_epoch": steps, "warmup_steps": steps // 20}
    settings = flags.settings(Settings, argparse.Namespace(**asdict(variant)), **fixed, **course)
    with tempfile.TemporaryDirectory() as folder:
        task = PatchTask(settings, drawn, validation[""], Path(folder) / "save", Path(folder) / "out")
        run = Run(task)
        if run.train(checkpoint_steps=steps, restart=True, overwrite=True):
            raise KeyboardInterrupt
        task.load_best()
        return _row(variant, steps * variant.batch_size, run.predict, validation)


def _row(variant: Variant, patch_steps: int, predict: Callable[[Any], Any], validation: Values) -> Values:
    """Return a row of the record."""
    from q1net_msroi.classifier.q1net.training import validate

    row = {**asdict(variant), "patch_steps": patch_steps}
    for kind, batches in validation.items():
        loss, error = validate(predict, batches)
        row |= {f"{kind}loss": round(loss, 3), f"{kind}mae": round(error, 3)}
    return row


def start(validation: Values, options: argparse.Namespace) -> Values:
    """Return the losses of the weights that all trainings start from."""
    model = weights.load_model(get_config("jpeg_paper"), options.base_weights)
    return _row(START, options.patch_steps, lambda patches: model(patches, training=False), validation)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the record does not hold yet."""
    parser = argparse.ArgumentParser(prog="compare_training.py", description=__doc__)
    add = parser.add_argument
    flags.in_path(parser, "folder of never-compressed photographs to train on")
    add("--val_path", required=True, help="folder of others to validate on")
    add("--base_weights", default="save/jpeg_paper", help="where all start (default: %(default)s)")
    add("--patch_steps", type=int, default=25_600, help="patches of a training (default: %(default)s)")
    results.out_flags(parser, SHOWN)
    options = parser.parse_args(arguments)
    if options.patch_steps < max(variant.batch_size for variant in VARIANTS):
        raise UserError(f"--patch_steps {options.patch_steps} is less than a batch")
    from q1net_msroi.classifier.q1net.photographs import load_photographs, validation_batches

    photographs = load_photographs(images.find_images(options.in_path))
    validation = {  # at all offsets, and on the block grid
        kind: validation_batches(options.val_path, VALIDATION_PATCHES, aligned_share=share)
        for kind, share in (("", 0.0), ("aligned_", 1.0))
    }
    # What was measured by other code, weights or photographs is measured again, never relabelled.
    base = weights.weights_hash(Path(options.base_weights))
    code = results.code_identity("classifier", options.patch_steps, base, len(photographs))
    kept = files.read_json(options.out) if options.out.exists() else {}
    rows = kept["result"] if kept.get("code") == results.code_hash("utils", "classifier") else []
    rows = [row for row in rows if row.get("code") == code]
    for variant in (*VARIANTS, START):
        if any(asdict(variant).items() <= row.items() for row in rows):
            continue
        row = start(validation, options) if variant is START else train(variant, photographs, validation, options)
        rows.append({**row, "code": code})
        print(f"{variant.name:40} loss {row['loss']:.2f}, aligned {row['aligned_loss']:.2f}", flush=True)
        made = results.provenance(results.command_line("scripts/compare_training.py", arguments), "classifier")
        results.record(options.out, made, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("compare_training.py", main))
