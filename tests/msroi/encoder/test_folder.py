"""Which pictures of a folder are still to do, and what is said of it."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.encoder import folder
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.utils.errors import UserError, text


@pytest.fixture
def request_(tmp_path: Path) -> folder.Request:
    """Two pictures with maps, one without."""
    pictures, maps, output = tmp_path / "pictures", tmp_path / "maps", tmp_path / "out"
    for made in (pictures, maps, output):
        made.mkdir()
    for name, suffix in (("a.png", ".jpg"), ("b.jpg", ".png")):
        Image.new("RGB", (16, 16), 90).save(pictures / name)
        Image.new("L", (16, 16), 90).save(maps / f"map_{name}{suffix}")
    Image.new("RGB", (16, 16), 90).save(pictures / "c.png")
    return folder.Request(pictures, maps, output, EncodingOptions())


def finished(request: folder.Request, overwrite: bool = False) -> list[bool]:
    work = folder.start(request, overwrite=overwrite)
    return [job not in work.waiting for job in work.tasks]


def do(request: folder.Request) -> list[str]:
    """Do what is not finished and return the names of those."""
    return [job.image.name for job, _ in folder.run(request, folder.start(request))]


def summary(request: folder.Request) -> list[dict[str, str]]:
    with (request.output / folder.SUMMARY).open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_maps_are_found_by_the_pictures_file_name(request_: folder.Request) -> None:
    jobs = folder.plan(request_)
    assert [job.image.name for job in jobs] == ["a.png", "b.jpg", "c.png"]
    assert [job.map and job.map.name for job in jobs] == ["map_a.png.jpg", "map_b.jpg.png", None]
    assert not any(finished(request_))


def test_finished_pictures_are_known_until_something_changes(request_: folder.Request) -> None:
    do(request_)
    assert finished(request_) == [True, True, False]
    assert not any(finished(request_, overwrite=True))
    for changed in (request_.maps / "map_a.png.jpg", request_.pictures / "a.png"):
        older = changed.stat().st_mtime - 1000  # as `cp -p` of an older file leaves it
        os.utime(changed, (older, older))
        assert finished(request_) == [False, True, False]
        assert do(request_) == ["a.png", "c.png"]
    (request_.output / "_original_b.jpg_50.jpg").unlink()
    (request_.output / "_compressed_a.png_.jpg").write_bytes(b"cut")
    assert not any(finished(request_))


def test_other_settings_do_everything_again_also_when_interrupted(request_: folder.Request) -> None:
    do(request_)
    other = replace(request_, settings=EncodingOptions(model=5))
    running = folder.run(other, folder.start(other, workers=1))
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert finished(other) == [True, False, False]
    assert [row["status"] for row in summary(other)] == ["done", "waiting", "waiting"]
    do(other)
    assert finished(other) == [True, True, False]
    assert not any(finished(request_))


def test_a_damaged_record_counts_as_none(request_: folder.Request) -> None:
    do(request_)
    (request_.output / folder.RECORD).write_bytes(b"{\xff")
    assert not any(finished(request_))
    do(request_)
    assert finished(request_) == [True, True, False]


def test_metrics_and_pages_that_are_asked_for_later(request_: folder.Request, tmp_path: Path) -> None:
    do(request_)
    measured = replace(request_, metrics=True)
    assert not any(finished(measured))
    do(measured)
    assert finished(measured) == finished(request_) == [True, True, False]
    paged = replace(request_, pages=tmp_path / "pages")
    assert not any(finished(paged))
    do(paged)
    assert finished(paged) == finished(measured) == [True, True, False]
    (tmp_path / "pages" / "a.png.html").unlink()
    assert finished(paged) == [False, True, False]


def test_summary_has_every_picture_once(request_: folder.Request) -> None:
    (request_.pictures / "a.png").write_bytes(b"text")
    do(replace(request_, metrics=True))
    first = summary(request_)
    do(request_)
    rows = summary(request_)
    assert [row["file"] for row in rows] == [row["file"] for row in first] == ["a.png", "b.jpg", "c.png"]
    assert [row["status"] for row in rows] == ["failed", "done", "failed"]
    assert "not a picture" in rows[0]["error"]
    assert "c.png has no map" in rows[2]["error"]
    assert int(rows[1]["bytes"]) == (request_.output / "_compressed_b.jpg_.jpg").stat().st_size
    assert float(rows[1]["change_percent"]) == pytest.approx(
        100 * (int(rows[1]["bytes"]) / int(rows[1]["plain_bytes"]) - 1), abs=1e-3
    )
    assert "ours_psnrhvsm" in rows[1]


def test_four_fixed_qualities_are_four_rows(request_: folder.Request) -> None:
    do(replace(request_, settings=EncodingOptions(find_best=False)))
    assert [row["quality"] for row in summary(request_)[:4]] == ["100", "85", "65", "45"]


def test_source_qualities(request_: folder.Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = tmp_path / "found.jsonl"
    records = [{"file": "pictures/a.png", "quality": 29.6}, {"file": "pictures/b.jpg", "quality": None}]
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    monkeypatch.chdir(tmp_path)
    for pictures in (Path("pictures"), request_.pictures):
        qualities = folder.read_qualities(lines, pictures)
        assert qualities == {"a.png": 30}
        jobs = folder.plan(replace(request_, pictures=pictures, qualities=qualities))
        assert [job.settings.source_quality for job in jobs] == [30, "auto", "auto"]
    strange = os.fsdecode(b"a\xff\n.png")
    (request_.pictures / "a.png").rename(request_.pictures / strange)
    lines.write_text(json.dumps({"file": text(Path("pictures") / strange), "quality": 40}))
    found = replace(request_, qualities=folder.read_qualities(lines, Path("pictures")))
    assert [job.settings.source_quality for job in folder.plan(found)] == [40, "auto", "auto"]
    for wrong in ("{}", "[1]", "nonsense", "\xff"):
        lines.write_bytes(wrong.encode("latin-1"))
        with pytest.raises(UserError, match="is not what predict_cls"):
            folder.read_qualities(lines, request_.pictures)


def test_output_may_not_be_an_input_folder(request_: folder.Request) -> None:
    for wrong in (request_.pictures, request_.maps):
        for name in ("output", "pages"):
            with pytest.raises(UserError, match="choose another"):
                folder.plan(replace(request_, **{name: wrong}))
    assert not list(request_.pictures.glob("*.json*"))


def test_missing_and_empty_folders(request_: folder.Request, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no pictures"):
        folder.plan(replace(request_, pictures=tmp_path / "empty"))
    for wrong in ("absent", "pictures/a.png"):
        with pytest.raises(UserError, match="give a folder"):
            folder.plan(replace(request_, maps=tmp_path / wrong))
        with pytest.raises(UserError, match="give a folder"):
            folder.plan(replace(request_, pictures=tmp_path / wrong))


def test_a_name_too_long_for_a_map_has_none(tmp_path: Path) -> None:
    assert folder.find_map(tmp_path, "x" * 250) is None


@pytest.mark.slow
def test_without_maps_they_are_made_and_names_are_kept(tmp_path: Path) -> None:
    photos, output, pages = tmp_path / "photos", tmp_path / "small", tmp_path / "pages"
    photos.mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (40, 56, 3), np.uint8)
    for name in ("a.jpg", "a.png", "b.png"):
        Image.fromarray(pixels).save(photos / name)
    request = folder.Request(photos, None, output, EncodingOptions(7), pages=pages)
    assert do(request) == ["a.jpg", "a.png", "b.png"]
    assert {path.name for path in output.glob("*.jpg")} == {"a.jpg", "a.png.jpg", "b.jpg"}
    assert (output / "maps" / "map_b.png.jpg").is_file()
    before, after = folder.sizes(folder.start(request))
    assert before == sum(path.stat().st_size for path in photos.iterdir())
    assert after == sum(path.stat().st_size for path in output.glob("*.jpg")) < before
    page = (pages / "index.html").read_text()
    assert page.count("<a href=") == 3
    assert 'href="b.png.html"' in page
    assert do(request) == []
    Image.fromarray(pixels[::-1]).save(photos / "b.png")  # its map is made anew too
    assert do(request) == ["b.png"]
