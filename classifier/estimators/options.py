"""The flags that say which estimator answers and how: the same in every command that asks one."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from q1net_msroi.classifier.baselines.configs import BASELINES
from q1net_msroi.classifier.q1net import fusion, patches
from q1net_msroi.classifier.q1net.configs import CONFIGS

BACKENDS = ("float32", "float16", "int8", "tf")
LATTICE, HEADER, AUTO = "jpeg_lattice", "jpeg_header", "auto"
COMP_TYPES = (*CONFIGS, LATTICE, HEADER, AUTO, *BASELINES)


@dataclass(frozen=True)
class Asked:
    """What a person asked for; None means the default of the estimator or of its weights."""

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


def add_model_options(parser: argparse.ArgumentParser, threshold: bool = True, every: bool = False) -> None:
    """Add --comp_type, --backend, --save_path, --workers and, unless they are what is looked for, how patches count.

    `every` offers all estimators, not only the networks.
    """
    parser.add_argument(
        "--comp_type",
        default="jpeg_paper",
        choices=COMP_TYPES if every else list(CONFIGS),
        help="variant of the network"
        + (
            ", jpeg_lattice (the quantisation lattice), jpeg_header (what a JPEG file says of itself), auto (the best "
            "evidence of all) or a baseline to compare with: block_corners, mobilenet_v2"
            if every
            else ""
        )
        + " (default: %(default)s)",
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
        parser.add_argument(
            "--fusion",
            choices=list(fusion.RULES),
            help="from confident patches to one answer (default: the paper's median; auto: the best on validation)",
        )
        parser.add_argument(
            "--patches",
            choices=list(patches.CHOICES),
            help="where the patches lie: the original's grid, or the most textured place of each cell of it "
            "(default: grid; auto: the best on validation)",
        )
        parser.add_argument(
            "--find_grid",
            action="store_true",
            help="find the grid of 8x8 blocks from the pixels first (crops and screenshots; auto does so by itself)",
        )
        parser.add_argument(
            "--uncorrected",
            action="store_true",
            help="the fused answer of the patches as it is, without the correction measured on validation photographs",
        )
    parser.add_argument("--workers", type=int, help="threads (default: the cores of this machine)")


def asked(options: argparse.Namespace, threads: int = 1) -> Asked:
    """Return what the flags of `add_model_options` ask for."""
    return Asked(
        options.comp_type,
        options.save_path,
        options.backend,
        threads,
        getattr(options, "threshold", None),
        getattr(options, "fusion", None),
        getattr(options, "patches", None),
        getattr(options, "find_grid", False),
        getattr(options, "uncorrected", False),
        getattr(options, "explain", False),
    )
