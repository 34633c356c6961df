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


def every_phase(windows: NDArray[np.float32], most: int = 8) -> NDArray[np.float32]:
    """Return the DCT of the block of every phase in (windows, 15, 15) values.

    It is (windows, 8 y, 8 x, horizontal frequencies, vertical ones), the lowest `most` of both.
    """
    matrix = jpeg.dct_matrix()[:most]
    slide = np.lib.stride_tricks.sliding_window_view
    rows = slide(windows, 8, axis=2) @ matrix.T  # (windows, 15, 8 x, horizontal)
    coefficients: NDArray[np.float32] = slide(rows, 8, axis=1) @ matrix.T
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
        kept = ~_any_inside((windows.min(3) == 0) | (windows.max(3) == 255), 8, 8)
        across = _any_inside(values[:, :, 1:] != values[:, :, :-1], 8, 7)
        down = _any_inside(values[:, 1:] != values[:, :-1], 7, 8)
        self.usable = kept & across & down
        balance = (_sum_inside(cost) - LATTICE.line_cost * (across ^ down)) * kept
        self.plain = balance.sum(0).ravel()
        self.coefficients = every_phase(values.astype(np.float32))
        self.index = np.abs(self.coefficients)
        self.index *= RESOLUTION
        self.index = (self.index + np.float32(0.5)).astype(np.int32)
        self.plain += self._reference()

    def _reference(self) -> NDArray[np.float64]:
        """Return the log-likelihood of each phase's AC coefficients without a lattice: (64,)."""
        edges = coarse_edges(BINS)
        coarse = np.searchsorted(edges, np.arange(BINS), "right").astype(np.int32) - 1
        index = coarse[self.index].reshape(self.number, 64, 64)
        index += np.arange(64 * 64, dtype=np.int32).reshape(64, 64) * (len(edges) - 1)
        kept = index[self.usable.reshape(-1, 64)]
        counts = np.bincount(kept.ravel(), minlength=64 * 64 * (len(edges) - 1)).reshape(64 * 64, -1)
        values = likelihood.reference(counts.astype(np.float32), BINS).reshape(64, 64)
        total: NDArray[np.float64] = values[:, 1:].sum(1, dtype=np.float64)
        return total

    def scores(self, phases: NDArray[np.int64], frequencies: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return nats by which the best quality beats "no lattice" for phases (n, 2) in some frequencies: (n,)."""
        y, x = phases.T
        v, u = np.divmod(frequencies, 8)
        bins = LATTICE.sample_reach * RESOLUTION + 1
        index = self.index[:, y[:, None], x[:, None], u, v]  # (windows, phases, frequencies)
        keep = (index < bins) & self.usable[:, y, x, None]
        rows = len(phases) * len(frequencies)
        index += (np.arange(rows, dtype=np.int32) * bins).reshape(len(phases), -1)
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


def find_phase(pixels: NDArray[np.uint8]) -> score.Reading:
    """Read (height, width, 3) uint8 RGB pixels on the likeliest grid, (0, 0) unless another is decisively better."""
    scores, faint = score_phases(pixels)
    y, x = divmod(int(scores.argmax()), 8)
    reading = score.read(pixels, (y, x))
    if reading.nats < LATTICE.presence and faint != (y, x):
        other = score.read(pixels, faint)
        if other.nats > max(LATTICE.presence, LATTICE.faint_per_block * other.scores.used):
            reading = other
            scores[faint] = scores.max() + other.nats
    if reading.phase != (0, 0) and min(reading.nats, scores[reading.phase] - scores[0, 0]) < LATTICE.presence:
        return score.read(pixels, (0, 0))
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
