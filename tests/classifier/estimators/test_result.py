"""The answer in words and as plain data, whatever estimator gave it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.auto import AutoEvidence, HistoryEvidence
from q1net_msroi.classifier.estimators.baseline import BaselineEvidence
from q1net_msroi.classifier.estimators.header import HeaderEvidence
from q1net_msroi.classifier.estimators.lattice_evidence import Earlier, LatticeEvidence, earlier_of
from q1net_msroi.classifier.estimators.network import NetworkEvidence
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate, Evidence, any_of
from q1net_msroi.classifier.lattice.history import First

HEADER = HeaderEvidence("standard", 95, True, 95, 0.0, 0.0, 95, 95, None, 2, 3, "4:2:0", False)
LATTICE = LatticeEvidence(verdict="compressed", tables="standard", quality=40, margin=12.5, phase=(3, 5))
NETWORK = NetworkEvidence(63.4, 60.1, 64, 0.25, 93.5, "median", "grid", used=64, parts=256, spread=2.25)
HISTORY = replace(LATTICE, tie_set=(40, 41), earlier=Earlier(20, (0, 0), 50.0))
BEFORE = HistoryEvidence(900, Earlier(20, (0, 0), 50.0))


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
    assert any_of(qualities) == words


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(95.0, evidence=HEADER), "saved at 95"),
        (Estimate(95.0, evidence=AutoEvidence(HEADER, 40.2)), "saved at 95, but compressed at about 40 before"),
        (Estimate(75.0, evidence=replace(HEADER, family="mozjpeg")), "saved by mozjpeg at 75"),
        (Estimate(75.0, evidence=replace(HEADER, family="photoshop")), "saved by Photoshop at 75"),
        (
            Estimate(88.0, (82, 91), evidence=replace(HEADER, exact=False, luma_quality=None, chroma_quality=None)),
            "saved with tables that are not standard, near to 88 (82 to 91)",
        ),
        (
            Estimate(77.0, (72, 80), evidence=replace(HEADER, exact=False, luma_quality=72, chroma_quality=80)),
            "saved at 72 for luma and 80 for chroma, near to 77",
        ),
        (Estimate(40.0, tie_set=(40,), evidence=LATTICE), "compressed at 40"),
        (Estimate(40.0, tie_set=(40,), evidence=HISTORY), "compressed at 40, but compressed at about 20 before"),
        (
            Estimate(50.0, tie_set=(49, 50), evidence=LATTICE),
            "compressed at 49 or 50: the pixels cannot tell these apart",
        ),
        (
            Estimate(50.0, (45, 55), evidence=replace(LATTICE, tables="not standard")),
            "compressed with tables that are not standard, near to 50 (45 to 55)",
        ),
        (Estimate(63.4, (58.1, 66), evidence=NETWORK), "compressed at about 63 (58 to 66)"),
        (Estimate(63.4, (63.1, 63.4), evidence=AutoEvidence(NETWORK)), "compressed at about 63"),
        (
            Estimate(40.0, tie_set=(40,), evidence=replace(LATTICE, turned=True)),
            "compressed at 40, turned by a quarter since (or its table was, which is not standard)",
        ),
        (
            Estimate(40.0, tie_set=(40,), evidence=replace(LATTICE, partly=True)),
            "compressed at 40, changed a little since",
        ),
        (Estimate(40.0, tie_set=(40,), evidence=replace(LATTICE, colours="RGB")), "compressed at 40, as RGB"),
        (Estimate(63.4, evidence=BaselineEvidence("x", 63.4, 9)), "compressed at about 63"),
        (Estimate(63.4), "compressed at about 63"),
        (Estimate(None, reason="no JPEG trace", evidence=AutoEvidence()), "unknown: no JPEG trace"),
        (
            Estimate(None, reason="strange tables", evidence=AutoEvidence(HEADER, 20.0)),
            "unknown: strange tables, but compressed at about 20 before",
        ),
    ],
)
def test_sentences(estimate: Estimate, words: str) -> None:
    assert estimate.sentence() == words


@pytest.mark.parametrize("evidence", [Evidence(), NETWORK, AutoEvidence()])
def test_a_fallback_is_said_to_be_one(evidence: Evidence) -> None:
    estimate = Estimate(100.0, reason="no patch is confident", evidence=evidence)
    assert estimate.sentence() == "no answer; 100 was asked for instead"


def test_short() -> None:
    assert Estimate(63.44).short() == "63.4"
    assert Estimate(None, reason="flat", evidence=AutoEvidence(None, 20.0)).short() == (
        "unknown (flat, but compressed at about 20 before)"
    )


def test_every_evidence_has_its_line() -> None:
    evidence = AutoEvidence(HEADER, 20.0, (HEADER, BEFORE, HISTORY, NETWORK))
    lines = Estimate(95.0, (95, 95), evidence=evidence).lines()
    assert lines[
        0
    ] == "header: quality 95, standard tables, nearest standard quality 95 at a distance of 0 (0.0%), " + (
        "4:2:0, baseline"
    )
    assert lines[1] == "history: quality 20 before, on the grid at [0, 0]"
    assert HistoryEvidence(9, None).lines() == ["history: no earlier compression shows"]
    assert lines[
        2
    ] == "lattice: verdict compressed, tables standard, quality 40, margin 12.5, nats 0, phase [3, 5], " + (
        "blocks 0, tie set 40 or 41, quality 20 before, on the grid at [0, 0]"
    )
    assert (
        lines[3]
        == "network: quality 63.40, 64 confident patches (25%, confidence above 93.5), median of patches by grid"
    )
    assert lines[4:] == ["interval: 95 alone"]
    assert Estimate(50, (40, 60.5), evidence=LATTICE).lines()[-1] == "interval: 40 to 60.5"
    held = "interval: 40 to 60.5, which held for 9 of 10 answers on validation photographs"
    for measured in (NETWORK, AutoEvidence(NETWORK, None, (NETWORK,))):
        assert Estimate(50, (40, 60.5), evidence=measured).lines()[-1] == held
    gray = replace(HEADER, quality=None, subsampling=None, components=1, process="progressive", photoshop_quality=8)
    assert gray.lines()[0].endswith("gray, progressive, Photoshop's own setting 8 of 12")
    assert gray.lines()[0].startswith("header: no quality, ")
    assert replace(NETWORK, quality=None).lines()[0].startswith("network: quality unknown, ")
    assert BaselineEvidence("x", 63.4, 9).lines() == ["baseline: name x, quality 63.4, crops 9"]
    assert Evidence().lines() == []


@pytest.mark.parametrize(
    ("evidence", "counts", "keys"),
    [
        (HEADER, (0, 0, None), "family quality exact nearest_standard distance relative_distance luma_quality "
         "chroma_quality photoshop_quality tables components subsampling progressive colours process precision unread"),
        (NETWORK, (64, 256, 2.25),
         "quality uncorrected confident_patches confident_share threshold fusion patches"),
        (BaselineEvidence("x", 63.4, 9, used=9, parts=9, spread=1.5), (9, 9, 1.5), "name quality crops"),
        (replace(LATTICE, noise="exact", blocks=7, used=7, parts=9), (7, 9, None),
         "verdict tables quality margin nats phase noise subsampling blocks earlier"),
        (LatticeEvidence(verdict="compressed", tables="not standard", family="unknown", margin=1.0, phase=(0, 0),
                         noise="exact", steps=3),
         (0, 0, None), "verdict tables family quality margin nats phase noise steps blocks earlier"),
        (LatticeEvidence(verdict="never", answerable=True), (0, 0, None), "verdict nats blocks answerable"),
        (replace(LATTICE, turned=True, partly=True, colours="RGB"), (0, 0, None),
         "verdict tables quality margin nats phase subsampling blocks turned partly colours earlier"),
        (BEFORE, (0, 0, None), "blocks earlier"),
        (HistoryEvidence(9, None), (0, 0, None), "blocks earlier"),
        (LatticeEvidence(verdict="unknown", phase=(0, 0), tie_set=()), (0, 0, None),
         "verdict nats phase blocks tie_set"),
    ],
)  # fmt: skip
def test_json_keys(evidence: Evidence, counts: tuple[Any, ...], keys: str) -> None:
    record = Estimate(63.4, evidence=evidence).record("a.png", "x")
    assert list(record["evidence"]) == [evidence.kind]
    assert list(record["evidence"][evidence.kind]) == keys.split()
    assert (record["confident_patches"], record["patches"], record["spread"]) == counts
    json.dumps(record)


def test_json_of_an_earlier_compression() -> None:
    on_its_grid = {"quality": 20, "phase": (0, 0), "nats": 50.0}
    assert HISTORY.values()["earlier"] == BEFORE.values()["earlier"] == on_its_grid
    pair = replace(HISTORY, earlier=Earlier(20, (0, 0), 50.0, tie_set=(20, 21)))
    assert pair.values()["earlier"] == {**on_its_grid, "tie_set": (20, 21)}
    assert pair.lines()[0].endswith(", quality 20 or 21 before, on the grid at [0, 0]")
    elsewhere = replace(BEFORE, earlier=Earlier(20, (5, 3), standard_errors=12.5))
    assert elsewhere.values()["earlier"] == {"quality": 20, "phase": (5, 3), "standard_errors": 12.5}
    assert HistoryEvidence(9, None).values() == {"blocks": 9, "earlier": None}


@pytest.mark.parametrize("first", [
    First(20, (0, 0), 50.04, 0.5, (20, 21)),
    First(20, (5, 3), 12.54, 0.5),
])  # fmt: skip
def test_on_one_grid_nats_tell_of_an_earlier_compression_on_two_standard_errors(first: First) -> None:
    earlier = earlier_of(first)
    assert earlier is not None
    assert (earlier.quality, earlier.phase, earlier.tie_set) == (20, first.phase, first.tie_set)
    assert (earlier.nats, earlier.standard_errors) == ((50.0, None) if first.tie_set else (None, 12.5))
    assert earlier_of(None) is None


def test_json_of_auto() -> None:
    evidence = AutoEvidence(HEADER, 40.0, (HEADER, BEFORE, LATTICE, NETWORK), used=64, parts=256, spread=2.25)
    record = Estimate(95.0, evidence=evidence).record("a.jpg", "auto")
    kinds = ["header", "history", "lattice", "network"]
    assert list(record["evidence"]) == ["spoke", "earlier_quality", *kinds, "sentence"]
    assert record["evidence"]["spoke"] == "header"
    assert record["evidence"]["sentence"] == "saved at 95, but compressed at about 40 before"
    assert (record["confident_patches"], record["patches"], record["spread"]) == (64, 256, 2.25)
    silent = Estimate(None, evidence=AutoEvidence(asked=(LATTICE,))).record("a.png", "auto")
    assert silent["evidence"]["spoke"] is silent["evidence"]["earlier_quality"] is None
    assert silent["patches"] == 0


@dataclass(frozen=True)
class BrightnessEvidence(Evidence):
    """What an estimator that is nowhere else rests on."""

    kind: ClassVar[str] = "brightness"
    mean: float

    def sentence(self, answer: Estimate) -> str:
        """Return the answer in a sentence."""
        return f"as bright as quality {answer.quality:.0f}"


class Brightness:
    """An estimator that knows one thing."""

    def estimate(self, pixels: np.ndarray) -> Estimate:
        """Return the mean as quality."""
        mean = float(pixels.mean())
        return Estimate(mean, (mean - 1, mean + 1), evidence=BrightnessEvidence(mean))


def test_a_new_estimator_is_a_file_and_an_entry(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.KINDS, "brightness", registry.Kind(lambda _: Brightness(), "the mean of the pixels"))
    for name in ("a", "b"):
        Image.new("RGB", (9, 9), (42, 42, 42)).save(tmp_path / f"{name}.png")
    flags = ("--comp_type", "brightness", "--in_path")
    done = call("classifier.predict_cls", *flags, tmp_path / "a.png", "--explain")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0].startswith("predicted quality 42.00, estimated in ")
    assert done.lines[1:] == ["as bright as quality 42", "  brightness: mean 42", "  interval: 41 to 43"]
    assert call("classifier.predict_cls", *flags, tmp_path).lines == ["  1/2: a, 42.0", "  2/2: b, 42.0", "Mean: 42.00"]
    record = json.loads(call("classifier.predict_cls", *flags, tmp_path / "a.png", "--json").out)
    assert (record["quality"], record["evidence"]) == (42, {"brightness": {"mean": 42.0}})
    assert registry.estimate_path(Asked("brightness"), None, tmp_path / "b.png").quality == 42


def test_help_tells_of_a_new_estimator(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.KINDS, "brightness", registry.Kind(lambda _: Brightness(), "the mean of the pixels"))
    assert "brightness: the mean of the pixels" in " ".join(call("classifier.predict_cls", "--help").out.split())
