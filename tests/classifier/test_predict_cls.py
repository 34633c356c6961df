"""predict_cls.py: the printed lines of the contract, and every hostile input."""

import contextlib
import errno
import json
import os
import pty
import re
import signal
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import table
from q1net_msroi.classifier.lattice import known
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import files, jpeg

PREDICT = "classifier.predict_cls"
SAMPLE = files.REPOSITORY / "sample_image" / "coffee_jpeg_q20.png"
ONE = re.compile(r"predicted quality (\d+\.\d\d, estimated in \d+\.\d{3} seconds|unknown: .+)\n")
ROW = re.compile(r" *(\d+)/(\d+): (.+), (\d+\.\d|unknown \(.+\))")
KEYS = {
    "file",
    "comp_type",
    "quality",
    "interval",
    "tie_set",
    "confident_patches",
    "patches",
    "reason",
    "evidence",
    "seconds",
}

Call = Callable[..., Any]

pytestmark = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


def test_one_picture(call: Call) -> None:
    done = call(PREDICT, "--in_path", SAMPLE)
    assert (done.code, done.err) == (0, "")
    assert ONE.fullmatch(done.out)


def test_json_of_one_picture(call: Call) -> None:
    done = call(PREDICT, "--in_path", SAMPLE, "--json")
    record = json.loads(done.out)
    assert set(record) >= KEYS
    assert record["file"] == str(SAMPLE)
    assert record["comp_type"] == "jpeg_paper"
    assert record["quality"] is None or 0 <= record["quality"] <= 100
    assert (record["quality"] is None) == (record["reason"] is not None) == (record["confident_patches"] == 0)
    assert record["patches"] == 256
    assert record["interval"] is None or len(record["interval"]) == 2
    assert isinstance(record["tie_set"], list)
    assert isinstance(record["evidence"]["network"], dict)
    assert 0 < record["seconds"] < 60


def test_a_folder(call: Call, photographs: Path) -> None:
    (photographs / "sub").mkdir()
    Image.new("RGB", (50, 50)).save(photographs / "sub" / "d.png")
    done = call(PREDICT, "--in_path", photographs)
    assert (done.code, done.err) == (0, "")
    rows = [ROW.fullmatch(line) for line in done.lines[:-1]]
    assert all(rows)
    assert [row.groups()[:3] for row in rows if row] == [("1", "3", "a"), ("2", "3", "b"), ("3", "3", "c")]
    assert done.lines[0].startswith("  1/3: a, ")
    answers = [float(row[4]) for row in rows if row and not row[4].startswith("unknown")]
    assert re.fullmatch(r"Mean: (\d+\.\d\d|unknown \(no picture has an answer\))", done.lines[-1])
    if answers:
        assert float(done.lines[-1][6:]) == pytest.approx(sum(answers) / len(answers), abs=0.06)
    assert len(call(PREDICT, "--in_path", photographs, "--recursive").lines) == 5


def test_json_of_a_folder_agrees_with_single_pictures(call: Call, photographs: Path) -> None:
    records = [json.loads(line) for line in call(PREDICT, "--in_path", photographs, "--json").lines]
    for name, record in zip(("a", "b", "c"), records, strict=True):
        single = json.loads(call(PREDICT, "--in_path", photographs / f"{name}.png", "--json").out)
        assert record["file"] == single["file"]
        assert record["confident_patches"] == single["confident_patches"]
        assert record["quality"] == pytest.approx(single["quality"], abs=0.01)


def test_unknown_and_fallback(call: Call) -> None:
    done = call(PREDICT, "--in_path", SAMPLE, "--threshold", "100")
    assert done.code == 0
    assert re.fullmatch(
        r"predicted quality unknown: none of 256 patches is confident \(best \d+\.\d, needed more than 100\)\n",
        done.out,
    )
    record = json.loads(call(PREDICT, "--in_path", SAMPLE, "--threshold", "100", "--json").out)
    assert record["quality"] is None
    assert "none of 256 patches" in record["reason"]
    done = call(PREDICT, "--in_path", SAMPLE, "--threshold", "100", "--fallback", "100")
    assert done.out.startswith("predicted quality 100.00, estimated in ")
    known = call(PREDICT, "--in_path", SAMPLE, "--threshold", "0", "--fallback", "100", "--json")
    assert json.loads(known.out)["confident_patches"] == 256


@pytest.mark.parametrize("choice", ["grid", "texture"])
def test_a_flat_picture_is_unknown(call: Call, tmp_path: Path, choice: str) -> None:
    Image.new("RGB", (64, 64), (90, 120, 30)).save(tmp_path / "flat.png")
    record = json.loads(call(PREDICT, "--in_path", tmp_path / "flat.png", "--json", "--patches", choice).out)
    assert (record["quality"], record["reason"]) == (None, "the picture is flat all over")


def test_the_correction_can_be_left_out(call: Call) -> None:
    corrected, plain = (
        json.loads(call(PREDICT, "--in_path", SAMPLE, "--json", *flags).out) for flags in ((), ("--uncorrected",))
    )
    said, as_it_is = (record["evidence"]["network"] for record in (corrected, plain))
    assert said["uncorrected"] == as_it_is["uncorrected"] == as_it_is["quality"] == round(plain["quality"], 3)
    assert said["quality"] != said["uncorrected"]
    assert plain["interval"] is None  # intervals were measured around corrected answers
    assert corrected["interval"] is not None


@pytest.mark.parametrize(("size", "patches"), [((24, 24), 1), ((24, 100), 10), ((300, 451), 256)])
def test_small_pictures_give_distinct_patches(
    call: Call, tmp_path: Path, photograph: np.ndarray, size: tuple[int, int], patches: int
) -> None:
    Image.fromarray(photograph[: size[0], : size[1]]).save(tmp_path / "x.png")
    record = json.loads(call(PREDICT, "--in_path", tmp_path / "x.png", "--json").out)
    assert record["patches"] == patches


def answer(call: Call, path: Path) -> tuple[Any, ...]:
    record = json.loads(call(PREDICT, "--in_path", path, "--json", "--threshold", "0").out)
    return record["quality"], record["spread"], record["patches"]


def test_orientation_and_format_do_not_change_the_answer(
    call: Call, tmp_path: Path, jpeg_file: Callable[..., Path]
) -> None:
    plain = jpeg_file(40)
    expected = answer(call, plain)
    pixels = jpeg.decode(plain.read_bytes())
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert answer(call, jpeg_file(40, "turned.jpg", exif=exif.tobytes())) == expected
    for suffix, options in {"png": {}, "bmp": {}, "tif": {}, "webp": {"lossless": True}}.items():
        Image.fromarray(pixels).save(tmp_path / f"x.{suffix}", **options)
        assert answer(call, tmp_path / f"x.{suffix}") == expected
    Image.fromarray(np.dstack([pixels, pixels[..., 0]])).save(tmp_path / "alpha.png")
    assert answer(call, tmp_path / "alpha.png") == expected


def test_what_was_done_to_the_pixels_is_noted(call: Call, tmp_path: Path, photograph: np.ndarray) -> None:
    Image.fromarray(photograph[..., 0]).save(tmp_path / "x.png")
    done = call(PREDICT, "--in_path", tmp_path / "x.png")
    assert done.code == 0
    assert done.err == f"{tmp_path}/x.png: gray\n"


@pytest.fixture
def bad_pictures(tmp_path: Path, photograph: np.ndarray) -> dict[str, str]:
    """Pictures that cannot be used, by name, with a word of the message."""
    image = Image.fromarray(photograph[:64, :64])
    image.save(tmp_path / "whole.jpg")
    image.save(tmp_path / "whole.png")
    whole = {suffix: (tmp_path / f"whole.{suffix}").read_bytes() for suffix in ("jpg", "png")}
    for path in tmp_path.glob("whole.*"):
        path.unlink()
    (tmp_path / "cut.jpg").write_bytes(whole["jpg"][: len(whole["jpg"]) // 2])
    (tmp_path / "cut.png").write_bytes(whole["png"][: len(whole["png"]) // 2])
    wrong = bytearray(whole["png"])
    wrong[len(wrong) // 2] ^= 16
    (tmp_path / "checksum.png").write_bytes(wrong)
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "loop.png").symlink_to("loop.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    Image.new("RGB", (23, 24)).save(tmp_path / "narrow.png")
    Image.new("RGB", (65500, 8)).save(tmp_path / "flat.jpg")
    Image.fromarray(photograph[..., 0].astype(np.float32)).save(tmp_path / "float.tif")
    (tmp_path / "line\nbreak.png").write_text("text")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")).write_text("text")
    return {
        "cut.jpg": "damaged",
        "cut.png": "damaged",
        "checksum.png": "damaged",
        "empty.png": "empty",
        "text.png": "not a picture",
        "loop.png": "leads to itself",
        "one.png": "1x1 pixels; at least 24x24",
        "narrow.png": "23x24 pixels",
        "flat.jpg": "65500x8 pixels",
        "float.tif": "floating point",
        "line\nbreak.png": "line\\nbreak.png",
        os.fsdecode(b"\xff\xfe.png"): "\\xff\\xfe.png",
    }


def test_each_bad_picture_is_one_line_and_exit_2(call: Call, tmp_path: Path, bad_pictures: dict[str, str]) -> None:
    for name, word in bad_pictures.items():
        done = call(PREDICT, "--in_path", tmp_path / name)
        done.fails(2, word)
        assert done.out == ""


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_bad_pictures_in_a_folder_do_not_stop_the_rest(
    call: Call, tmp_path: Path, bad_pictures: dict[str, str], photograph: np.ndarray, flags: tuple[str, ...]
) -> None:
    for name in ("good.png", "with space.png", "quote'\".png", "-dash.png"):
        Image.fromarray(photograph[:80, :80]).save(tmp_path / name)
    done = call(PREDICT, "--in_path", tmp_path, *flags)
    assert done.code == 1
    said = done.err.splitlines()
    assert len(said) == len(bad_pictures) + 1
    assert all(any(word in line for line in said) for word in bad_pictures.values())
    assert said[-1] == f"predict_cls.py: {len(bad_pictures)} of {len(bad_pictures) + 4} pictures could not be read"
    assert len(done.lines) == 4 + (not flags)


def test_a_file_name_that_is_not_utf_8_in_json(call: Call, tmp_path: Path, photograph: np.ndarray) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.png"))
    with path.open("wb") as handle:
        Image.fromarray(photograph[:60, :60]).save(handle, "PNG")
    for target in (path, tmp_path):
        done = call(PREDICT, "--in_path", target, "--json")
        assert done.code == 0
        assert json.loads(done.out)["file"].endswith("\\xff\n.png")
        assert len(done.lines) == 1


def test_a_leading_dash(call: Call, tmp_path: Path, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(photograph[:60, :60]).save(tmp_path / "-x.png")
    monkeypatch.chdir(tmp_path)
    assert call(PREDICT, "--in_path=-x.png").code == 0
    assert call(PREDICT, "--in_path", "./-x.png").code == 0


def test_where_there_is_nothing(call: Call, tmp_path: Path) -> None:
    call(PREDICT, "--in_path", tmp_path / "missing.png").fails(2, "missing.png does not exist")
    call(PREDICT, "--in_path", tmp_path).fails(2, "no pictures", str(tmp_path))
    fifo = tmp_path / "fifo.png"
    os.mkfifo(fifo)
    call(PREDICT, "--in_path", fifo).fails(2, "fifo.png")
    call(PREDICT, "--in_path", SAMPLE, "--threshold", "nan").fails(2, "--threshold nan is no number")
    call(PREDICT, "--in_path", SAMPLE, "--fallback", "nan").fails(2, "--fallback nan is no number")


@pytest.mark.parametrize(
    "flags",
    [
        ("--comp_type", "webp"),
        ("--backend", "onnx"),
        ("--threshold", "high"),
        ("--workers", "two"),
        ("--unknown",),
        ("--workers", "-1"),
        ("--workers", "-7"),
    ],
)
@pytest.mark.parametrize("target", ["file", "folder"])
def test_wrong_flags(call: Call, photographs: Path, flags: tuple[str, ...], target: str) -> None:
    done = call(PREDICT, "--in_path", photographs / "a.png" if target == "file" else photographs, *flags)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert flags[0] in done.err.splitlines()[-1]


def test_no_in_path(call: Call) -> None:
    done = call(PREDICT)
    assert done.code == 2
    assert "--in_path" in done.err.splitlines()[-1]


@pytest.mark.parametrize("target", ["file", "folder"])
def test_missing_and_damaged_models(call: Call, save_path: Path, photographs: Path, target: str) -> None:
    path = photographs / "a.png" if target == "file" else photographs
    model = save_path / "jpeg_paper" / "comp_cls.tflite"
    flags = ["--in_path", path, "--save_path", save_path]
    content = model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    call(PREDICT, *flags).fails(2, "comp_cls.tflite is damaged", "to_tflite.py")
    (save_path / "jpeg_paper" / "model.json").unlink()
    call(PREDICT, *flags).fails(2, "comp_cls.tflite is damaged", "to_tflite.py")
    model.unlink()
    call(PREDICT, *flags).fails(2, "comp_cls.tflite is missing")
    call(PREDICT, *flags, "--comp_type", "jpeg_paper_k12").fails(2, "jpeg_paper_k12/comp_cls.tflite is missing")
    (save_path / "jpeg_paper" / "model.json").write_text("{")
    call(PREDICT, *flags).fails(2, "model.json is damaged")


def test_older_models_are_said(call: Call, save_path: Path) -> None:
    shard = save_path / "jpeg_paper" / "best" / ".data-00000-of-00001"
    shard.write_bytes(shard.read_bytes() + b"\0")
    done = call(PREDICT, "--in_path", SAMPLE, "--save_path", save_path)
    assert done.code == 0
    assert "was made from other weights" in done.err


def test_no_permission(call: Call, unprivileged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from q1net_msroi.utils import images

    path = unprivileged / "secret.png"
    Image.new("RGB", (60, 60)).save(path)
    path.chmod(0)
    call(PREDICT, "--in_path", path).fails(2, "no permission for", "secret.png")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(SAMPLE))

    monkeypatch.setattr(images.Image, "open", refused)
    call(PREDICT, "--in_path", SAMPLE).fails(2, "no permission for", SAMPLE.name)


@pytest.fixture
def many(tmp_path: Path, photograph: np.ndarray) -> Path:
    """A folder that takes seconds."""
    folder = tmp_path / "many"
    folder.mkdir()
    Image.fromarray(photograph).save(folder / "000.png")
    for number in range(1, 200):
        (folder / f"{number:03d}.png").hardlink_to(folder / "000.png")
    return folder


def test_a_reader_that_goes_away(start: Call, many: Path) -> None:
    process: subprocess.Popen[str] = start(PREDICT, "--in_path", many)
    assert process.stdout
    assert ROW.fullmatch(process.stdout.readline().rstrip("\n"))
    process.stdout.close()
    began = time.monotonic()
    assert process.wait(60) == 0
    assert time.monotonic() - began < 15
    assert process.stderr
    assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "stopped"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals(start: Call, many: Path, number: signal.Signals, code: int, said: str) -> None:
    process: subprocess.Popen[str] = start(PREDICT, "--in_path", many)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err == f"predict_cls.py: {said}\n"


def test_as_a_script_from_its_own_folder_and_from_another(run: Call, tmp_path: Path) -> None:
    folder = files.REPOSITORY / "classifier"
    for where, script in ((folder, "./predict_cls.py"), (tmp_path, folder / "predict_cls.py")):
        done = run(script, "--in_path", SAMPLE, cwd=where)
        assert (done.code, done.err) == (0, "")
        assert ONE.fullmatch(done.out)


def test_the_version(call: Call) -> None:
    done = call(PREDICT, "--version")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"predict_cls\.py (\d+\.\d+\S*|of a checkout that is not installed)\n", done.out)


def test_why_it_is_unknown_is_said_once(call: Call, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (90, 120, 30)).save(tmp_path / "flat.png")
    flags = ("--comp_type", "auto", "--in_path")
    reason = json.loads(call(PREDICT, *flags, tmp_path / "flat.png", "--json").out)["reason"]
    assert not reason.startswith("unknown")
    assert call(PREDICT, *flags, tmp_path / "flat.png").lines == [f"predicted quality unknown: {reason}"]
    explained = call(PREDICT, *flags, tmp_path / "flat.png", "--explain").lines
    assert explained[0] == f"predicted quality unknown: {reason}"
    assert all(line.startswith("  ") and reason not in line for line in explained[1:])
    assert call(PREDICT, *flags, tmp_path).lines[0] == f"  1/1: flat, unknown ({reason})"


def test_paths_for_people(call: Call, photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several paths and patterns, each picture with folder and suffix, by the best evidence."""
    monkeypatch.chdir(photographs.parent)
    (photographs / "b.png").rename(photographs / "B b.png")
    (photographs / "n.psd").touch()
    done = call(PREDICT, SAMPLE, "photographs/c.png", "photo*/[aB]*.png")
    assert done.code == 0
    rows = [ROW.fullmatch(line) for line in done.lines[:-1]]
    assert [row[3] for row in rows if row] == [str(SAMPLE), *(f"photographs/{n}.png" for n in ("c", "B b", "a"))]
    assert done.lines[0].endswith(", 20.0")
    done = call(PREDICT, "photographs")
    assert done.err == "skipped 1 .psd\n"
    assert [line[5:].partition(":")[2].partition(",")[0] for line in done.lines[:-1]] == [
        f" photographs/{name}.png" for name in ("B b", "a", "c")
    ]
    one = call(PREDICT, "photographs/a.png")
    assert re.fullmatch(r"predicted quality \d+\.00, estimated in \d+\.\d{3} seconds", one.lines[0])
    assert one.lines[1].startswith("compressed at 98")  # auto says it in words
    assert "evidence" in json.loads(call(PREDICT, "photographs/a.png", "--comp_type", "jpeg_lattice", "--json").out)


def test_paths_and_in_path_exclude_each_other(call: Call) -> None:
    call(PREDICT).fails(2, "give a picture", "--in_path")
    call(PREDICT, SAMPLE, "--in_path", SAMPLE).fails(2, "give a picture", "--in_path")


def test_the_lines_of_in_path_name_folders_only_below_them(call: Call, photographs: Path) -> None:
    assert call(PREDICT, "--in_path", photographs).lines[0].startswith("  1/3: a, ")
    recursive = call(PREDICT, "--in_path", photographs, "--recursive").lines
    assert recursive[0].startswith(f"  1/3: {photographs}/a.png, ")


def test_a_picture_from_stdin(run: Call, tmp_path: Path) -> None:
    with SAMPLE.open("rb") as picture:
        done = run("-m", PREDICT, "-", stdin=picture)
    assert (done.code, done.err) == (0, "")
    assert done.lines[1] == "compressed at 20"
    (tmp_path / "text").write_text("text")
    with (tmp_path / "text").open("rb") as text:
        done = run("-m", PREDICT, "-", "--csv", "-", stdin=text)
    assert done.code == 1
    assert done.err.splitlines()[0].startswith("predict_cls.py: - is not a picture")
    assert done.lines[1].startswith("-,,,,,,,,,\"'- is not a picture")


def test_a_table_that_pandas_reads_in_one_line(
    call: Call, photographs: Path, jpeg_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    monkeypatch.chdir(photographs)
    jpeg_file(95).rename("=cmd.jpg")
    again = jpeg.compress(np.asarray(Image.open(SAMPLE).convert("RGB")), 20)
    Path("twice.jpg").write_bytes(jpeg.encode(again, 95))
    Path("line\nbreak.png").write_text("text")
    done = call(PREDICT, ".", "--csv", "out/table.csv")
    assert done.code == 1
    assert done.lines == ["out/table.csv: 6 pictures, 4 with an answer"]
    frame = pandas.read_csv("out/table.csv")
    assert list(frame.columns) == list(table.COLUMNS)
    assert list(frame.file) == ["./=cmd.jpg", "a.png", "b.png", "c.png", "line\nbreak.png", "twice.jpg"]
    assert all(Path(name).is_file() for name in frame.file)
    by_name = frame.set_index("file")
    twice = by_name.loc["twice.jpg"]
    assert (twice.quality, twice.strongest, twice.earlier, twice.codec) == (95, 20, 20, "JPEG")
    assert by_name.loc["a.png"].strongest == by_name.loc["a.png"].quality
    assert "not a picture" in by_name.loc["line\nbreak.png"].reason
    assert pandas.isna(by_name.loc["line\nbreak.png"].strongest)
    to_stdout = call(PREDICT, ".", "--csv", "-")
    assert to_stdout.out == Path("out/table.csv").read_text()
    assert call(PREDICT, "a.png", "--csv", "-").lines[0] == ",".join(table.COLUMNS)


def test_a_report_of_what_was_given(call: Call, photographs: Path, tmp_path: Path) -> None:
    (photographs / "d.png").write_text("text")
    page = tmp_path / "new" / "report.html"
    done = call(PREDICT, "--in_path", photographs, "--report", page)
    assert done.code == 1
    assert done.lines == [f"{page}: 4 pictures, 3 with an answer"]
    text = page.read_text()
    assert len(re.findall("<tr><td", text)) == 4
    assert text.count("data:image/webp") == 3
    assert text.count('"cells":') == 3
    assert call(PREDICT, SAMPLE, "--report", page).lines == [f"{page}: 1 picture, 1 with an answer"]
    assert "compressed at 20" in page.read_text()


def test_outputs_that_would_destroy_a_picture_are_refused(call: Call, photographs: Path) -> None:
    picture = photographs / "a.png"
    content = picture.read_bytes()
    for flags in (("--csv", picture), ("--map", picture), ("--report", picture)):
        call(PREDICT, picture, *flags).fails(2, "would overwrite the picture", str(flags[0]))
    call(PREDICT, photographs, "--csv", photographs / "b.png").fails(2, "would overwrite")
    call(PREDICT, photographs, "--csv", "-", "--json").fails(2, "name a file for --csv")
    call(PREDICT, photographs, "--map", "x.png").fails(2, "--map takes one picture, and 3 were given")
    assert picture.read_bytes() == content


def test_a_table_of_a_run_that_was_stopped(start: Call, many: Path, tmp_path: Path) -> None:
    """What was found until then is kept, and the rest says why it is not there."""
    process: subprocess.Popen[str] = start(
        PREDICT, many, "--comp_type", "jpeg_paper", "--json", "--csv", tmp_path / "x"
    )
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    lines = (tmp_path / "x").read_text().splitlines()
    assert len(lines) == 201
    assert lines[1].startswith(f"{many}/000.png,9")
    assert lines[-1].endswith(",not looked at: the command was stopped before")


@pytest.mark.parametrize("flags", [("--json",), ("--csv", "-")])
def test_progress_is_shown_on_a_terminal(
    start: Call, photographs: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    flags = (*flags, "--comp_type", "jpeg_paper")
    terminal, side = pty.openpty()
    termios.tcsetwinsize(side, (24, 80))
    with (tmp_path / "out").open("w") as out:
        process = start(PREDICT, photographs, *flags, stdout=out, stderr=side, cwd=tmp_path)
        assert process.wait(120) == 0
    os.close(side)
    said = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while part := os.read(terminal, 4096):
            said += part
    assert b"3/3" in said
    assert b"picture" in said
    assert "/3" not in (tmp_path / "out").read_text()


def test_no_progress_where_stderr_is_no_terminal(start: Call, photographs: Path) -> None:
    _, err = start(PREDICT, photographs, "--json", "--comp_type", "jpeg_paper").communicate(timeout=120)
    assert err == ""


def test_tables(call: Call, jpeg_file: Call, tmp_path: Path) -> None:
    """Of a file and of its pixels alone the same numbers, or none; of who has none that is said."""
    file = jpeg_file(85, subsampling="4:4:4")
    Image.open(file).save(tmp_path / "pixels.png")
    standard = jpeg.standard_tables()[84].reshape(2, 64)
    for path, kind in ((file, "auto"), (file, "jpeg_header"), (tmp_path / "pixels.png", "auto")):
        told = json.loads(call(PREDICT, path, "--tables", "--json", "--comp_type", kind).out)
        for name, true in zip(("luma_table", "chroma_table"), standard.tolist(), strict=True):
            assert len(told[name]) == 64
            assert all(step in (None, own) for step, own in zip(told[name], true, strict=True))
            assert path != file or None not in told[name]
    assert "luma_table" not in json.loads(call(PREDICT, file, "--json").out)
    shown = call(PREDICT, file, "--tables").lines
    assert shown[2].split() == ["luma", "chroma"]
    assert [int(step) for step in shown[3].split()] == [*standard[0, :8], *standard[1, :8]]
    assert shown[-1] == "  subsampling 4:4:4; libjpeg's of quality 85"
    assert call(PREDICT, file, "--tables", "--comp_type", "jpeg_paper").lines[-1] == "  no quantisation table is told"


def test_who_writes_such_tables(call: Call, photograph: np.ndarray, tmp_path: Path) -> None:
    pair = next(pair for pair in known.pairs() if pair.name == "Photoshop save 8")
    tables = [list(pair.luma), list(pair.chroma)]
    Image.fromarray(photograph).save(tmp_path / "a.jpg", qtables=tables, subsampling=0)
    Image.open(tmp_path / "a.jpg").save(tmp_path / "b.png")
    said = f"  subsampling 4:4:4; fits Photoshop save 8; no other of {len(known.pairs())} known tables"
    for name in ("a.jpg", "b.png"):
        assert call(PREDICT, tmp_path / name, "--tables").lines[-1] == said
    rows = call(PREDICT, tmp_path, "--csv", "-").lines
    assert [row.split(",")[7] for row in rows[1:]] == ["Photoshop save 8"] * 2
