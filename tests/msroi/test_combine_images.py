"""The command as a person uses it: what it prints, its exit codes, hostile inputs, folders that go on."""

import errno
import json
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi import combine_images
from q1net_msroi.msroi.encoder import combine
from q1net_msroi.msroi.roi.origin import Origin
from q1net_msroi.utils import files
from q1net_msroi.utils.errors import run_command

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(REPOSITORY / "msroi" / "combine_images.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def pixels(height: int = 48, width: int = 64) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 5 % 256, y * 3 % 256, x * y % 256], axis=-1).astype(np.uint8)


def saliency(height: int = 48, width: int = 64) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (255 * np.exp(-4 * ((y / height - 0.5) ** 2 + (x / width - 0.5) ** 2))).astype(np.uint8)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a.png and m.png, as current folder."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(pixels()).save("a.png")
    Image.fromarray(saliency()).save("m.png")
    os.utime("m.png", (time.time() + 3600,) * 2)  # newer than every picture, so that nothing is said of its age
    return tmp_path


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Run the command in this process; return exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command("combine_images.py", combine_images.main, arguments)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def whole_files(folder: Path) -> list[str]:
    """Return the names in a folder, after checking that every picture in it is whole and nothing is half-written."""
    for path in folder.glob("*.jpg"):
        with Image.open(path) as image:
            image.load()
    assert not list(folder.rglob("*.partial"))
    return sorted(path.name for path in folder.iterdir())


def test_one_picture(here: Path, call: Call) -> None:
    code, out, err = call("-image", "a.png", "-map", "m.png")
    assert (code, err) == (0, "")
    assert whole_files(here / "output") == ["_compressed_a.png_.jpg", "_original_a.png_50.jpg"]
    ours, plain = ((here / "output" / name).stat().st_size for name in whole_files(here / "output"))
    assert out.startswith(f"output/_compressed_a.png_.jpg: {ours:,} bytes at quality ")
    assert f"; plain JPEG {plain:,} bytes at quality 50 (" in out
    assert ours <= plain * 1.2


def test_both_spellings_of_every_flag_mean_the_same(here: Path, call: Call) -> None:
    flags = {"image": "a.png", "map": "m.png", "model": "5", "jpeg_compression": "40", "threshold_pct": "3"}
    for dashes, folder in (("-", "one"), ("--", "two")):
        given = [part for name, value in flags.items() for part in (dashes + name, value)]
        more = {"output_directory": folder, "use_convert": "1", "dataset": "kodak", "single": "1", "find_best": "1"}
        given += [part for name, value in more.items() for part in (dashes + name, value)]
        code, _, err = call(*given)
        assert code == 0
        assert "no outside program is needed" in err
    for name in ("_compressed_a.png_.jpg", "_original_a.png_40.jpg"):
        assert (here / "one" / name).read_bytes() == (here / "two" / name).read_bytes()


def test_fixed_qualities_print_a_line_a_file(here: Path, call: Call) -> None:
    code, out, _ = call("-image", "a.png", "-map", "m.png", "-find_best", "0", "-modifier", "x_")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == [f"output/x_a.png_{q}.jpg" for q in (100, 85, 65, 45)]


def test_log_line(here: Path, call: Call) -> None:
    code, out, err = call("-image", "a.png", "-map", "m.png", "-print_metrics", "1")
    assert code == 0
    assert "bytes at quality" in err
    (line,) = out.splitlines()
    head, plain, ours, rest = line.split("|")
    name, model, png, jpeg_bytes, our_bytes, jpeg_quality, our_quality = head.split()
    assert (name, model, int(png), jpeg_quality) == ("a.png", "3", (here / "a.png").stat().st_size, "50")
    assert int(jpeg_bytes) == (here / "output" / "_original_a.png_50.jpg").stat().st_size
    assert int(our_bytes) == (here / "output" / "_compressed_a.png_.jpg").stat().st_size
    assert 21 <= int(our_quality) <= 90
    assert [len(side.split()) for side in (plain, ours, rest)] == [6, 6, 0]
    assert all(float(value) > 0 for value in (plain + ours).split())


def test_json(here: Path, call: Call) -> None:
    code, out, _ = call("-image", "a.png", "-map", "m.png", "--json")
    record = json.loads(out)
    assert code == 0
    assert set(record) >= {
        "file", "output", "model", "quality", "bytes", "plain_quality", "plain_bytes", "metrics", "seconds"
    }  # fmt: skip
    assert record["metrics"] is None
    assert record["bytes"] == (here / record["output"]).stat().st_size
    _, out, _ = call("-image", "a.png", "-map", "m.png", "--json", "-print_metrics", "1")
    metrics = json.loads(out)["metrics"]
    assert metrics["plain"].keys() == metrics["ours"].keys()
    assert "psnrs" in metrics["ours"]


def test_log_of_a_tiny_flat_picture_is_still_a_line_and_valid_json(here: Path, call: Call) -> None:
    Image.new("RGB", (1, 1), (128, 128, 128)).save("a.png")
    Image.new("L", (1, 1)).save("m.png")
    code, out, _ = call("-image", "a.png", "-map", "m.png", "-print_metrics", "1")
    assert code == 0
    assert out.split("|")[1].split() == ["inf", "nan", "nan", "nan", "nan", "nan"]
    code, out, _ = call("-image", "a.png", "-map", "m.png", "-print_metrics", "1", "--json")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads(out, parse_constant=refuse)["metrics"]["ours"]["psnr"] is None


def png_with_wrong_checksum(good: bytes) -> bytes:
    at = good.index(b"IDAT")
    return good[: at + 10] + bytes([good[at + 10] ^ 1]) + good[at + 11 :]


def bomb() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def jpeg_bytes(folder: Path) -> bytes:
    Image.fromarray(pixels()).save(folder / "whole.jpg", quality=95)
    return (folder / "whole.jpg").read_bytes()


BAD = {
    "empty.png": lambda folder: b"",
    "text.png": lambda folder: b"this is no picture\n" * 30,
    "cut.jpg": lambda folder: jpeg_bytes(folder)[:900],
    "cut.png": lambda folder: (folder / "a.png").read_bytes()[:-400],
    "checksum.png": lambda folder: png_with_wrong_checksum((folder / "a.png").read_bytes()),
    "bomb.png": lambda folder: bomb(),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("role", ["-image", "-map"])
def test_damaged_files_are_one_line(here: Path, call: Call, name: str, role: str) -> None:
    (here / name).write_bytes(BAD[name](here))
    other = ("-map", "m.png") if role == "-image" else ("-image", "a.png")
    code, out, err = call(role, name, *other)
    assert (code, out) == (2, "")
    assert err.startswith(f"combine_images.py: {name} ")
    assert len(err.splitlines()) == 1
    assert whole_files(here / "output") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-image", "absent.png", "-map", "m.png"), "absent.png does not exist"),
        (("-image", "a.png"), "output/msroi_map.jpg does not exist"),
        (("-image", ".", "-map", "m.png"), "is a folder, not a picture"),
        (("-image", "a.png", "-map", "m.png", "-model", "8"), "-model 8 is unknown; give one of 1, 2, 3, 4, 5, 6, 7"),
        (("-image", "a.png", "-map", "m.png", "-jpeg_compression", "0"), "give 1 to 100"),
        (("-image", "a.png", "-map", "m.png", "-output_directory", "a.png"), "a.png is a file"),
        (("-single", "0"), "a folder needs --images DIR"),
        (("--images", "absent", "--maps", "."), "absent does not exist"),
        (("--images", ".", "--maps", "absent"), "absent does not exist"),
        (("-image", "loop.png", "-map", "m.png"), "loop.png is a symbolic link that leads to itself"),
        (("-image", "a.png", "-map", "wide.png"), "of another shape"),
        (("-image", "float.tif", "-map", "m.png"), "floating point"),
    ],
)
def test_wrong_use_is_one_line(here: Path, call: Call, arguments: tuple[str, ...], said: str) -> None:
    (here / "loop.png").symlink_to("loop.png")
    Image.new("L", (100, 20)).save("wide.png")
    Image.fromarray(np.zeros((48, 64), np.float32)).save("float.tif")
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not list(here.rglob("*_.jpg"))


@pytest.mark.parametrize("size", [(1, 1), (24, 23), (24, 24), (1, 50), (65_500, 8)])
def test_odd_sizes(here: Path, call: Call, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (9, 200, 30)).save("a.png")
    Image.linear_gradient("L").resize(size).save("m.png")
    code, _, _ = call("-image", "a.png", "-map", "m.png")
    assert code == 0
    for name in whole_files(here / "output"):
        with Image.open(here / "output" / name) as image:
            assert image.size == size


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".bmp", ".tif", ".ppm", ".jpg"])
def test_other_formats_and_animations(here: Path, call: Call, suffix: str) -> None:
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 48))]} if suffix in (".gif", ".webp") else {}
    more = {"progressive": True} if suffix == ".jpg" else {}
    Image.fromarray(pixels()).save(f"b{suffix}", **frames, **more)
    code, _, err = call("-image", f"b{suffix}", "-map", "m.png", "-print_metrics", "1")
    assert code == 0
    assert ("first frame of an animation" in err) == bool(frames)
    assert f"_compressed_b{suffix}_.jpg" in whole_files(here / "output")


@pytest.mark.parametrize(
    "name", ["a b.png", "q'\"q.png", "two\nlines.png", "-dash.png", "ünï|cödé.png", "per%cent{}.png"]
)
def test_odd_names(here: Path, call: Call, name: str) -> None:
    Image.fromarray(pixels()).save(name)
    code, out, err = call(f"--image={name}", "-map", "m.png", "-print_metrics", "1")
    assert code == 0
    assert len(out.splitlines()) == len(err.splitlines()) == 1
    assert (here / "output" / f"_compressed_{name}_.jpg").is_file()


def test_name_that_is_not_utf_8(here: Path) -> None:
    name = os.fsdecode(b"a\xff.png")
    (here / name).write_bytes((here / "a.png").read_bytes())
    done = subprocess.run(
        [*COMMAND, "-image", name, "-map", "m.png", "--json"], env=ENVIRONMENT, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["file"] == "a\\xff.png"
    assert (here / "output" / os.fsdecode(b"_compressed_a\xff.png_.jpg")).is_file()


def test_a_folder_in_the_outputs_place(here: Path, call: Call) -> None:
    (here / "output" / "_compressed_a.png_.jpg").mkdir(parents=True)
    code, out, err = call("-image", "a.png", "-map", "m.png")
    assert (code, out) == (2, "")
    assert "is a folder" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_permissions(here: Path, call: Call) -> None:
    (here / "closed").mkdir(mode=0o500)
    code, _, err = call("-image", "a.png", "-map", "m.png", "-output_directory", "closed")
    assert code == 2
    assert "cannot be written to" in err
    (here / "a.png").chmod(0)
    code, _, err = call("-image", "a.png", "-map", "m.png")
    assert code == 2
    assert "no permission" in err


def test_a_full_disk_leaves_nothing_behind(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(self: Path, content: bytes) -> int:
        write(self, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    code, out, err = call("-image", "a.png", "-map", "m.png")
    assert (code, out) == (2, "")
    assert "the disk is full" in err
    assert whole_files(here / "output") == []


@pytest.fixture
def folders(here: Path) -> Path:
    """Folders pictures/ (five good ones, a damaged one, one without a map) and maps/."""
    (here / "pictures").mkdir()
    (here / "maps").mkdir()
    for index in range(5):
        Image.fromarray(pixels() + index).save(here / "pictures" / f"p{index}.png")
        Image.fromarray(saliency()).save(here / "maps" / f"map_p{index}.png.jpg")
    (here / "pictures" / "bad.png").write_bytes(b"nothing")
    Image.fromarray(saliency()).save(here / "maps" / "map_bad.png.png")
    Image.fromarray(pixels()).save(here / "pictures" / "lost.png")
    return here


FOLDER = ("-single", "0", "--images", "pictures", "--maps", "maps")


def test_one_bad_file_does_not_stop_the_rest(folders: Path, call: Call) -> None:
    code, out, err = call(*FOLDER, "-print_metrics", "1")
    assert code == 1
    assert [line.split()[0] for line in out.splitlines()] == [f"pictures/p{index}.png" for index in range(5)]
    errors = [line for line in err.splitlines() if line.startswith("combine_images.py")]
    assert len(errors) == 3
    assert "bad.png" in errors[0]
    assert "lost.png has no map: map_lost.png.jpg or .png is not in maps" in errors[1]
    assert "2 of 7 pictures failed" in errors[2]
    assert len([name for name in whole_files(folders / "output") if name.startswith("_compressed_")]) == 5


def test_goes_on_where_it_stopped(folders: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    call(*FOLDER)
    before = {path: path.stat().st_mtime_ns for path in (folders / "output").glob("*.jpg")}
    (folders / "output" / "_compressed_p3.png_.jpg").unlink()
    done: list[str] = []
    real = combine.combine
    monkeypatch.setattr(combine, "combine", lambda image, *rest: (done.append(image.name), real(image, *rest))[1])
    code, out, err = call(*FOLDER)
    assert code == 1
    assert sorted(done) == ["bad.png", "p3.png"]  # by two threads
    assert "4 of 7 pictures were finished before" in err
    assert len(out.splitlines()) == 1
    kept = {path: path.stat().st_mtime_ns for path in before if "p3" not in path.name}
    assert kept == {path: before[path] for path in kept}
    done.clear()
    call(*FOLDER, "--overwrite")
    assert len(done) == 6
    done.clear()
    call(*FOLDER, "-model", "6")
    assert len(done) == 6


def test_a_page(here: Path, call: Call) -> None:
    code, out, err = call("-image", "a.png", "-map", "m.png", "--report", "pages/report.html")
    assert (code, err) == (0, "")
    assert out.startswith("output/_compressed_a.png_.jpg: ")
    assert whole_files(here / "pages") == ["report.html"]
    before = (here / "a.png").read_bytes()
    for wrong in ("a.png", "m.png", "pages"):
        code, _, err = call("-image", "a.png", "-map", "m.png", "--report", wrong)
        assert code == 2
        assert wrong in err
    assert (here / "a.png").read_bytes() == before


def test_a_tree(folders: Path, call: Call) -> None:
    for kind in ("pictures", "maps"):
        (folders / kind / "trip" / "day 1").mkdir(parents=True)
    (folders / "pictures" / "p0.png").rename(folders / "pictures" / "trip" / "day 1" / "p1.png")
    (folders / "maps" / "map_p0.png.jpg").rename(folders / "maps" / "trip" / "day 1" / "map_p1.png.jpg")
    before = {path: path.read_bytes() for path in (folders / "pictures").rglob("*.png")}
    tree = (*FOLDER, "--recursive", "-output_directory", "pictures/out", "--report", "pages", "--workers", "2")
    code, out, _ = call(*tree)
    assert code == 1
    assert len(out.splitlines()) == 5
    assert (folders / "pictures/out/trip/day 1/_compressed_p1.png_.jpg").is_file()
    assert (folders / "pages/trip/day 1/p1.png.html").is_file()
    assert before == {path: path.read_bytes() for path in before}
    code, out, err = call(*tree)  # the JPEGs of the first time are no pictures to encode
    assert (code, out) == (1, "")
    assert "5 of 7 pictures were finished before" in err


def test_the_disk_filling_up_ends_a_folder(folders: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    write, count = files.write_bytes, iter(range(100))

    def sometimes_full(path: Path, content: bytes) -> None:
        if next(count) >= 5:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(files, "write_bytes", sometimes_full)
    code, _, err = call(*FOLDER)
    assert code == 2
    assert err.splitlines()[-1].startswith("combine_images.py: the disk is full while writing output/")
    assert whole_files(folders / "output")


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *arguments], env=ENVIRONMENT, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_closed_stdout_is_no_error(folders: Path) -> None:
    running = start(folders, *FOLDER)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    said = running.stderr.read()
    assert running.wait(30) in (0, 1)
    assert b"Traceback" not in said


def test_kill_in_the_middle_leaves_whole_files_and_a_second_run_finishes(folders: Path) -> None:
    running = start(folders, *FOLDER)
    assert running.stdout is not None
    running.stdout.readline()
    running.kill()
    running.communicate()
    for path in (folders / "output").glob("_*.jpg"):
        Image.open(path).load()
    done = subprocess.run([*COMMAND, *FOLDER], env=ENVIRONMENT, cwd=folders, capture_output=True, check=False)
    assert done.returncode == 1
    assert len(list((folders / "output").glob("_compressed_p*_.jpg"))) == 5


def test_two_runs_into_one_folder(folders: Path) -> None:
    both = [start(folders, *FOLDER, "--overwrite") for _ in range(2)]
    for running in both:
        _, said = running.communicate()
        assert running.returncode == 1
        assert b"Traceback" not in said
    assert len(whole_files(folders / "output")) == 12


def test_sigterm_is_one_line(folders: Path) -> None:
    running = start(folders, *FOLDER)
    assert running.stdout is not None
    running.stdout.readline()
    running.terminate()
    _, said = running.communicate()
    assert running.returncode in (143, 1)  # 1: it had finished
    assert b"Traceback" not in said
    assert not list((folders / "output").glob("*.partial"))


def test_starts_without_tensorflow_and_plots() -> None:
    code = (
        "import sys; from q1net_msroi.msroi import combine_images, read_log; "
        "combine_images.build_parser().format_help(); "
        "assert not {'tensorflow', 'matplotlib', 'scipy', 'skimage'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=True)


SEVEN = ("-image", "a.png", "-map", "m.png", "-model", "7")


def test_model_7_has_the_bytes_of_the_plain_jpeg(here: Path, call: Call) -> None:
    code, out, err = call(*SEVEN, "--json", "-print_metrics", "1")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert whole_files(here / "output") == ["_compressed_a.png_.jpg", "_original_a.png_50.jpg"]
    assert record["bytes"] <= record["plain_bytes"]
    assert record["metrics"]["ours"]["psnrs"] > record["metrics"]["plain"]["psnrs"]
    with Image.open(record["output"]) as image:
        assert image.info["progressive"]
    assert "quality" in call(*SEVEN, "--target_quality", "70")[1]
    assert (here / "output" / "_original_a.png_70.jpg").exists()


def test_model_7_keeps_to_the_size(here: Path, call: Call) -> None:
    code, _, _ = call(*SEVEN, "--target_size", "1.4kB", "--strength", "1", "--subsampling", "4:4:4")
    assert code == 0
    assert (here / "output" / "_compressed_a.png_.jpg").stat().st_size <= 1400
    assert (here / "output" / "_original_a.png_1400B.jpg").stat().st_size <= 1400


def test_model_7_says_when_the_size_cannot_be_and_writes_nothing(here: Path, call: Call) -> None:
    code, out, err = call(*SEVEN, "--target_size", "100")
    assert (code, out) == (1, "")
    assert "a.png cannot be as small as 100 bytes; the smallest file has" in err
    assert len(err.splitlines()) == 1
    assert whole_files(here / "output") == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("-model", "3", "--strength", "1"), "--strength is for -model 7 only"),
        (("--target_size", "9kB", "--target_quality", "50"), "exclude each other"),
        (("--target_size", "big"), "--target_size big is no size"),
        (("--target_quality", "0"), "quality"),
        (("--strength", "2"), "--strength 2 is not allowed"),
        (("--source_quality", "high"), "--source_quality high is not allowed"),
        (("-find_best", "0"), "-find_best 0 is for the level rules"),
    ],
)
def test_wrong_use_of_model_7(here: Path, call: Call, more: tuple[str, ...], said: str) -> None:
    code, out, err = call(*SEVEN, *more)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_model_7_does_not_go_above_its_source(here: Path, call: Call) -> None:
    Image.open("a.png").save("b.jpg", quality=30)
    code, out, err = call("-image", "b.jpg", "-map", "m.png", "-model", "7", "--target_quality", "80", "--json")
    assert code == 0
    assert "the source has JPEG quality 30" in err
    assert json.loads(out)["plain_quality"] == 30
    code, out, err = call(*SEVEN, "--target_quality", "80", "--source_quality", "30", "--json")
    assert json.loads(out)["plain_quality"] == 30


def test_maps_in_the_default_output_folder_stay_as_they_are(folders: Path, call: Call) -> None:
    """What `generate_map.py DIR` and then `--images DIR --maps output` ask for: both commands write to output."""
    (folders / "maps").rename(folders / "output")
    before = {path.name: path.read_bytes() for path in (folders / "output").iterdir()}
    asked = ("--images", "pictures", "--maps", "output")
    code, out, err = call(*asked)
    assert (code, len(out.splitlines())) == (1, 5), err
    assert {name: (folders / "output" / name).read_bytes() for name in before} == before
    assert "5 of 7 pictures were finished before" in call(*asked)[2]
    code, _, err = call(*asked, "-output_directory", "output")
    assert code == 2
    assert "is the --maps folder too; choose another" in err


def test_a_map_that_is_older_than_its_picture_is_said(here: Path, call: Call) -> None:
    written = (here / "a.png").stat().st_mtime
    os.utime("m.png", (written + 5, written + 5))
    assert call("-image", "a.png", "-map", "m.png")[2] == ""
    os.utime("m.png", (written - 5, written - 5))
    code, _, err = call("-image", "a.png", "-map", "m.png")
    assert (code, err) == (0, "a.png: the map m.png is older than the picture: is it this picture's?\n")
    Path("m.png").rename("map_a.png.png")  # its name says whose it is
    assert call("-image", "a.png", "-map", "map_a.png.png")[2] == ""


def test_the_map_of_another_picture_is_refused(here: Path, call: Call) -> None:
    """A map tells which picture it is of: by content, so that a renamed picture keeps its map."""
    Image.fromarray(255 - pixels()).save("b.png")
    for suffix in (".jpg", ".png"):
        told = Origin.of(Path("a.png")).saving(suffix)
        Image.fromarray(saliency()).save(f"m{suffix}", **told)
        name = f"m{suffix}"
        assert call("-image", "a.png", "-map", name)[::2] == (0, "")
        code, _, err = call("-image", "b.png", "-map", name)
        assert code == 2
        assert f"the map {name} is of a.png, not of b.png; make the picture's own with generate_map.py" in err
        Path("renamed.png").write_bytes(Path("a.png").read_bytes())
        assert call("-image", "renamed.png", "-map", name)[::2] == (0, "")
    Image.fromarray(pixels()).save("a.bmp")  # the same picture in another format, or changed since
    code, _, err = call("-image", "a.bmp", "-map", "m.jpg")
    assert (code, err) == (0, "a.bmp: the map m.jpg was made before the picture was changed\n")


def test_the_map_that_happens_to_lie_there_is_looked_at(here: Path, call: Call) -> None:
    Path("output").mkdir()
    Image.fromarray(saliency()).save("output/msroi_map.jpg", **Origin.of(Path("a.png")).saving(".jpg"))
    assert call("-image", "a.png")[::2] == (0, "")
    Image.fromarray(255 - pixels()).save("a.png")
    code, _, err = call("-image", "a.png")
    assert code == 2
    assert "was made before the picture was changed; make it anew with generate_map.py" in err
    Image.fromarray(saliency()).save("output/msroi_map.jpg")
    os.utime("output/msroi_map.jpg", (1, 1))
    code, _, err = call("-image", "a.png")
    assert code == 2
    assert "output/msroi_map.jpg is older than the picture; make it anew" in err


def test_what_an_earlier_run_left_is_said(here: Path, call: Call) -> None:
    assert call("-image", "a.png", "-map", "m.png")[2] == ""
    Image.new("RGB", (9, 9)).save("output/_original_a.png_view.jpg")  # no quality: not ours
    code, _, err = call("-image", "a.png", "-map", "m.png", "-jpeg_compression", "70")
    assert (code, err) == (0, "output/_original_a.png_50.jpg is left from an earlier run\n")


def test_a_folder_done_again_with_other_settings_leaves_no_plain_file_behind(folders: Path, call: Call) -> None:
    call("-images", "pictures", "-maps", "maps")
    before = {path.name for path in Path("output").glob("_original_*")}
    assert before
    kept = min(before)
    (Path("output") / kept).write_bytes(b"somebody's")  # not as it was left
    call("-images", "pictures", "-maps", "maps", "-jpeg_compression", "70")
    after = {path.name for path in Path("output").glob("_original_*")}
    assert after == {name.replace("_50.jpg", "_70.jpg") for name in before} | {kept}
    call("-images", "pictures", "-maps", "maps", "-find_best", "0")
    assert {path.name for path in Path("output").glob("_original_*")} > after  # the semantic ones are still there
