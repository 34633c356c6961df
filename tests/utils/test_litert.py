"""LiteRT models: any number of inputs, and clear errors for damaged files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from q1net_msroi.utils.errors import UserError
from q1net_msroi.utils.litert import LiteModel


@pytest.fixture
def model_file(save_path: Path) -> Path:
    return save_path / "jpeg_paper" / "comp_cls.tflite"


def test_batches_of_any_size_agree(model_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = LiteModel(model_file, 1)
    assert model.batch == 256
    patches = np.random.default_rng(0).integers(0, 256, (300, 16, 16, 3), np.uint8)
    whole = model(patches)
    assert whole.shape == (300, 2)
    assert whole.dtype == np.float32
    assert whole.min() >= 0
    assert whole.max() <= 100
    np.testing.assert_allclose(model(patches[:1]), whole[:1], atol=1e-3)
    np.testing.assert_allclose(model(patches[250:]), whole[250:], atol=1e-3)
    np.testing.assert_allclose(LiteModel(model_file, 2)(patches), whole, atol=1e-3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, 0.9])
def test_a_cut_file_is_damaged(model_file: Path, keep: float) -> None:
    content = model_file.read_bytes()
    model_file.write_bytes(content[: int(keep if keep >= 5 or keep == 0 else len(content) * keep)])
    with pytest.raises(UserError, match=r"comp_cls\.tflite is damaged"):
        LiteModel(model_file, 1)


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", b"text" * 99])
def test_other_content_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tflite").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.tflite is damaged"):
        LiteModel(tmp_path / "x.tflite", 1)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.tflite is missing; make it with to_tflite\.py"):
        LiteModel(tmp_path / "x.tflite", 1)


def test_one_model_a_thread_gives_the_same(model_file: Path, textured: Callable[..., np.ndarray]) -> None:
    from q1net_msroi.utils import tasks

    patches = textured(16 * 40, 16).reshape(40, 16, 16, 3)
    expected = LiteModel(model_file, 1)(patches)
    for got in tasks.ordered_map(lambda _: LiteModel(model_file, 1)(patches), range(4), 2):
        np.testing.assert_allclose(got, expected, atol=1e-3)


CODE = """
import os, sys
from q1net_msroi.utils import litert
dups, real = [], os.dup2
os.dup2 = lambda *a: (dups.append(a), real(*a))
litert.LiteModel(sys.argv[1], 1)
first = len(dups)
litert.LiteModel(sys.argv[1], 1)
print(first, len(dups))
try:
    litert.load_interpreter(sys.argv[2], 1)
except litert.UserError as error:
    print(error)
"""


def test_stderr_stays_empty_and_is_touched_once(model_file: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "cut.tflite").write_bytes(model_file.read_bytes()[:9999])
    done = run("-c", CODE, model_file, tmp_path / "cut.tflite")
    assert done.err == ""
    assert done.lines[0] == "2 2"
    assert "cut.tflite is damaged" in done.lines[1]
    closed = run("-c", f"import os, sys; sys.stderr = None; os.close(2){CODE}", model_file, tmp_path / "cut.tflite")
    assert closed.lines[1:] == done.lines[1:]
