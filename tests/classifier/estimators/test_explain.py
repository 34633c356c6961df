"""The answer in words."""

from __future__ import annotations

from typing import Any

import pytest

from q1net_msroi.classifier.estimators import explain
from q1net_msroi.classifier.estimators.result import Estimate

HEADER = {
    "family": "standard",
    "quality": 95,
    "exact": True,
    "nearest_standard": 95,
    "distance": 0.0,
    "relative_distance": 0.0,
    "subsampling": "4:2:0",
    "components": 3,
    "progressive": False,
    "photoshop_quality": None,
}
NETWORK = {
    "quality": 63.4,
    "confident_patches": 64,
    "confident_share": 0.25,
    "threshold": 93.5,
    "fusion": "median",
    "patches": "grid",
}


@pytest.mark.parametrize(
    ("qualities", "words"),
    [
        ([49], "49"),
        ([50, 49], "49 or 50"),
        (range(96, 101), "96 to 100"),
        ([46, 39, 40], "39, 40 or 46"),
        ([58, 59, 60, 99], "58 to 60 or 99"),
    ],
)
def test_any_of(qualities: Any, words: str) -> None:
    assert explain.any_of(qualities) == words


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(95.0, 0, 0, evidence={"spoke": "header", "header": HEADER, "earlier_quality": None}), "saved at 95"),
        (
            Estimate(95.0, 0, 0, evidence={"spoke": "header", "header": HEADER, "earlier_quality": 40.2}),
            "saved at 95, but compressed at about 40 before",
        ),
        (
            Estimate(75.0, 0, 0, evidence={"spoke": "header", "header": {**HEADER, "family": "mozjpeg"}}),
            "saved by mozjpeg at 75",
        ),
        (
            Estimate(88.0, 0, 0, interval=(82, 91), evidence={"header": {**HEADER, "exact": False}}),
            "saved at about 88 (82 to 91)",
        ),
        (Estimate(40.0, 0, 0, tie_set=(40,), evidence={"lattice": {}}), "compressed at 40"),
        (
            Estimate(50.0, 0, 0, tie_set=(49, 50), evidence={"lattice": {}}),
            "compressed at 49 or 50: the pixels cannot tell these apart",
        ),
        (
            Estimate(63.4, 64, 256, interval=(58.1, 66), evidence={"network": NETWORK}),
            "compressed at about 63 (58 to 66)",
        ),
        (Estimate(None, 0, 0, reason="no JPEG trace", evidence={"spoke": None}), "unknown: no JPEG trace"),
    ],
)
def test_sentences(estimate: Estimate, words: str) -> None:
    assert explain.sentence(estimate) == words


def test_a_fallback_is_said_to_be_one() -> None:
    estimate = Estimate(100.0, 0, 0, reason="no patch is confident", evidence={"spoke": None})
    assert "asked for instead" in explain.sentence(estimate)


def test_every_evidence_has_its_line() -> None:
    lattice = {"quality": 40, "margin": 12.5, "phase": [3, 5], "verdict": "compressed", "tie_set": [40, 41], "x": None}
    lattice["earlier"] = {"quality": 20, "phase": [0, 0], "nats": 50.0}
    evidence = {"header": HEADER, "lattice": lattice, "network": NETWORK}
    lines = explain.lines(Estimate(95.0, 0, 0, interval=(95, 95), evidence=evidence))
    assert [line.split(":")[0] for line in lines] == ["header", "lattice", "network", "interval"]
    for words in ("quality 95, standard tables", "distance of 0", "4:2:0", "baseline"):
        assert words in lines[0]
    assert lines[1] == "lattice: quality 40, margin 12.5, phase [3, 5], verdict compressed, tie set 40 or 41, " + (
        "earlier quality 20 on the grid at [0, 0]"
    )
    assert "quality 63.40, 64 confident patches (25%" in lines[2]
