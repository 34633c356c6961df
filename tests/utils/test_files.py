"""Files are whole or absent."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from q1net_msroi.utils import files
from q1net_msroi.utils.errors import UserError


def listed(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_atomic_path_replaces_only_on_success(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with files.atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".")
    assert path.read_text() == "new"
    assert listed(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_atomic_path_leaves_the_old_file_on_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with files.atomic_path(path) as temporary:
            temporary.write_text("ne")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert listed(tmp_path) == ["a.txt"]


def test_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, sys; from q1net_msroi.utils import files\n"
        "with files.atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=files.REPOSITORY, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert all(name == "a.txt" or name.startswith(".") for name in listed(tmp_path))


def test_what_was_written_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append(os.fstat(handle).st_size), sync(handle)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("renamed"), replace(self, to))[1])
    files.write_text(tmp_path / "a.txt", "12345")
    assert steps == [5, "renamed"]


def test_devices_and_pipes_are_written_to_and_links_followed(tmp_path: Path) -> None:
    pipe, link, device = tmp_path / "pipe", tmp_path / "link", tmp_path / "terminal"
    os.mkfifo(pipe)
    master, slave = os.openpty()  # a device that nobody can replace, whatever the code under test does
    device.symlink_to(os.ttyname(slave))
    files.write_text(device, "x")
    assert os.read(master, 100) == b"x"
    assert device.is_symlink()
    assert device.is_char_device()
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_text(pipe, "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()
    (tmp_path / "there").write_text("old")
    link.symlink_to("there")
    files.write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "there").read_text() == "new"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        with pytest.raises(UserError, match="s is a socket"):
            files.write_text(tmp_path / "s", "x")
    assert listed(tmp_path) == ["link", "pipe", "s", "terminal", "there"]


def test_a_git_lfs_pointer(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match="w is a Git LFS pointer"):
        files.refuse_lfs_pointer(tmp_path / "w")
    (tmp_path / "w").write_bytes(b"version")
    files.refuse_lfs_pointer(tmp_path / "w")


def test_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder; give the name of a file"):
        files.write_text(tmp_path, "x")


def test_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    (small_disk / "kept.bin").write_bytes(b"kept")
    for name in ("new.bin", "kept.bin"):
        with pytest.raises(OSError, match="No space left"):
            files.write_bytes(small_disk / name, os.urandom(2_000_000))
    assert listed(small_disk) == ["kept.bin"]
    assert (small_disk / "kept.bin").read_bytes() == b"kept"


def test_output_folder(tmp_path: Path, unprivileged: Path) -> None:
    folder = unprivileged / "a" / "b"
    assert files.output_folder(folder) == folder
    assert folder.is_dir()
    assert files.output_folder(folder) == folder
    (folder / "file").touch()
    for inside in (folder / "file", folder / "file" / "deeper"):
        with pytest.raises(UserError, match="is a file; choose another output folder"):
            files.output_folder(inside)
    folder.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written to"):
        files.output_folder(folder)


def test_json_round_trip(tmp_path: Path) -> None:
    record = {"name": "größe\n", "values": [1, 2.5, None, True], "nested": {"a": []}}
    files.write_json(tmp_path / "a.json", record)
    assert files.read_json(tmp_path / "a.json") == record
    assert (tmp_path / "a.json").read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"not json"])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json is damaged"):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (768, "768 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (4.92e12, "4.9 TB"),
        (5e16, "50000.0 TB"),
    ],
)
def test_human_bytes(count: float, text: str) -> None:
    assert files.human_bytes(count) == text


def test_require_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    files.require_space(tmp_path, 1000, "a.hdf5")
    with pytest.raises(UserError, match=r"a\.hdf5 needs 1\.0 kB, but .* has 1\.0 kB free"):
        files.require_space(tmp_path, 1001, "a.hdf5")


def test_sha256(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "a").write_bytes(content)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
