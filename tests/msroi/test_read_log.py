"""The command read_log: prints, files, exit codes, and that it reads what combine_images prints."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi import combine_images, read_log
from q1net_msroi.utils.errors import run_command

LINE = "kodim01.png 3 700000 50000 50400 50 55 | 30.0 0.90 0.98 0.50 33.0 40.0 | 30.5 0.91 0.97 0.50 33.5 39.0 |\n"
SIX = ("psnr", "ssim", "msssim", "vifp", "psnrhvs", "psnrhvsm")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_command("read_log.py", read_log.main, arguments)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def test_averages_plots_and_csv(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(LINE + LINE.replace("kodim01", "kodim02"))
    code, out, err = call("a.log")
    assert (code, err) == (0, "")
    assert out.startswith("model 3, 2 pictures: plain JPEG 50,000 bytes at quality 50")
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == sorted(
        ["log_kodak.csv", "plot_kodak_summary.png", *(f"plot_kodak_{key}.png" for key in SIX)]
    )


def test_other_names_and_json(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(LINE + LINE.replace("png 3", "png 6"))
    code, out, _ = call("a.log", "--output_directory", "o", "--dataset", "mine", "--no_plots", "--json")
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["model"] for record in records] == ["3", "6"]
    assert records[0]["metrics"]["psnr"]["difference"] == 0.5
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["log_mine.csv"]


def test_reads_both_forms_that_combine_images_prints(call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save("a b.png")
    Image.fromarray(random.integers(0, 256, (64, 64), dtype=np.uint8)).save("m.png")
    results = []
    for more in ([], ["--json"]):
        combine_images.main(["-image", "a b.png", "-map", "m.png", "-print_metrics", "1", *more])
        Path("a.log").write_text(capfd.readouterr().out)
        code, out, err = call("a.log", "--no_plots", "--json")
        assert (code, err) == (0, "")
        results.append(json.loads(out))
    assert "psnrs" in results[1]["metrics"]
    del results[1]["metrics"]["psnrs"]
    assert results[0] == results[1]


def test_a_bad_line_is_named_and_the_rest_done(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("nonsense\n" + LINE)
    code, out, err = call("a.log", "--no_plots")
    assert code == 1
    assert "1 picture:" in out
    assert err == "read_log.py: a.log line 1 is no log line and left out: nonsense\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("absent.log",), "absent.log does not exist"),
        (("empty.log",), "empty.log holds no log line"),
        ((".",), "is a folder"),
        (("good.log", "--output_directory", "good.log"), "is a file"),
        (("good.log", "--dataset", "../x"), "--dataset"),
    ],
)
def test_wrong_use_is_one_line(call: Call, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "empty.log").touch()
    (tmp_path / "good.log").write_text(LINE)
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "output").exists()
