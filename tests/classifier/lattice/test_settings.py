"""The settings of the lattice family: each says what it is, no two are called alike, thresholds can be measured."""

from q1net_msroi.classifier.lattice.noise import NOISES
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils.settings import describe
from scripts import fit_lattice

ENTRIES = describe(LATTICE)


def test_every_entry_says_what_it_decides_and_where_it_comes_from() -> None:
    assert len(ENTRIES) > 90
    for entry in ENTRIES:
        assert entry.decides, entry.name
        assert entry.found_on, entry.name
        assert (entry.target is None) == (entry.refit == "") == (entry.rate == ""), entry.name
    assert len({entry.decides for entry in ENTRIES}) > 0.95 * len(ENTRIES)


def test_what_has_a_target_is_what_the_script_measures() -> None:
    assert {entry.name for entry in ENTRIES if entry.target is not None} == set(fit_lattice.MEASURES)


def test_noises_are_sorted_by_what_they_leave() -> None:
    chroma = {name for name, _ in LATTICE.chroma_noises}
    assert set(NOISES) == {"exact", "smooth", "line", "blurred", "noisy", "coarse"} | chroma
    for kind in NOISES.values():
        assert 0 < kind.sigma < kind.tail_sigma
        assert 0 < kind.outliers < kind.tail < 0.5
    assert set(LATTICE.inexact_noises) < set(NOISES)
