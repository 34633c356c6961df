"""Choose confidence threshold, fusion and patches by grid search on held-out photographs, and measure intervals there.

The original marked its thresholds "to be grid-searched". The search looks at whole pictures; intervals are measured on
whole pictures and on crops of all sizes and offsets, because a crop's few patches err more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.evaluation import intervals
from q1net_msroi.classifier.q1net import correction, fusion, patches
from q1net_msroi.classifier.q1net.configs import AREA, BLOCK
from q1net_msroi.classifier.q1net.settings import NETWORK
from q1net_msroi.utils import images, results, tasks
from q1net_msroi.utils.codecs import JPEG
from q1net_msroi.utils.errors import UserError, note

THRESHOLDS = np.arange(80.0, 99.51, 0.25)
UNKNOWN_COST = 10.0  # an unknown answer costs as much as being wrong by ten
CROPS = (None, 256, 128, 64)  # sides in pixels; None: the whole picture but for its first rows and columns
PAPER = ("grid", "median")
WITHIN = 2  # qualities; the share of answers as near as that is recorded
PARTS = 5  # of the photographs, each corrected by what the others show

Predictions = NDArray[np.float32]
Key = tuple[str, str]  # a choice of patches and a rule of fusion
Chain = Callable[[NDArray[np.uint8], np.random.Generator], tuple[NDArray[np.uint8], int, str]]


@dataclass(frozen=True)
class Sample:
    """What the patches of one picture said: `predictions` (n, 2) by patch choice; `whole` or a crop of `picture`.

    `truth` is the quality, None for the photograph before any compression. Samples are judged by `group`.
    """

    picture: int
    truth: int | None
    whole: bool
    predictions: dict[str, Predictions]
    kind: str | None = None

    @property
    def group(self) -> str:
        """The kind of tables, where they were of several; else whole or crops."""
        return self.kind or ("whole" if self.whole else "crops")


@dataclass(frozen=True)
class Row:
    """What one threshold gives: `cost` is the MAE with every unknown answer counted as `UNKNOWN_COST`."""

    threshold: float
    cost: float
    mae: float | None  # None where no picture is answered
    within_2: float
    answered: float


def crop(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a random crop, of a random one of the sides `CROPS` where the picture is that large."""
    side = CROPS[int(random.integers(len(CROPS)))]
    height, width = pixels.shape[:2]
    if side is None:
        top, left = (int(random.integers(min(BLOCK, length - AREA + 1))) for length in (height, width))
        return pixels[top:, left:]
    top, left = (int(random.integers(max(1, length - side + 1))) for length in (height, width))
    return pixels[top : top + side, left : left + side]


def collect(
    paths: Sequence[Path], qualities: Sequence[int], load: Callable[[], NetworkEstimator], workers: int | None = None
) -> list[Sample]:
    """Return for every picture a sample before compression, and two, whole and crop, at every quality."""

    def predict(job: tuple[int, Path]) -> list[Sample]:
        number, path = job
        estimator = tasks.per_thread(load)
        try:
            pixels = images.read_rgb(path, minimum_side=AREA).pixels
        except UserError as error:
            note(f"left out: {error}")
            return []
        random = np.random.default_rng([0, number])

        def ask(part: NDArray[np.uint8], quality: int | None, whole: bool) -> Sample:
            said = {name: estimator.predict_patches(cut(part)) for name, cut in patches.CHOICES.items()}
            return Sample(number, quality, whole, said)

        samples = [ask(pixels, None, True)]
        for quality in qualities:
            compressed = JPEG.compress(pixels, quality)
            samples += [ask(compressed, quality, True), ask(crop(compressed, random), quality, False)]
        return samples

    answers = tasks.ordered_map(predict, enumerate(paths), workers)
    collected = [row for rows in tasks.progress(answers, total=len(paths), unit="picture") for row in rows]
    if not collected:
        raise UserError(f"none of the {len(paths)} pictures can be used")
    return collected


def collect_chains(
    paths: Sequence[Path], each: int, make: Chain, load: Callable[[], NetworkEstimator], workers: int | None = None
) -> list[Sample]:
    """Return samples of `each` pictures that `make` made of every photograph; flat patches are left out."""

    def predict(job: tuple[int, Path]) -> list[Sample]:
        number, path = job
        estimator = tasks.per_thread(load)
        try:
            photograph = images.read_rgb(path, minimum_side=AREA).pixels
        except UserError as error:
            note(f"left out: {error}")
            return []
        samples = []
        for chain in range(each):
            pixels, quality, kind = make(photograph, np.random.default_rng([1, number, chain]))
            said = {}
            for name, places in patches.CHOICES.items():
                parts = places(pixels)
                said[name] = estimator.predict_patches(parts[(parts != parts[:, :1, :1]).any(axis=(1, 2, 3))])
            samples.append(Sample(number, quality, False, said, kind))
        return samples

    answers = tasks.ordered_map(predict, enumerate(paths), workers)
    collected = [row for rows in tasks.progress(answers, total=len(paths), unit="picture") for row in rows]
    if not collected:
        raise UserError(f"none of the {len(paths)} pictures can be used")
    return collected


def search(collected: Sequence[tuple[int, Predictions]], rule: str = "median") -> list[Row]:
    """Return one row a threshold, in the order of `THRESHOLDS`, for (true quality, predictions) of whole pictures."""
    truth = np.array([quality for quality, _ in collected], float)
    combine = fusion.RULES[rule]
    rows = []
    for threshold in THRESHOLDS:
        kept = [predictions[predictions[:, 0] > threshold] for _, predictions in collected]
        answers = [combine(part[:, 1], part[:, 0]) if len(part) else np.nan for part in kept]
        rows.append(_row(float(threshold), np.array(answers), truth))
    return rows


def _row(threshold: float, answers: NDArray[np.float64], truth: NDArray[np.float64]) -> Row:
    """Return how good answers (NaN: unknown) are."""
    errors = answers - truth
    known = ~np.isnan(errors)
    mae = float(np.abs(errors[known]).mean()) if known.any() else None
    cost = float(np.where(known, np.minimum(np.abs(errors), UNKNOWN_COST), UNKNOWN_COST).mean())
    within = float((np.abs(np.floor(answers[known] + 0.5) - truth[known]) <= WITHIN).sum() / len(errors))
    return Row(threshold, cost, mae, within, float(known.mean()))


def correct(samples: Sequence[Sample], choice: str, rule: str, threshold: float) -> tuple[correction.Correction, Row]:
    """Return the correction fitted on all samples, and how good corrected answers are for whole unseen photographs.

    The photographs are parted; the answers of each part are corrected by what the other parts show.
    """
    said = [(s, fusion.fuse(s.predictions[choice], threshold, rule).quality) for s in samples if s.truth]
    answers = np.array([np.nan if quality is None else quality for _, quality in said])
    truth = np.array([s.truth for s, _ in said], float)
    part, whole = np.array([(s.picture % PARTS, s.whole) for s, _ in said]).T
    known, corrected = ~np.isnan(answers), np.full(len(said), np.nan)
    for number in np.unique(part):
        others, asked = known & (part != number), known & (part == number)
        fitted = correction.fit(answers[others], truth[others])
        corrected[asked] = [fitted.quality(answer) for answer in answers[asked]]
    judged = _row(threshold, corrected[whole == 1], truth[whole == 1])
    return correction.fit(answers[known], truth[known]), judged


def search_all(samples: Sequence[Sample]) -> dict[Key, list[Row]]:
    """Return the rows of `search` for every (patches, fusion)."""
    return {
        (choice, rule): search([(s.truth, s.predictions[choice]) for s in samples if s.whole and s.truth], rule)
        for choice in patches.CHOICES
        for rule in fusion.RULES
    }


def choose(rows: Sequence[Row]) -> Row:
    """Return the threshold of least cost, smoothed over its neighbours so that no lucky one wins."""
    padded = np.pad([row.cost for row in rows], 2, mode="edge")
    return rows[int(np.convolve(padded, np.ones(5) / 5, mode="valid").argmin())]


def measure_intervals(
    samples: Sequence[Sample], choice: str, rule: str, threshold: float, corrected: correction.Correction
) -> dict[str, Any]:
    """Return the record of intervals fitted on all samples, with the coverage that they have on unseen photographs.

    For the coverage, intervals fitted on each half of the photographs are asked about the other half. Too few confident
    patches get no interval; nor do those that differ more than is usual at standard tables, where kinds are told apart.
    """
    judged = []
    for s in (s for s in samples if s.truth):
        answer = corrected.apply(fusion.fuse(s.predictions[choice], threshold, rule))
        if answer.quality is not None and fusion.enough(answer, len(s.predictions[choice])):
            judged.append((s, answer, s.truth or 0))
    usual = [answer.spread or 0.0 for s, answer, _ in judged if s.kind == "standard"]
    most = round(float(np.quantile(usual, NETWORK.kept_share)), 2) if usual else None
    judged = [each for each in judged if most is None or (each[1].spread or 0.0) <= most]
    hit: dict[str, list[bool]] = {}
    for half in (0, 1):
        others = [(answer, truth) for s, answer, truth in judged if s.picture % 2 != half]
        fitted = intervals.fit([answer for answer, _ in others], [truth for _, truth in others])
        for s, answer, truth in judged:
            if s.picture % 2 == half and (around := fitted.around(answer)):
                hit.setdefault(s.group, []).append(around[0] <= truth <= around[1])
    coverage = {name: round(float(np.mean(hits)), 4) for name, hits in sorted(hit.items(), reverse=True)}
    fitted = intervals.fit([answer for _, answer, _ in judged], [truth for *_, truth in judged])
    fitted = replace(fitted, most_spread=most)
    return {**fitted.record(), "measured_coverage": coverage, "answers": len(judged)}


def with_intervals(
    fused: Mapping[str, Any], samples: Sequence[Sample], made_on: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what a card holds of every choice with intervals fitted anew on samples, and a row of each.

    Thresholds and corrections stay; `made_on` tells what the samples are.
    """
    record, rows = dict(fused), []
    for key, entry in fused.items():
        if key != "best":
            choice, rule = key.split("/")
            corrected = correction.from_record(entry["correction"])
            interval = measure_intervals(samples, choice, rule, entry["threshold"], corrected)
            record[key] = {**entry, "interval": {**interval, **made_on}}
            answered = interval["answers"] / len(samples)
            rows.append(
                {"patches": choice, "fusion": rule, "answered": round(answered, 4), **interval["measured_coverage"]}
            )
    return record, rows


def lowest_never(
    samples: Sequence[Sample], choice: str, rule: str, threshold: float, corrected: correction.Correction
) -> float | None:
    """Return the least quality that is said of a photograph never compressed; None when nothing is said of any."""
    fused = [fusion.fuse(s.predictions[choice], threshold, rule).quality for s in samples if s.truth is None]
    return min((round(corrected.quality(answer), 2) for answer in fused if answer is not None), default=None)


@dataclass(frozen=True)
class Chosen:
    """The threshold chosen for one choice of patches and fusion: its row, the correction there, and the row with it."""

    row: Row
    correction: correction.Correction
    corrected: Row
    lowest_never: float | None
    interval: dict[str, Any]


@dataclass(frozen=True)
class Calibration:
    """All rows that were searched and what was chosen, by (patches, fusion); `pictures` of `data`, `qualities` each."""

    searched: dict[Key, list[Row]]
    chosen: dict[Key, Chosen]
    pictures: int
    qualities: int
    data: str
    constant_error: float  # MAE of one answer for all of them, the best there is

    def useless(self) -> str:
        """Return why nothing can be stored: no answer, or none that is better than the same one for every picture."""
        if not any(row.answered for rows in self.searched.values() for row in rows):
            return "is confident of no picture, whatever the threshold"
        mae = min((one.corrected.mae for one in self.chosen.values() if one.corrected.mae is not None), default=None)
        if self.qualities == 1 or (mae is not None and mae < NETWORK.learnt * self.constant_error):
            return ""
        off = "never answers for others" if mae is None else f"is off by {mae:.1f} on average"
        return f"has learnt nothing: it {off}, the same answer for all pictures by {self.constant_error:.1f}"

    @property
    def best(self) -> Key:
        """The choice whose corrected answers cost least."""
        return min(self.chosen, key=lambda key: self.chosen[key].corrected.cost)

    def entry(self, key: Key) -> dict[str, Any]:
        """Return what is recorded beside the weights: how good answers are, corrected and as they come."""
        row, corrected = self.chosen[key].row, self.chosen[key].corrected
        measured = {"threshold": row.threshold, "mae": corrected.mae, "within_2": corrected.within_2}
        measured |= {"uncorrected_mae": row.mae, "uncorrected_within_2": row.within_2, "answered": row.answered}
        made_on = {"pictures": self.pictures, "qualities": self.qualities, "data": self.data}
        return {**results.rounded(measured, 4), **made_on}

    def fusion_record(self) -> dict[str, Any]:
        """Return what an estimator reads from the weights' card: the best choice, and the numbers of each."""
        record: dict[str, Any] = {"best": "/".join(self.best)}
        for key, one in self.chosen.items():
            entry = {name: self.entry(key)[name] for name in ("threshold", "mae", "within_2")}
            entry |= {"correction": one.correction.record(), "lowest_never": one.lowest_never, "interval": one.interval}
            record["/".join(key)] = entry
        return record

    def table(self) -> list[dict[str, Any]]:
        """Return a row a choice, for the record that tables are made of."""
        rows = []
        for key, one in self.chosen.items():
            ends = {"cost": round(one.corrected.cost, 4), "coverage": one.interval["measured_coverage"]}
            rows.append({"patches": key[0], "fusion": key[1], **self.entry(key), **ends, "best": key == self.best})
        return rows


def calibrate(samples: Sequence[Sample], qualities: int, data: str) -> Calibration:
    """Return the search over all choices, and for each what was measured at the threshold chosen."""
    searched, chosen = search_all(samples), {}
    for key, rows in searched.items():
        row = choose(rows)
        fitted, corrected = correct(samples, *key, row.threshold)
        measured = (samples, *key, row.threshold, fitted)
        chosen[key] = Chosen(row, fitted, corrected, lowest_never(*measured), measure_intervals(*measured))
    truth = np.array([s.truth for s in samples if s.whole and s.truth])
    constant = float(np.abs(truth - np.median(truth)).mean())
    return Calibration(searched, chosen, len({s.picture for s in samples}), qualities, data, constant)
