"""Class folders, splits, tables."""

import os
from pathlib import Path

import pytest

from q1net_msroi.msroi.roi import tables
from q1net_msroi.utils.errors import UserError


def paths(count: int) -> list[Path]:
    return [Path(f"image_{n:04}.jpg") for n in range(count)]


def test_classes_are_numbered_first_and_lose_their_number(tmp_path: Path) -> None:
    for name in ("zebra", "010.ten", "002.two", "ant", ".hidden", "3.three"):
        (tmp_path / name).mkdir()
    (tmp_path / "ant" / "b.png").touch()
    (tmp_path / "ant" / ".DS_Store").touch()
    (tmp_path / "loose.txt").touch()
    found = tables.find_classes(tmp_path)
    assert [folder.name for folder in found] == ["two", "three", "ten", "ant", "zebra"]
    assert [file.name for file in found[3].files] == ["b.png"]


def test_same_class_twice_and_too_few_classes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "001.cat").mkdir()
    with pytest.raises(UserError, match="1 class folders"):
        tables.find_classes(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(UserError, match="same class"):
        tables.find_classes(tmp_path)


@pytest.mark.parametrize("count", [1, 2, 3, 20, 101])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_split_is_a_partition_of_the_asked_size(count: int, share: float) -> None:
    train, test = tables.split("cat", paths(count), share, 5)
    assert sorted(train + test) == paths(count)
    assert train == sorted(train)
    assert test == sorted(test)
    assert train
    assert len(test) == min(count - 1, max(round(share * count), 1 if share else 0))


def test_split_depends_on_seed_and_class_alone() -> None:
    assert tables.split("cat", paths(40), 0.25, 1) == tables.split("cat", paths(40), 0.25, 1)
    others = [tables.split("cat", paths(40), 0.25, 2), tables.split("dog", paths(40), 0.25, 1)]
    assert all(other != tables.split("cat", paths(40), 0.25, 1) for other in others)


@pytest.mark.parametrize(("count", "train"), [(30, 20), (11, 1), (10, 1), (2, 1), (1, 1)])
def test_original_split_tests_on_the_last_ten(count: int, train: int) -> None:
    assert tables.original_split(paths(count)) == (paths(count)[:train], paths(count)[train:])


def test_tables_come_back_as_written(tmp_path: Path) -> None:
    inside = tmp_path / "tables" / "cat" / 'a, "quoted"\nname.jpg'
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/outside/\xff.jpg"))
    inside.parent.mkdir(parents=True)
    splits = {"cat": ([inside], [strange]), "dog, big": ([strange, inside], [])}
    tables.write_tables(splits, tmp_path / "tables")
    assert tables.read_classes(tmp_path / "tables") == ("cat", "dog, big")
    train = tables.read_table(tmp_path / "tables" / "train.csv", 2)
    assert train.files == (inside, strange, inside)
    assert train.labels.tolist() == [0, 1, 1]
    assert tables.read_table(tmp_path / "tables" / "test.csv", 2).files == (strange,)
    assert str(tmp_path) not in (tmp_path / "tables" / "train.csv").read_text(errors="replace").splitlines()[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no rows"),
        ("file,class,label\n", "no rows"),
        ("file,label\na.jpg,0\n", "columns"),
        ("file,class,label\na.jpg,cat\n", "columns"),
        ("file,class,label\na.jpg,cat,2\n", "row 2"),
        ("file,class,label\na.jpg,cat,0\nb.jpg,cat,-1\n", "row 3"),
        ("file,class,label\na.jpg,cat,x\n", "row 2"),
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "train.csv").write_text(content)
    with pytest.raises(UserError, match=said) as caught:
        tables.read_table(tmp_path / "train.csv", 2)
    assert "train.csv" in str(caught.value)


def test_missing_table_and_disordered_classes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"prepare_data\.py"):
        tables.read_table(tmp_path / "train.csv", 2)
    (tmp_path / "classes.csv").write_text("label,class\n1,cat\n0,dog\n")
    with pytest.raises(UserError, match="in order"):
        tables.read_classes(tmp_path)
