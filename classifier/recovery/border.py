"""Blocks that the picture's border cuts: their lattice point is looked for, because rounding needs all 64 samples.

A block of which m columns are seen has, of each vertical frequency, m equations for eight whole numbers. Those near the
coefficients of the repeated last column, which is how encoders fill a block, are all tried; likewise for rows.
"""

import functools
import itertools

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.recovery import decoder
from q1net_msroi.classifier.recovery.settings import RECOVERY
from q1net_msroi.utils import jpeg

Plane = NDArray[np.float32]


@functools.cache
def _moves() -> Plane:
    """Return all ways to move eight whole numbers by one at most: (6561, 8)."""
    return np.array(list(itertools.product((0, -1, 1), repeat=8)), np.float32)


def solve(part: Plane, asked: Plane, levels: NDArray[np.int16], table: Plane, exact: bool) -> None:
    """Put the likeliest lattice points of blocks cut at the right or at the bottom into `levels` (rows, columns, 8, 8).

    `part` (height, width) are the samples, whole numbers where `exact`; `asked` the coefficients, in steps of `table`
    (8, 8), with the last ones repeated. The block in the corner, cut both ways, is left as it is.
    """
    height, width = part.shape
    down, across = height // 8, width // 8
    if (seen := width % 8) and down:
        samples = part[: 8 * down, 8 * across :].reshape(down, 8, seen)
        levels[:down, across] = _found(samples, asked[:down, across], table, exact, False)
    if (seen := height % 8) and across:
        samples = part[8 * down :, : 8 * across].reshape(seen, across, 8).transpose(1, 2, 0)
        turned = asked[down, :across].swapaxes(-1, -2)
        levels[down, :across] = _found(samples, turned, table.T, exact, True).swapaxes(-1, -2)


def _found(samples: Plane, asked: Plane, table: Plane, exact: bool, turned: bool) -> NDArray[np.int16]:
    """Return the coefficients (blocks, 8, 8) of samples (blocks, 8, seen), rows for columns where `turned`."""
    seen = samples.shape[-1]
    matrix = jpeg.dct_matrix()
    lines, base = matrix @ (samples - decoder.CENTRE), np.rint(asked)
    noise = RECOVERY.noise_exact if exact else RECOVERY.noise_chroma
    kept = RECOVERY.border_kept if exact else 1
    likely = np.empty((len(samples), 8, kept, 8), np.int16)
    for row in range(8):
        steps = table[row, :, None] * matrix[:, :seen]
        moved = _moves() @ steps
        rest = lines[:, row] - base[:, row] @ steps
        error = (moved**2).sum(1) - 2 * rest @ moved.T
        away = (_moves() ** 2).sum(1) + 2 * (base[:, row] - asked[:, row]) @ _moves().T
        cost = error / (2 * noise**2) + away / (2 * RECOVERY.border_spread**2)
        best = np.argpartition(cost, kept, axis=1)[:, :kept]
        best = np.take_along_axis(best, np.take_along_axis(cost, best, 1).argsort(1), 1)
        likely[:, row] = base[:, row, None] + _moves()[best]
    return _fitting(samples, likely, table, turned) if exact else likely[:, :, 0]


def _fitting(samples: Plane, likely: NDArray[np.int16], table: Plane, turned: bool) -> NDArray[np.int16]:
    """Return for each frequency that one of the `likely` (blocks, 8, kept, 8) which decodes to the samples best."""
    chosen = likely[:, :, 0].copy()
    steps, seen = table.astype(np.int32), samples.shape[-1]
    for row in itertools.chain(*[range(8)] * RECOVERY.border_sweeps):
        tried = np.repeat(chosen[:, None], likely.shape[2], axis=1)
        tried[:, :, row] = likely[:, row]
        given = tried * steps
        made = decoder.samples(given.swapaxes(-1, -2)).swapaxes(-1, -2) if turned else decoder.samples(given)
        error = ((made[..., :seen] - samples[:, None]) ** 2).sum((-1, -2))
        chosen[:, row] = likely[np.arange(len(likely)), row, error.argmin(1)]
    return chosen
