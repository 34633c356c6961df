"""Choose the confidence threshold by grid search on held-out photographs (the search the original left open)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.estimators.network import NetworkEstimator
from classifier.q1net import fusion, mosaic
from classifier.q1net.configs import AREA
from utils import images, tasks
from utils.errors import UserError, note

THRESHOLDS = np.arange(80.0, 99.51, 0.25)
UNKNOWN_COST = 10.0  # an unknown answer costs as much as being wrong by ten


@dataclass(frozen=True)
class Row:
    """What one threshold gives: `cost` is the MAE with every unknown answer counted as `UNKNOWN_COST`."""

    threshold: float
    cost: float
    mae: float | None  # None where no picture is answered
    within_2: float
    answered: float


def collect(
    paths: Sequence[Path], qualities: Sequence[int], load: Callable[[], NetworkEstimator], workers: int | None = None
) -> list[tuple[int, NDArray[np.float32]]]:
    """Return (true quality, predictions (n, 2)) for every picture at every quality; unreadable ones are named."""
    import threading

    local = threading.local()

    def predict(path: Path) -> list[tuple[int, NDArray[np.float32]]]:
        if not hasattr(local, "estimator"):
            local.estimator = load()
        try:
            grid = mosaic.picture_mosaic(images.read_rgb(path, minimum_side=AREA).pixels)
        except UserError as error:
            note(f"left out: {error}")
            return []
        return [(quality, local.estimator.predict_patches(grid.compressed_patches(quality))) for quality in qualities]

    answers = tasks.ordered_map(predict, paths, workers)
    collected = [row for rows in tasks.progress(answers, total=len(paths), unit="picture") for row in rows]
    if not collected:
        raise UserError(f"none of the {len(paths)} pictures can be used")
    return collected


def search(collected: Sequence[tuple[int, NDArray[np.float32]]]) -> list[Row]:
    """Return one row a threshold, in the order of `THRESHOLDS`."""
    truth = np.array([quality for quality, _ in collected], float)
    rows = []
    for threshold in THRESHOLDS:
        answers = [fusion.fuse(predictions, threshold).quality for _, predictions in collected]
        errors = np.array([np.nan if a is None else a for a in answers]) - truth
        known = ~np.isnan(errors)
        mae = float(np.abs(errors[known]).mean()) if known.any() else None
        cost = float(np.where(known, np.minimum(np.abs(errors), UNKNOWN_COST), UNKNOWN_COST).mean())
        within = float((np.abs(np.floor(errors[known] + truth[known] + 0.5) - truth[known]) <= 2).sum() / len(errors))
        rows.append(Row(float(threshold), cost, mae, within, float(known.mean())))
    return rows


def choose(rows: Sequence[Row]) -> Row:
    """Return the threshold of least cost, smoothed over its neighbours so that no lucky one wins."""
    costs = np.array([row.cost for row in rows])
    padded = np.pad(costs, 2, mode="edge")
    smooth = np.convolve(padded, np.ones(5) / 5, mode="valid")
    return rows[int(smooth.argmin())]


def entry(row: Row, pictures: int, qualities: Sequence[int], data: str) -> dict[str, Any]:
    """Return what is recorded beside the weights."""
    return {
        "threshold": row.threshold,
        "mae": None if row.mae is None else round(row.mae, 4),
        "within_2": round(row.within_2, 4),
        "answered": round(row.answered, 4),
        "pictures": pictures,
        "qualities": len(qualities),
        "data": data,
    }
