"""The sweep of an encoder's weight: which value wins, what is written, and that nothing is measured twice."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.encoder import rate_distortion
from q1net_msroi.msroi.encoder.settings import SETTINGS
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError

sys.path.insert(0, str(files.REPOSITORY / "scripts"))
import fit_encoder


def test_a_sweep_finds_chromas_weight_and_goes_on(
    tmp_path: Path, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photograph[40:136, 60:188]).save(tmp_path / "in" / "a.png")
    asked = ["--in_path", str(tmp_path / "in"), "--only", "chroma_weight", "--values", "0", "--qualities", "75"]
    asked += ["--metrics", "ssimulacra2,psnrhvs", "--out_path", str(tmp_path / "out")]
    assert fit_encoder.main(asked) == 0
    first = capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "fit_encoder.json").read_text())
    assert record["result"]["best"] == {}  # the present weight beats none
    assert [row["value"] for row in record["result"]["curve"]] == [0, SETTINGS.chroma_weight]
    assert record["settings"]["encoder"]
    monkeypatch.setattr(rate_distortion, "encode", lambda *_: pytest.fail("measured again"))
    assert fit_encoder.main(asked) == 0
    assert capsys.readouterr().out == first
    with pytest.raises(UserError, match="nothing is chosen on masks"):
        fit_encoder.main(["--in_path", str(tmp_path / "in"), "--masks", str(tmp_path)])


def test_a_number_of_a_list_is_named_by_its_place() -> None:
    changed = fit_encoder.put(SETTINGS, "luma_steps.2", 21.0)
    assert fit_encoder.get(changed, "luma_steps.2") == changed.luma_steps[2] == 21
    assert changed.luma_steps[:2] + changed.luma_steps[3:] == SETTINGS.luma_steps[:2] + SETTINGS.luma_steps[3:]
    assert fit_encoder.get(fit_encoder.put(SETTINGS, "red_weight", 2.0), "red_weight") == 2
    assert "ssim_weights.3" in fit_encoder.WEIGHTS
