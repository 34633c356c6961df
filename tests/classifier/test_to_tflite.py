"""to_tflite.py: refuses what cannot be converted; what it writes runs and agrees (slow: each conversion takes long)."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from q1net_msroi.classifier.q1net import weights

CONVERT = "classifier.to_tflite"
Call = Callable[..., Any]
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def test_missing_weights_are_said_without_loading_tensorflow(run: Call, tmp_path: Path) -> None:
    code = (
        "import sys; from q1net_msroi.classifier.to_tflite import main\n"
        "from q1net_msroi.utils.errors import run_command\n"
        "code = run_command('to_tflite.py', main, sys.argv[1:]); assert 'tensorflow' not in sys.modules; sys.exit(code)"
    )
    run("-c", code, "--save_path", tmp_path).fails(2, "no weights at", "jpeg_paper", "train them or restore them")


@pytest.mark.fast(2)
@pytest.mark.parametrize(
    ("part", "content", "words"),
    [
        (".index", None, ("no weights at",)),
        (".data-00000-of-00001", None, ("has no data file",)),
        (".index", LFS, ("is a Git LFS pointer", "git lfs pull")),
        (".data-00000-of-00001", LFS, ("is a Git LFS pointer", "git lfs pull")),
        (".index", b"damaged", ("are damaged; restore them",)),
        (".data-00000-of-00001", b"damaged", ("are damaged; restore them",)),
    ],
)
def test_damaged_weights(call: Call, save_path: Path, part: str, content: bytes | None, words: tuple[str, ...]) -> None:
    path = save_path / "jpeg_paper" / "best" / part
    before = {p: p.read_bytes() for p in (save_path / "jpeg_paper").iterdir() if p.is_file()}
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    call(CONVERT, "--save_path", save_path).fails(2, *words)
    assert {p: p.read_bytes() for p in (save_path / "jpeg_paper").iterdir() if p.is_file()} == before


def test_weights_of_another_width(call: Call, save_path: Path) -> None:
    os.rename(save_path / "jpeg_paper", save_path / "jpeg_paper_k12")  # noqa: PTH104
    done = call(CONVERT, "--save_path", save_path, "--comp_type", "jpeg_paper_k12")
    done.fails(2, "of another network (width 8, jpeg_paper)", "--comp_type")


def test_wrong_flags(call: Call, save_path: Path, tmp_path: Path) -> None:
    call(CONVERT, "--save_path", save_path, "--batch", "0").fails(2, "--batch must be at least 1")
    call(CONVERT, "--save_path", save_path, "--in_path", tmp_path / "x").fails(2, "x does not exist")
    assert "--quantize" in call(CONVERT, "--quantize", "int4").err


@pytest.mark.slow
def test_a_model_that_differs_too_much_is_not_written(
    call: Call, save_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from q1net_msroi.classifier.q1net import conversion

    other = (save_path / "jpeg_paper" / "comp_cls.tflite").read_bytes()
    monkeypatch.setattr(conversion, "convert", lambda *_: other)
    monkeypatch.setattr(conversion, "COMPARED_QUALITIES", (50,))
    monkeypatch.setitem(conversion.LIMITS, "float32", conversion.Limits(-1.0, -1.0))
    before = sorted(p.name for p in (save_path / "jpeg_paper").iterdir())
    card = (save_path / "jpeg_paper" / "model.json").read_bytes()
    call(CONVERT, "--save_path", save_path).fails(2, "float32 model differs too much", "was not written")
    assert sorted(p.name for p in (save_path / "jpeg_paper").iterdir()) == before
    assert (save_path / "jpeg_paper" / "model.json").read_bytes() == card


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_convert_and_predict(call: Call, save_path: Path, kind: str) -> None:
    from q1net_msroi.utils.litert import LiteModel

    folder = save_path / "jpeg_paper"
    path = folder / weights.TFLITE_NAMES[kind]
    path.unlink(missing_ok=True)
    flags = ["--save_path", save_path, "--quantize", kind, "--batch", "32"]
    done = call(CONVERT, *flags)
    assert done.code == 0, done.err
    assert re.search(
        rf"^{re.escape(str(path))}: [\d,]+ bytes, largest difference \d+\.\d+ at a patch, mean \d+\.\d+ at \d+ "
        r"pictures, \d+\.\d ms a batch of 32 on one thread, \d+\.\d ms on two$",
        done.out,
        re.MULTILINE,
    )
    model = LiteModel(path, 1)
    assert model.batch == 32
    details = model._interpreter.get_input_details()[0]
    assert "input_1" in details["name"]
    assert details["dtype"] == (np.uint8 if kind == "int8" else np.float32)
    if kind == "int8":
        assert details["quantization"] == (1.0, 0)
    signature = model._interpreter.get_signature_list()
    assert signature["estimate_quality"] == {"inputs": ["input_1"], "outputs": ["confidence_quality"]}
    sample = weights.SAVE.parent / "sample_image" / "coffee_jpeg_q20.png"
    done = call("classifier.predict_cls", "--in_path", sample, "--save_path", save_path, "--backend", kind, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["patches"] == 256


@pytest.mark.slow
def test_float32_conversion_is_reproducible(call: Call, save_path: Path) -> None:
    path = save_path / "jpeg_paper" / "comp_cls.tflite"
    written = []
    for _ in range(2):
        assert call(CONVERT, "--save_path", save_path).code == 0
        written.append(path.read_bytes())
    assert written[0] == written[1]
