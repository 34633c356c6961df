"""train_baseline.py: a small run, and wrong use."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
TRAIN = "classifier.train_baseline"


@pytest.mark.slow
def test_a_small_run(call: Call, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    done = call(
        *(TRAIN, "--in_path", photographs, "--val_path", photographs, "--save_path", tmp_path / "save"),
        *("--epochs", "1", "--steps_per_epoch", "3", "--batch_size", "40", "--validation_crops", "100"),
    )
    assert done.code == 0, done.err
    assert done.lines[-1].startswith("epoch 1, train_loss ")
    card = json.loads((tmp_path / "save" / "block_corners" / "model.json").read_text())
    assert card["trained"]["data"] == "photographs"
    assert (tmp_path / "out" / "baseline" / "block_corners" / "history_cls.csv").exists()
    picture = call("classifier.predict_cls", "--in_path", photographs / "a.png", "--comp_type", "block_corners",
                   "--save_path", tmp_path / "save")  # fmt: skip
    assert picture.lines[0].startswith("predicted quality ")


def test_wrong_use(call: Call, photographs: Path, tmp_path: Path) -> None:
    folders = ("--in_path", photographs, "--val_path", photographs)
    call(TRAIN, *folders, "--epochs", "0").fails(2, "--epochs must be positive")
    call(TRAIN, *folders, "--seed", "-1").fails(2, "--seed must not be negative")
    call(TRAIN, "--in_path", tmp_path / "none", "--val_path", photographs).fails(2, "does not exist")
