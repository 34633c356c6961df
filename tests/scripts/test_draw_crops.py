"""Crops of files of equal bytes beside each other."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import files, jpeg
from q1net_msroi.utils.errors import UserError

sys.path.insert(0, str(files.REPOSITORY / "scripts"))
import draw_crops


def test_rows_and_columns(tmp_path: Path, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_crops, "ENCODERS", {"plain JPEG": "", "model 7": "flat"})
    pixels = np.ascontiguousarray(photograph[40:168, 60:204])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    out = tmp_path / "crops.png"
    assert draw_crops.main([str(tmp_path), str(out), "--crops", "a:20,10", "--qualities", "30,60"]) == 0
    side, top = draw_crops.SIDE * draw_crops.ENLARGED, draw_crops.TITLE
    drawn = np.asarray(Image.open(out))
    assert drawn.shape == (top + 2 * side, 3 * side, 3)
    crop = (slice(10, 10 + draw_crops.SIDE), slice(20, 20 + draw_crops.SIDE))
    assert (drawn[top + side + 1 :: 2, 1:side:2][20:] == pixels[crop][20:]).all()  # below the name of the row
    assert (drawn[top + 1 : top + side : 2, side + 1 : 2 * side : 2] == jpeg.compress(pixels, 30)[crop]).all()
    with pytest.raises(UserError, match="no picture b"):
        draw_crops.main([str(tmp_path), str(out), "--crops", "b:0,0"])
