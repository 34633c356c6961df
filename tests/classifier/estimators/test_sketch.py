"""A picture's part of the report page: upright, small, and a map that marks only what two methods see."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import sketch
from q1net_msroi.classifier.estimators.auto import AutoEvidence
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import images, jpeg
from tests.classifier.estimators.test_local import PASTED, composite
from tests.classifier.estimators.test_result import HEADER

pytestmark = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


def picture(pixels: np.ndarray, orientation: int = 1) -> images.Picture:
    return images.Picture(np.ascontiguousarray(pixels), "PNG", orientation=orientation)


def test_a_pasted_part_is_marked_and_the_rest_is_not(photograph: np.ndarray) -> None:
    made = sketch.make(picture(composite(photograph, 85, 55)), Estimate(85.0), Asked("auto"))
    assert made.cells is not None
    step = -(-320 // sketch.CELLS)
    marked = made.cells >= sketch.UNLIKE
    assert made.unlike
    inside = np.zeros((224, 320), bool)
    inside[PASTED] = True
    assert marked[inside[::step, ::step]].mean() > 0.5
    assert marked[~inside[::step, ::step]].mean() < 0.1
    assert made.told.startswith("main part 85, 1 region unlike it (about 55)")
    assert (made.width, made.height) == (320, 224)
    twice = Estimate(85.0, evidence=AutoEvidence(HEADER, 55.0))
    assert not sketch.make(picture(composite(photograph, 85, 55)), twice, Asked("auto")).unlike


def test_nothing_is_marked_in_a_picture_saved_once(photograph: np.ndarray) -> None:
    for quality in (50, 80):
        made = sketch.make(picture(jpeg.compress(photograph, quality)), Estimate(float(quality)), Asked("auto"))
        assert not made.unlike
        assert f"main part {quality}" in made.told
        assert made.cells is not None
        known = made.cells[made.cells > 0]
        assert np.abs(known.astype(int) - quality).mean() < 4


def test_the_preview_is_small_and_upright(photograph: np.ndarray) -> None:
    for orientation, size in ((1, (320, 213)), (6, (213, 320))):
        made = sketch.make(picture(photograph, orientation), Estimate(None, reason="flat"), Asked("auto"))
        with Image.open(io.BytesIO(made.preview)) as shown:
            assert shown.size == size
        assert len(made.preview) < 20_000
        assert (made.width > made.height) == (orientation == 1)
    shown = Image.open(io.BytesIO(made.preview)).convert("RGB")
    expected = Image.fromarray(images.upright(photograph, 6)).resize(shown.size)
    assert np.abs(np.asarray(shown, float) - np.asarray(expected, float)).mean() < 12


@pytest.mark.parametrize(
    "estimate", [Estimate(None, reason="flat"), Estimate(100.0, reason="flat")], ids=["unknown", "fallback"]
)
def test_without_an_answer_there_is_no_map(photograph: np.ndarray, estimate: Estimate) -> None:
    made = sketch.make(picture(photograph), estimate, Asked("auto"))
    assert (made.cells, made.unlike, made.told) == (None, False, "")


def test_without_a_model_or_room_there_is_no_map(photograph: np.ndarray, tmp_path: Path) -> None:
    absent = Asked("auto", save_path=str(tmp_path))
    assert sketch.make(picture(photograph), Estimate(80.0), absent).cells is None
    assert sketch.make(picture(photograph[:20, :90]), Estimate(80.0), Asked("auto")).cells is None
