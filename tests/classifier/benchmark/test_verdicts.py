"""What answers are worth."""

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark import verdicts
from q1net_msroi.classifier.benchmark.truth import Truth
from q1net_msroi.classifier.benchmark.world import Case
from q1net_msroi.classifier.estimators.auto import AutoEvidence
from q1net_msroi.classifier.estimators.header import Header, estimate_header
from q1net_msroi.classifier.estimators.lattice_evidence import Earlier, LatticeEvidence
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.utils import jpeg

STANDARD, OTHER = Truth.standard(80), Truth(80, 84, "other")
LUMA = Truth(80, 80, "luma standard")


@pytest.mark.parametrize(
    ("truth", "answer", "worth"),
    [
        (STANDARD, Estimate(80.4), "exact"),
        (STANDARD, Estimate(80.5), "within 2"),
        (STANDARD, Estimate(77.6), "within 2"),
        (STANDARD, Estimate(77.0), "wrong"),
        (STANDARD, Estimate(77.0, (70.0, 80.0)), "in range"),
        (STANDARD, Estimate(77.0, (70.0, 79.0)), "wrong"),
        (STANDARD, Estimate(30.0, tie_set=(30, 80)), "in range"),
        (STANDARD, Estimate(None), "unknown"),
        (OTHER, Estimate(84.0), "exact"),
        (OTHER, Estimate(87.0), "wrong"),
        (None, Estimate(100.0), "wrong"),
        (None, Estimate(None), "unknown"),
    ],
)
def test_outcomes(truth: Truth | None, answer: Estimate, worth: str) -> None:
    assert verdicts.outcome(truth, answer) == worth


def test_silence_about_tables() -> None:
    standard = LatticeEvidence(verdict="compressed", tables="standard")
    other = LatticeEvidence(verdict="compressed", tables="not standard")

    def silence(truth: Truth | None, quality: float | None, said: LatticeEvidence) -> str:
        speaker = said if quality is not None else None
        answer = Estimate(quality, reason="none", evidence=AutoEvidence(speaker, None, (said,)))
        return verdicts.silence(truth, answer if quality is None else Estimate(quality, evidence=answer.evidence))

    assert silence(OTHER, 80, standard) == "near"
    assert silence(OTHER, 90, standard) == "far"
    assert silence(OTHER, 90, other) == ""
    assert silence(OTHER, None, standard) == ""
    assert silence(STANDARD, 90, standard) == ""
    assert silence(None, 90, standard) == ""
    assert silence(LUMA, 80, standard) == ""
    assert silence(LUMA, 79, standard) == "near"


def test_an_encoders_own_setting_is_right_where_it_is_named() -> None:
    tables = tables_of_mozjpeg(80)
    answer = estimate_header(Header(tables, tables, 3, subsampling=None, progressive=False))
    truth = Truth(74, 74, "other", 80)
    assert answer.quality == 80
    assert verdicts.outcome(truth, answer) == "exact"
    assert verdicts.outcome(truth, Estimate(80.0)) == "wrong"


def tables_of_mozjpeg(quality: int) -> np.ndarray:
    return np.clip((jpeg.MOZJPEG_BASE * (200 - 2 * quality) + 50) // 100, 1, 255)


def test_a_header_that_is_not_exact_says_so() -> None:
    tables = jpeg.standard_tables()[79].copy()
    exact = estimate_header(Header(tables[0], tables[1], 3, subsampling=None, progressive=False))
    tables[0, 3, 3] += 1
    near = estimate_header(Header(tables[0], tables[1], 3, subsampling=None, progressive=False))
    assert not verdicts.says_other_tables(exact)
    assert verdicts.says_other_tables(near)


def case(first: int | None = None, source: bytes | None = None) -> Case:
    return Case("group", "file", STANDARD, lambda: np.zeros((8, 8, 3), np.uint8), first=first, source=source)


def answer(earlier: int | None) -> Estimate:
    found = None if earlier is None else Earlier(earlier, (0, 0), 99.0)
    return Estimate(80.0, (80.0, 80.0), evidence=LatticeEvidence(verdict="compressed", earlier=found))


@pytest.mark.parametrize(
    ("first", "claimed", "worth"),
    [(40, 40, "found"), (40, 45, "found"), (40, 46, "off"), (40, None, "missed"), (None, 40, "false")],
)
def test_made_histories(first: int | None, claimed: int | None, worth: str) -> None:
    assert verdicts.judged(case(first), answer(claimed))["history"] == worth


def test_no_word_about_no_history_is_none() -> None:
    assert verdicts.judged(case(), answer(None))["history"] == ""


@pytest.mark.parametrize(("shown", "worth"), [(True, "true"), (False, "false"), (None, "undecided")])
def test_histories_of_real_files(monkeypatch: pytest.MonkeyPatch, shown: bool | None, worth: str) -> None:
    monkeypatch.setattr(verdicts.history, "stands_out", lambda content, claimed, grid: shown)
    assert verdicts.judged(case(source=b"a file"), answer(40))["history"] == worth


def test_kinds_of_tables_are_counted_apart() -> None:
    rows = [{"set": "real", **verdicts.judged(case(), answer(None))} for _ in range(3)]
    rows[0] |= {"tables": "other", "outcome": "wrong"}
    found = {row["group"]: (row["cases"], row["wrong"]) for row in verdicts.summary(rows)}
    assert found == {"all": (3, 1), "tables: other": (1, 1), "tables: standard": (2, 0), "group": (3, 1)}
    assert [row["group"] for row in verdicts.summary(rows[1:])] == ["group"]


def test_summary_and_table() -> None:
    rows = [verdicts.judged(case(), answer(None)), verdicts.judged(case(), Estimate(50.0, (49.0, 51.0)))]
    rows[1]["group"] = "others"
    summary = verdicts.summary([{"set": "real", **row} for row in rows])
    assert [(row["group"], row["cases"], row["exact"], row["wrong"]) for row in summary] == [
        ("all", 2, 1, 1), ("group", 1, 1, 0), ("others", 1, 0, 1),
    ]  # fmt: skip
    assert [(row["intervals"], row["held"]) for row in summary] == [(2, 1), (1, 1), (1, 0)]
    lines = verdicts.table(summary)
    assert len(lines) == 4
    assert lines[0].split()[:4] == ["set", "group", "treatment", "cases"]
    assert lines[3].split()[:5] == ["real", "others", "file", "1", "."]
