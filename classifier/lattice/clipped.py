"""The lattice in blocks with clipped pixels: white paper, blown-out skies, black frames.

A pixel at 0 or 255 tells only on which side the decoded value lay. For each quality the missing values are filled in by
turns: round the block's coefficients to the table's lattice, take the missing pixels from there (no less than white, no
more than black), and again. At the right quality the known pixels then agree with the lattice to their rounding.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice import blocks, grid, likelihood, score, tables
from q1net_msroi.classifier.lattice.noise import STEPS
from q1net_msroi.classifier.lattice.score import Reading
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg


@dataclass(frozen=True)
class PartlyClipped:
    """Blocks that hold known and clipped pixels."""

    values: NDArray[np.float32]  # (blocks, 64) luma less 128, as it is
    low: NDArray[np.float32]  # (blocks, 64) the least that it was before clipping
    high: NDArray[np.float32]  # (blocks, 64) the most
    known: NDArray[np.bool_]  # (blocks, 64)
    plain: NDArray[np.float64]  # (blocks,) log-likelihood of the known pixels by a predictor that knows no grid


class Picture:
    """Cuts blocks that are clipped in part out of a picture, on any grid."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """Count the known pixels of (height, width, 3) uint8 RGB."""
        self._pixels = pixels
        known = ((pixels > 0) & (pixels < 255)).all(2)
        self._sums = np.zeros((known.shape[0] + 1, known.shape[1] + 1), np.int32)
        np.cumsum(np.cumsum(known, axis=0, dtype=np.int32), axis=1, out=self._sums[1:, 1:])

    def cut(self, phase: tuple[int, int], limit: int = LATTICE.clipped_blocks, spread: bool = False) -> PartlyClipped:
        """Return at most `limit` blocks of the grid from `phase` (y, x) on.

        They are those with the most known pixels, or some of each number (`spread`), which tell grids apart better.
        """
        none = np.zeros((0, 64), np.float32)
        if min(self._pixels.shape[:2]) < 8:
            return PartlyClipped(none, none, none, none > 0, np.zeros(0))
        rows, columns = ((side - 1 - start) // 8 for side, start in zip(self._sums.shape, phase, strict=True))
        corners = self._sums[phase[0] :: 8, phase[1] :: 8][: rows + 1, : columns + 1]
        number = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
        partly = np.argwhere((number >= LATTICE.fewest_known) & (number < 64))
        order = np.argsort(-number[partly[:, 0], partly[:, 1]], kind="stable")
        if spread:
            order = order[np.linspace(0, len(order) - 1, min(len(order), 2 * limit)).astype(int)]
        order = order[: 4 * limit]
        y, x = (partly[order] * 8 + phase).T
        windows = np.lib.stride_tricks.sliding_window_view(self._pixels, (8, 8), axis=(0, 1))
        rgb = np.moveaxis(windows[y, x], 1, -1).reshape(-1, 64, 3)
        values = blocks.luma(rgb).astype(np.float32)
        black, white = (rgb == 0).any(2), (rgb == 255).any(2)
        known = ~(black | white)
        most = np.where(known, values, -np.inf).max(1, initial=-np.inf)
        varied = np.flatnonzero(most > np.where(known, values, np.inf).min(1, initial=np.inf))[:limit]
        low = np.where(black, np.float32(-np.inf), values - np.float32(0.5))
        high = np.where(white, np.float32(np.inf), values + np.float32(0.5))
        # One more row and column, above and to the left, for the predictor; the picture's edge has none.
        rows_of, columns_of = (np.maximum(start[varied, None] + np.arange(-1, 8), 0) for start in (y, x))
        around = blocks.luma(self._pixels[rows_of[:, :, None], columns_of[:, None, :]])
        cost = grid.predictive_cost(around).reshape(-1, 64)
        plain = -(cost * known[varied]).sum(1)
        return PartlyClipped(values[varied], low[varied], high[varied], known[varied], plain)


def nats(clipped: PartlyClipped, tables: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Return the nats by which qualities 1..100 explain the known pixels better than no lattice does: (100,).

    `tables` (100, 64) are those of other settings than libjpeg's qualities.
    """
    if not len(clipped.values):
        return np.zeros(100)
    matrix = np.kron(jpeg.dct_matrix(), jpeg.dct_matrix()).astype(np.float32)
    chosen = likelihood.steps_of_quality() + 1 if tables is None else tables
    steps = np.minimum(chosen, STEPS).astype(np.float32)[:, None]  # (100, 1, 64)
    values = np.broadcast_to(clipped.values, (100, *clipped.values.shape))
    for _ in range(LATTICE.filling_rounds):
        points = np.rint(values @ matrix.T / steps)
        fitted = (points * steps) @ matrix
        values = np.where(clipped.known, clipped.values, np.clip(fitted, clipped.low, clipped.high))
    miss = np.abs(fitted - clipped.values)
    rounded = 1 / (1 + np.exp(np.minimum(1.702 / LATTICE.decoder_error * (miss - 0.5), 60)))  # to what is known
    agreement = (np.log(rounded + LATTICE.pixel_outliers) * clipped.known).sum(2)

    coefficients = clipped.values @ matrix.T
    tails = likelihood.prior_tails(blocks.count(coefficients), np.arange(64) == 0).astype(np.float64)
    lattice = agreement + _log_mass(tails, points, steps).sum(2)
    # Without a lattice, pixels are whole numbers: cells of width 1, of which the known pixels are a share.
    smooth = _log_mass(tails, np.rint(coefficients), np.ones(64, np.float32)).sum(1) * clipped.known.mean(1)
    ahead = lattice - np.maximum(smooth, clipped.plain)
    explained, unexplained = np.log(1 - LATTICE.block_outliers), np.log(LATTICE.block_outliers)
    ratio: NDArray[np.float64] = np.logaddexp(explained + ahead, unexplained).sum(1)
    return ratio


def _log_mass(
    tails: NDArray[np.float64], points: NDArray[np.floating], steps: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the log of the prior's mass in the cells of lattice points (..., 64)."""
    k, step, last = np.abs(points).astype(np.int64), steps.astype(np.int64), tails.shape[1] - 1
    frequency = np.arange(64)
    above = tails[frequency, np.minimum(np.maximum(2 * k - 1, 0) * step, last)]
    mass = above - tails[frequency, np.minimum((2 * k + 1) * step, last)]
    logs: NDArray[np.float64] = np.log(np.where(k > 0, mass / 2, mass) + 1e-9)
    return logs


def read_more(pixels: NDArray[np.uint8], reading: Reading) -> Reading:
    """Return the reading with what clipped blocks of its grid, or of a more telling one, add to it.

    `pixels` is (height, width, 3) uint8 RGB. The reading stays as it is where clipped blocks say nothing.
    """
    if reading.noise != "exact":
        return reading
    picture = Picture(pixels)
    phases = dict.fromkeys([reading.phase, (0, 0), grid.block_edges(pixels).phase])
    found = {phase: nats(picture.cut(phase)) for phase in phases}
    most = max(float(each.max()) for each in found.values())
    if reading.nats < LATTICE.clipped_presence and most < LATTICE.no_other_grid:
        # Not even edges are to be trusted: lines of text have a period too.
        everywhere = [divmod(i, 8) for i in range(64)]
        everywhere.sort(key=lambda phase: float(nats(picture.cut(phase, LATTICE.clipped_glance, spread=True)).max()))
        found |= {phase: nats(picture.cut(phase)) for phase in everywhere[-LATTICE.clipped_grids :]}
    phase = max(found, key=lambda phase: float(found[phase].max()))
    most = float(found[phase].max())
    if most < LATTICE.clipped_presence or nats(picture.cut(phase), tables.mozjpeg_tables()).max() > most:
        return reading  # mozjpeg's coarse steps are multiples of fine standard ones
    own = reading if phase == reading.phase else score.read(pixels, phase)
    if own.nats < LATTICE.presence:  # clipped blocks alone do not tell fine steps from none
        found[phase][LATTICE.inexact_finest :] = min(0.0, float(found[phase].min()))
    number = len(picture.cut(phase).values)
    scores = replace(own.scores, nats=own.scores.nats + found[phase], used=own.scores.used + number)
    more = replace(own, scores=scores, clipped=number)
    return more if more.nats > reading.nats else reading
