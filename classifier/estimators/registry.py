"""Every estimator by its --comp_type, as data: a new one is a module of its own and one entry of `KINDS`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from q1net_msroi.classifier.baselines.configs import BASELINES, SIDE
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate, Estimator, FileEstimator, UnreadEstimator
from q1net_msroi.classifier.q1net.configs import AREA, CONFIGS
from q1net_msroi.utils import images, tasks
from q1net_msroi.utils.errors import UserError


@dataclass(frozen=True)
class Kind:
    """How to make an estimator, what --help says of it, and the shortest side in pixels of a picture that it takes.

    `warms_up`: the first estimate takes longer and is not timed, as in the original. `explains`: one sentence says
    more than the number, and is printed unasked.
    """

    make: Callable[[Asked], Estimator]
    what: str
    minimum_side: int = 1
    warms_up: bool = False
    explains: bool = False


def _module(name: str) -> Any:
    """Return a module of this package, which is imported when an estimator of it is first asked for."""
    return importlib.import_module(f"q1net_msroi.classifier.estimators.{name}")


_NETWORK = Kind(lambda a: _module("network").NetworkEstimator(a), "a variant of the network", AREA, warms_up=True)
_BASELINE = Kind(lambda a: _module("baseline").BaselineEstimator(a), "a baseline to compare with", SIDE)
KINDS: dict[str, Kind] = {
    **dict.fromkeys(CONFIGS, _NETWORK),
    "jpeg_lattice": Kind(
        lambda a: _module("lattice").LatticeEstimator(a.tables), "the quantisation lattice in the pixels"
    ),
    "jpeg_header": Kind(lambda _: _module("header").HeaderEstimator(), "what a JPEG file says of itself"),
    "auto": Kind(lambda a: _module("auto").AutoEstimator(a), "the best evidence of all", explains=True),
    **dict.fromkeys(BASELINES, _BASELINE),
}


def described() -> dict[str, str]:
    """Return what --help says of every estimator."""
    return {name: kind.what for name, kind in KINDS.items()}


def get_kind(comp_type: str) -> Kind:
    """Return the entry of a `--comp_type`; raise `UserError` that lists the known ones."""
    if comp_type not in KINDS:
        raise UserError(f"unknown --comp_type {comp_type}; known are {', '.join(KINDS)}")
    return KINDS[comp_type]


def load(asked: Asked) -> Estimator:
    """Make the estimator; raise `UserError` when files of a model are missing or damaged. One a thread."""
    return get_kind(asked.comp_type).make(asked)


def estimate_file(
    estimator: Estimator, path: str | os.PathLike[str], picture: images.Picture, fallback: float | None = None
) -> Estimate:
    """Return the answer for a file whose pixels were read; `fallback` takes the place of an unknown quality."""
    if isinstance(estimator, FileEstimator):
        estimate = estimator.estimate_file(path, picture.pixels).with_tie_interval()
    else:
        estimate = estimator.estimate(picture.pixels).with_tie_interval()
    return _or_fallback(estimate, fallback)


def estimate_unread(
    estimator: Estimator, path: str | os.PathLike[str], error: UserError, fallback: float | None = None
) -> Estimate:
    """Return the answer for a file whose pixels were refused with `error`; raise `error` where there is none."""
    estimate = estimator.estimate_unread(path, error) if isinstance(estimator, UnreadEstimator) else None
    if estimate is None:
        raise error
    return _or_fallback(estimate, fallback)


def _or_fallback(estimate: Estimate, fallback: float | None) -> Estimate:
    return replace(estimate, quality=fallback) if estimate.quality is None and fallback is not None else estimate


def read_and_estimate(
    asked: Asked, fallback: float | None, path: str | os.PathLike[str]
) -> tuple[Estimate, images.Picture | None]:
    """Read a picture and return the answer for it, by an estimator that each thread loads once, and the picture.

    The picture is None where it cannot be read but the estimator can answer without its pixels; else that raises
    `UserError`.
    """
    try:
        picture = images.read_rgb(path, minimum_side=get_kind(asked.comp_type).minimum_side)
    except UserError as error:
        return estimate_unread(tasks.per_thread(load, asked), path, error, fallback), None
    return estimate_file(tasks.per_thread(load, asked), path, picture, fallback), picture


def estimate_path(asked: Asked, fallback: float | None, path: str | os.PathLike[str]) -> Estimate:
    """Return the answer of `read_and_estimate` alone."""
    return read_and_estimate(asked, fallback, path)[0]
