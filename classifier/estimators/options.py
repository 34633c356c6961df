"""The flags that say how an estimator answers, the same in every command that asks one, and the settings they make."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass

from q1net_msroi.classifier.q1net import fusion, patches
from q1net_msroi.classifier.q1net.configs import CONFIGS
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError

BACKENDS = ("float32", "float16", "int8", "tf")


@dataclass(frozen=True)
class Asked:
    """What a person asked for: the flags of `add_model_options`, --explain and --tables by their names.

    None means the default of the estimator or of its weights; `threads` is how many threads one estimate may use.
    """

    comp_type: str = "jpeg_paper"
    save_path: str | None = None
    backend: str = "float32"
    threads: int = 1
    threshold: float | None = None
    fusion: str | None = None
    patches: str | None = None
    find_grid: bool = False
    uncorrected: bool = False
    explain: bool = False
    tables: bool = False

    def __post_init__(self) -> None:
        """Raise `UserError` for what no estimator can do."""
        choices = {"backend": BACKENDS, "fusion": (None, *fusion.RULES), "patches": (None, *patches.CHOICES)}
        for name, known in choices.items():
            if (given := getattr(self, name)) not in known:
                raise UserError(f"unknown --{name} {given}; known are {', '.join(filter(None, known))}")
        if self.threads < 1:
            raise UserError(f"threads {self.threads}: at least 1 is needed")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise UserError(f"--threshold {self.threshold} is no number; give a confidence, 0..100")


def add_model_options(
    parser: argparse.ArgumentParser, kinds: Mapping[str, str] | None = None, default: str = "default: %(default)s"
) -> None:
    """Add --comp_type, --backend, --save_path and --workers.

    `kinds` says of every estimator to choose from what it is; without it the choice is among the networks. `default` is
    what is said of the default among them.
    """
    known = {name: "a variant of the network" for name in CONFIGS} if kinds is None else kinds
    described = "; ".join(f"{name}: {what}" for name, what in known.items())
    chosen = f"{described} ({default})"
    parser.add_argument("--comp_type", default=Asked.comp_type, help=chosen, choices=list(known))
    flags.flag(parser, "--backend", Asked.backend, "LiteRT model, or tf for the checkpoint", choices=BACKENDS)
    parser.add_argument("--save_path", help="folder of <comp_type>/ with the weights (default: the repository's save)")
    flags.workers(parser)


def add_patch_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which patches a network looks at and how they make one answer."""
    add = parser.add_argument
    add("--threshold", type=float, help="confidence (0..100) a patch must exceed (default: the weights' own)")
    rule = "from confident patches to one answer (default: the paper's median; auto: the best on validation)"
    add("--fusion", choices=list(fusion.RULES), help=rule)
    places = "on the original's grid, or the most textured of each cell (default: grid; auto: the best on validation)"
    add("--patches", choices=list(patches.CHOICES), help=places)
    phase = "find the grid of 8x8 blocks from the pixels first (crops and screenshots; auto does so by itself)"
    add("--find_grid", action="store_true", help=phase)
    as_is = "the fused answer of the patches as it is, without the correction measured on validation photographs"
    add("--uncorrected", action="store_true", help=as_is)
