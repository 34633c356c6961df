"""The pictures of a table as training inputs: decoded and cut, or as cached features of a frozen backbone."""

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.msroi.roi.tables import Table
from q1net_msroi.utils import files, images, tasks
from q1net_msroi.utils.errors import UserError, note, show

SMALLEST_CROP = 0.7  # of the shorter side
PART = 256  # pictures a file of cached features: what a killed run has to do again at most
EXTRACT_BATCH = 16


def square(pixels: NDArray[np.uint8], size: int, draw: np.random.Generator | None = None) -> NDArray[np.uint8]:
    """Return the centre square of (h, w, 3) pixels; with `draw` a random 70-100 % of it, mirrored every other time."""
    height, width = pixels.shape[:2]
    side, across, down, mirrored = float(min(height, width)), 0.5, 0.5, False
    if draw is not None:
        share, across, down, coin = draw.random(4)
        side, mirrored = side * (1 - share * (1 - SMALLEST_CROP)), coin < 0.5
    left, top = across * (width - side), down * (height - side)
    box = (left, top, min(left + side, width), min(top + side, height))
    seen = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    array = np.asarray(seen)
    return array[:, ::-1] if mirrored else array


class Pictures:
    """Decoded pictures of a table as training inputs: float32 (n, size, size, 3), RGB, 0..255."""

    def __init__(self, table: Table, size: int, augment: bool) -> None:
        self.labels, self.augment = table.labels, augment
        self._files, self._size = table.files, size
        self.shape = (size, size, 3)

    def values(self, rows: NDArray[np.int64], draw: np.random.Generator | None) -> NDArray[np.float32]:
        """Return pictures by row; with `draw` cut and mirrored at random. Raises `UserError` for one unreadable."""
        draw = draw if self.augment else None
        seen = [square(images.read_rgb(self._files[row]).pixels, self._size, draw) for row in rows]
        return np.stack(seen).astype(np.float32)


class CachedFeatures:
    """Features of a table's pictures, kept on disk as float16 in parts of `PART` pictures; with a mirrored copy.

    A part is whole or absent. Pictures that cannot be read are named once and left out.
    """

    def __init__(self, table: Table, folder: Path, key: str, shape: tuple[int, int, int], mirrored: bool) -> None:
        """`key` says what made the features (network, weights, picture size); `shape` is (h, w, channels)."""
        self.shape, self._table, self._views = shape, table, 2 if mirrored else 1
        identity = hashlib.sha256(f"{key} {shape} {self._views} {PART}".encode())
        for file in table.files:
            try:
                status = file.stat()
                identity.update(f"{status.st_size} {status.st_mtime_ns}".encode())
            except OSError:
                identity.update(b"absent")
            identity.update(os.fsencode(file) + b"\0")
        self.folder = folder / f"{table.path.stem}_{identity.hexdigest()[:16]}"
        self._parts: list[NDArray[np.float16]] = []
        self._rows: NDArray[np.int64] = np.arange(0)

    def _missing(self) -> Iterator[tuple[Path, tuple[Path, ...]]]:
        for start in range(0, len(self._table.files), PART):
            path = self.folder / f"part_{start // PART:05}.npy"
            if not path.exists():
                yield path, self._table.files[start : start + PART]

    def make(self, extract: Callable[[NDArray[np.float32]], NDArray[Any]], size: int, workers: int | None) -> None:
        """Compute the parts that are absent with `extract` (n, size, size, 3) -> (n, h, w, channels); open all."""
        missing = list(self._missing())
        count = sum(len(part) for _, part in missing)
        if missing:
            files.output_folder(self.folder)
            files.require_space(self.folder, count * self._views * math.prod(self.shape) * 2, "the cache of features")
        with tasks.progress(total=count, desc=f"features of {self._table.path.name}", unit="picture") as bar:
            for path, part in missing:
                self._make_part(path, part, extract, size, workers, bar)
        paths = [self.folder / f"part_{n:05}.npy" for n in range(math.ceil(len(self._table.files) / PART))]
        try:
            self._parts = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
        except (OSError, ValueError):
            advice = "remove it, the features are then computed again"
            raise UserError(f"{show(self.folder)} is damaged; {advice}") from None
        sound = np.concatenate([~np.isnan(part[0, :, 0, 0, 0]) for part in self._parts])
        if not sound.any():
            raise UserError(f"no picture of {show(self._table.path)} can be read; make it again with prepare_data.py")
        self._rows = np.flatnonzero(sound)
        self.labels = self._table.labels[self._rows]

    def _make_part(
        self, path: Path, part: tuple[Path, ...], extract: Any, size: int, workers: int | None, bar: Any
    ) -> None:
        def look(file: Path) -> NDArray[np.uint8] | UserError:
            try:
                return square(images.read_rgb(file).pixels, size)
            except UserError as error:
                return error

        with files.atomic_path(path) as temporary:
            shape = (self._views, len(part), *self.shape)
            stored = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
            seen = tasks.ordered_map(look, part, workers, ahead=2 * EXTRACT_BATCH)
            for start in range(0, len(part), EXTRACT_BATCH):
                batch: list[Any] = [next(seen) for _ in part[start : start + EXTRACT_BATCH]]
                bad = [n for n, picture in enumerate(batch) if isinstance(picture, UserError)]
                for n in bad:
                    note(f"{batch[n]}; left out")
                    batch[n] = np.zeros((size, size, 3), np.uint8)
                pixels = np.stack(batch)
                for view in range(self._views):
                    turned = np.ascontiguousarray(pixels[:, :, ::-1] if view else pixels, np.float32)
                    stored[view, start : start + len(batch)] = extract(turned)
                stored[:, [start + n for n in bad]] = np.nan
                bar.update(len(batch))
            stored.flush()

    def values(self, rows: NDArray[np.int64], draw: np.random.Generator | None) -> NDArray[np.float32]:
        """Return features by row; with `draw` every other one is the mirrored picture's (if there is such a copy)."""
        views = draw.integers(self._views, size=len(rows)) if draw is not None else np.zeros(len(rows), int)
        where = self._rows[rows]
        picked = [self._parts[row // PART][view, row % PART] for view, row in zip(views, where, strict=True)]
        return np.stack(picked).astype(np.float32)


def balance_weights(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return a weight a picture such that every class counts the same, with mean 1."""
    counts = np.bincount(labels)
    present = np.count_nonzero(counts)
    return np.asarray(len(labels) / (present * counts[labels]), np.float32)
