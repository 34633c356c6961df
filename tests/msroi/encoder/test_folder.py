"""Which pictures of a folder are still to do."""

import os
from pathlib import Path

import pytest
from PIL import Image

from msroi.encoder import combine, folder
from utils.errors import UserError

SETTINGS = combine.Settings()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    pictures, maps, output = tmp_path / "pictures", tmp_path / "maps", tmp_path / "out"
    for made in (pictures, maps, output):
        made.mkdir()
    for name, suffix in (("a.png", ".jpg"), ("b.jpg", ".png")):
        Image.new("RGB", (16, 16), 90).save(pictures / name)
        Image.new("L", (16, 16), 90).save(maps / f"map_{name}{suffix}")
    Image.new("RGB", (16, 16), 90).save(pictures / "c.png")
    return pictures, maps, output


def plan(folders: tuple[Path, Path, Path], settings: combine.Settings = SETTINGS, overwrite: bool = False) -> list:
    pictures, maps, output = folders
    return folder.plan(str(pictures), str(maps), output, settings, overwrite)


def do(folders: tuple[Path, Path, Path], settings: combine.Settings = SETTINGS) -> None:
    for job in plan(folders, settings):
        if job.map and not job.finished:
            combine.combine(job.image, job.map, folders[2], settings)


def test_maps_are_found_by_the_pictures_file_name(folders: tuple[Path, Path, Path]) -> None:
    jobs = plan(folders)
    assert [job.image.name for job in jobs] == ["a.png", "b.jpg", "c.png"]
    assert [job.map and job.map.name for job in jobs] == ["map_a.png.jpg", "map_b.jpg.png", None]
    assert not any(job.finished for job in jobs)


def test_finished_pictures_are_known_until_something_changes(folders: tuple[Path, Path, Path]) -> None:
    do(folders)
    assert [job.finished for job in plan(folders)] == [True, True, False]
    assert not any(job.finished for job in plan(folders, overwrite=True))
    later = (folders[2] / "_compressed_a.png_.jpg").stat().st_mtime + 10
    os.utime(folders[1] / "map_a.png.jpg", (later, later))
    assert [job.finished for job in plan(folders)] == [False, True, False]
    (folders[2] / "_original_b.jpg_50.jpg").unlink()
    assert not any(job.finished for job in plan(folders))


def test_other_settings_do_everything_again_also_when_interrupted(folders: tuple[Path, Path, Path]) -> None:
    do(folders)
    other = combine.Settings(model=5)
    for _ in range(2):  # the second time the record is there already, the outputs are still the old ones
        assert not any(job.finished for job in plan(folders, other))
    do(folders, other)
    assert [job.finished for job in plan(folders, other)] == [True, True, False]
    assert not any(job.finished for job in plan(folders))


def test_a_damaged_record_counts_as_none(folders: tuple[Path, Path, Path]) -> None:
    do(folders)
    (folders[2] / folder.RECORD).write_text("{")
    assert not any(job.finished for job in plan(folders))


def test_output_may_not_be_an_input_folder(folders: tuple[Path, Path, Path]) -> None:
    pictures, maps, _ = folders
    for wrong in (pictures, maps):
        with pytest.raises(UserError, match="choose another"):
            folder.plan(str(pictures), str(maps), wrong, SETTINGS)
    assert not list(pictures.glob("*.json"))


def test_missing_and_empty_folders(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    pictures, maps, output = folders
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no pictures"):
        folder.plan(str(tmp_path / "empty"), str(maps), output, SETTINGS)
    for wrong in ("absent", "pictures/a.png"):
        with pytest.raises(UserError, match="give a folder"):
            folder.plan(str(pictures), str(tmp_path / wrong), output, SETTINGS)
