"""Comparisons of trainings: each is recorded when it is done, and done once."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from scripts import compare_training
from scripts.compare_training import Sampled, Variant


class Fixed:
    """A source of batches that hold every quality once."""

    def batches(self, epoch: int, start: int, stop: int):
        for _ in range(start, stop):
            yield np.zeros((100, 16, 16, 3), np.uint8), np.arange(1, 101, dtype=np.uint8)


def test_high_qualities_come_as_often_as_asked() -> None:
    drawn = list(Sampled(Fixed(), 2.0, 30).batches(0, 3, 200))
    assert len(drawn) == 197
    assert all(patches.shape == (30, 16, 16, 3) and qualities.shape == (30,) for patches, qualities in drawn)
    counts = Counter(bool(quality > 50) for _, qualities in drawn for quality in qualities)
    assert 1.75 < counts[True] / counts[False] < 2.05  # without repeats, so a little less than twice


def test_every_variant_has_a_name_and_differs_in_one_thing() -> None:
    names = [variant.name for variant in compare_training.VARIANTS]
    assert len(set(names)) == len(names) >= 7
    reference, *others = compare_training.VARIANTS
    for variant in others:
        changed = [name for name, value in vars(variant).items() if value != getattr(reference, name)]
        assert len(changed) == 2  # the name and the thing


@pytest.mark.slow
def test_what_is_recorded_is_not_done_again(
    photographs: Path,
    save_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(compare_training, "VALIDATION_PATCHES", 2100)
    variants = (Variant("a", batch_size=32), Variant("b", batch_size=32, high_qualities=2.0))
    flags = ["--in_path", str(photographs), "--val_path", str(photographs), "--patch_steps", "64"]
    flags += ["--base_weights", str(save_path / "jpeg_paper"), "--out", str(tmp_path / "record.json")]
    monkeypatch.setattr(compare_training, "VARIANTS", variants[:1])
    assert compare_training.main(flags) == 0
    monkeypatch.setattr(compare_training, "VARIANTS", variants)
    assert compare_training.main(flags) == 0
    printed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if not line.startswith("epoch")]
    assert printed == ["a", "no", "b"]
    rows = json.loads((tmp_path / "record.json").read_text())["result"]
    assert [row["name"] for row in rows] == ["a", compare_training.START.name, "b"]
    assert all(row["patch_steps"] == 64 and row["loss"] > 0 and row["aligned_loss"] > 0 for row in rows)
