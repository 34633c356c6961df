"""Sets of patches: what is asked for, exactly, reproducibly, and safe from being killed."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.q1net.generation import Plan, Request, generate, usable_photographs
from q1net_msroi.utils import files, jpeg
from q1net_msroi.utils.errors import UserError

GEN = "classifier.gen_data"
Call = Callable[..., Any]


def read(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    with h5py.File(path) as file:
        return file["x_noise"][:], file["y_quality"][:], dict(file.attrs)


def places(picture: np.ndarray, quality: int) -> np.ndarray:
    """All 16x16 views of a picture's JPEG, (rows, columns, 16, 16, 3) BGR."""
    decoded = jpeg.compress(np.ascontiguousarray(picture), quality)[..., ::-1]
    return np.lib.stride_tricks.sliding_window_view(decoded, (16, 16), axis=(0, 1)).transpose(0, 1, 3, 4, 2)


@pytest.fixture
def one(tmp_path: Path, photograph: np.ndarray) -> Path:
    """A folder of one small photograph."""
    folder = tmp_path / "one"
    folder.mkdir()
    Image.fromarray(photograph[100:171, 150:215]).save(folder / "a.png")
    return folder


def test_layout_counts_and_attributes(call: Call, photographs: Path, tmp_path: Path) -> None:
    done = call(GEN, "--in_path", photographs, "--out_path", tmp_path, "--num_samples", "5", "--perturb", "2")
    assert done.code == 0
    assert done.out == f"{tmp_path}/jpeg_paper.hdf5: 2,400 patches\n"
    assert "3 photographs x 2 places x 100 qualities x 4 offsets = 2,400 patches, 1.8 MB" in done.err
    patches, qualities, attributes = read(tmp_path / "jpeg_paper.hdf5")
    assert (patches.shape, patches.dtype) == ((2400, 16, 16, 3), np.uint8)
    assert (qualities.shape, qualities.dtype) == ((2400,), np.uint8)
    assert Counter(qualities.tolist()) == dict.fromkeys(range(1, 101), 24)
    assert attributes["codec"] == jpeg.codec_identity()
    for name, value in {
        "num_samples": 5,
        "perturb": 2,
        "seed": 0,
        "channel_order": "BGR",
        "comp_type": "jpeg_paper",
        "quality_division": 1,
        "perturb_division": 1,
        "photographs": 3,
    }.items():
        assert attributes[name] == value
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("perturb", [1, 2, 5, 8])
def test_patches_are_those_of_the_whole_photographs_jpeg(
    call: Call, one: Path, tmp_path: Path, photograph: np.ndarray, perturb: int
) -> None:
    """Every patch lies in the photograph's JPEG, at exactly the N x N offsets around one aligned place."""
    done = call(GEN, "--in_path", one, "--out_path", tmp_path, "--num_samples", "1", "--perturb", str(perturb))
    assert done.code == 0
    patches, qualities, _ = read(tmp_path / "jpeg_paper.hdf5")
    assert len(patches) == 100 * perturb**2
    picture = photograph[100:171, 150:215]
    side = np.arange(-(perturb // 2), perturb - perturb // 2)
    rows, columns = np.repeat(side, perturb), np.tile(side, perturb)
    fitting = {(y, x) for y in range(12, 56, 8) for x in range(12, 50, 8)}
    for quality in (3, 50, 77, 100):
        views, mine = places(picture, quality), patches[qualities == quality]
        fitting = {(y, x) for y, x in fitting if np.array_equal(views[y + rows, x + columns], mine)}
        assert fitting, f"quality {quality}"  # one place that is the same at every quality


def test_the_same_seed_gives_the_same_file(call: Call, photographs: Path, tmp_path: Path) -> None:
    hashes = []
    for name, seed, workers in (("a", "3", "1"), ("b", "3", "2"), ("c", "4", "2")):
        done = call(
            GEN,
            "--in_path",
            photographs,
            "--out_path",
            tmp_path / "out",
            "--hdf5_name",
            name,
            "--num_samples",
            "160",
            "--perturb",
            "1",
            "--quality_division",
            "10",
            "--seed",
            seed,
            "--workers",
            workers,
        )
        assert done.code == 0, done.err
        patches, qualities, _ = read(tmp_path / "out" / name)
        hashes.append((files.sha256(tmp_path / "out" / name), patches.tobytes()))
        assert len(qualities) == 162 * 10
    assert hashes[0] == hashes[1]
    assert hashes[0][1] != hashes[2][1]


def test_divisions_spread_over_qualities_and_offsets(call: Call, photographs: Path, tmp_path: Path) -> None:
    done = call(
        GEN,
        "--in_path",
        photographs,
        "--out_path",
        tmp_path,
        "--num_samples",
        "12",
        "--quality_division",
        "20",
        "--perturb_division",
        "16",
    )
    assert done.code == 0, done.err
    patches, qualities, attributes = read(tmp_path / "jpeg_paper.hdf5")
    assert len(patches) == 12 * 5 * 4
    counts = Counter(qualities.tolist())
    assert set(counts.values()) <= {16, 32, 48}  # 4 places of a photograph x 4 offsets, a quality
    assert 5 < len(counts) <= 15
    assert (attributes["quality_division"], attributes["perturb_division"]) == (20, 16)
    assert len({p.tobytes() for p in patches}) > 0.9 * len(patches)


def test_out_of_range_numbers(call: Call, photographs: Path, tmp_path: Path) -> None:
    for flag, value in (
        ("--num_samples", "0"),
        ("--num_samples", "-3"),
        ("--perturb", "0"),
        ("--perturb", "9"),
        ("--quality_division", "0"),
        ("--quality_division", "101"),
        ("--perturb_division", "65"),
        ("--seed", "-1"),
        ("--workers", "-1"),
    ):
        done = call(GEN, "--in_path", photographs, "--out_path", tmp_path / "out", "--num_samples", "1", flag, value)
        done.fails(2, flag)
        assert not (tmp_path / "out" / "jpeg_paper.hdf5").exists()


def test_too_small_a_disk_is_refused_before_it_starts(
    call: Call, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000_000))
    done = call(GEN, "--in_path", photographs, "--out_path", tmp_path / "out")
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(
        "gen_data.py: jpeg_paper.hdf5 (6,400,012,800 patches) needs 4.9 TB, but "
    )
    assert "has 1.0 GB free" in done.err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_leaves_nothing(call: Call, photographs: Path, small_disk: Path) -> None:
    done = call(GEN, "--in_path", photographs, "--out_path", small_disk, "--num_samples", "20", "--perturb", "1")
    assert done.code == 2
    assert "(2,100 patches) needs 1.7 MB, but" in done.err
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_fills_meanwhile(
    call: Call, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    done = call(GEN, "--in_path", photographs, "--out_path", tmp_path / "out", "--num_samples", "1", "--perturb", "1")
    assert done.code == 2
    assert "the disk is full" in done.err.splitlines()[-1]
    assert not (tmp_path / "out" / "jpeg_paper.hdf5").exists()
    assert not list((tmp_path / "out").glob(".*partial"))


def test_bad_pictures_are_named_and_left_out(call: Call, photographs: Path, tmp_path: Path) -> None:
    Image.new("RGB", (47, 100)).save(photographs / "small.png")
    (photographs / "broken.png").write_bytes((photographs / "a.png").read_bytes()[:2000])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)).save(photographs / "gray.png")
    done = call(GEN, "--in_path", photographs, "--out_path", tmp_path, "--num_samples", "4", "--perturb", "1")
    assert done.code == 0
    said = done.err.splitlines()
    assert any("broken.png is damaged" in line for line in said)
    assert any("small.png is 47x100 pixels; at least 48x48" in line for line in said)
    assert any("gray.png is gray" in line for line in said)
    assert "4 photographs x 1 places" in said[-1]


def test_no_usable_picture(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    call(GEN, "--in_path", tmp_path / "in", "--out_path", tmp_path / "out").fails(2, "no pictures", "in")
    (tmp_path / "in" / "a.png").touch()
    call(GEN, "--in_path", tmp_path / "in", "--out_path", tmp_path / "out").fails(2, "none of the 1 pictures")
    call(GEN, "--in_path", tmp_path / "missing", "--out_path", tmp_path).fails(2, "missing does not exist")
    call(GEN, "--in_path", tmp_path / "in" / "a.png", "--out_path", tmp_path).fails(2, "a.png is a file")


def test_where_the_result_cannot_go(call: Call, photographs: Path, tmp_path: Path) -> None:
    small = ["--in_path", photographs, "--num_samples", "1", "--perturb", "1"]
    (tmp_path / "folder.hdf5").mkdir()
    (tmp_path / "file").touch()
    assert "is a folder" in call(GEN, *small, "--out_path", tmp_path, "--hdf5_name", "folder.hdf5").err
    assert "is a file" in call(GEN, *small, "--out_path", tmp_path / "file").err
    assert call(GEN, *small, "--out_path", tmp_path, "--hdf5_name", "nowhere/x.hdf5").code == 2
    assert list((tmp_path / "folder.hdf5").iterdir()) == []


def test_the_result_never_replaces_a_photograph(call: Call, photographs: Path) -> None:
    before = (photographs / "a.png").read_bytes()
    done = call(
        GEN,
        "--in_path",
        photographs,
        "--out_path",
        photographs,
        "--hdf5_name",
        "a.png",
        "--num_samples",
        "1",
        "--perturb",
        "1",
    )
    assert done.code == 2
    assert "a.png" in done.err.splitlines()[-1]
    assert (photographs / "a.png").read_bytes() == before


def test_a_read_only_folder(photographs: Path, unprivileged: Path) -> None:
    (unprivileged / "out").mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot be written to"):
        files.output_folder(unprivileged / "out")


def test_strange_names(call: Call, photographs: Path, tmp_path: Path) -> None:
    source = (photographs / "a.png").read_bytes()
    for name in (b"line\nbreak.png", b"\xff\xfe.png", b"-dash.png", b"quote'\".png"):
        Path(os.fsdecode(os.fsencode(photographs) + b"/" + name)).write_bytes(source)
    (photographs / "loop.png").symlink_to("loop.png")
    done = call(GEN, "--in_path", photographs, "--out_path", tmp_path / "a b\n", "--num_samples", "7", "--perturb", "1")
    assert done.code == 0
    assert len(done.err.splitlines()) == 2
    assert "loop.png is a symbolic link that leads to itself" in done.err
    assert len(done.lines) == 1


def test_save_image_writes_a_sheet_a_quality(call: Call, photographs: Path, tmp_path: Path) -> None:
    done = call(
        GEN,
        "--in_path",
        photographs,
        "--out_path",
        tmp_path,
        "--num_samples",
        "3",
        "--perturb",
        "1",
        "--quality_division",
        "20",
        "--save_image",
        "--hdf5_name",
        "x.hdf5",
    )
    assert done.code == 0
    patches, qualities, _ = read(tmp_path / "x.hdf5")
    sheets = sorted((tmp_path / "x_images").iterdir())
    assert [s.name for s in sheets] == [f"quality_{q:03d}.png" for q in sorted(set(qualities.tolist()))]
    first = patches[qualities == min(qualities)][0][..., ::-1]
    sheet = np.asarray(Image.open(sheets[0]))
    np.testing.assert_array_equal(sheet[28:44, 4:20], first)  # below a line of text
    assert sheet[:24].min() < 100
    assert sheet[:24].max() == 255


def test_two_runs_do_not_write_the_same_file(call: Call, photographs: Path, tmp_path: Path) -> None:
    with (tmp_path / ".jpeg_paper.hdf5.partial").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = call(GEN, "--in_path", photographs, "--out_path", tmp_path, "--num_samples", "1", "--perturb", "1")
        assert done.code == 2
        assert "another run is writing" in done.err.splitlines()[-1]
    done = call(GEN, "--in_path", photographs, "--out_path", tmp_path, "--num_samples", "1", "--perturb", "1")
    assert done.code == 0  # whoever held it is gone
    assert len(read(tmp_path / "jpeg_paper.hdf5")[0]) == 300


RUN = ("--num_samples", "12000", "--perturb", "1", "--quality_division", "100", "--workers", "1")
ROWS = 12000


def started(start: Call, photographs: Path, out: Path) -> subprocess.Popen[str]:
    return start(GEN, "--in_path", photographs, "--out_path", out, *RUN)


def wait_until_remembered(process: subprocess.Popen[str], out: Path) -> None:
    while process.poll() is None and not (out / ".jpeg_paper.hdf5.partial.json").exists():
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_goes_on_and_gives_the_same_file(
    call: Call, start: Call, photographs: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    process = started(start, photographs, out)
    wait_until_remembered(process, out)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number], said
    assert "Traceback" not in said
    assert not (out / "jpeg_paper.hdf5").exists()
    done = call(GEN, "--in_path", photographs, "--out_path", out, *RUN)
    assert done.code == 0
    assert "resuming: " in done.err
    assert [p.name for p in out.iterdir()] == ["jpeg_paper.hdf5"]
    assert call(GEN, "--in_path", photographs, "--out_path", tmp_path / "whole", *RUN).code == 0
    assert files.sha256(out / "jpeg_paper.hdf5") == files.sha256(tmp_path / "whole" / "jpeg_paper.hdf5")


def test_an_unfinished_run_with_another_plan_starts_afresh(
    call: Call, start: Call, photographs: Path, tmp_path: Path
) -> None:
    process = started(start, photographs, tmp_path / "out")
    wait_until_remembered(process, tmp_path / "out")
    process.kill()
    process.communicate()
    done = call(GEN, "--in_path", photographs, "--out_path", tmp_path / "out", "--num_samples", "2", "--perturb", "1")
    assert done.code == 0
    assert "resuming" not in done.err
    assert call(GEN, "--in_path", photographs, "--out_path", tmp_path, "--num_samples", "2", "--perturb", "1").code == 0
    assert files.sha256(tmp_path / "out" / "jpeg_paper.hdf5") == files.sha256(tmp_path / "jpeg_paper.hdf5")


@pytest.mark.slow
def test_killed_ten_times_at_random_moments(call: Call, start: Call, photographs: Path, tmp_path: Path) -> None:
    random = np.random.default_rng()
    out = tmp_path / "out"
    for _ in range(10):
        process = started(start, photographs, out)
        time.sleep(random.uniform(0.1, 3.0))
        process.kill()
        process.communicate()
        if (out / "jpeg_paper.hdf5").exists():
            assert len(read(out / "jpeg_paper.hdf5")[0]) == ROWS
    assert call(GEN, "--in_path", photographs, "--out_path", out, *RUN).code == 0
    assert call(GEN, "--in_path", photographs, "--out_path", tmp_path / "whole", *RUN).code == 0
    assert files.sha256(out / "jpeg_paper.hdf5") == files.sha256(tmp_path / "whole" / "jpeg_paper.hdf5")


def test_memory_does_not_grow_with_the_result(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many groups there are, only as many as there are workers are held at once."""
    from q1net_msroi.classifier.q1net import generation

    alive, most = 0, 0
    whole = generation._group_patches

    def counted(plan: Plan, group: int, read_picture: Any) -> Any:
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        yield from whole(plan, group, read_picture)
        alive -= 1

    monkeypatch.setattr(generation, "_group_patches", counted)
    plan = Plan(Request("jpeg_paper", 12000, 1, 100), usable_photographs(sorted(photographs.iterdir())))
    assert plan.groups == 8
    generate(plan, tmp_path / "a.hdf5", workers=2)
    assert most <= 2
    assert len(read(tmp_path / "a.hdf5")[0]) == plan.rows == 12000
