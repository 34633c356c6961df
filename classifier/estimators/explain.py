"""What an answer rests on, in words: one plain sentence, and a line for every piece of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from q1net_msroi.classifier.estimators.result import Estimate

SPEAKERS = ("header", "lattice", "network", "baseline")
SAVED_BY = {"mozjpeg": " by mozjpeg", "photoshop": " by Photoshop"}


def number(quality: float) -> str:
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
    words = [word for run in runs for word in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def earlier_of(estimate: Estimate) -> float | None:
    """Return the quality of an earlier, stronger compression that the evidence tells of; None without one."""
    if "earlier_quality" in estimate.evidence:
        told: float | None = estimate.evidence["earlier_quality"]
        return told
    earlier = estimate.evidence.get("lattice", {}).get("earlier")
    return None if earlier is None else float(earlier["quality"])


def sentence(estimate: Estimate) -> str:
    """Return the answer in one sentence, such as `saved at 95, but compressed at about 40 before`."""
    evidence = estimate.evidence
    earlier = earlier_of(estimate)
    before = "" if earlier is None else f", but compressed at about {number(earlier)} before"
    if estimate.quality is None:
        return f"unknown: {estimate.reason}{before}"
    spoke = evidence.get("spoke") or next((name for name in SPEAKERS if name in evidence), None)
    if spoke == "header":
        saved = "saved" + SAVED_BY.get(evidence["header"]["family"], "")
        if evidence["header"]["exact"]:
            return f"{saved} at {number(estimate.quality)}{before}"
        return f"{saved} at about {number(estimate.quality)}{_range(estimate)}{before}"
    if spoke == "lattice":
        if evidence["lattice"].get("tables") == "not standard":
            return f"compressed with tables that are not standard, near to {number(estimate.quality)}{_range(estimate)}"
        if len(estimate.tie_set) > 1:
            return f"compressed at {any_of(estimate.tie_set)}: the pixels cannot tell these apart{before}"
        return f"compressed at {number(estimate.quality)}{before}"
    if spoke in ("network", "baseline"):
        return f"compressed at about {number(estimate.quality)}{_range(estimate)}{before}"
    return f"no answer; {number(estimate.quality)} was asked for instead"


def _range(estimate: Estimate) -> str:
    if estimate.interval is None:
        return ""
    low, high = (number(end) for end in estimate.interval)
    return "" if low == high else f" ({low} to {high})"


def lines(estimate: Estimate) -> list[str]:
    """Return a line for every piece of evidence: header, lattice, network, baseline, and the interval."""
    evidence = estimate.evidence
    said = []
    if "header" in evidence:
        said.append("header: " + _header(evidence["header"]))
    if "lattice" in evidence:
        lattice = dict(evidence["lattice"])
        earlier = lattice.pop("earlier", None)
        before = ""
        if earlier:
            first = any_of(earlier.get("tie_set", [earlier["quality"]]))
            before = f", earlier quality {first} on the grid at {earlier['phase']}"
        said.append("lattice: " + _fields(lattice) + before)
    if "network" in evidence:
        network = evidence["network"]
        quality = "unknown" if network["quality"] is None else f"{network['quality']:.2f}"
        said.append(
            f"network: quality {quality}, {network['confident_patches']} confident patches "
            f"({network['confident_share']:.0%}, confidence above {network['threshold']:g}), {network['fusion']} of "
            f"patches by {network['patches']}"
        )
    if "baseline" in evidence:
        said.append("baseline: " + _fields(evidence["baseline"]))
    if estimate.interval is not None:
        low, high = estimate.interval
        spoke = evidence.get("spoke", "network" if "network" in evidence else None)
        why = ", which held for 9 of 10 answers on validation photographs" if spoke == "network" else ""
        said.append(f"interval: {low:g} to {high:g}{why}" if low < high else f"interval: {low:g} alone")
    return said


def _header(header: dict[str, Any]) -> str:
    quality = "no quality" if header["quality"] is None else f"quality {header['quality']}"
    parts = [
        f"{quality}, {header['family']} tables",
        f"nearest standard quality {header['nearest_standard']} at a distance of {header['distance']:g} "
        f"({header['relative_distance']:.1%})",
        f"{header['subsampling'] or ('gray' if header['components'] == 1 else 'no chroma')}",
        "progressive" if header["progressive"] else "baseline",
    ]
    if header["photoshop_quality"] is not None:
        parts.append(f"Photoshop's own setting {header['photoshop_quality']} of 12")
    return ", ".join(parts)


def _fields(values: dict[str, Any]) -> str:
    """Return `name value, name value` of what has a value."""
    shown = []
    for name, value in values.items():
        if value is None or value in ([], ()):
            continue
        text = f"{value:g}" if isinstance(value, float) else any_of(value) if _qualities(name, value) else str(value)
        shown.append(f"{name.replace('_', ' ')} {text}")
    return ", ".join(shown)


def _qualities(name: str, value: Any) -> bool:
    return name == "tie_set" and isinstance(value, (list, tuple)) and len(value) > 0
