"""Where the 8x8 grid of an earlier compression lies: all 64 phases scored at once on a sample of the picture."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, likelihood, score
from q1net_msroi.classifier.lattice.noise import BINS, RESOLUTION, STEPS
from q1net_msroi.classifier.lattice.prior import coarse_edges
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

WINDOW = 15  # pixels; a window of this side holds one whole block of every phase


@functools.cache
def zigzag() -> NDArray[np.int64]:
    """Return the 63 AC frequencies (8 * vertical + horizontal) from low to high."""
    v, u = np.divmod(np.arange(64), 8)
    return np.lexsort((v, u + v))[1:]


def _any_inside(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Return whether anything is set in each window of (windows, rows, columns) masks: (windows, 8, 8)."""
    sums = np.zeros((mask.shape[0], mask.shape[1] + 1, mask.shape[2] + 1), np.int16)
    np.cumsum(np.cumsum(mask, axis=1, dtype=np.int16), axis=2, out=sums[:, 1:, 1:])
    inside = sums[:, height:, width:] - sums[:, :-height, width:] - sums[:, height:, :-width]
    return (inside + sums[:, :-height, :-width]) > 0


def predictive_cost(values: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the nats that a median predictor, which knows no grid, needs for each pixel but the first row and column.

    `values` is (windows, rows, columns); so is the answer, one row and one column less.
    """
    left, above, corner = values[:, 1:, :-1], values[:, :-1, 1:], values[:, :-1, :-1]
    low, high = np.minimum(left, above), np.maximum(left, above)
    size = np.abs(values[:, 1:, 1:] - np.clip(left + above - corner, low, high))
    activity = high - low  # what is known when a pixel's turn comes
    activity[:, :, 1:] += size[:, :, :-1]
    activity[:, 1:] += size[:, :-1]
    context = np.digitize(activity, LATTICE.predictor_contexts)
    classes = len(LATTICE.predictor_contexts) + 1
    total = np.bincount(context.ravel(), weights=size.ravel(), minlength=classes) + LATTICE.residual_prior
    number = np.bincount(context.ravel(), minlength=classes) + LATTICE.residual_prior
    decay = total / (total + number)  # of a geometric law of |residual|
    cost: NDArray[np.float64] = -np.log1p(-decay)[context] - np.log(decay)[context] * size + np.log(2) * (size > 0)
    return cost


def _sum_inside(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums over the blocks of all phases of (windows, 15, 15): (windows, 8, 8)."""
    sums = np.zeros((len(values), WINDOW + 1, WINDOW + 1))
    np.cumsum(np.cumsum(values, axis=1), axis=2, out=sums[:, 1:, 1:])
    return sums[:, 8:, 8:] - sums[:, :-8, 8:] - sums[:, 8:, :-8] + sums[:, :-8, :-8]


@functools.cache
def _coarse_bins() -> tuple[NDArray[np.intp], int]:
    """Return the bin that the prior is fitted on for every fine bin: (BINS,), and their number."""
    edges = coarse_edges(BINS)
    return np.searchsorted(edges, np.arange(BINS), "right") - 1, len(edges) - 1


@functools.cache
def _every_shift(most: int) -> NDArray[np.float32]:
    """Return the lowest `most` rows of the DCT's matrix at all 8 places in 15 pixels: (8 * most, 15)."""
    shifted = np.zeros((8, most, WINDOW), np.float32)
    for start, rows in enumerate(shifted):
        rows[:, start : start + 8] = jpeg.dct_matrix()[:most]
    return shifted.reshape(-1, WINDOW)


def every_phase(windows: NDArray[np.float32], most: int = 8) -> NDArray[np.float32]:
    """Return the DCT of the block of every phase in (windows, 15, 15) values.

    It is (windows, 8 y, vertical frequencies, 8 x, horizontal ones), the lowest `most` of both.
    """
    matrix = _every_shift(most)
    across = (windows.reshape(-1, WINDOW) @ matrix.T).reshape(len(windows), WINDOW, 8 * most)
    coefficients: NDArray[np.float32] = np.matmul(matrix, across).reshape(-1, 8, most, 8, most)
    return coefficients


class Sample:
    """Windows of a picture and the scores of the phases on them."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        height, width = pixels.shape[:2]
        places = blocks.choose(pixels[: max(height - 7, 0), : max(width - 7, 0)], (0, 0), LATTICE.most_windows)
        self.number = len(places)
        if not self.number:
            return
        # One more row and column, above and to the left, for the predictor; the picture's edge has none.
        y, x = (np.maximum(places[:, i, None] + np.arange(-1, WINDOW), 0) for i in (0, 1))
        windows = pixels[y[:, :, None], x[:, None, :]]
        values = blocks.luma(windows)
        cost = predictive_cost(values)
        cost[places[:, 0] == 0, 0] = cost[places[:, 0] == 0, 1]
        cost[places[:, 1] == 0, :, 0] = cost[places[:, 1] == 0, :, 1]
        windows, values = windows[:, 1:, 1:], values[:, 1:, 1:]
        red, green, blue = ((windows[..., i] == 0) | (windows[..., i] == 255) for i in range(3))
        kept = ~_any_inside(red | green | blue, 8, 8)
        across = _any_inside(values[:, :, 1:] != values[:, :, :-1], 8, 7)
        down = _any_inside(values[:, 1:] != values[:, :-1], 7, 8)
        self.usable = kept & across & down
        balance = (_sum_inside(cost) - LATTICE.line_cost * (across ^ down)) * kept
        self.plain = balance.sum(0).ravel()
        coefficients = every_phase(values.astype(np.float32))
        np.abs(coefficients, out=coefficients)
        coefficients *= RESOLUTION
        coefficients += np.float32(0.5)
        self.index = coefficients.astype(np.int16)  # (windows, 8 y, 8 v, 8 x, 8 u)
        self.plain += self._reference()

    def _reference(self) -> NDArray[np.float64]:
        """Return the log-likelihood of each phase's AC coefficients without a lattice: (64,)."""
        coarse, bins = _coarse_bins()
        row = np.arange(8 * 8 * 8).reshape(8, 8, 8) * bins  # vertical frequency, x, horizontal frequency
        total = np.zeros((8, 8))
        for y in range(8):  # so much at once as a processor's cache holds
            place = coarse[self.index[:, y]]
            place += row
            kept = self.usable[:, y]
            if not kept.all():
                place = place.transpose(0, 2, 1, 3)[kept]
            counts = np.bincount(place.ravel(), minlength=row.size * bins).reshape(row.size, bins)
            values = likelihood.reference(counts.astype(np.float32), BINS).reshape(row.shape)
            values[0, :, 0] = 0  # DC
            total[y] = values.sum((0, 2), dtype=np.float64)
        return total.ravel()

    def scores(self, phases: NDArray[np.int64], frequencies: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return nats by which the best quality beats "no lattice" for phases (n, 2) in some frequencies: (n,)."""
        y, x = phases.T
        v, u = np.divmod(frequencies, 8)
        bins = LATTICE.sample_reach * RESOLUTION + 1
        places = ((y[:, None] * 8 + v) * 8 + x[:, None]) * 8 + u
        index = self.index.reshape(self.number, -1)[:, places].astype(np.intp)  # (windows, phases, frequencies)
        keep = (index < bins) & self.usable[:, y, x, None]
        rows = len(phases) * len(frequencies)
        index += (np.arange(rows) * bins).reshape(len(phases), -1)
        counts = np.bincount(index[keep], minlength=rows * bins).reshape(rows, bins).astype(np.float32)
        ratios = likelihood.ratios(counts, "exact").reshape(len(phases), len(frequencies), -1)
        tables = likelihood.steps_of_quality()
        steps = np.concatenate([tables[:, frequencies], tables[:, blocks.TRANSPOSED[frequencies]]])  # upright, turned
        known = ratios[:, np.arange(len(frequencies)), steps].sum(-1, dtype=np.float64).max(1)
        free = np.maximum(ratios.max(2) - np.log(STEPS), 0).sum(1, dtype=np.float64)  # tables that are not standard
        best: NDArray[np.float64] = np.maximum(known, free)
        return best


def score_phases(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Return the scores of the phases (8, 8) and the phase whose lattice is the likeliest by its own blocks alone.

    A score is the sum of two log-likelihood ratios of the phase's best lattice: against a predictive code of the same
    pixels, which knows no grid (`ratio + plain`: strong compression shows), and against the same DCT coefficients never
    quantised (`ratio`: the faint lattices of 99 and 100 show). The best phases are looked at with more frequencies.
    """
    sample = Sample(pixels)
    if not sample.number:
        return np.zeros((8, 8)), (0, 0)
    phases = np.stack(np.divmod(np.arange(64), 8), axis=1)
    ratio = sample.scores(phases, zigzag()[: LATTICE.first_frequencies])
    scores = 2 * ratio + sample.plain
    finalists = np.union1d(np.argsort(scores)[-LATTICE.finalists :], np.argsort(ratio)[-LATTICE.faint_finalists :])
    most = LATTICE.finalist_coefficients // sample.number
    more = zigzag()[: int(np.clip(most, LATTICE.first_frequencies, 63))]
    final = sample.scores(phases[finalists], more)
    y, x = divmod(int(finalists[final.argmax()]), 8)
    final = 2 * final + sample.plain[finalists]
    scores += final.min() - scores[finalists].min()  # roughly the same scale
    scores[finalists] = final
    return scores.reshape(8, 8), (y, x)


def find_phase(pixels: NDArray[np.uint8], readings: score.Readings | None = None) -> score.Reading:
    """Read (height, width, 3) uint8 RGB pixels on the likeliest grid, (0, 0) unless another is decisively better.

    `readings` are those of the pixels, where there are some.
    """
    readings = score.Readings(pixels) if readings is None else readings
    scores, faint = score_phases(pixels)
    y, x = divmod(int(scores.argmax()), 8)
    reading = readings[y, x]
    if reading.nats < LATTICE.presence and faint != (y, x):
        other = readings[faint]
        if other.nats > max(LATTICE.presence, LATTICE.faint_per_block * other.scores.used):
            reading = other
            scores[faint] = scores.max() + other.nats
    if reading.phase != (0, 0) and min(reading.nats, scores[reading.phase] - scores[0, 0]) < LATTICE.presence:
        return readings[0, 0]
    return reading


def edges(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far steps between neighbours stand out at each row and each column modulo 8: (8,), (8,).

    In standard errors; entry p is the step from row (column) p - 1 to p: large where blocks of an earlier compression
    begin. `pixels` is (height, width, 3) uint8 RGB; stripes spread over the picture are looked at.
    """
    answers = []
    for plane in (pixels[..., 1].T, pixels[..., 1]):  # the last axis runs across the edges
        lines = np.linspace(0, len(plane) - 1, min(len(plane), LATTICE.edge_lines)).astype(int)
        line = plane[lines].astype(np.int16)
        step = np.minimum(np.abs(np.diff(line, axis=1)), LATTICE.edge_limit).astype(np.float32)
        excess = (step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2).mean(0)  # of the steps to pixels 2, 3, ...
        period = len(excess) // 8
        if period < 2:
            answers.append(np.zeros(8))
            continue
        folded = excess[: 8 * period].reshape(period, 8)
        spread = folded.std(0) / np.sqrt(period) + 1e-6
        mean = folded.mean(0)
        # np.median and np.unique load numpy.ma, a twentieth of every start.
        middle, usual = (np.sort(each)[3:5].mean() for each in (mean, spread))
        answers.append(np.roll((mean - middle) / usual, 2))
    return answers[0], answers[1]


@dataclass(frozen=True)
class BlockEdges:
    """The phase (y, x) at which steps between pixels stand out most, and by how many standard errors both ways."""

    phase: tuple[int, int]
    strength: float

    @property
    def visible(self) -> bool:
        """Whether a grid is there for sure."""
        return self.strength > LATTICE.edges_visible


def block_edges(pixels: NDArray[np.uint8]) -> BlockEdges:
    """Return where block edges stand out in (height, width, 3) uint8 RGB.

    What strong compression leaves of a smooth picture: its lattice says little, its block edges say all.
    """
    rows, columns = edges(pixels)
    return BlockEdges((int(rows.argmax()), int(columns.argmax())), float(min(rows.max(), columns.max())))
