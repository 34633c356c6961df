"""Butteraugli by libjxl's program: less is better, and what is said where it is not there."""

import shutil

import numpy as np
import pytest

from q1net_msroi.msroi.metrics import butteraugli, suite
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError


@pytest.mark.skipif(not shutil.which(butteraugli.PROGRAM), reason="needs libjxl-devtools")
def test_less_for_a_better_file(photograph: np.ndarray) -> None:
    pixels = np.ascontiguousarray(photograph[:96, :128])
    better, worse = (butteraugli.butteraugli(pixels, jpeg.compress(pixels, quality)) for quality in (90, 30))
    assert 0 == butteraugli.butteraugli(pixels, pixels) < better < worse
    assert suite.METRICS["butteraugli"].gain(worse, better) > 0


def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not suite.METRICS["butteraugli"].is_there
    with pytest.raises(UserError, match="libjxl-devtools"):
        butteraugli.butteraugli(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8))
