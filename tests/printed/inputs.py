"""What the documents' commands work on: a reader's own pictures, and small stand-ins for the sets of $Q1NET_DATA."""

import csv
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.utils import files, jpeg

ROOT = files.REPOSITORY
Pixels = NDArray[np.uint8]
COPIED = ("classifier", "msroi", "utils", "scripts", "q1net_msroi", "save", "docs", "*.md", "*.toml", "*.yml", "env.sh")


def photograph(name: str = "chelsea") -> Pixels:
    """Return a sample picture's pixels."""
    return np.asarray(Image.open(next((ROOT / "sample_image").glob(f"{name}*.png"))).convert("RGB"))


def never_compressed(number: int, height: int = 256, width: int = 320) -> Pixels:
    """Return a photograph without a JPEG's traces: a sample picture, shrunk, with a sensor's noise."""
    random = np.random.default_rng(number)
    pixels = photograph(("chelsea", "rocket", "coffee", "astronaut")[number % 4])
    small = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
    return np.clip(np.asarray(small) + random.normal(0, 2, (height, width, 3)), 0, 255).astype(np.uint8)


def save(path: Path, pixels: Pixels) -> None:
    """Write a picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write(path: Path, content: bytes) -> None:
    """Write a file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def pictures(folder: Path) -> None:
    """Make what a reader has: pictures, `photos/` of a camera, an `archive/`, `photographs/` never compressed."""
    cat = photograph()
    twice = jpeg.encode(np.ascontiguousarray(jpeg.compress(cat, 40)[3:, 5:]), 95)
    pasted = jpeg.compress(cat, 90).copy()
    other = jpeg.compress(photograph("rocket"), 60)
    pasted[80:240, 160:320] = other[83:243, 165:325]
    save(folder / "suspicious.png", pasted)
    again = jpeg.compress(cat, 50).copy()
    again[80:240, 160:320] = photograph("rocket")[83:243, 165:325]
    write(folder / "pasted.jpg", jpeg.encode(again, 90))
    write(folder / "photo.jpg", jpeg.encode(cat, 92))
    write(folder / "again.jpg", twice)
    write(folder / "photos" / "cat.jpg", jpeg.encode(cat, 92))
    write(folder / "photos" / "2026" / "rocket.jpg", jpeg.encode(photograph("rocket"), 90))
    write(folder / "archive" / "cat.jpg", jpeg.encode(cat, 85))
    write(folder / "archive" / "forum" / "cat_again.jpg", twice)
    save(folder / "archive" / "forum" / "coffee.png", photograph("coffee"))
    Image.fromarray(cat[:200, :300]).save(folder / "archive" / "cat.webp", quality=80)
    write(folder / "archive" / "notes.txt", b"no picture")
    write(folder / "archive" / "cut.jpg", jpeg.encode(cat, 75)[:4000])
    for number in range(4):
        save(folder / "photographs" / f"{number}.png", never_compressed(number))
        save(folder / "other_photographs" / f"{number}.png", never_compressed(number + 10))


def data_sets(folder: Path) -> None:
    """Make the folders that $Q1NET_DATA names, with a few small pictures each."""
    for number in range(2):
        save(folder / "kodak" / f"kodim{number + 1:02d}.png", never_compressed(number, 192, 256))
    for name in ("pristine_train", "pristine_val"):
        for number in range(3):
            save(folder / name / f"{number}.png", never_compressed(number + len(name), 320, 384))
    for number in range(8):
        pixels = never_compressed(number, 192, 256)
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[40:140, 60 : 60 + (100 if number % 2 else 200)] = 255  # a fifth and two fifths of the picture
        write(folder / "things" / "images" / f"{number}.jpg", jpeg.encode(pixels, 96))
        save(folder / "things" / "masks" / f"{number}.png", mask)
        write(folder / "fixations" / "images" / f"{number}.jpg", jpeg.encode(pixels, 96))
        save(folder / "fixations" / "density" / f"{number}.png", mask)
        for label, kind in enumerate(("ant", "bee", "cat")):
            write(folder / "caltech101" / kind / f"{number}.jpg", jpeg.encode(np.roll(pixels, label * 40, 2), 90))
    with (folder / "fixations" / "fixations.csv").open("w", newline="") as handle:
        rows = [[f"{number}.jpg", 1, 80 + 5 * number, 90, 200] for number in range(8)]
        csv.writer(handle).writerows([["file", "subject", "x", "y", "duration_ms"], *rows])


def clone(folder: Path, programs: Path) -> None:
    """Copy packages, scripts and models, so that a page's commands may write there; `programs` is the environment."""
    left_out = shutil.ignore_patterns("__pycache__", "out", "*.partial")
    for name in COPIED:
        for path in ROOT.glob(name):
            if path.is_dir():
                shutil.copytree(path, folder / path.name, symlinks=True, ignore=left_out)
            else:
                shutil.copy2(path, folder / path.name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / ".stamp").touch()
    (folder / ".venv" / "bin").symlink_to(programs)


def make(folder: Path, programs: Path, with_clone: bool) -> None:
    """Make the folder in which a page's commands run; with a clone, `programs` are its environment's."""
    folder.mkdir(parents=True, exist_ok=True)
    if with_clone:
        clone(folder, programs)
        data_sets(folder / "data")
    (folder / "sample_image").symlink_to(ROOT / "sample_image")
    pictures(folder)
