"""What is told of pasted parts: by auto in words, JSON and CSV, as a map; of files that cannot tell, nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import parts, table
from q1net_msroi.classifier.estimators.auto import AutoEstimator
from q1net_msroi.classifier.estimators.lattice_evidence import LatticeEvidence
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.parts import PartsEvidence
from q1net_msroi.classifier.lattice.splices import Part
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import jpeg

PREDICT = "classifier.predict_cls"
Call = Callable[..., Any]
needs_weights = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


@pytest.fixture(scope="module")
def pasted(photograph: np.ndarray) -> np.ndarray:
    """A photograph that was a JPEG of 50, with a part of it that never was one, turned over."""
    made = jpeg.compress(photograph, 50).copy()
    made[96:208, 160:304] = photograph[::-1, ::-1][96:208, 160:304]
    return made


@pytest.mark.parametrize(
    ("main", "quality", "said"),
    [
        (50, None, "was not compressed at 50 before, as the rest was"),
        (None, 60, "was compressed at 60 before, which the rest was not"),
        (50, 70, "was compressed at 70 before, the rest at 50"),
    ],
)
def test_sentences(main: int | None, quality: int | None, said: str) -> None:
    told = PartsEvidence(main, (Part((120, 40, 340, 260), quality, 812.34, 321),), false_alarm_rate=0.01)
    assert told.apart == f"a part at 120,40 to 340,260 {said}"
    assert told.earlier_quality == main
    assert told.lines() == [f"part: {told.apart}: 812 nats of 321 blocks; false alarms: at most 1% of pictures"]
    found = [{"box": (120, 40, 340, 260), "quality": quality, "nats": 812.3, "blocks": 321, "standard": True}]
    values = {"main_quality": main, "main_standard": True, "found": found, "false_alarm_rate": 0.01}
    assert told.values() == values
    about = PartsEvidence(main, (Part((120, 40, 340, 260), quality, 812.34, 321, False),), main_standard=False)
    assert about.apart == told.apart.replace("at 50", "at about 50").replace("at 60", "at about 60").replace(
        "at 70", "at about 70"
    )


@needs_weights
def test_words_json_and_table(tmp_path: Path, pasted: np.ndarray, photograph: np.ndarray) -> None:
    """Of a picture with a part all is told, of the same in one piece nothing."""
    path = tmp_path / "pasted.jpg"
    path.write_bytes(jpeg.encode(pasted, 90))
    answer = AutoEstimator(Asked("auto")).estimate_file(path, jpeg.decode(path.read_bytes()))
    before, _, apart = answer.sentence().partition("; ")
    assert before == "saved at 90, but compressed at about 50 before"
    assert apart.startswith("a part at ")
    assert apart.endswith(" was not compressed at 50 before, as the rest was")
    assert [line for line in answer.lines() if line.startswith(f"part: {apart}: ")]
    assert table.make_row("a", answer)["parts"] == apart
    told = json.loads(json.dumps(answer.record("a", "auto")))["evidence"]
    (part,) = told["parts"]["found"]
    assert told["earlier_quality"] == told["parts"]["main_quality"] == 50
    assert part["quality"] is None
    assert np.abs(np.subtract(part["box"], (160, 96, 304, 208))).max() <= 24

    path.write_bytes(jpeg.encode(jpeg.compress(photograph, 50), 90))
    answer = AutoEstimator(Asked("auto")).estimate_file(path, jpeg.decode(path.read_bytes()))
    assert answer.sentence() == "saved at 90, but compressed at about 50 before"
    assert "parts" not in answer.record("a", "auto")["evidence"]
    assert table.make_row("a", answer)["parts"] is None


@needs_weights
@pytest.mark.parametrize("cut", [(0, 0), (3, 5)])
def test_decoded_pixels_tell_it_too(tmp_path: Path, pasted: np.ndarray, cut: tuple[int, int]) -> None:
    """A PNG of that JPEG, and a crop of it: its stored coefficients are read off the pixels."""
    pixels = np.ascontiguousarray(jpeg.decode(jpeg.encode(pasted, 90))[cut[0] :, cut[1] :])
    answer = AutoEstimator(Asked("auto")).estimate(pixels)
    assert answer.sentence().startswith("compressed at 90, but compressed at about 50 before; a part at ")
    (part,) = answer.record("a", "auto")["evidence"]["parts"]["found"]
    assert np.abs(np.subtract(part["box"], (160 - cut[1], 96 - cut[0], 304 - cut[1], 208 - cut[0]))).max() <= 24
    Image.fromarray(pixels).save(tmp_path / "a.png")
    told = parts.read_picture(tmp_path / "a.png", pixels, answer.evidence)
    assert told is not None
    assert told.parts[0].box == tuple(part["box"])
    assert parts.read_picture(tmp_path / "a.png", pixels, answer.evidence.asked[-1]) is None


def test_what_was_pasted_into_pixels_has_no_coefficients_of_theirs(photograph: np.ndarray) -> None:
    """A square of a JPEG at 55 in the pixels of one at 85: the file that is asked for never was."""
    made = jpeg.compress(photograph, 85).copy()
    made[96:208, 160:304] = jpeg.compress(photograph, 55)[96:208, 160:304]
    seen = LatticeEvidence(verdict="compressed", tables="standard", quality=85, phase=(0, 0), noise="exact")
    told = parts.read_pixels(made, seen)
    assert told is None or not told.parts
    assert parts.read_pixels(made, replace(seen, partly=True)) is None
    whole = parts.read_pixels(jpeg.compress(made, 85), seen)
    assert whole is not None
    assert [part.quality for part in whole.parts] == [55]


@needs_weights
def test_the_map_of_a_file_outlines_the_part(tmp_path: Path, pasted: np.ndarray, call: Call) -> None:
    path, drawn = tmp_path / "pasted.jpg", tmp_path / "map.png"
    path.write_bytes(jpeg.encode(pasted, 90))
    said = call(PREDICT, path, "--map", drawn).lines
    assert said[-1] == f"{drawn}: {said[1].partition('; ')[2]}"
    red = (np.abs(np.asarray(Image.open(drawn).convert("RGB")).astype(int) - (0xD1, 0x49, 0x5B)).max(axis=2) < 12).sum()
    assert red > 500  # pixels of the outline


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"subsampling": "4:4:4"}, {"gray": True}, {"cut": True}])
def test_every_coding_of_luma_is_read(tmp_path: Path, pasted: np.ndarray, how: dict[str, Any]) -> None:
    image = Image.fromarray(pasted[:-3, :-5] if how.pop("cut", False) else pasted)
    image = image.convert("L") if how.pop("gray", False) else image
    image.save(tmp_path / "a.jpg", quality=90, **how)
    found = parts.read_file(tmp_path / "a.jpg", np.asarray(image.convert("RGB")))
    assert found is not None
    assert [part.quality for part in found.parts] == [None]


def test_what_cannot_tell_tells_nothing(tmp_path: Path, pasted: np.ndarray) -> None:
    image, path = Image.fromarray(pasted), tmp_path / "a.jpg"
    image.convert("CMYK").save(path, quality=90)
    assert parts.read_file(path, pasted) is None
    image.save(path, quality=90, keep_rgb=True)
    assert parts.read_file(path, pasted) is None
    image.save(tmp_path / "a.png")
    assert parts.read_file(tmp_path / "a.png", pasted) is None
    path.write_bytes(jpeg.encode(pasted, 90)[:4000])  # coefficients that are missing are zeros
    told = parts.read_file(path, pasted)
    assert told is None or not told.parts
    for side in (1, 7, 8, 17):
        path.write_bytes(jpeg.encode(np.ascontiguousarray(pasted[:side, :side]), 90))
        told = parts.read_file(path, jpeg.decode(path.read_bytes()))
        assert told is not None
        assert told.parts == ()


def test_luma_of_half_the_size_tells_nothing(tmp_path: Path, pasted: np.ndarray) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg.encode(np.ascontiguousarray(pasted[::2, ::2]), 90))
    assert parts.read_file(path, pasted) is None
