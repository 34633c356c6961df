"""train.py: from class folders to a checkpoint, killed on the way; its options."""

import csv
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("q1net_msroi.msroi.roi.training")
from q1net_msroi.msroi.roi import architectures
from q1net_msroi.utils import files

COMMAND = "msroi.train"
SMALL = ("--image_size", "64", "--batch_size", "8", "--learning_rate", "1e-3", "--epsilon", "1e-7", "--loss", "softmax")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory, run) -> Path:
    """Tables of two classes, striped and dotted, of 12 pictures each."""
    folder = tmp_path_factory.mktemp("classes")
    noise = np.random.default_rng(0)
    y, x = np.mgrid[:70, :80]
    for name, pattern in (("001.stripes", np.sin(x / 3)), ("002.dots", np.sin(x / 4) * np.sin(y / 4) > 0)):
        (folder / name).mkdir()
        for n in range(12):
            pixels = 120 + 100 * pattern[..., None] * noise.uniform(0.5, 1, 3) + noise.normal(0, 9, (70, 80, 3))
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name / f"{n:02}.png")
    assert run("-m", "msroi.prepare_data", "--in_path", folder, "--out_path", folder).code == 0
    return folder


@pytest.fixture(autouse=True)
def _keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(architectures, "HEAD_CHANNELS", 64)  # 11 million parameters would take a minute to write


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(files.REPOSITORY)}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.slow
def test_trains_in_the_current_folder_and_evaluates_what_it_wrote(call, tables: Path, tmp_path: Path) -> None:
    done = call(COMMAND, "--in_path", tables, "--n_epochs", "3", "--top_k", "1", "--resume", *SMALL)
    assert done.code == 0, done.err
    assert len(done.lines) == 3
    last = rows(tmp_path / "out" / "history_msroi.csv")[-1]
    assert (tmp_path / "models" / "classes.txt").read_text() == "stripes\ndots\n"
    parts = list((tmp_path / "out" / "cache").glob("*/*"))
    assert sorted(path.parent.name.partition("_")[0] for path in parts) == ["test", "train"]
    scored = call(
        COMMAND, "--in_path", tables, "--evaluate", "models/model-3", "--loss", "softmax", "--image_size", "64"
    )
    assert scored.code == 0, scored.err
    loss, top_1, top_5 = map(float, re.fullmatch(r"loss (.*), top 1 (.*) %, top 5 (.*) %", scored.lines[0]).groups())
    assert loss == pytest.approx(float(last["val_loss"]), abs=0.02)  # the cache holds float16
    assert top_1 == pytest.approx(100 * float(last["top_1"]), abs=17)
    assert top_5 == 100
    scored = call(COMMAND, "--in_path", tables, "--evaluate", "models/model-3", "--json", *SMALL)
    found = json.loads(scored.out)
    assert (found["classes"], found["train"], found["test"], found["k"]) == (2, 18, 6, 5)
    assert found["loss"] == pytest.approx(loss, abs=1e-4)


@pytest.mark.slow
def test_kills_at_random_moments_leave_the_same_result(start, run, tables: Path, tmp_path: Path) -> None:
    def arguments(name: str) -> list[str]:
        out = ["--model_path", str(tmp_path / name), "--out_path", str(tmp_path / f"{name}_out")]
        return ["--in_path", str(tables), "--n_epochs", "3", "--checkpoint_steps", "1", *SMALL, *out]

    began = time.perf_counter()
    whole = run("-m", COMMAND, *arguments("whole"), timeout=600)
    assert whole.code == 0, whole.err
    lasts = time.perf_counter() - began
    for _ in range(3):
        process = start(COMMAND, *arguments("killed"))
        time.sleep(random.uniform(0.4, 0.95) * lasts)
        process.kill()
        process.communicate()
    done = run("-m", COMMAND, *arguments("killed"), timeout=600)
    # Each start goes on from the last, so one of the killed may have come to the end before the blow.
    assert done.code == 0 or "already holds models" in done.err, done.err
    found = [rows(tmp_path / f"{name}_out" / "history_msroi.csv") for name in ("whole", "killed")]
    for a, b in zip(*found, strict=True):
        assert float(a["val_loss"]) == pytest.approx(float(b["val_loss"]), rel=0.02)


@pytest.mark.slow
def test_two_workers_and_a_mirrored_strategy_train_like_one(start, run, tables: Path, tmp_path: Path) -> None:
    def arguments(name: str) -> list[str]:
        out = ["--model_path", str(tmp_path / name), "--out_path", str(tmp_path / f"{name}_out")]
        return ["--in_path", str(tables), "--n_epochs", "3", "--dropout", "0", "--no-augmentation", *SMALL, *out]

    for name in ("none", "mirrored"):
        done = run("-m", COMMAND, *arguments(name), "--strategy", name, timeout=600)
        assert done.code == 0, done.err
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(f"127.0.0.1:{probe.getsockname()[1]}")
    workers = []
    for index in range(2):
        cluster = json.dumps({"cluster": {"worker": ports}, "task": {"type": "worker", "index": index}})
        command = (*arguments("two"), "--strategy", "multi_worker")
        workers.append(start(COMMAND, *command, env={**environment(), "TF_CONFIG": cluster}))
    for worker in workers:
        _, errors = worker.communicate(timeout=600)
        assert worker.returncode == 0, errors[-3000:]
    one, mirrored, two = (rows(tmp_path / f"{name}_out" / "history_msroi.csv") for name in ("none", "mirrored", "two"))
    for other in (mirrored, two):
        assert len(one) == len(other) == 3
        for a, b in zip(one, other, strict=True):
            assert float(a["train_loss"]) == pytest.approx(float(b["train_loss"]), rel=0.02)
            assert float(a["val_loss"]) == pytest.approx(float(b["val_loss"]), rel=0.05)
    assert (tmp_path / "two" / "model-3").is_file()
    assert run("-m", COMMAND, "--in_path", tables, "--evaluate", tmp_path / "two" / "model-3", *SMALL).code == 0


@pytest.mark.slow
def test_batch_train_goes_from_folders_to_a_score(tables: Path, tmp_path: Path) -> None:
    command = ["bash", files.REPOSITORY / "msroi" / "batch_train.sh", tables, tmp_path / "work", *SMALL]
    variables = {**environment(), "EPOCHS": "2", "PYTHON": sys.executable}
    outputs = []
    for _ in range(2):  # the second time there is only the score to tell
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.splitlines())
    assert [line.split()[0] for line in outputs[0]] == ["2", "epoch", "epoch", "loss"]
    assert outputs[1] == outputs[0][-1:]
    loss = float(outputs[1][0].split()[1].rstrip(","))
    assert loss == pytest.approx(float(rows(tmp_path / "work" / "out" / "history_msroi.csv")[-1]["val_loss"]), abs=0.02)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--batch_size", "0"), "--batch_size"),
        (("--learning_rate", "nan"), "--learning_rate"),
        (("--workers", "0"), "--workers"),
        (("--dropout", "1"), "--dropout"),
        (("--momentum", "-0.1"), "--momentum"),
        (("--weight_decay", "-1"), "--weight_decay"),
        (("--seed", "40000"), "--seed"),
        (("--labels", "1"), "--labels"),
        (("--image_size", "100"), "multiple of 32"),
        (("--vgg_weights", "x.h5"), "--arch vgg16"),
        (("--arch", "vgg16", "--frozen_backbone"), "--vgg_weights"),
        (("--evaluate", "models/model-50"), "model-50"),
    ],
)
def test_wrong_use_is_one_line(call, tables: Path, options: tuple[str, ...], word: str) -> None:
    call(COMMAND, "--in_path", tables, *options).fails(2, word)


def test_missing_tables_and_an_empty_test_split_are_named(call, tables: Path, tmp_path: Path) -> None:
    call(COMMAND).fails(2, "classes.csv", "prepare_data.py")
    for name in ("classes.csv", "train.csv"):
        shutil.copy(tables / name, tmp_path)
    (tmp_path / "test.csv").write_text("file,class,label\n")
    call(COMMAND).fails(2, "test.csv", "no rows")


def test_defaults_are_those_of_the_original() -> None:
    from q1net_msroi.msroi.train import build_parser

    options = build_parser().parse_args([])
    found = {name: getattr(options, name) for name in ("top_k", "image_size", "learning_rate", "epsilon", "batch_size")}
    assert found == {"top_k": 5, "image_size": 224, "learning_rate": 0.002, "epsilon": 0.1, "batch_size": 32}
    assert (options.n_epochs, options.momentum, options.weight_decay, options.save_every) == (200, 0.9, 0.0005, 10)
    assert (options.optimizer, options.loss, options.model_path) == ("adam", "sigmoid", "models")


def test_help_names_every_option(call) -> None:
    done = call(COMMAND, "--help")
    assert done.code == 0
    for name in ("--frozen_backbone", "--class_balance", "--strategy", "--evaluate", "--n_epochs", "--vgg_weights"):
        assert name in done.out
