"""What an answer about a picture of the world is worth: right, unknown, wrong, or a false word about its history."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from q1net_msroi.classifier.benchmark import history
from q1net_msroi.classifier.benchmark.truth import Truth
from q1net_msroi.classifier.benchmark.world import Case
from q1net_msroi.classifier.estimators.header import HeaderEvidence
from q1net_msroi.classifier.estimators.result import Estimate

Row = dict[str, Any]
NEAR = 2  # qualities that an answer may be off and still be near
FAR = 5  # that tables passed off as standard, or a first compression, may be off
OTHER_TABLES = re.compile(
    r"not standard|no standard|non-standard|not a standard|mozjpeg|photoshop|of its own", re.IGNORECASE
)
TRACES, BLOCKS, CHANGED = "traces", "blocks of a JPEG", "changed"
ALL = "all"
# The columns of the table: what each counts. Shares are for the reader to make: counts of different sets add up.
COLUMNS: dict[str, Callable[[Row], bool]] = {
    "exact": lambda row: row["outcome"] == "exact",
    "within 2": lambda row: row["outcome"] == "within 2",
    "in range": lambda row: row["outcome"] == "in range",
    "unknown": lambda row: row["outcome"] == "unknown",
    "wrong": lambda row: row["outcome"] == "wrong",
    "silent": lambda row: bool(row["silent"]),
    "silent far": lambda row: row["silent"] == "far",
    "false history": lambda row: row["history"] == "false",
    "undecided": lambda row: row["history"] == "undecided",
    "true history": lambda row: row["history"] == "true",
    "found": lambda row: row["history"] in ("found", "off"),
    "found near": lambda row: row["history"] == "found",
    "traces": lambda row: TRACES in row["sentence"],
    "blocks": lambda row: BLOCKS in row["sentence"],
    "changed": lambda row: CHANGED in row["sentence"],
}


def judged(case: Case, answer: Estimate) -> Row:
    """Return what was true, what was said and what it is worth."""
    truth, said = case.truth, answer.quality
    earlier = answer.evidence.earlier_quality
    return {
        "group": case.group,
        "treatment": case.treatment,
        "truth": truth.quality if truth else None,
        "tables": truth.tables if truth else "never",
        "first": case.first,
        "quality": None if said is None else round(said, 2),
        "low": answer.interval[0] if answer.interval else None,
        "high": answer.interval[1] if answer.interval else None,
        "tie_set": " ".join(map(str, answer.tie_set)),
        "earlier": earlier,
        "outcome": outcome(truth, answer),
        "silent": silence(truth, answer),
        "history": "" if earlier is None and case.first is None else history_verdict(case, answer),
        "seconds": round(answer.seconds, 3),
        "sentence": answer.sentence(),
    }


def _right(truth: Truth, answer: Estimate) -> list[int]:
    """Return the qualities that are right: of both tables, of luma's alone, and mozjpeg's own where it is named."""
    own = [truth.mozjpeg] if truth.mozjpeg is not None and "mozjpeg" in answer.sentence() else []
    return [truth.quality, truth.luma, *own]


def _off(truth: Truth, answer: Estimate) -> int:
    """Return by how many qualities an answer that has a number misses the nearest of those that are right."""
    assert answer.quality is not None
    rounded = int(np.floor(answer.quality + 0.5))
    return min(abs(rounded - quality) for quality in _right(truth, answer))


def outcome(truth: Truth | None, answer: Estimate) -> str:
    """Return exact, within 2, in range (the truth is in the interval or the tie set), unknown or wrong.

    Any number for a picture that never was a JPEG is wrong.
    """
    if answer.quality is None:
        return "unknown"
    if truth is None:
        return "wrong"
    off = _off(truth, answer)
    if off <= NEAR:
        return f"within {NEAR}" if off else "exact"
    low, high = answer.interval or (answer.quality, answer.quality)
    held = any(low <= quality <= high or quality in answer.tie_set for quality in _right(truth, answer))
    return "in range" if held else "wrong"


def says_other_tables(answer: Estimate) -> bool:
    """Return whether the answer tells a reader that the tables are not standard ones."""
    speaker = getattr(answer.evidence, "speaker", None) or answer.evidence
    told = isinstance(speaker, HeaderEvidence) and not speaker.exact
    return told or OTHER_TABLES.search(answer.sentence()) is not None


def silence(truth: Truth | None, answer: Estimate) -> str:
    """Return near or far (over 5 off) where tables that are not standard are passed off as standard, else nothing.

    Naming luma's quality exactly where luma's table is standard is no silence.
    """
    if truth is None or truth.tables == "standard" or answer.quality is None or says_other_tables(answer):
        return ""
    off = _off(truth, answer)
    if truth.tables == "luma standard" and off == 0:
        return ""
    return "far" if off > FAR else "near"


def history_verdict(case: Case, answer: Estimate) -> str:
    """Return what a word about an earlier compression is worth.

    Of pictures made here: found (within 5), off (another quality), missed, false; of real files: true, false or
    undecided by their coefficients.
    """
    earlier = answer.evidence.earlier_quality
    if case.first is not None:
        near = earlier is not None and abs(earlier - case.first) <= FAR
        return "missed" if earlier is None else "found" if near else "off"
    if case.source is None or earlier is None:
        return "false"
    shown = history.stands_out(case.source, earlier, history.claimed_grid(answer, case.corner))
    return "undecided" if shown is None else "true" if shown else "false"


def summary(rows: Sequence[Row]) -> list[Row]:
    """Return a row of counts for every set, group and treatment.

    Before them stand those of the whole set, where it has several groups, and of each kind of tables, where it has
    several.
    """
    groups: dict[tuple[str, int, str, str], list[Row]] = {}
    for row in rows:
        for rank, group in enumerate((ALL, f"tables: {row['tables']}", row["group"])):
            groups.setdefault((row["set"], rank, group, row["treatment"]), []).append(row)
    kinds: dict[tuple[str, int], set[str]] = {}
    for name, rank, group, _ in groups:
        kinds.setdefault((name, rank), set()).add(group)
    sets = list(dict.fromkeys(row["set"] for row in rows))
    order = sorted(groups, key=lambda key: (sets.index(key[0]), key[1]))
    several = {where for where, found in kinds.items() if len(found) > 1}
    shown = {(name, 2) for name in sets} | several | {(name, 0) for name, rank in several if rank}
    return [
        counts((name, group, how), groups[name, rank, group, how])
        for name, rank, group, how in order
        if (name, rank) in shown
    ]


def counts(key: tuple[str, str, str], rows: Sequence[Row]) -> Row:
    """Return how many rows there are of every kind; `held` of `intervals` hold the truth."""
    ranged = [row for row in rows if row["truth"] is not None and row["low"] is not None and row["quality"] is not None]
    held = sum(row["low"] - 0.5 <= row["truth"] <= row["high"] + 0.5 for row in ranged)
    return {
        **dict(zip(("set", "group", "treatment"), key, strict=True)),
        "cases": len(rows),
        **{name: sum(map(holds, rows)) for name, holds in COLUMNS.items()},
        "intervals": len(ranged),
        "held": held,
        "median seconds": round(float(np.median([row["seconds"] for row in rows])), 3),
    }


def table(rows: Iterable[Row]) -> list[str]:
    """Return the lines of a table of counts; zeros are dots."""
    shown = ("cases", *COLUMNS)
    wide = [max(len(name), 5) for name in shown]
    lines = [
        f"{'set':13}{'group':24}{'treatment':18}" + " ".join(f"{n:>{w}}" for n, w in zip(shown, wide, strict=True))
    ]
    for row in rows:
        numbers = (f"{row[n] or '.':>{w}}" for n, w in zip(shown, wide, strict=True))
        lines.append(f"{row['set']:13}{row['group']:24}{row['treatment']:18}" + " ".join(numbers))
    return lines
