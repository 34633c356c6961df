"""Which evidence speaks, and what is said of an earlier compression; whole answers are in test_answers.py."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import auto
from q1net_msroi.classifier.estimators.auto import AutoEvidence, HistoryEvidence
from q1net_msroi.classifier.estimators.header import Header, estimate_header
from q1net_msroi.classifier.estimators.lattice_evidence import Earlier, LatticeEvidence
from q1net_msroi.classifier.estimators.network import NetworkEvidence
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate, number
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import files, images, jpeg

PREDICT = "classifier.predict_cls"
Call = Callable[..., Any]
needs_weights = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


def lattice(quality: float | None, verdict: str = "compressed", earlier: float | None = None, **more: Any) -> Estimate:
    before = None if earlier is None else Earlier(int(earlier), (0, 0), 99.0)
    evidence = LatticeEvidence(
        verdict=verdict, quality=quality, phase=(0, 0), earlier=before, blocks=500, used=500, parts=1000, **more
    )
    reason = None if quality is not None else f"lattice: {verdict}"
    ties = () if quality is None else (int(quality),)
    return Estimate(quality, tie_set=ties, reason=reason, evidence=evidence).with_tie_interval()


def network(quality: float | None, half: float = 3.0) -> Estimate:
    interval = None if quality is None else (quality - half, quality + half)
    reason = "no patch is confident" if quality is None else None
    evidence = NetworkEvidence(
        quality, quality, 100, 100 / 256, 90.0, "median", "grid", used=100, parts=256, spread=2.0
    )
    return Estimate(quality, interval=interval, reason=reason, evidence=evidence)


def spoke(answer: Estimate) -> str | None:
    assert isinstance(answer.evidence, AutoEvidence)
    return answer.evidence.speaker.kind if answer.evidence.speaker else None


def header(quality: int) -> Estimate:
    tables = jpeg.standard_tables()[quality - 1]
    return estimate_header(Header(tables[0], tables[1], 3, "4:2:0", False))


def history(earlier: int | None = None) -> HistoryEvidence:
    return HistoryEvidence(500, None if earlier is None else Earlier(earlier, (0, 0), 99.0))


@pytest.mark.parametrize("seen", [None, lattice(40), lattice(95, earlier=38), lattice(None, "changed")])
@pytest.mark.parametrize("asked", [None, network(50), network(None)])
@pytest.mark.parametrize("earlier", [None, 38])
def test_of_a_jpeg_file_only_header_and_coefficients_speak(
    seen: Estimate | None, asked: Estimate | None, earlier: int | None
) -> None:
    """What lattice and network make of its pixels is shown, and changes nothing."""
    answer = auto.with_header(header(95), history(earlier), seen, asked)
    assert (answer.quality, answer.interval, answer.tie_set) == (95, (95, 95), (95,))
    assert (spoke(answer), answer.evidence.earlier_quality) == ("header", earlier)
    kinds = ["header", "history", *("lattice" for _ in [seen] if seen), *("network" for _ in [asked] if asked)]
    assert [said.kind for said in answer.evidence.asked] == kinds


def test_tables_that_are_not_standard_have_an_earlier_compression_too() -> None:
    flat = np.full((8, 8), 16)
    answer = auto.with_header(estimate_header(Header(flat, flat, 3, "4:2:0", False)), history(20), None, None)
    near = number(answer.quality)
    assert answer.sentence().startswith(f"saved with tables that are not standard, near to {near} (")
    assert answer.sentence().endswith("), but compressed at about 20 before")


def test_without_stored_coefficients_the_pixels_lattice_tells_of_an_earlier_compression(
    photograph: np.ndarray,
) -> None:
    tables = jpeg.standard_tables()[94]
    seen = lattice(95, earlier=40).evidence
    assert isinstance(seen, LatticeEvidence)
    said = Header(tables[0], tables[1], 3, "4:2:0", False)
    assert auto.history(said, estimate_header(said), None, photograph, seen) == HistoryEvidence(0, seen.earlier)
    assert auto.history(said, estimate_header(said), None, photograph, None) == HistoryEvidence(0, None)


@pytest.mark.parametrize(
    ("seen", "asked", "quality", "whose"),
    [
        (lattice(63), None, 63, "lattice"),
        (lattice(63), network(80), 63, "lattice"),
        (lattice(None, "unknown", answerable=True), network(72), 72, "network"),
        (lattice(None, "unknown", answerable=True), network(86), 86, "network"),
        (lattice(None, "unknown", answerable=True), network(87), None, None),  # its interval reaches the least of never
        (lattice(None, "unknown", answerable=True), network(None), None, None),
        (lattice(None, "unknown", answerable=False), network(72), None, None),
        (lattice(None, "unknown", answerable=True, tables="not standard"), network(72), None, None),
        (lattice(None, "never"), network(60), None, None),
        (lattice(None, "never"), None, None, None),
        (lattice(None, "changed"), network(60), None, None),
    ],
)
def test_pixels_alone(seen: Estimate, asked: Estimate | None, quality: float | None, whose: str | None) -> None:
    answer = auto.without_header(seen, asked, 90.0)
    assert (answer.quality, spoke(answer)) == (quality, whose)
    assert (answer.quality is None) == (answer.reason is not None)
    assert (answer.quality is None) == (answer.interval is None)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (network(None), "lattice: unknown; no patch is confident"),
        (network(88), "lattice: unknown; to the network it may never have been compressed"),
        (replace(network(60), interval=None), "lattice: unknown; to the network it may never have been compressed"),
    ],
)
def test_why_the_network_has_no_answer_either(asked: Estimate, reason: str) -> None:
    answer = auto.without_header(lattice(None, "unknown", answerable=True), asked, 90.0)
    assert (answer.quality, answer.reason) == (None, reason)


@pytest.mark.parametrize(
    ("left", "quality"), [((), 6.3), ((4, 8, 12), 8), ((5, 6, 7), 6), ((1, 9, 50), 9), ((20, 50), None)]
)
def test_the_network_chooses_among_what_the_lattice_leaves(left: tuple[int, ...], quality: float | None) -> None:
    seen = replace(lattice(None, "unknown", answerable=True), tie_set=left)
    answer = auto.without_header(seen, network(6.3), 90.0)
    assert answer.quality == quality
    if quality is None:
        assert answer.reason == "the lattice leaves 20 or 50, the network says about 6: they do not agree"
        assert spoke(answer) is None
    else:
        assert answer.interval == (3.3, 9.3)
        assert spoke(answer) == "network"


def test_an_earlier_compression_in_pixels_alone() -> None:
    answer = auto.without_header(lattice(90, earlier=45), None, 90.0)
    assert (answer.quality, answer.evidence.earlier_quality) == (90, 45)


@needs_weights
def test_the_best_network_of_those_that_are_there(save_path: Path) -> None:
    asked = Asked("auto", save_path=str(save_path))
    folder = save_path / "jpeg_paper"
    entry = {"threshold": 92.0, "mae": 0.8, "interval": {"edges": [], "offsets": [[-2, 2]]}}
    card = {"best": "texture/mode", "texture/mode": entry, "grid/median": {**entry, "mae": 1.0}}
    weights.update_card(folder, fusion={"float32": card})
    best = auto.best_network(asked)
    assert (best.comp_type, best.patches, best.fusion) == ("jpeg_paper", "texture", "mode")
    assert auto.best_network(replace(asked, fusion="median")).fusion == "median"
    (save_path / "jpeg_paper_k12").mkdir()
    for name in ("comp_cls.tflite", "model.json"):
        (save_path / "jpeg_paper_k12" / name).write_bytes((folder / name).read_bytes())
    better = {"best": "grid/median", "grid/median": {**entry, "mae": 0.5}}
    weights.update_card(save_path / "jpeg_paper_k12", fusion={"float32": better})
    assert auto.best_network(asked).comp_type == "jpeg_paper_k12"


@needs_weights
def test_one_picture_of_each_kind(call: Call, tmp_path: Path, photograph: np.ndarray) -> None:
    pixels = photograph[:240, :320]
    first = jpeg.compress(np.ascontiguousarray(pixels), 40)
    (tmp_path / "again.jpg").write_bytes(jpeg.encode(first, 95))
    Image.fromarray(first).save(tmp_path / "pixels.png")
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(tmp_path / "flat.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")

    def record(name: str, *flags: str) -> dict[str, Any]:
        done = call(PREDICT, "--in_path", tmp_path / name, "--comp_type", "auto", "--json", *flags)
        assert (done.code, done.err) == (0, "")
        answer: dict[str, Any] = json.loads(done.out)
        assert (answer["quality"] is None) == (answer["reason"] is not None) == (answer["interval"] is None)
        return answer

    again = record("again.jpg")
    assert (again["quality"], again["interval"]) == (95, [95, 95])
    assert again["evidence"]["earlier_quality"] == pytest.approx(40, abs=3)
    assert again["evidence"]["sentence"].startswith("saved at 95, but compressed at about ")
    explained = record("again.jpg", "--explain")
    assert explained["evidence"]["network"]["quality"] is not None
    for name in ("quality", "interval", "tie_set", "reason"):
        assert explained[name] == again[name]  # being explained changes no answer
    seen = record("pixels.png")
    assert seen["quality"] == 40
    assert seen["evidence"]["spoke"] == "lattice"
    for name in ("flat.png", "one.png"):
        assert record(name)["quality"] is None

    done = call(PREDICT, "--in_path", tmp_path / "again.jpg", "--comp_type", "auto", "--explain")
    assert done.lines[0].startswith("predicted quality 95.00, estimated in ")
    assert done.lines[1] == again["evidence"]["sentence"]
    assert [line.split(":")[0].strip() for line in done.lines[2:]] == [
        "header", "history", "lattice", "network", "interval",
    ]  # fmt: skip


@needs_weights
def test_a_folder(call: Call, tmp_path: Path, photograph: np.ndarray) -> None:
    for quality in (30, 70):
        content = jpeg.encode(np.ascontiguousarray(photograph[:120, :160]), quality)
        (tmp_path / f"{quality}.jpg").write_bytes(content)
    (tmp_path / "broken.jpg").write_bytes(b"text")
    done = call(PREDICT, "--in_path", tmp_path, "--comp_type", "auto")
    assert done.code == 1
    assert done.lines == ["  1/3: 30, 30.0", "  2/3: 70, 70.0", "Mean: 50.00"]


def test_missing_weights_are_said(call: Call, tmp_path: Path) -> None:
    sample = files.REPOSITORY / "sample_image" / "chelsea.png"
    done = call(PREDICT, "--in_path", sample, "--comp_type", "auto", "--save_path", tmp_path)
    done.fails(2, "comp_cls.tflite is missing")


@needs_weights
def test_what_the_network_says_of_photographs_never_compressed(save_path: Path) -> None:
    asked = Asked("jpeg_paper", str(save_path), patches="grid", fusion="median")
    entry = {"threshold": 92.0, "lowest_never": 77.5}
    weights.update_card(save_path / "jpeg_paper", fusion={"float32": {"grid/median": entry}})
    assert auto.lowest_never(asked) == 77.5
    assert auto.lowest_never(replace(asked, fusion="mode")) == 90.0


@needs_weights
@pytest.mark.parametrize("name", ["rgb.jpg", "cmyk.jpg", "ycck.jpg", "rgb.tif"])
def test_no_earlier_compression_is_claimed_from_data_without_luma(
    tmp_path: Path, photograph: np.ndarray, name: str
) -> None:
    """Saved at 40 as usual, then anew at 90 in other colours: what the pixels would tell as luma is not asked."""
    before = jpeg.compress(np.ascontiguousarray(photograph[:200, :280]), 40)
    image, path = Image.fromarray(before), tmp_path / name
    if name.startswith("rgb"):
        image.save(path, quality=90, **({"keep_rgb": True} if name == "rgb.jpg" else {"compression": "jpeg"}))
    else:
        image.convert("CMYK").save(path, quality=90)
    if name == "ycck.jpg":  # Adobe's transform is the last byte of its segment
        content = path.read_bytes()
        at = content.index(b"Adobe") + 11
        path.write_bytes(content[:at] + b"\2" + content[at + 1 :])
    answer = auto.AutoEstimator(Asked("auto")).estimate_file(path, images.read_rgb(path).pixels)
    assert (answer.quality, answer.sentence()) == (90, "saved at 90")
    assert answer.evidence.speaker.colours == ("YCCK" if name == "ycck.jpg" else name[:-4].upper())
