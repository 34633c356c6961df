"""How right are the answers? Pictures x qualities, compressed in memory, and patches from HDF5."""

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.q1net import mosaic
from q1net_msroi.classifier.q1net.architecture import losses
from q1net_msroi.classifier.q1net.configs import AREA, BLOCK, QUALITIES
from q1net_msroi.classifier.q1net.dataset import PatchFile
from q1net_msroi.utils import images, tasks
from q1net_msroi.utils.codecs import JPEG
from q1net_msroi.utils.errors import UserError, note, show
from q1net_msroi.utils.jobs import FolderJob, Task


def parse_qualities(text: str) -> list[int]:
    """Return the qualities of `10,20,30`, `5-95:10`, `1-100` or a mixture; raise `UserError` for anything else."""
    chosen: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3})(?::(\d{1,3}))?)?", part.strip(), re.ASCII)
        first, last, step = (int(group) if group else None for group in match.groups()) if match else (0, 0, 0)
        span = range(first or 0, (last or first or 0) + 1, 1 if step is None else max(step, 1))
        if not span or step == 0 or not set(span) <= set(QUALITIES):
            raise UserError(f"--qualities {text}: give numbers 1..100 like 10,20,30 or 5-95:10")
        chosen.update(span)
    return sorted(chosen)


def parse_crop_offset(text: str) -> tuple[int, int] | None:
    """Return (dy, dx) of `dy,dx`, None for `random`; raise `UserError` for anything else."""
    if text == "random":
        return None
    with contextlib.suppress(ValueError):
        top, left = (int(part) for part in text.split(","))
        if min(top, left) >= 0:
            return top, left
    raise UserError(f"--crop_offset {text}: give random or two numbers of pixels like 3,5")


@dataclass
class Scores:
    """Collected answers, one row a prediction: the true quality, the predicted one (NaN: unknown).

    `covered` holds for every interval that was given whether it holds the truth.
    """

    truth: list[int] = field(default_factory=list)
    predicted: list[float] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)

    def add(self, truth: int, predicted: float | None, interval: tuple[float, float] | None = None) -> None:
        """Take one answer in."""
        self.truth.append(truth)
        self.predicted.append(float("nan") if predicted is None else predicted)
        if interval is not None:
            self.covered.append(interval[0] <= truth <= interval[1])

    def coverage(self) -> float | None:
        """Return the share of the given intervals that hold the true quality; None where none was given."""
        return float(np.mean(self.covered)) if self.covered else None

    def _known(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the true and the predicted qualities of the answers that are known."""
        truth, predicted = np.array([self.truth, self.predicted], float)
        known = ~np.isnan(predicted)
        return truth[known], predicted[known]

    def summary(self) -> dict[str, Any]:
        """Return answered, MAE, bias, standard deviation, shares exact and within 1 and 2, mean of the worst 1 %.

        Exact and within compare the prediction rounded half up; unknown answers count for these shares alone.
        """
        truth, predicted = self._known()
        errors, steps = predicted - truth, np.abs(round_half_up(predicted) - truth)
        measured: dict[str, Any] = dict.fromkeys(("mae", "bias", "std", "worst_1_percent"))
        if len(errors):
            worst = np.sort(np.abs(errors))[-max(1, round(len(errors) / 100)) :]
            values = (np.abs(errors).mean(), errors.mean(), errors.std(), worst.mean())
            measured = {name: float(value) for name, value in zip(measured, values, strict=True)}
        near = [float((steps <= limit).sum() / max(1, len(self.truth))) for limit in range(3)]
        shares = dict(zip(("exact", "within_1", "within_2"), near, strict=True))
        return {"predictions": len(self.truth), "answered": len(truth), **measured, **shares}

    def by_quality(self) -> list[dict[str, Any]]:
        """Return the summary of every quality that was asked for."""
        parts = {quality: Scores() for quality in sorted(set(self.truth))}
        for quality, predicted in zip(self.truth, self.predicted, strict=True):
            parts[quality].add(quality, predicted)
        return [{"quality": quality, **part.summary()} for quality, part in parts.items()]

    def confusion(self) -> NDArray[np.intp]:
        """Return counts (100, 100): row = true quality, column = predicted, rounded half up and clipped to 1..100."""
        truth, predicted = self._known()
        counts = np.zeros((len(QUALITIES), len(QUALITIES)), np.intp)
        columns = np.clip(round_half_up(predicted), 1, 100).astype(int) - 1
        np.add.at(counts, (truth.astype(int) - 1, columns), 1)
        return counts


def round_half_up(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values rounded to whole numbers, halves up (NumPy rounds halves to even)."""
    return np.floor(values + 0.5)


@dataclass(frozen=True)
class Photograph(Task):
    """A photograph that is compressed at known qualities, and the pixels (dy, dx) that are cropped off then."""

    crop_offset: tuple[int, int] = (0, 0)


def photographs(paths: Sequence[Path], crop_offset: tuple[int, int] | None, seed: int = 0) -> list[Photograph]:
    """Return what to evaluate; `crop_offset` None draws one of the 63 misaligned offsets a picture, by `seed`."""
    random = np.random.default_rng(seed)
    drawn = [divmod(int(random.integers(1, BLOCK * BLOCK)), BLOCK) for _ in paths]
    return [Photograph(path, crop_offset=crop_offset or draw) for path, draw in zip(paths, drawn, strict=True)]


def judge(asked: Asked, qualities: Sequence[int], threads: int, photograph: Photograph) -> tuple[list[Estimate], bool]:
    """Return the answers for a photograph, one a quality, by so many `threads`; and whether it is a JPEG file."""
    path, (top, left) = photograph.image, photograph.crop_offset
    loaded = tasks.per_thread(registry.load, asked)
    grid = isinstance(loaded, NetworkEstimator) and loaded.choice == "grid" and not loaded.find_grid
    try:
        picture = images.read_rgb(path, minimum_side=AREA)
        if short := [side for side in (picture.pixels.shape[0] - top, picture.pixels.shape[1] - left) if side < AREA]:
            raise UserError(f"a side of {short[0]} pixels is too short; at least {AREA} are needed")
        part = mosaic.picture_mosaic(picture.pixels, (top, left)) if grid else None
    except UserError as error:
        name, said = show(path.name), str(error)
        raise error if name in said else UserError(f"{name}: {said}") from None

    def answer(quality: int) -> Estimate:
        estimator = tasks.per_thread(registry.load, asked)
        if part is not None and isinstance(estimator, NetworkEstimator):
            return estimator.estimate_patches(part.compressed_patches(quality))
        whole = JPEG.compress(picture.pixels, quality)
        return estimator.estimate(np.ascontiguousarray(whole[top:, left:])).with_tie_interval()

    answers = map(answer, qualities) if threads == 1 else tasks.ordered_map(answer, qualities, threads)
    return list(answers), picture.format in images.JPEG_FORMATS


def evaluate_patches(
    file: PatchFile, estimator: NetworkEstimator, batch_size: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return (n, 2) confidence and quality for every patch of a file, and the true qualities."""
    batches = tasks.progress(file.in_order(batch_size), total=-(-len(file) // batch_size), unit="batch")
    return np.concatenate([estimator.predict_patches(patches) for patches, _ in batches]), file.qualities


def patch_scores(
    predictions: NDArray[np.float32], truth: NDArray[np.uint8], threshold: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return how right patches are, a row a true quality and all together, with and without regard to confidence.

    `predictions` is what `evaluate_patches` returns; a patch is confident above `threshold`, 0..100.
    """
    errors, confident = predictions[:, 1] - truth, predictions[:, 0] > threshold
    rows: list[dict[str, Any]] = []
    for quality in np.unique(truth).tolist():
        here = truth == quality
        scores = {"mae": np.abs(errors[here]).mean(), "bias": errors[here].mean(), "std": errors[here].std()}
        scores["confident"] = confident[here].mean()
        rows.append({"quality": quality, "n": int(here.sum()), **{name: float(v) for name, v in scores.items()}})
    loss, error = losses(truth, predictions, np.asarray)
    all_of_them = {"mae": error.mean(), "loss": loss.mean(), "confident": confident.mean()}
    sure = float(error[confident].mean()) if confident.any() else None
    return rows, {"patches": len(truth), **{n: float(v) for n, v in all_of_them.items()}, "mae_confident": sure}


Job = FolderJob[Photograph, tuple[list[Estimate], bool]]


def run_pictures(job: Job, qualities: Sequence[int], report: Callable[[int, Scores], None]) -> Scores:
    """Return the scores of all pictures of a job of `judge`, calling `report(number, scores of the picture)` for each.

    Says once when pictures are JPEG files. Raises `UserError` when none could be evaluated.
    """
    everything, said = Scores(), False
    for number, (photograph, outcome) in enumerate(job.run(), 1):
        if isinstance(outcome, UserError):
            continue
        answers, is_jpeg = outcome
        if is_jpeg and not said:
            said = True
            name, before = show(photograph.image.name), "compressed before at a quality that is not known"
            note(f"{name} is a JPEG file, {before}: measure on photographs that never were")
        single = Scores()
        for quality, estimated in zip(qualities, answers, strict=True):
            for scores in (single, everything):
                scores.add(quality, estimated.quality, estimated.interval)
        report(number, single)
    if not everything.truth:
        raise UserError(f"none of the {len(job.tasks)} pictures could be evaluated")
    return everything
