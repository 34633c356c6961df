"""Every --comp_type makes an estimator, and answers for pictures it can take.

Of files whose header is whole but whose pixels cannot be read, the header answers and the damage is said.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import q1net_msroi
from q1net_msroi.classifier.baselines.configs import BASELINES, MODEL_NAME, model_folder
from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import images, jpeg
from q1net_msroi.utils.errors import UserError
from tests import hostile

Call = Callable[..., Any]
PREDICT = "classifier.predict_cls"
EARLY = "its data end early, so the pixels were not looked at"
Texture = Callable[..., np.ndarray]
BY = [
    "jpeg_header",
    pytest.param("auto", marks=pytest.mark.skipif(
        not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped"
    )),
]  # fmt: skip


def test_unknown_names() -> None:
    with pytest.raises(UserError, match="unknown --comp_type webp; known are jpeg_paper"):
        registry.get_kind("webp")


@pytest.mark.parametrize("comp_type", list(registry.KINDS))
def test_each_answers_for_a_jpeg_file(jpeg_file: Callable[..., Path], comp_type: str) -> None:
    if comp_type == "auto" or comp_type.startswith("jpeg_paper"):
        name = "jpeg_paper" if comp_type == "auto" else comp_type
        if not (weights.SAVE / name / "comp_cls.tflite").exists():
            pytest.skip(f"no weights are shipped in save/{name}")
    tolerance = 6 if comp_type.startswith("jpeg_paper") else 0
    if comp_type in BASELINES:
        tolerance = 15
        if not (model_folder(BASELINES[comp_type]) / MODEL_NAME).exists():
            pytest.skip(f"no weights are shipped for {comp_type}")
    path = jpeg_file(60)
    estimate = registry.estimate_path(Asked(comp_type), None, path)
    assert estimate.quality == pytest.approx(60, abs=tolerance)
    record = json.loads(json.dumps(estimate.record(str(path), comp_type)))  # plain numbers all through
    assert record["quality"] == pytest.approx(estimate.quality, abs=1e-3)


def test_a_fallback_stands_in_for_unknown_only() -> None:
    picture = images.Picture(np.full((40, 40, 3), 99, np.uint8), "PNG")
    header = registry.load(Asked("jpeg_header"))
    assert registry.estimate_file(header, "x.png", picture).quality is None
    assert registry.estimate_file(header, "x.png", picture, 100.0).quality == 100


def test_a_lattice_answer_has_the_range_of_its_ties_as_interval(jpeg_file: Callable[..., Path]) -> None:
    estimate = registry.estimate_path(Asked("jpeg_lattice"), None, jpeg_file(45))
    assert estimate.interval == (min(estimate.tie_set), max(estimate.tie_set))


@pytest.mark.parametrize("comp_type", ["jpeg_lattice", "jpeg_header"])
def test_by_the_command(call: Call, jpeg_file: Callable[..., Path], comp_type: str) -> None:
    done = call("classifier.predict_cls", "--in_path", jpeg_file(35), "--comp_type", comp_type, "--explain")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0].startswith("predicted quality 35.00, estimated in ")
    assert done.lines[1] in ("compressed at 35", "saved at 35")


def reframed(content: bytes, marker: int = 0xC0, changes: dict[int, int] | None = None) -> bytes:
    """Return a JPEG with another frame marker and changed bytes of the frame header."""
    segments = []
    for each, payload in hostile.split(content):
        is_frame, changed = each in hostile.FRAMES, bytearray(payload)
        for at, value in (changes or {}).items() if is_frame else ():
            changed[at] = value
        segments.append((marker if is_frame else each, bytes(changed)))
    return hostile.join(segments)


@pytest.fixture
def unread(textured: Texture, tmp_path: Path) -> dict[str, Path]:
    """Files saved at 70 whose pixels are refused, by what is said of them."""
    content = jpeg.encode(textured(80, 64), 70)
    made = {
        EARLY: content[: len(content) // 2],
        "its data end early, so the pixels": content[: content.index(b"\xff\xda")],
        "its samples have 12 bits, so": reframed(content, 0xC1, {0: 12}),
        "it is too large, so": reframed(content, changes={1: 255, 2: 0, 3: 255, 4: 0}),
        "it holds bytes that belong to no segment between segments, so": hostile.join(hostile.split(content), b"junk"),
    }
    for number, each in enumerate(made.values()):
        (tmp_path / f"{number}.jpg").write_bytes(each)
    return {said: tmp_path / f"{number}.jpg" for number, said in enumerate(made)}


@pytest.mark.parametrize("comp_type", BY)
def test_unread_file(call: Call, unread: dict[str, Path], comp_type: str) -> None:
    for said, path in unread.items():
        done = call(PREDICT, "--in_path", path, "--comp_type", comp_type)
        assert (done.code, done.err) == (0, ""), said
        assert done.lines[0].startswith("predicted quality 70.00, estimated in ")
        assert done.lines[1].startswith(f"saved at 70; {said}")
        record = json.loads(call(PREDICT, "--in_path", path, "--comp_type", comp_type, "--json").out)
        assert (record["quality"], record["interval"], record["reason"]) == (70, [70, 70], None)
        assert record["evidence"]["header"]["unread"].startswith(said)


@pytest.mark.parametrize("comp_type", BY)
def test_unread_files_of_a_folder(call: Call, unread: dict[str, Path], tmp_path: Path, comp_type: str) -> None:
    (tmp_path / "z.jpg").write_bytes(b"\xff\xd8 nothing")
    done = call(PREDICT, "--in_path", tmp_path, "--comp_type", comp_type)
    assert done.code == 1
    assert done.err.splitlines()[-1] == "predict_cls.py: 1 of 6 pictures could not be read"
    assert f"  1/6: 0, 70.0 ({EARLY})" in done.lines
    assert done.lines[-1] == "Mean: 70.00"
    (tmp_path / "z.jpg").unlink()
    assert call(PREDICT, "--in_path", tmp_path, "--comp_type", comp_type, "--json").code == 0


@pytest.mark.parametrize("comp_type", BY)
def test_unread_from_python(unread: dict[str, Path], comp_type: str) -> None:
    answer = q1net_msroi.estimate_quality(unread[EARLY], comp_type)
    assert (answer.quality, answer.sentence()) == (70, f"saved at 70; {EARLY}")


def test_who_needs_pixels_refuses(call: Call, unread: dict[str, Path], tmp_path: Path) -> None:
    for said, path in unread.items():
        call(PREDICT, "--in_path", path, "--comp_type", "jpeg_lattice").fails(2, path.name)
        with pytest.raises(UserError):
            q1net_msroi.estimate_quality(path, "jpeg_lattice")
        done = call(PREDICT, "--in_path", path, "--comp_type", "jpeg_header", "--map", tmp_path / "map.png")
        done.fails(2, path.name)
        assert not done.out, said


def test_strange_tables_of_an_unread_file(call: Call, tmp_path: Path, textured: Texture) -> None:
    """The nearest quality, its range and the damage are all said."""
    path = tmp_path / "strange.jpg"
    Image.fromarray(textured(80, 64)).save(path, qtables=[[16] * 64, [16] * 64])
    path.write_bytes(path.read_bytes()[:-400])
    done = call(PREDICT, "--in_path", path, "--comp_type", "jpeg_header")
    assert done.code == 0
    assert done.lines[0].startswith("predicted quality 91.00, estimated in ")
    assert done.lines[1] == f"saved with tables that are not standard, near to 91 (43 to 92); {EARLY}"
    flags = ("--comp_type", "jpeg_header", "--json", "--fallback", "100")
    record = json.loads(call(PREDICT, "--in_path", path, *flags).out)
    assert (record["quality"], record["interval"], record["reason"]) == (
        91,
        [43, 92],
        None,
    )  # nothing to fall back from


@pytest.mark.parametrize("comp_type", BY)
def test_no_answer_from_a_damaged_header(call: Call, tmp_path: Path, textured: Texture, comp_type: str) -> None:
    """Cut inside a table or the frame, a step of 0: nothing is left to answer from."""
    content = jpeg.encode(textured(80, 64), 70)
    table, frame = content.index(b"\xff\xdb"), content.index(b"\xff\xc0")
    zero = bytearray(content[: len(content) // 2])
    zero[table + 9] = 0
    for damaged in (content[: table + 60], content[: frame + 12], bytes(zero)):
        (tmp_path / "x.jpg").write_bytes(damaged)
        call(PREDICT, "--in_path", tmp_path / "x.jpg", "--comp_type", comp_type).fails(2, "x.jpg")
