"""Tuned numbers that say what they are: frozen dataclasses whose fields are made by `tuned`.

A group of settings may be a field of another; its entries are then called `group.name`.
"""

import dataclasses
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


def tuned(
    value: T, unit: str, decides: str, found_on: str, rate: str = "", refit: str = "", target: float | None = None
) -> T:
    """Return a dataclass field with default `value` and what is known of it.

    `decides` says what the number does, `found_on` on which pictures or for which reason it was chosen, `rate` which
    quantile or false-alarm rate it stands for as measured, `refit` which command finds it again, and `target` the
    false-alarm rate 0..1 that it is to keep.
    """
    known = {"unit": unit, "decides": decides, "found_on": found_on, "rate": rate, "refit": refit, "target": target}
    field: T = dataclasses.field(default=value, metadata=known)
    return field


class Entry(NamedTuple):
    """One tuned number: its dotted name, present value, and what `tuned` was told of it."""

    name: str
    value: Any
    unit: str
    decides: str
    found_on: str
    rate: str
    refit: str
    target: float | None


def describe(settings: Any, prefix: str = "") -> list[Entry]:
    """Return the entries of a settings dataclass in order, those of groups included."""
    entries = []
    for field in dataclasses.fields(settings):
        value, name = getattr(settings, field.name), prefix + field.name
        if field.metadata:
            entries.append(Entry(name, value, **field.metadata))
        else:
            entries += describe(value, f"{name}.")
    return entries


def fingerprint(settings: Any) -> str:
    """Return 12 hexadecimal digits that change when a name or a value does, for records and cache keys."""
    import hashlib

    said = repr([(entry.name, entry.value) for entry in describe(settings)])
    return hashlib.sha256(said.encode()).hexdigest()[:12]
