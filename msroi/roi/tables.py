"""Class folders, their split for training and testing, and the tables made of them."""

import csv
import io
import math
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.utils import files, images, tasks
from q1net_msroi.utils.errors import UserError, existing_folder, show

TABLES = ("train.csv", "test.csv")
CLASSES = "classes.csv"
ORIGINAL_TEST_FILES = 10  # the last ones of a class
NUMBERED = re.compile(r"(\d+)\.(.+)")

Split = tuple[list[Path], list[Path]]


@dataclass(frozen=True)
class ClassFolder:
    """One class: its `name` (`001.` taken away), its folder, and the files in it that are not hidden, by name."""

    name: str
    folder: Path
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Table:
    """Pictures with labels 0.. of one split, as read from the file `path`."""

    path: Path
    files: tuple[Path, ...]
    labels: NDArray[np.int32]


def find_classes(path: str | os.PathLike[str]) -> list[ClassFolder]:
    """Return the class folders in `path`, numbered first; raise `UserError` for fewer than two, or one name twice."""
    found: dict[str, tuple[tuple[float, str], ClassFolder]] = {}
    for folder in sorted(existing_folder(path).iterdir()):
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        match = NUMBERED.fullmatch(folder.name)
        name = match[2] if match else folder.name
        if name in found:
            raise UserError(f"{show(found[name][1].folder)} and {show(folder)} are the same class; put them together")
        inside = tuple(sorted(file for file in folder.iterdir() if not file.name.startswith(".")))
        found[name] = ((int(match[1]) if match else math.inf, name), ClassFolder(name, folder, inside))
    if len(found) < 2:
        needed = "at least two, like 001.cat and 002.dog, are needed"
        raise UserError(f"{show(path)} holds {len(found)} class folders; {needed}")
    return [folder for _, folder in sorted(found.values(), key=lambda pair: pair[0])]


def split(name: str, pictures: Sequence[Path], test_share: float, seed: int) -> Split:
    """Return the pictures of class `name` for training and for testing (about `test_share` of them, 0..1).

    The draw depends on seed, class and its pictures alone, so other classes may come and go. One picture at least is
    for training, and one for testing where there are two and `test_share` is above 0.
    """
    count = min(len(pictures) - 1, max(round(test_share * len(pictures)), 1 if test_share > 0 else 0))
    random = np.random.default_rng((seed, zlib.crc32(os.fsencode(name))))
    chosen = set(random.permutation(len(pictures))[:count].tolist())
    train = [picture for index, picture in enumerate(pictures) if index not in chosen]
    return train, [picture for index, picture in enumerate(pictures) if index in chosen]


def original_split(pictures: Sequence[Path]) -> Split:
    """Return all but the last ten pictures for training and these for testing; one at least is for training."""
    count = max(1, len(pictures) - ORIGINAL_TEST_FILES)
    return list(pictures[:count]), list(pictures[count:])


def readable(classes: Sequence[ClassFolder], workers: int | None) -> tuple[dict[str, list[Path]], list[str], list[str]]:
    """Decode every picture; return the sound ones by class, a line for each failure, a line for each non-picture."""
    sound: dict[str, list[Path]] = {}
    failures, skipped = [], []
    waiting = []
    for folder in classes:
        if not folder.files:
            failures.append(f"{show(folder.folder)} is empty; the class is left out")
        for file in folder.files:
            if file.is_dir() or file.suffix.lower() not in images.SUFFIXES:
                skipped.append(f"{show(file)} is not a picture; left out")
            else:
                waiting.append((folder.name, file))

    def check(file: Path) -> str | None:
        try:
            images.read_rgb(file)
        except UserError as error:
            return str(error)
        return None

    checked = tasks.ordered_map(check, (file for _, file in waiting), workers)
    for (name, file), problem in zip(waiting, tasks.progress(checked, total=len(waiting), unit="picture"), strict=True):
        if problem is None:
            sound.setdefault(name, []).append(file)
        else:
            failures.append(f"{problem}; left out")
    empty = [folder.folder for folder in classes if folder.files and folder.name not in sound]
    failures += [f"{show(folder)} holds no readable picture; the class is left out" for folder in empty]
    return sound, failures, skipped


def write_tables(splits: dict[str, Split], out: Path) -> None:
    """Write train.csv and test.csv (file, class, label) and classes.csv (label, class, train, test) into `out`.

    `splits` are in the order of the labels 0... Files inside `out` are named relative to it, others absolutely.
    """
    base = out.resolve()

    def name(file: Path) -> str:
        absolute = file.resolve() if not file.is_symlink() else file.parent.resolve() / file.name
        return str(absolute.relative_to(base) if absolute.is_relative_to(base) else absolute)

    for index, table in enumerate(TABLES):
        halves = [(label, class_name, both[index]) for label, (class_name, both) in enumerate(splits.items())]
        rows = [(name(file), class_name, label) for label, class_name, half in halves for file in half]
        write_csv(out / table, ("file", "class", "label"), rows)
    counts = [(label, name, len(a), len(b)) for label, (name, (a, b)) in enumerate(splits.items())]
    write_csv(out / CLASSES, ("label", "class", *(Path(table).stem for table in TABLES)), counts)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a CSV file atomically; names keep bytes that are not UTF-8."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    files.write_bytes(path, buffer.getvalue().encode("utf-8", "surrogateescape"))


def _read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as handle:
            rows = list(csv.DictReader(handle))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{show(path)} does not exist; make it with prepare_data.py") from None
    except (csv.Error, IsADirectoryError):
        raise UserError(f"{show(path)} is not a CSV table; make it again with prepare_data.py") from None
    if not rows:
        raise UserError(f"{show(path)} has no rows; make it again with prepare_data.py")
    if any(row.get(column) is None for column in columns for row in rows):
        raise UserError(f"{show(path)} needs the columns {', '.join(columns)}; make it again with prepare_data.py")
    return rows


def read_classes(folder: Path) -> tuple[str, ...]:
    """Return the class names of `folder`/classes.csv in the order of their labels 0.."""
    path = folder / CLASSES
    rows = _read_csv(path, ("label", "class"))
    if [row["label"] for row in rows] != [str(label) for label in range(len(rows))]:
        raise UserError(f"{show(path)}: labels must be 0, 1, 2 ... in order; make it again with prepare_data.py")
    return tuple(row["class"] for row in rows)


def read_table(path: Path, classes: int) -> Table:
    """Read train.csv or test.csv; raise `UserError` where it is missing or damaged, or a label not below `classes`."""
    rows = _read_csv(path, ("file", "class", "label"))
    for number, row in enumerate(rows, start=2):
        if not (row["label"].isascii() and row["label"].isdigit() and int(row["label"]) < classes):
            raise UserError(f"{show(path)}, row {number}: label {show(row['label'])!r} is not one of 0..{classes - 1}")
    labels = np.array([int(row["label"]) for row in rows], np.int32)
    return Table(path, tuple(path.parent / row["file"] for row in rows), labels)
