"""Score maps over a folder of pictures against object masks or gaze, beside maps that know nothing."""

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.msroi.roi import scores
from q1net_msroi.utils import images
from q1net_msroi.utils.errors import UserError, existing_folder, note, os_error_line, show
from q1net_msroi.utils.jobs import Task

Pixels = NDArray[np.uint8]
MapRule = Callable[[Pixels], Pixels]
OBJECT = 128  # gray level from which on a mask says object
SHOWN = 4  # pictures at either end of the contact sheet
DIGITS = 5  # of a summary's numbers
GOOD, BAD, TEXT = (140, 225, 150), (250, 150, 130), (225, 225, 228)  # captions of the contact sheet


@dataclass(frozen=True)
class Truth:
    """What a picture's map should say: an object `mask` (h, w), or gaze `points` (n, 2) row, column and `density`."""

    mask: NDArray[np.bool_] | None = None
    points: NDArray[np.intp] | None = None
    density: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Item(Task):
    """A picture and what says what its map should be: a file, or gaze points (n, 2) x, y."""

    truth: Path | None
    points: NDArray[np.float64] | None = None


def find_items(pictures: str, truths: str | None, points: str | None) -> list[Item]:
    """Pair the pictures of a folder with masks or densities of the same stem, and with the rows of a gaze table.

    The table (CSV) has the columns file, x, y (pixels from the left and top). Raises `UserError` where nothing pairs.
    """
    found = images.find_images(pictures)
    by_stem = {path.stem: path for path in images.find_images(existing_folder(truths))} if truths else {}
    table = read_points(points) if points else {}
    items = [Item(path, by_stem.get(path.stem), table.get(path.name)) for path in found]
    paired = [i for i in items if (not truths or i.truth) and (not points or i.points is not None)]
    if not paired:
        raise UserError(f"no picture in {show(pictures)} has a file of the same name in {show(truths or points or '')}")
    if left_out := len(items) - len(paired):
        note(f"{left_out} pictures have no mask or gaze and are left out")
    return paired


def read_points(path: str) -> dict[str, NDArray[np.float64]]:
    """Return gaze points (n, 2) x, y of each file named in a CSV table."""
    table: dict[str, list[tuple[float, float]]] = defaultdict(list)
    try:
        with Path(path).open(newline="", encoding="utf-8") as handle:
            for number, row in enumerate(csv.DictReader(handle), 2):
                try:
                    table[row["file"]].append((float(row["x"]), float(row["y"])))
                except (KeyError, TypeError, ValueError):
                    raise UserError(f"{show(path)} line {number}: columns file, x, y are needed") from None
    except OSError as error:
        raise UserError(os_error_line(error)) from None
    return {name: np.array(rows) for name, rows in table.items()}


def read_truth(item: Item, size: tuple[int, int], gaze: bool) -> Truth:
    """Read what the map of a picture of `size` (height, width) should say; raise `UserError` where sizes differ."""
    gray = None
    if item.truth:
        gray = images.read_rgb(item.truth).pixels[..., 0]
        if gray.shape != size:
            sizes = f"{gray.shape[1]}x{gray.shape[0]}, but its picture {size[1]}x{size[0]} pixels"
            raise UserError(f"{show(item.truth)} is {sizes}")
    if not gaze:
        mask = gray is not None and gray >= OBJECT
        if not np.any(mask) or np.all(mask):
            raise UserError(f"{show(item.truth or item.image)}: the mask is empty or covers the whole picture")
        return Truth(mask=np.asarray(mask))
    if item.points is None:
        return Truth(density=gray)
    places = np.floor(item.points[:, ::-1]).astype(np.intp)
    inside = ((places >= 0) & (places < size)).all(axis=1)
    if not inside.any():
        raise UserError(f"{show(item.image)}: no gaze point lies inside the picture")
    return Truth(points=places[inside], density=gray)


def score(values: Pixels, truth: Truth) -> dict[str, Any]:
    """Return the scores of a map (h, w) uint8; with a mask also the precision-recall `curve`."""
    if truth.mask is not None:
        curve = scores.precision_recall(values, truth.mask)
        return {
            "auc": scores.pixel_auc(values, truth.mask),
            "max_f": float(scores.f_measure(*curve).max()),
            "mae": scores.mean_absolute_error(values, truth.mask),
            "pointing": scores.pointing(values, truth.mask),
            "curve": curve,
        }
    result: dict[str, Any] = {}
    if truth.points is not None:
        result |= {"auc_judd": scores.auc_judd(values, truth.points), "nss": scores.nss(values, truth.points)}
    if truth.density is not None:
        result["cc"] = scores.correlation(values, truth.density)
    return result


def evaluate(rules: Mapping[str, MapRule], gaze: bool, item: Item) -> dict[str, Any]:
    """Return a picture's `file` and, a rule, its scores; raise `UserError` where it cannot be scored."""
    pixels = images.read_rgb(item.image).pixels
    truth = read_truth(item, pixels.shape[:2], gaze)
    return {"file": item.image.name, **{name: score(rule(pixels), truth) for name, rule in rules.items()}}


def summarise(rows: Sequence[dict[str, Any]], rules: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return, for each rule and score, the mean and its 95 % interval (bootstrap over pictures).

    `max_f_dataset` is the F-measure of the best threshold for all pictures, `max_f` the mean of each one's own best.
    """
    summary: dict[str, dict[str, Any]] = {}
    for rule in rules:
        cells = [row[rule] for row in rows]
        summary[rule] = {}
        for name in [name for name in cells[0] if name != "curve"]:
            values = [cell[name] for cell in cells if not math.isnan(cell[name])]
            summary[rule][name] = _cell(float(np.mean(values)), *scores.interval(values))
        if "curve" in cells[0]:
            curves = [cell["curve"] for cell in cells]
            summary[rule]["max_f_dataset"] = _cell(scores.maximum_f(curves), *_f_interval(curves))
    return summary


def _cell(mean: float, low: float, high: float) -> dict[str, float]:
    return {"mean": round(mean, DIGITS), "low": round(low, DIGITS), "high": round(high, DIGITS)}


def _f_interval(curves: Sequence[tuple[Any, Any]], resamples: int = 1000) -> tuple[float, float]:
    """Return the 95 % interval of `scores.maximum_f` by bootstrap over pictures."""
    stacked = np.array(curves)  # (pictures, 2, levels)
    draws = np.random.default_rng(0).integers(0, len(stacked), (resamples, len(stacked)))
    means = np.stack([stacked[draw].mean(axis=0) for draw in draws])
    low, high = np.percentile(scores.f_measure(means[:, 0], means[:, 1]).max(axis=1), [2.5, 97.5])
    return float(low), float(high)


def best_and_worst(
    items: Sequence[Item], rows: Sequence[dict[str, Any]], rule: str, name: str
) -> list[tuple[Item, float]]:
    """Return the pictures with the four best and the four worst values of a rule's score `name`, best first."""
    by_file = {item.image.name: item for item in items}
    scored = [(by_file[row["file"]], float(row[rule][name])) for row in rows if not math.isnan(row[rule][name])]
    order = sorted(scored, key=lambda pair: -pair[1])
    return order if len(order) <= 2 * SHOWN else order[:SHOWN] + order[-SHOWN:]


def contact_sheet(chosen: Sequence[tuple[Item, float]], name: str, maker: MapRule, gaze: bool) -> Image.Image:
    """Return a sheet of pictures with their score `name`, best first: picture, truth, map, a column each."""
    cell, caption, margin = (240, 180), 22, 84
    sheet = Image.new("RGB", (margin + cell[0] * len(chosen), 3 * cell[1] + caption), (24, 24, 28))
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for line, said in enumerate(("picture", "looked at" if gaze else "true mask", "map")):
        pen.text((8, caption + (line + 0.5) * cell[1]), said, TEXT, font, anchor="lm")
    for column, (item, value) in enumerate(chosen):
        pixels = images.read_rgb(item.image).pixels
        truth = read_truth(item, pixels.shape[:2], gaze)
        for line, picture in enumerate((pixels, truth_picture(truth, pixels.shape[:2]), maker(pixels))):
            small = Image.fromarray(picture).convert("RGB")
            small.thumbnail((cell[0] - 6, cell[1] - 6))
            left = margin + column * cell[0] + (cell[0] - small.width) // 2
            sheet.paste(small, (left, caption + line * cell[1] + (cell[1] - small.height) // 2))
        text = f"{show(item.image.stem)[:18]}  {name} {value:.3f}"
        pen.text((margin + column * cell[0] + 6, 3), text, GOOD if column < len(chosen) / 2 else BAD, font)
    return sheet


def truth_picture(truth: Truth, size: tuple[int, int]) -> Pixels:
    """Return a truth as a gray picture to look at."""
    if truth.mask is not None:
        return np.asarray(truth.mask * np.uint8(255), np.uint8)
    if truth.density is not None:
        return truth.density
    dots = np.zeros(size, np.uint8)
    if truth.points is not None:
        for row, column in truth.points:
            dots[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = 255
    return dots
