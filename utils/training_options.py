"""The flags of every training, each declared once, and the settings that are made of them; no TensorFlow here."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from q1net_msroi.utils.errors import UserError


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Everything that decides what a training computes; a family adds its own fields. `FLAGS` explains them."""

    data: str
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "adam"
    momentum: float = 0.9
    epsilon: float = 1e-7
    schedule: str = "cosine"
    warmup_steps: int = 0
    average_weights: float = 0.0
    statistics_batches: int = 0
    base_weights: str | None = None
    seed: int = 0
    strategy: str = "none"


class Flag(NamedTuple):
    """One flag: its type, what it means, and which values make sense (a key of `SENSE`)."""

    kind: Callable[[str], Any]
    what: str
    sense: str = ""
    choices: Sequence[str] | None = None


SENSE: dict[str, Callable[[float], bool]] = {
    "must be positive": lambda value: value > 0,
    "must not be negative": lambda value: value >= 0,
    "lies in 0..1": lambda value: 0 <= value <= 1,
    "lies in 0..1 (below 1)": lambda value: 0 <= value < 1,
}
POSITIVE, FROM_0, SHARE, BELOW_1 = SENSE
FLAGS = {
    "epochs": Flag(int, "times through the data, or through --steps_per_epoch of it", POSITIVE),
    "n_epochs": Flag(int, "times through the data", POSITIVE),
    "steps_per_epoch": Flag(int, "steps of an epoch", POSITIVE),
    "batch_size": Flag(int, "examples a step", POSITIVE),
    "learning_rate": Flag(float, "learning rate at its highest", POSITIVE),
    "momentum": Flag(float, "of plain descent; Adam's first beta", BELOW_1),
    "epsilon": Flag(float, "Adam's", POSITIVE),
    "schedule": Flag(str, "course of the learning rate", choices=("constant", "cosine")),
    "warmup_steps": Flag(int, "steps in which the learning rate rises from 0", FROM_0),
    "average_weights": Flag(float, "momentum of an average of the weights to evaluate and save; 0: none", BELOW_1),
    "statistics_batches": Flag(int, "batches to gather BatchNorm's statistics over; 0: those of training", FROM_0),
    "aligned_share": Flag(float, "share of a photograph's patches on the block grid, others at any offset", SHARE),
    "seed": Flag(int, "of everything random", FROM_0),
    "strategy": Flag(str, "of tf.distribute; multi_worker reads TF_CONFIG", "", ("none", "mirrored", "multi_worker")),
    "checkpoint_steps": Flag(int, "steps between two saved states", POSITIVE),
    "threads": Flag(int, "threads of TensorFlow; 0: as many as there are cores", FROM_0),
    "validation_patches": Flag(int, "patches that a --val_path gives", POSITIVE),
    "validation_crops": Flag(int, "crops that --val_path gives", POSITIVE),
}


def add_flags(parser: argparse._ActionsContainer, **defaults: Any) -> None:
    """Add the flags named by `defaults`, with these defaults."""
    for name, default in defaults.items():
        kind, what, _, choices = FLAGS[name]
        said = f"{what} (default: {'all there are' if default is None else '%(default)s'})"
        parser.add_argument(f"--{name}", type=kind, default=default, choices=choices, help=said)


def add_restart(parser: argparse._ActionsContainer, where: str) -> None:
    """Add --restart; `where` is the folder of the state."""
    parser.add_argument("--restart", action="store_true", help=f"forget an unfinished run in {where}")


def check_flags(options: argparse.Namespace) -> None:
    """Raise `UserError` for a value that makes no sense."""
    for name, flag in FLAGS.items():
        value = getattr(options, name, None)
        if value is not None and flag.sense and not SENSE[flag.sense](value):
            raise UserError(f"--{name} {flag.sense}")
