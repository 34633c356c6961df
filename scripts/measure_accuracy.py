#!/usr/bin/env python3
"""How right is every estimator, condition by condition? Photographs that were never compressed, compressed here."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from q1net_msroi.classifier.benchmark.conditions import CONDITIONS, NEVER, Made, make
from q1net_msroi.classifier.benchmark.identify import NAME as IDENTIFY
from q1net_msroi.classifier.benchmark.identify import IdentifyEstimator
from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate, Estimator, FileEstimator
from q1net_msroi.classifier.evaluation.pictures import Scores, parse_qualities
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import AREA
from q1net_msroi.utils import images, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError, note, run_command
from q1net_msroi.utils.settings import fingerprint

SHOWN = Path("classifier", "results", "conditions.json")  # the record that the repository shows
HEADER = "jpeg_header"
OF_FILES = (HEADER, IDENTIFY)  # asked for the JPEG file; all others for the pixels alone
ESTIMATORS = (*(name for name in registry.KINDS if name != HEADER), *OF_FILES)
HARDLY = 95  # photographs never compressed that are called compressed below this are counted
LINE = "{condition:22} {estimator:15} answered {answered}/{predictions}, "
LINE += "exact {exact:.1%}, within 2 {within_2:.1%}, mae {mae}"


@dataclass(frozen=True)
class Answer:
    """What was said of a picture of quality `truth`; `first`: that of an earlier compression, if there was one."""

    truth: int
    estimate: Estimate
    first: int | None = None

    @property
    def both_right(self) -> bool:
        """Whether the last and the earlier compression are told, exactly."""
        quality = self.estimate.quality
        last = quality is not None and int(np.floor(quality + 0.5)) == self.truth
        return last and self.estimate.evidence.earlier_quality == self.first


def load(name: str) -> Estimator:
    """Return an estimator by its name; raise `UserError` when a model or a program is missing."""
    return IdentifyEstimator() if name == IDENTIFY else registry.load(Asked(name))


def load_all(*names: str) -> dict[str, Estimator]:
    """Return the estimators by name, made once a thread."""
    return {name: load(name) for name in names}


def ask(name: str, estimator: Estimator, made: Made) -> Estimate:
    """Return an estimator's answer for a picture: for its pixels, or for the file where it is one that reads files."""
    if name not in OF_FILES or made.file is None or not isinstance(estimator, FileEstimator):
        return estimator.estimate(made.pixels).with_tie_interval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(made.file)
        return estimator.estimate_file(path, made.pixels)


def measure(
    condition: str, paths: Sequence[Path], qualities: Sequence[int], names: Sequence[str], workers: int | None
) -> list[dict[str, Any]]:
    """Return a row of scores an estimator."""
    asked_for = qualities[:1] if condition == NEVER else qualities

    def answer(job: tuple[int, Path]) -> list[tuple[str, Answer]]:
        number, path = job
        pixels = images.read_rgb(path, minimum_side=AREA).pixels
        random = np.random.default_rng([number, list(CONDITIONS).index(condition)])
        estimators = tasks.per_thread(load_all, *names)
        return [
            (name, Answer(made.quality, ask(name, estimator, made), made.first))
            for made in (make(condition, pixels, quality, random) for quality in asked_for)
            for name, estimator in estimators.items()
        ]

    answers: dict[str, list[Answer]] = {name: [] for name in names}
    for given in tasks.progress(tasks.ordered_map(answer, list(enumerate(paths)), workers), total=len(paths)):
        for name, said in given:
            answers[name].append(said)
    return [row(condition, name, answers[name]) for name in names]


def row(condition: str, name: str, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the scores of answers; `milliseconds` is the median of those with a number.

    `called_twice` is the share said to have been compressed before, `both_exact` that with both qualities right.
    """
    scores = Scores()
    for a in answers:
        scores.add(a.truth, a.estimate.quality, a.estimate.interval)
    answered = [a for a in answers if a.estimate.quality is not None]
    seconds = [a.estimate.seconds for a in answered]
    ties = [a.truth in a.estimate.tie_set for a in answered if a.estimate.tie_set]
    below = [a.estimate.quality is not None and a.estimate.quality < HARDLY for a in answers]
    twice = any(a.first is not None for a in answers)
    return {
        "condition": condition,
        "estimator": name,
        **results.rounded(scores.summary(), 5),
        "interval_holds": scores.coverage(),
        "tie_set_holds": float(np.mean(ties)) if ties else None,
        "called_twice": round(float(np.mean([a.estimate.evidence.earlier_quality is not None for a in answers])), 5),
        **({"both_exact": round(float(np.mean([a.both_right for a in answers])), 5)} if twice else {}),
        "milliseconds": round(1000 * float(np.median(seconds)), 1) if seconds else None,
        **({f"below_{HARDLY}": sum(below)} if condition == NEVER else {}),
    }


def available(names: Sequence[str]) -> list[str]:
    """Return the estimators that can be asked here; say which cannot."""
    found = []
    for name in names:
        try:
            load(name)
            found.append(name)
        except UserError as error:
            note(f"{name} is left out: {error}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(prog="measure_accuracy.py", description=__doc__)
    add = parser.add_argument
    flags.in_path(parser, "folder of never-compressed photographs")
    flags.qualities(parser, "5-95:10")
    add("--conditions", nargs="+", default=tuple(CONDITIONS), metavar="NAME", help="default: all")
    add("--estimators", nargs="+", metavar="NAME", help=f"of {', '.join(ESTIMATORS)} (default: all that are there)")
    flags.workers(parser)
    results.out_flags(parser, SHOWN)
    options = parser.parse_args(arguments)
    for kind, given, allowed in (
        ("condition", options.conditions, tuple(CONDITIONS)),
        ("estimator", options.estimators or (), ESTIMATORS),
    ):
        if unknown := [name for name in given if name not in allowed]:
            raise UserError(f"unknown {kind} {unknown[0]}; known are {', '.join(allowed)}")
    found, qualities = images.find_images(options.in_path), parse_qualities(options.qualities)
    names = options.estimators or available(ESTIMATORS)
    load_all(*names)  # what is missing is said before the first picture
    rows: list[dict[str, Any]] = []
    for condition in options.conditions:
        rows += measure(condition, found, qualities, names, options.workers)
        for one in rows[-len(names) :]:
            print(LINE.format(**one), flush=True)
    command = results.command_line("scripts/measure_accuracy.py", arguments)
    models = sorted(weights.SAVE.glob("*/*.tflite"))
    used = {"lattice": fingerprint(LATTICE)}
    results.record(options.out, results.provenance(command, "classifier", settings=used, weights=models), rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("measure_accuracy.py", main))
