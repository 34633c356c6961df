"""Settings that say what they are: entries in order, groups with dotted names, a fingerprint of names and values."""

from dataclasses import FrozenInstanceError, dataclass, replace

import pytest

from q1net_msroi.utils.settings import Entry, describe, fingerprint, tuned


@dataclass(frozen=True)
class Inner:
    width: int = tuned(3, unit="pixels", decides="how wide", found_on="convention")


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    level: float = tuned(0.5, "", decides="when to stop", found_on="Kodak", rate="1 %", refit="fit.py", target=0.01)


def test_entries_come_in_order_with_dotted_names() -> None:
    assert describe(Outer()) == [
        Entry("inner.width", 3, "pixels", "how wide", "convention", "", "", None),
        Entry("level", 0.5, "", "when to stop", "Kodak", "1 %", "fit.py", 0.01),
    ]


def test_fields_are_plain_values_that_cannot_be_set() -> None:
    settings = Outer()
    assert (settings.level, settings.inner.width) == (0.5, 3)
    with pytest.raises(FrozenInstanceError):
        settings.level = 1.0  # type: ignore[misc]


def test_the_fingerprint_changes_with_a_value_of_a_group_and_with_nothing_else() -> None:
    assert fingerprint(Outer()) == fingerprint(Outer(Inner(3), 0.5))
    assert len({fingerprint(Outer()), fingerprint(Outer(Inner(4))), fingerprint(replace(Outer(), level=0.25))}) == 3
