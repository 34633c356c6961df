"""Every estimator by its --comp_type, as data."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from q1net_msroi.classifier.baselines.configs import BASELINES
from q1net_msroi.classifier.estimators.options import AUTO, COMP_TYPES, HEADER, LATTICE, Asked
from q1net_msroi.classifier.estimators.result import Estimate, Estimator, FileEstimator
from q1net_msroi.classifier.q1net.configs import AREA, CONFIGS, get_config
from q1net_msroi.utils import images, tasks
from q1net_msroi.utils.errors import UserError


@dataclass(frozen=True)
class Kind:
    """How to make an estimator, and the shortest side in pixels of a picture that it takes."""

    make: Callable[[Asked], Estimator]
    minimum_side: int


def _network(asked: Asked) -> Estimator:
    from q1net_msroi.classifier.estimators.network import NetworkEstimator

    return NetworkEstimator(
        get_config(asked.comp_type),
        asked.save_path,
        asked.backend,
        asked.threads,
        asked.threshold,
        asked.fusion or "median",
        asked.patches or "grid",
        asked.find_grid,
        asked.uncorrected,
    )


def _lattice(_: Asked) -> Estimator:
    from q1net_msroi.classifier.estimators.lattice import LatticeEstimator

    return LatticeEstimator()


def _header(_: Asked) -> Estimator:
    from q1net_msroi.classifier.estimators.header import HeaderEstimator

    return HeaderEstimator()


def _auto(asked: Asked) -> Estimator:
    from q1net_msroi.classifier.estimators.auto import AutoEstimator

    return AutoEstimator(asked)


def _baseline(asked: Asked) -> Estimator:
    from q1net_msroi.classifier.baselines.estimator import BaselineEstimator

    baseline = BASELINES[asked.comp_type]
    if asked.backend != "float32":
        raise UserError(f"--backend {asked.backend}: {asked.comp_type} comes as float32 only")
    return BaselineEstimator(baseline, asked.save_path, asked.threads, asked.find_grid)


KINDS: dict[str, Kind] = {
    **dict.fromkeys(CONFIGS, Kind(_network, AREA)),
    LATTICE: Kind(_lattice, 1),
    HEADER: Kind(_header, 1),
    AUTO: Kind(_auto, 1),
    **{name: Kind(_baseline, baseline.side) for name, baseline in BASELINES.items()},
}


def get_kind(comp_type: str) -> Kind:
    """Return the entry of a `--comp_type`; raise `UserError` that lists the known ones."""
    if comp_type not in KINDS:
        raise UserError(f"unknown --comp_type {comp_type}; known are {', '.join(COMP_TYPES)}")
    return KINDS[comp_type]


def load(asked: Asked) -> Estimator:
    """Make the estimator; raise `UserError` when files of a model are missing or damaged. One a thread."""
    return get_kind(asked.comp_type).make(asked)


def estimate_file(
    estimator: Estimator, path: str | os.PathLike[str], picture: images.Picture, fallback: float | None = None
) -> Estimate:
    """Return the answer for a file whose pixels were read; `fallback` takes the place of an unknown quality."""
    estimate = (
        estimator.estimate_file(path, picture.pixels)
        if isinstance(estimator, FileEstimator)
        else estimator.estimate(picture.pixels)
    ).with_tie_interval()
    return replace(estimate, quality=fallback) if estimate.quality is None and fallback is not None else estimate


def estimate_path(asked: Asked, fallback: float | None, path: str | os.PathLike[str]) -> Estimate:
    """Read a picture and return the answer for it, by an estimator that each thread loads once.

    Raises `UserError` for a picture that cannot be read.
    """
    picture = images.read_rgb(path, minimum_side=get_kind(asked.comp_type).minimum_side)
    return estimate_file(tasks.per_thread(load, asked), path, picture, fallback)
