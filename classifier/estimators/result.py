"""The answer of an estimator and the evidence it rests on, the same for all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.quantisation import Quantisation
from q1net_msroi.utils.errors import UserError


@dataclass(frozen=True)
class Evidence:
    """What an answer rests on; every estimator has a kind of its own, which says itself in words and as plain data.

    `used` of the `parts` that were looked at (patches, blocks, crops) could say something; `spread` is the
    interquartile range of what they said. The fields of a kind's own are what it tells, in their order.
    """

    kind: ClassVar[str] = ""
    used: int = field(default=0, kw_only=True)
    parts: int = field(default=0, kw_only=True)
    spread: float | None = field(default=None, kw_only=True)

    @property
    def earlier_quality(self) -> float | None:
        """The quality of an earlier, stronger compression that the evidence tells of; None without one."""
        return None

    @property
    def validated(self) -> str:
        """What is said behind an interval."""
        return ""

    @property
    def codec(self) -> str:
        """The codec of the last compression, empty where the evidence itself does not tell."""
        return ""

    @property
    def software(self) -> str:
        """Who writes such tables, empty where that is not known."""
        return ""

    @property
    def quantisation(self) -> Quantisation | None:
        """The tables of the last compression, None where the evidence does not tell them."""
        return None

    @property
    def changed(self) -> str:
        """How the picture seems to have been changed since it was compressed, empty without a trace of that."""
        return ""

    @property
    def apart(self) -> str:
        """What is told of parts that are unlike the rest, empty without any."""
        return ""

    @property
    def unread(self) -> str | None:
        """Why the pixels were not looked at; None where they were."""
        return None

    def sentence(self, answer: Estimate) -> str:
        """Return in one sentence an answer that has a quality, without what is told of an earlier compression."""
        return f"compressed at about {number(answer.quality)}{answer.range_text}"

    def values(self) -> dict[str, Any]:
        """Return what is told, by name and in order."""
        return {name: value for name, value in asdict(self).items() if name not in Evidence.__dataclass_fields__}

    def lines(self) -> list[str]:
        """Return what is told with `--explain`."""
        return [f"{self.kind}: {named(self.values())}"] if self.kind else []

    def record(self, answer: Estimate) -> dict[str, Any]:
        """Return what `--json` has under `evidence`."""
        return {self.kind: self.values()} if self.kind else {}


@dataclass(frozen=True)
class Estimate:
    """What is known of a picture's quality: a number (0..100) or None with the `reason` why there is none.

    A number that has a `reason` stands in for an answer: it was asked for in place of unknown.
    """

    quality: float | None
    interval: tuple[float, float] | None = None
    tie_set: tuple[int, ...] = ()
    reason: str | None = None
    evidence: Evidence = Evidence()
    seconds: float = 0.0

    def with_tie_interval(self) -> Estimate:
        """Return the estimate with the range of its tie set as interval, where it has no other one."""
        if self.interval is not None or not self.tie_set or self.quality is None:
            return self
        return replace(self, interval=(float(min(self.tie_set)), float(max(self.tie_set))))

    @property
    def strongest(self) -> float | None:
        """The quality of the strongest compression that is known of, the last one or an earlier one; else None."""
        known = (self.quality if self.reason is None else None, self.evidence.earlier_quality)
        return min((quality for quality in known if quality is not None), default=None)

    @property
    def range_text(self) -> str:
        """The interval in whole qualities as ` (58 to 66)`, empty where it is one quality or none."""
        low, high = ("", "") if self.interval is None else map(number, self.interval)
        return "" if low == high else f" ({low} to {high})"

    @property
    def before_text(self) -> str:
        """What is told of an earlier compression, empty without one."""
        earlier = self.evidence.earlier_quality
        return "" if earlier is None else f", but compressed at about {number(earlier)} before"

    def sentence(self) -> str:
        """Return the answer in one sentence, such as `saved at 95, but compressed at about 40 before`."""
        if self.quality is None:
            return f"unknown: {self.reason}{self.before_text}"
        if self.reason is not None:
            return f"no answer; {number(self.quality)} was asked for instead"
        more = "".join(f"; {said}" for said in (self.evidence.apart, self.evidence.unread) if said)
        return self.evidence.sentence(self) + self.before_text + more

    def short(self) -> str:
        """Return the answer for a line of a list: `63.4`, or `unknown` and why; an earlier compression too."""
        if self.quality is None:
            return f"unknown ({self.reason}{self.before_text})"
        return f"{self.quality:.1f}{self.before_text}" + (f" ({self.evidence.unread})" if self.evidence.unread else "")

    def lines(self) -> list[str]:
        """Return a line for every piece of evidence, and one for the interval."""
        if self.interval is None:
            return self.evidence.lines()
        low, high = self.interval
        around = f"{low:g} to {high:g}{self.evidence.validated}" if low < high else f"{low:g} alone"
        return [*self.evidence.lines(), f"interval: {around}"]

    def record(self, file: str, comp_type: str) -> dict[str, Any]:
        """Return the answer as programs read it with `--json`; these names stay as they are."""
        found = self.evidence
        return {
            "file": file,
            "comp_type": comp_type,
            "quality": None if self.quality is None else round(self.quality, 3),
            "interval": self.interval,
            "tie_set": list(self.tie_set),
            "confident_patches": found.used,
            "patches": found.parts,
            "spread": None if found.spread is None else round(found.spread, 3),
            "reason": self.reason,
            "evidence": found.record(self),
            "seconds": round(self.seconds, 4),
        }


class Estimator(Protocol):
    """Anything that answers "which quality?" for a picture."""

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for (height, width, 3) uint8 RGB pixels."""
        ...


@runtime_checkable
class FileEstimator(Estimator, Protocol):
    """An estimator that also looks at the file that the pixels were read from."""

    def estimate_file(self, path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> Estimate:
        """Return the estimate for the file at `path` and its (height, width, 3) uint8 RGB pixels."""
        ...


@runtime_checkable
class UnreadEstimator(Estimator, Protocol):
    """An estimator that may have an answer for a file whose pixels cannot be read."""

    def estimate_unread(self, path: str | os.PathLike[str], error: UserError) -> Estimate | None:
        """Return the estimate for the file at `path`, whose pixels were refused with `error`; None without one."""
        ...


def number(quality: float | None) -> str:
    """Return a quality as a person reads it: whole."""
    return f"{quality:.0f}"


def any_of(qualities: Sequence[int]) -> str:
    """Return `49`, `49 or 50`, `96 to 100`, `39, 40 or 46` or `58 to 73 or 99`."""
    runs: list[list[int]] = []
    for quality in sorted(qualities):
        if runs and quality == runs[-1][-1] + 1:
            runs[-1].append(quality)
        else:
            runs.append([quality])
    words = [word for run in runs for word in ([f"{run[0]} to {run[-1]}"] if run[2:] else map(str, run))]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def named(values: dict[str, Any]) -> str:
    """Return `name value, name value` of what has a value."""
    shown = []
    for name, value in values.items():
        if value is None or value in ([], ()):
            continue
        text = f"{value:g}" if isinstance(value, float) else str(list(value) if isinstance(value, tuple) else value)
        text = any_of(value) if name == "tie_set" else text
        shown.append(f"{name.replace('_', ' ')} {text}")
    return ", ".join(shown)
