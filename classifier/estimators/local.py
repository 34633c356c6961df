"""The quality of every region of a picture, so that a part pasted from another JPEG stands out."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.auto import AutoEstimator
from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.lattice import grid, score
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.lattice.splices import Splices
from q1net_msroi.classifier.q1net import fusion, patches
from q1net_msroi.classifier.q1net.configs import AREA, BLOCK
from q1net_msroi.classifier.q1net.settings import NETWORK
from q1net_msroi.utils import figures, tasks
from q1net_msroi.utils.errors import UserError

Pixels = NDArray[np.uint8]
Places = NDArray[np.intp]
Values = NDArray[np.float64]
WINDOW = LATTICE.window_side
HALF = 0.5  # of the most foreign window's word counts for a region, which is unknown if half of it has no answer
MOST_DRAWN = 4_000_000  # pixels
REACH = 15  # qualities on either side of the main part that the colours tell apart
NATS_DRAWN = 200.0  # at which the colours of a map of parts end
WIDE = 1.5  # width by height from which on the map stands below the photograph


@dataclass(frozen=True)
class Regions:
    """Windows by row and column: where they begin and end in pixels, their quality (NaN: unknown), how foreign.

    `foreign` tells from 0 up how unlike the picture's main part a window is: for the network the difference of their
    qualities; for the lattice the nats by which another lattice, another grid or none explains it better. `unit` names
    it. `other_grid` marks windows whose blocks lie on another grid than the main part's, whose quality is `main` (None:
    unknown, or no JPEG's).
    """

    rows: Places
    columns: Places
    side: int
    quality: Values
    foreign: Values
    other_grid: NDArray[np.bool_]
    unit: str
    main: float | None = None

    def per_pixel(self, values: Values, height: int, width: int) -> Values:
        """Return for each pixel the mean of `values` over the known windows on it: (height, width), NaN without any."""
        total, count = np.zeros((height, width)), np.zeros((height, width))
        for i, j in zip(*np.nonzero(~np.isnan(values)), strict=True):
            part = np.s_[self.rows[i] : self.rows[i] + self.side, self.columns[j] : self.columns[j] + self.side]
            total[part] += values[i, j]
            count[part] += 1
        mean: Values = np.divide(total, count, out=np.full((height, width), np.nan), where=count > 0)
        return mean

    def nearest(self, values: Values, height: int, width: int, step: int = 1) -> Values:
        """Return for each pixel (every `step`-th both ways) the value of the window whose centre is nearest."""
        index = [
            np.searchsorted((starts[1:] + starts[:-1] + self.side) / 2, np.arange(0, length, step) + 0.5)
            for starts, length in ((self.rows, height), (self.columns, width))
        ]
        found: Values = values[np.ix_(*index)]
        return found

    def unlike(self, height: int, width: int, step: int = 1) -> NDArray[np.bool_]:
        """Return for each pixel (every `step`-th) whether it is unlike the main part; nowhere where all are."""
        known = self.quality[~np.isnan(self.quality)]
        half = 0.5 * float(np.ptp(known)) if len(known) else 0.0
        level = LATTICE.window_foreign if self.unit == "nats" else max(LATTICE.window_difference, half)
        marked = np.nan_to_num(self.nearest(self.foreign, height, width, step)) > level
        return marked & ~marked.all()

    def told(self, height: int, width: int) -> str:
        """Return in one line what a map of the (height, width) picture shows: main part, and regions unlike it."""
        from scipy import ndimage

        main = f"main part {self.main:.0f}" if self.main is not None else "main part without an answer"
        step = drawn_step(height, width)
        labels, count = ndimage.label(self.unlike(height, width, step))
        quality, foreign = (self.nearest(values, height, width, step) for values in (self.quality, self.foreign))
        told = []
        for number, (y, x) in enumerate(ndimage.find_objects(labels), 1):
            inside = np.where(labels[y, x] == number, np.nan_to_num(foreign[y, x]), 0)
            core = quality[y, x][inside >= HALF * inside.max()]  # windows on its edge hold some of the main part
            about = "unknown" if np.isnan(core).mean() > HALF else f"about {np.nanmedian(core):.0f}"
            across, down = (f"{part.start * step}..{part.stop * step - 1}" for part in (x, y))
            told.append(f"({about}) at x {across}, y {down}")
        return f"{main}, {count or 'no'} region{'' if count == 1 else 's'} unlike it {'; '.join(told)}".rstrip()


def drawn_step(height: int, width: int) -> int:
    """Return of how many pixels one is drawn each way: a drawing is far smaller than a large photograph."""
    return math.ceil(math.sqrt(height * width / MOST_DRAWN))


def regions(pixels: Pixels, asked: Asked) -> Regions:
    """Return the regions of (height, width, 3) uint8 RGB pixels by the estimator that is asked for.

    `auto` takes the lattice where the whole picture shows one, else the network. Raises `UserError` for pictures below
    24x24 pixels, for an estimator that has no answer for a part, and for jpeg_lattice where there is no lattice.
    """
    if min(pixels.shape[:2]) < AREA:
        raise UserError(f"--map needs a picture of at least {AREA}x{AREA} pixels")
    estimator = registry.load(asked)
    if isinstance(estimator, LatticeEstimator | AutoEstimator):
        found = lattice_regions(pixels, grid.find_phase(pixels).phase, asked.threads)
        if not np.isnan(found.quality).all():
            return found
        if isinstance(estimator, LatticeEstimator):
            raise UserError("--map: no lattice shows anywhere; --comp_type auto or jpeg_paper maps by the network")
        estimator = estimator.network()
    if not isinstance(estimator, NetworkEstimator):
        raise UserError(f"--map is drawn by auto, jpeg_lattice or a network of patches, not by {asked.comp_type}")
    return network_regions(pixels, estimator)


def network_regions(pixels: Pixels, network: NetworkEstimator, most: int = LATTICE.most_patches) -> Regions:
    """Return the regions by the network: the weighted median of a window's confident patches, of `most` in all."""
    blocks = [length // BLOCK - AREA // BLOCK + 1 for length in pixels.shape[:2]]
    step = int(np.ceil(np.sqrt(blocks[0] * blocks[1] / most)))
    tops, lefts = (BLOCK * np.arange(0, count, step) + patches.MARGIN for count in blocks)
    parts = np.array_split(tops, len(tops) // 4 + 1)

    def ask(rows: Places) -> NDArray[np.float32]:
        rgb = patches.cut(pixels, rows, lefts)
        return np.where(patches.flat(rgb)[:, None], np.float32(0), network.predict_patches(rgb))

    said = np.concatenate([ask(part) for part in parts])
    confidence, quality = said.reshape(len(tops), len(lefts), 2).transpose(2, 0, 1).astype(np.float64)

    across = max(1, min(WINDOW // (BLOCK * step), len(tops), len(lefts)))
    hop = max(1, across // 2)
    view = np.lib.stride_tricks.sliding_window_view
    seen = (view(values, (across, across))[::hop, ::hop] for values in (quality, confidence))
    qualities, confidences = (values.reshape(*values.shape[:2], -1) for values in seen)
    middle = weighted_medians(qualities, confidences, min(network.threshold, LATTICE.window_confidence))
    whole = fusion.fuse(said, network.threshold, "weighted_median").quality
    foreign = np.abs(middle - (np.nan if whole is None else whole))
    begin = [starts[: len(starts) - across + 1 : hop] + patches.MARGIN for starts in (tops, lefts)]
    none = np.zeros(middle.shape, bool)
    return Regions(begin[0], begin[1], across * BLOCK * step, middle, foreign, none, "difference of qualities", whole)


def weighted_medians(qualities: Values, confidences: Values, threshold: float) -> Values:
    """Return the lower median, weighted by 1 / (100 - confidence), of confident answers along the last axis, or NaN."""
    order = np.argsort(qualities, axis=-1)
    qualities, confidences = (np.take_along_axis(values, order, axis=-1) for values in (qualities, confidences))
    weights = (confidences > threshold) / np.maximum(100 - confidences, NETWORK.smallest_error)
    reached = np.cumsum(weights, axis=-1)
    middle = (reached < reached[..., -1:] / 2).sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(qualities, np.minimum(middle, qualities.shape[-1] - 1), axis=-1)[..., 0]
    return np.where(reached[..., -1] > 0, chosen, np.nan)


def window_starts(length: int, first: int, stride: int) -> Places:
    """Return where windows begin from `first` on, every `stride` pixels, the last one at the end, all on one 8-grid."""
    last = max(first, first + (length - WINDOW - first) // BLOCK * BLOCK)
    return np.unique(np.append(np.arange(first, last, stride), last))


def lattice_regions(pixels: Pixels, phase: tuple[int, int], threads: int | None = None) -> Regions:
    """Return the regions by the lattice, on the grid that begins at `phase`, and on others where that one fails.

    The main part is what most windows are of: a quality on one grid, or no JPEG at all.
    """
    height, width = pixels.shape[:2]
    apart = np.sqrt(height * width / LATTICE.most_read)
    stride = max(WINDOW // 2, int(np.ceil(apart / BLOCK)) * BLOCK)
    rows, columns = window_starts(height, phase[0], stride), window_starts(width, phase[1], stride)
    readings = [_read(pixels, rows, columns, np.ones((len(rows), len(columns)), bool), threads)]
    phases = [phase]
    while len(readings) <= LATTICE.other_grids:
        best: Values = np.stack(readings).max(axis=(0, 3))
        if not (best < -LATTICE.window_foreign).any():
            break
        other = _other_grid(pixels, rows, columns, best)
        if other in phases:
            break
        shift = [(there - here) % BLOCK for there, here in zip(other, phase, strict=True)]
        unexplained = np.pad(best <= LATTICE.window_presence, 1)
        around = np.lib.stride_tricks.sliding_window_view(unexplained, (3, 3)).max(axis=(2, 3))  # and its neighbours
        readings.append(_read(pixels, rows + shift[0], columns + shift[1], np.asarray(around, bool), threads))
        phases.append(other)
    return judge(rows, columns, np.stack(readings))


def judge(rows: Places, columns: Places, nats: Values) -> Regions:
    """Return the regions from the nats of every grid and quality: (grids, rows, columns, 100), -inf where not read."""
    each = nats.max(axis=3)
    where, best = each.argmax(axis=0), each.max(axis=0)
    quality = np.take_along_axis(nats.argmax(axis=3), where[None], axis=0)[0] + 1
    known, none = best > LATTICE.window_presence, best < -LATTICE.window_foreign
    pairs, counts = np.unique(where[known] * 101 + quality[known], return_counts=True)
    if not len(pairs) or none.sum() > counts.max():
        foreign, main_grid, main_quality = np.maximum(best, 0), -1, None
    else:
        main_grid, main_quality = divmod(int(pairs[counts.argmax()]), 101)
        main = nats[main_grid, :, :, main_quality - 1]
        main = np.where(np.isfinite(main), main, np.minimum(best, 0))  # not read there: explained by another grid
        quality = np.where(best - main < LATTICE.tie, main_quality, quality)
        foreign = np.maximum(best, 0) - np.minimum(main, best)
    other_grid = known & (where != main_grid) & (main_grid >= 0)
    known_quality = np.where(known, quality, np.nan)
    return Regions(rows, columns, WINDOW, known_quality, foreign, other_grid, "nats", main_quality)


def _read(pixels: Pixels, rows: Places, columns: Places, wanted: NDArray[np.bool_], threads: int | None) -> Values:
    """Return the nats of the 100 qualities in the wanted windows, (rows, columns, 100); -inf elsewhere."""
    nats = np.full((*wanted.shape, 100), -np.inf)

    def one(place: Places) -> Values:
        top, left = rows[place[0]], columns[place[1]]
        return score.read(pixels[top : top + WINDOW, left : left + WINDOW], (0, 0)).scores.nats

    nats[wanted] = list(tasks.ordered_map(one, np.argwhere(wanted), threads))
    return nats


def _other_grid(pixels: Pixels, rows: Places, columns: Places, best: Values) -> tuple[int, int]:
    """Return the phase of the grid in the window that the main grid explains worst."""
    i, j = np.unravel_index(int(best.argmin()), best.shape)
    top, left = int(rows[i]), int(columns[j])
    y, x = grid.find_phase(np.ascontiguousarray(pixels[top : top + WINDOW, left : left + WINDOW])).phase
    return (top + y) % BLOCK, (left + x) % BLOCK


def draw(pixels: Pixels, found: Regions, path: Path, title: str) -> None:
    """Draw the photograph and, beside it, the qualities over it with a colour scale; outline what is foreign."""
    (height, width), step = pixels.shape[:2], drawn_step(*pixels.shape[:2])
    quality = found.nearest(found.quality, height, width, step)
    known = quality[~np.isnan(quality)]
    # Noise is not to fill the colours, so they reach well past the main part.
    ends = [found.main - REACH, found.main + REACH] if found.main is not None else [1, 100]
    low, high = min(known.min(initial=100), ends[0]), max(known.max(initial=1), ends[1])
    marked = found.unlike(height, width, step)
    main = "no region has an answer" if found.main is None else f"main part: {found.main:.0f}"
    main += "; outlined: unlike it" if marked.any() else ""
    shown = Overlay(quality, marked, "quality (gray: unknown)", "viridis", (max(low, 1), min(high, 100)))
    draw_beside(pixels[::step, ::step], shown, path, title, main)


def draw_parts(pixels: Pixels, found: Splices, path: Path, title: str) -> None:
    """Draw the photograph and, beside it, how far its blocks are the main part's or another's; outline the parts."""
    (height, width), step = pixels.shape[:2], drawn_step(*pixels.shape[:2])
    nats, marked = found.per_pixel(height, width, step)
    main = "main part: not compressed before" if found.main is None else f"main part: {found.main} before"
    label = "nats for another first compression than the main part's, or none"
    limits = (-NATS_DRAWN, NATS_DRAWN)
    shown = Overlay(nats, marked, label, "PiYG_r", limits)
    draw_beside(pixels[::step, ::step], shown, path, title, f"{main}; outlined: unlike it")


@dataclass(frozen=True)
class Overlay:
    """Values of all pixels (height, width) in `colours` (matplotlib's name) from limit to limit; which are outlined."""

    values: NDArray[np.floating[Any]]
    marked: NDArray[np.bool_]
    label: str
    colours: str
    limits: tuple[float, float]


def draw_beside(pixels: Pixels, shown: Overlay, path: Path, title: str, told: str) -> None:
    """Draw a photograph under `title` and, beside it, values over it, under what they have `told`."""
    height, width = pixels.shape[:2]
    wide = width >= WIDE * height
    size = (8.0, 16 * height / width + 1.6) if wide else (13.0, 6.4 * height / width + 1.2)
    with figures.figure(path, size[0], min(size[1], 30)) as drawing:
        left, right = drawing.subplots(2, 1) if wide else drawing.subplots(1, 2)
        left.imshow(pixels)
        left.set_title(title)
        right.imshow(pixels.mean(axis=2), cmap="gray", vmin=-120, vmax=255)  # paler, so that the colours are seen
        low, high = shown.limits
        image = right.imshow(shown.values, cmap=shown.colours, vmin=low, vmax=high, alpha=0.55)
        where = right if wide else (left, right)
        drawing.colorbar(image, ax=where, location="bottom", aspect=50, pad=0.02, label=shown.label)
        if shown.marked.any():
            right.contour(shown.marked, levels=[0.5], colors="#d1495b", linewidths=1.5)
        right.set_title(told)
        for axes in (left, right):
            axes.set_axis_off()
