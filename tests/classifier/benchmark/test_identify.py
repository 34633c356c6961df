"""ImageMagick's word, by a program of our own that stands in for it and, where it is installed, by itself."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark.identify import PROGRAMS, IdentifyEstimator
from q1net_msroi.utils.errors import UserError

PIXELS = np.zeros((8, 8, 3), np.uint8)


def stand_in(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("body", "expected"),
    [("echo 42", 42.0), ("printf 100", 100.0), ("echo 0", None), ("echo", None), ("echo 42; exit 1", None)],
)
def test_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, expected: float | None) -> None:
    stand_in(tmp_path, "identify", body)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = IdentifyEstimator().estimate_file(tmp_path / "a.jpg", PIXELS)
    assert said.quality == expected
    assert (said.reason is None) == (expected is not None)


def test_version_7_has_one_program_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "magick", 'test "$1" = identify && echo 33')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert IdentifyEstimator().estimate_file("a.jpg", PIXELS).quality == 33


def test_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="is not on the PATH"):
        IdentifyEstimator()


def test_the_program_itself(jpeg_file: Callable[..., Path]) -> None:
    if not any(shutil.which(words[0]) for words in PROGRAMS):
        pytest.skip("ImageMagick is not installed")
    estimator = IdentifyEstimator()
    assert estimator.estimate_file(jpeg_file(35), PIXELS).quality == 35
    assert estimator.estimate(PIXELS).quality is None
