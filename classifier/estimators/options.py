"""The flags that say which model answers: the same in every command that asks one."""

from __future__ import annotations

import argparse

from classifier.estimators.network import BACKENDS
from classifier.q1net.configs import CONFIGS


def add_model_options(parser: argparse.ArgumentParser, threshold: bool = True) -> None:
    """Add --comp_type, --backend, --save_path, --workers and, unless it is what is looked for, --threshold."""
    parser.add_argument(
        "--comp_type", default="jpeg_paper", choices=list(CONFIGS), help="variant (default: %(default)s)"
    )
    parser.add_argument(
        "--backend",
        default="float32",
        choices=BACKENDS,
        help="LiteRT model, or tf for the checkpoint (default: %(default)s)",
    )
    parser.add_argument(
        "--save_path", help="folder that holds <comp_type>/ with the weights (default: the repository's save)"
    )
    if threshold:
        parser.add_argument(
            "--threshold", type=float, help="confidence (0..100) a patch must exceed (default: the weights' own)"
        )
    parser.add_argument("--workers", type=int, help="threads (default: the cores of this machine)")
