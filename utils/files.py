"""Files that are whole or absent: atomic writes, disk space, checksums."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from q1net_msroi.utils.errors import UserError, show

THOUSAND = 1000
LFS_POINTER = b"version https://git-lfs"
REPOSITORY = Path(__file__).resolve().parents[1]


def output_folder(path: str | os.PathLike[str]) -> Path:
    """Create the folder `path` with its parents and return it; raise `UserError` where it cannot be written."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{show(folder)} is a file; choose another output folder") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{show(folder)} cannot be written to; choose another output folder")
    return folder


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on any error.

    A reader sees the old file or the new one, never a part, whatever moment the process dies at. A link keeps leading
    where it led. A device or a pipe is written to and stays what it is; a socket is refused.
    """
    final = Path(path)
    if final.is_dir() or final.is_socket():
        kind = "folder" if final.is_dir() else "socket"
        raise UserError(f"{show(final)} is a {kind}; give the name of a file to write")
    if final.exists() and not final.is_file():
        import tempfile  # not at every start: it takes 5 ms

        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / final.name
            yield whole
            with whole.open("rb") as source, final.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        return
    if final.is_symlink() and final.exists():
        final = final.resolve()
    temporary = final.with_name(f".{final.name}.{os.getpid()}.partial")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Write `content` as UTF-8 to `path` atomically."""
    write_bytes(path, content.encode())


def write_json(path: str | os.PathLike[str], record: Any) -> None:
    """Write `record` as indented JSON to `path` atomically."""
    write_text(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON from `path`; raise `UserError` where it is damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise UserError(f"{show(path)} is damaged (not JSON); restore it from the repository") from None


def human_bytes(count: float) -> str:
    """Return a byte count as a person reads it: 768 B, 1.5 MB, 4.9 TB (powers of 1000)."""
    units = ("B", "kB", "MB", "GB", "TB")
    power = 0
    while count >= THOUSAND and power < len(units) - 1:
        count, power = count / THOUSAND, power + 1
    return f"{count:.{min(power, 1)}f} {units[power]}"


def require_space(folder: str | os.PathLike[str], needed: int, what: str) -> None:
    """Raise `UserError` when the disk that holds `folder` has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        said = f"{what} needs {human_bytes(needed)}, but {show(folder)} has {human_bytes(free)} free"
        raise UserError(f"{said}; ask for less or choose another disk")


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def refuse_lfs_pointer(path: str | os.PathLike[str]) -> None:
    """Raise `UserError` where a file is what Git LFS left in its place."""
    with Path(path).open("rb") as handle:
        if handle.read(len(LFS_POINTER)) == LFS_POINTER:
            raise UserError(f"{show(path)} is a Git LFS pointer, not weights; run `git lfs pull` where it came from")
