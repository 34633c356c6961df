"""The registry of baselines."""

from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.baselines.configs import BASELINES, get_baseline, model_folder
from q1net_msroi.classifier.q1net.configs import CONFIGS
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError


def test_names() -> None:
    assert set(BASELINES) == {"block_corners", "mobilenet_v2"}
    assert not set(BASELINES) & set(CONFIGS)
    with pytest.raises(UserError, match="unknown --comp_type jqe; known are block_corners, mobilenet_v2"):
        get_baseline("jqe")


@pytest.mark.parametrize("name", BASELINES)
def test_inputs_have_the_stated_shape(name: str) -> None:
    baseline = get_baseline(name)
    made = baseline.inputs(np.zeros((3, baseline.side, baseline.side, 3), np.uint8))
    assert made.shape == (3, *baseline.input_shape)


def test_no_folder_is_another_family_s(tmp_path: Path) -> None:
    folders = [model_folder(baseline) for baseline in BASELINES.values()]
    assert len(set(folders)) == len(folders)
    assert files.REPOSITORY / "save" / "mobilenet_v2" not in folders
    assert model_folder(BASELINES["block_corners"], tmp_path) == tmp_path / "block_corners"
