"""Hostile files: no traceback, no answer from damaged data, no long wait, no huge memory.

A picture that cannot be decoded whole may still have whole tables in its header, and no more than these answer.
"""

import json
import math
import os
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from q1net_msroi.classifier.estimators.header import estimate_header, read_header
from q1net_msroi.classifier.q1net.configs import AREA
from q1net_msroi.msroi.encoder.source import read_source
from q1net_msroi.utils import files, images
from q1net_msroi.utils.errors import UserError
from tests import hostile

FILES, FAST_STEP, AUTO_STEP = 2000, 10, 31
LONGEST = 5  # seconds
LARGEST = 3 << 29  # 1.5 GiB
SAID_OF_WHOLE = ("floating point or 32 bits", "are needed", "megapixels are read")
NAMES = [kind.__name__ for kind in hostile.KINDS]
Call = Callable[..., Any]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def make(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return make


@pytest.fixture(scope="module")
def longest() -> float:
    """Seconds of computing that a file may take: `LONGEST`, more on a machine where a sound file takes long too."""
    from q1net_msroi.classifier.estimators.lattice import LatticeEstimator

    pixels = np.asarray(Image.open(files.REPOSITORY / "sample_image" / "chelsea.png").convert("RGB"))[:48, :48]
    started = time.process_time()
    LatticeEstimator().estimate(np.ascontiguousarray(pixels))
    return max(LONGEST, 8 * (time.process_time() - started))


def whole(path: Path) -> bool:
    """Return whether Pillow decodes all of a picture of an allowed size (and of a PNG all checksums hold)."""
    try:
        with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
            warnings.simplefilter("ignore")
            patch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", 1 << 24)
            with Image.open(path, formats=images.FORMATS) as image:
                if image.width * image.height > images.MAXIMUM_PIXELS or max(image.size) > images.MAXIMUM_SIDE:
                    return False
                if image.format == "PNG":
                    image.verify()
            with Image.open(path, formats=images.FORMATS) as image:
                image.load()
    except Exception:
        return False
    return True


def has_sane_tables(content: bytes) -> bool:
    """Return whether a JPEG, or one in a TIFF, has one frame and whole tables before its scans, with no step of 0."""
    at, tables, frames = content.find(b"\xff\xd8") + 2, {}, []
    while (at := content.find(b"\xff", at)) >= 0 and len(content) > at + 3:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in (0, 1, 0xFF, *range(0xD0, 0xD8)):
            at += 1 if marker == 0xFF else 2
            continue
        payload = content[at + 4 : at + 2 + length]
        if marker in (0xD8, 0xD9, hostile.SOS) or length < 2 or len(payload) < length - 2:
            break
        while marker == hostile.DQT and payload:
            size = 64 << (payload[0] >> 4)
            steps = payload[1 : 1 + size] if size == 64 else [*struct.unpack(">64H", payload[1 : 1 + size])]
            assert len(steps) == 64
            tables[payload[0] & 15], payload = min(steps), payload[1 + size :]
        if 0xC0 <= marker < 0xD0 and marker not in (0xC4, 0xC8, 0xCC):
            frames.append(payload)
        at += 2 + length
    if len(frames) != 1 or len(frames[0]) != 6 + 3 * frames[0][5] or frames[0][0] not in (8, 12):
        return False
    sides = struct.unpack(">HH", frames[0][1:5])
    return min(sides) > 0 and all(tables.get(number, 0) > 0 for number in frames[0][8::3])


def answered(call: Call, path: Path, comp_type: str, longest: float, whole: bool = True) -> bool:
    """Ask for a file's quality, see that it ends well and in time, and return whether its pixels had part in an answer.

    That a header answers for pixels that cannot be read is asserted to be said, and to rest on sane tables.
    """
    started = time.process_time()
    done = call("classifier.predict_cls", "--in_path", path, "--comp_type", comp_type, "--json")
    assert time.process_time() - started < longest, path.name
    assert "Traceback" not in done.err
    if done.code == 0:
        (line,) = done.lines
        said = json.loads(line)
        assert said["quality"] is None or 1 <= said["quality"] <= 100
        if said["evidence"].get("header", {}).get("unread") is None:
            return True
        assert not whole, f"{path.name}: {said}"
        assert has_sane_tables(path.read_bytes()), f"{path.name}: an answer from a damaged header"
        return False
    done.fails(2, path.name)
    assert not done.out
    return False


def check(call: Call, path: Path, longest: float, comp_type: str = "jpeg_header") -> None:
    """See what the commands make of a hostile file: of its header, its pixels, and as a picture to encode."""
    estimate_header(read_header(path))
    is_whole = whole(path)
    if answered(call, path, comp_type, longest, is_whole):
        assert is_whole, f"{path.name}: an answer from a damaged picture"
    elif is_whole:
        with pytest.raises(UserError) as refused:
            images.read_rgb(path, AREA)
        assert any(words in str(refused.value) for words in SAID_OF_WHOLE), refused.value
    started = time.process_time()
    for read in (images.read_rgb, read_source):
        try:
            pixels, said = read(path).pixels, ""
        except UserError as error:
            pixels, said = None, str(error)
        if pixels is None:
            assert said.isprintable()
            assert not is_whole or any(words in said for words in SAID_OF_WHOLE), said
        else:
            assert is_whole
            assert pixels.dtype == np.uint8
            assert pixels.shape[2] == 3
    assert time.process_time() - started < longest
    path.unlink()


def of_kind(number: int, step: int, offset: int = 0) -> Iterable[int]:
    return (index for index in range(offset, FILES, step) if index % len(NAMES) == number)


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_every_tenth(call: Call, write: Callable[..., Path], longest: float, number: int) -> None:
    for index in of_kind(number, FAST_STEP):
        check(call, write(*hostile.make(index)), longest)


@pytest.mark.parametrize("kind", ["jpeg_zero_steps", "jpeg_sampling", "jpeg_scan"])
def test_one_by_all_evidence(call: Call, write: Callable[..., Path], longest: float, kind: str) -> None:
    check(call, write(*hostile.make(NAMES.index(kind))), longest, "auto")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_all(call: Call, write: Callable[..., Path], longest: float, number: int) -> None:
    for index in of_kind(number, 1):
        check(call, write(*hostile.make(index)), longest, "auto" if index % AUTO_STEP == 0 else "jpeg_header")


UNDER_A_LIMIT = """
import contextlib, io, os, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
from q1net_msroi.classifier import predict_cls
from q1net_msroi.msroi.encoder.source import read_source
from q1net_msroi.utils.errors import UserError, run_command
from tests import hostile
for index in range(int(sys.argv[3])):
    name, content = hostile.make(index)
    path = Path(sys.argv[1], name)
    path.write_bytes(content)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = run_command("predict_cls.py", predict_cls.main, ["--in_path", str(path), "--comp_type", "jpeg_header"])
        with contextlib.suppress(UserError):
            read_source(path)
    if "into memory" in said.getvalue() or "not enough memory" in said.getvalue():
        sys.exit(f"{name}: {said.getvalue()}")
    path.unlink()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


ONE = """
import resource, sys
from q1net_msroi.classifier import predict_cls
from q1net_msroi.utils.errors import run_command
code = run_command("predict_cls.py", predict_cls.main, ["--in_path", sys.argv[1], "--comp_type", "auto", "--json"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
sys.exit(code)
"""


def run(code: str, *arguments: object) -> int:
    """Run Python code in a process of its own and return the number in its last line."""
    environment = {**os.environ, "PYTHONPATH": str(files.REPOSITORY), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=files.REPOSITORY)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_memory(tmp_path: Path) -> None:
    """All files are read where there is no more address space than 1.5 GiB."""
    assert run(UNDER_A_LIMIT, tmp_path, LARGEST, FILES) < LARGEST


@pytest.mark.slow
@pytest.mark.parametrize("flat", [True, False])
def test_memory_of_the_largest_picture(write: Callable[..., Path], flat: bool) -> None:
    content = hostile.large(math.isqrt(images.MAXIMUM_PIXELS), flat)
    assert len(content) < 1e6
    assert run(ONE, write("large.png", content)) < LARGEST


def test_a_sampling_factor_of_0_is_no_header(write: Callable[..., Path]) -> None:
    segments = hostile.split(hostile.sound("JPEG", quality=60))
    frame = bytearray(next(payload for marker, payload in segments if marker == 0xC0))
    frame[10] = 0x10  # chroma, one sample across and none down
    path = write("zero.jpg", hostile.join([(m, bytes(frame) if m == 0xC0 else p) for m, p in segments]))
    assert read_header(path) is None


def test_a_header_of_four_gigapixels_is_read_or_refused(write: Callable[..., Path]) -> None:
    segments = hostile.split(hostile.sound("JPEG", quality=60))
    huge = [(m, p[:1] + b"\xff\xff\xff\xff" + p[5:] if m == 0xC0 else p) for m, p in segments]
    header = read_header(write("huge.jpg", hostile.join(huge)))
    assert header is None or estimate_header(header).quality == 60


def test_a_step_of_0_still_has_an_answer(call: Call, write: Callable[..., Path], longest: float) -> None:
    segments = hostile.split(hostile.sound("JPEG", quality=60))
    zero = [(m, p[:1] + bytes(3) + p[4:] if m == 0xDB else p) for m, p in segments]
    path = write("zero.jpg", hostile.join(zero))
    for comp_type in ("jpeg_header", "auto"):
        assert answered(call, path, comp_type, longest)
