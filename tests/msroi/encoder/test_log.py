"""Logs: the originals' lines, our JSON, averages, CSV."""

import csv
import json
import math
from pathlib import Path

import pytest

from q1net_msroi.msroi.encoder import log
from q1net_msroi.msroi.metrics.suite import LOG_LINE, METRICS
from q1net_msroi.utils.errors import UserError

ORIGINAL = (
    "images/kodim01.png 3 700000 50000 50400 50 55  |  30.0 0.90 0.98 0.50 33.0 40.0  | "
    " 30.5 0.91 0.97 0.50 33.5 39.0  | \n"
)


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "a.log").write_text(text)
    return tmp_path / "a.log"


def test_reads_the_originals_line(tmp_path: Path) -> None:
    rows, notices = log.read_log(write(tmp_path, ORIGINAL))
    assert notices == []
    (row,) = rows
    assert (row.file, row.model, row.png_bytes, row.jpeg_bytes, row.our_bytes) == (
        "images/kodim01.png",
        "3",
        700000,
        50000,
        50400,
    )
    assert (row.jpeg_quality, row.our_quality) == (50, 55)
    assert list(row.jpeg.values()) == [30.0, 0.90, 0.98, 0.50, 33.0, 40.0]
    assert list(row.ours) == list(LOG_LINE)


@pytest.mark.parametrize(
    "line",
    [
        "a b | c.png 3 1 2 3 4 5|1 2 3 4 5 6|1 2 3 4 5 6|",
        "\ta b | c.png  3\t1 2  3 4 5  | 1 2 3 4 5 6 |\t1 2 3 4 5 6",
        "a b | c.png 3 1 2 3 4 5 | 1 2 3 4 5 6 | 1 2 3 4 5 6 |  \r",
    ],
)
def test_white_space_and_odd_names(tmp_path: Path, line: str) -> None:
    ((row,), notices) = log.read_log(write(tmp_path, f"\n{line}\n\n"))
    assert notices == []
    assert row.file == "a b | c.png"
    assert row.ours["psnrhvsm"] == 6


def test_reads_json_records_with_psnr_s_and_missing_values(tmp_path: Path) -> None:
    values = dict.fromkeys(METRICS, 1.5)
    record = {
        "file": "x.png",
        "model": 3,
        "quality": 60,
        "bytes": 11,
        "plain_quality": 50,
        "plain_bytes": 10,
        "metrics": {"png_bytes": 99, "plain": values, "ours": {**values, "psnrs": None, "ssim": 2.5}},
    }
    ((row,), notices) = log.read_log(write(tmp_path, json.dumps(record) + "\n"))
    assert notices == []
    assert math.isnan(row.ours["psnrs"])
    means = {key: log.average([row], metric) for key, metric in METRICS.items()}
    assert (means["ssim"].better, means["ssim"].same, means["ssim"].worse) == (1, 0, 0)
    assert means["psnrs"].pictures == 0
    assert log.record([row])["metrics"]["psnrs"]["ours"] is None


def test_lines_that_are_none_are_named_and_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "hello\n" + ORIGINAL + ORIGINAL.replace("30.0 0.90", "30.0") + '{"file": 1}\n{\n')
    rows, notices = log.read_log(path)
    assert len(rows) == 1
    assert [notice.split(" is no log line")[0][-6:] for notice in notices] == ["line 1", "line 3", "line 4", "line 5"]


@pytest.mark.parametrize("text", ["", "\n\n", "hello\n", "| | |\n"])
def test_no_log_at_all(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="holds no log line"):
        log.read_log(write(tmp_path, text))


def test_binary_junk_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(UserError, match="holds no log line"):
        log.read_log(tmp_path / "a.log")


def test_averages_and_signs(tmp_path: Path) -> None:
    second = ORIGINAL.replace("30.5 0.91 0.97", "29.0 0.91 0.99").replace("50400", "50000")
    rows, _ = log.read_log(write(tmp_path, ORIGINAL + second))
    record = log.record(rows)
    assert (record["model"], record["pictures"], record["jpeg_quality"]) == ("3", 2, 50)
    assert (record["jpeg_bytes"], record["our_bytes"]) == (50000, 50200)
    psnr = record["metrics"]["psnr"]
    assert (psnr["jpeg"], psnr["ours"], psnr["difference"]) == (30.0, 29.75, -0.25)
    assert (psnr["better"], psnr["same"], psnr["worse"]) == (1, 0, 1)
    assert record["metrics"]["vifp"]["same"] == 2
    text = "\n".join(log.table(rows))
    assert "model 3, 2 pictures: plain JPEG 50,000 bytes at quality 50, ours 50,200 bytes (+0.40 %)" in text
    assert any(line.split() == ["PSNR", "30.00", "29.75", "-0.25", "1", "0", "1"] for line in text.splitlines())


def test_infinite_values_are_left_out_of_means_and_counted(tmp_path: Path) -> None:
    perfect = ORIGINAL.replace("30.0 ", "inf ").replace("30.5", "inf")
    rows, _ = log.read_log(write(tmp_path, ORIGINAL + perfect))
    mean = log.average(rows, METRICS["psnr"])
    assert (mean.pictures, mean.jpeg, mean.ours) == (1, 30.0, 30.5)
    assert (mean.better, mean.same, mean.worse) == (1, 1, 0)
    assert "(1 without a finite value)" in "\n".join(log.table(rows))


def test_groups_are_model_and_quality(tmp_path: Path) -> None:
    other_model, other_quality = ORIGINAL.replace("png 3", "png 5"), ORIGINAL.replace(" 50 55", " 30 35")
    rows, _ = log.read_log(write(tmp_path, ORIGINAL + other_model + other_quality + ORIGINAL))
    assert {key: len(group) for key, group in log.groups(rows).items()} == {("3", 50): 2, ("5", 50): 1, ("3", 30): 1}


def test_csv_holds_every_number(tmp_path: Path) -> None:
    rows, _ = log.read_log(write(tmp_path, ORIGINAL))
    log.write_csv(rows, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as handle:
        (line,) = csv.DictReader(handle)
    assert line["file"] == "images/kodim01.png"
    assert float(line["ours_psnr"]) == 30.5
    assert float(line["jpeg_psnrhvsm"]) == 40.0
    assert int(line["our_quality"]) == 55
