"""The list sphere decoder of communications: the lattice points of least squares, the likeliest first.

The K-best algorithm (Guo and Nilsson, IEEE J. Sel. Areas Commun. 24, 2006): a triangular factor, one whole number after
the other, of each problem the best beginnings carried on.
"""

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def points(gram: NDArray[np.floating], right: Plane, kept: int) -> Plane:
    """Return the `kept` whole-numbered x (problems, kept, n) of least x'Gx - 2 r'x, the least first.

    G is `gram` (problems, n, n), r `right` (problems, n). The numbers that are the most certain are decided first.
    """
    number, size = np.arange(len(gram))[:, None], gram.shape[1]
    whole: NDArray[np.float64] = gram.astype(np.float64)
    order = np.linalg.inv(whole).diagonal(axis1=1, axis2=2).argsort(1)[:, ::-1]
    factor = np.linalg.cholesky(whole[number[..., None], order[:, :, None], order[:, None]])
    turned = np.take_along_axis(right, order, axis=1)[..., None].astype(np.float64)
    asked = np.linalg.solve(factor, turned)[..., 0].astype(np.float32)
    upper = factor.swapaxes(1, 2).astype(np.float32)
    chosen, cost = np.zeros((len(gram), 1, size), np.float32), np.zeros((len(gram), 1), np.float32)
    for at in range(size - 1, -1, -1):
        scale = upper[:, at, at, None]
        middle = (asked[:, at, None] - (chosen[..., at + 1 :] @ upper[:, at, at + 1 :, None])[..., 0]) / scale
        nearest = np.rint(middle)
        side = np.where(middle < nearest, np.float32(-1), np.float32(1))
        values = np.stack([nearest, nearest + side, nearest - side], axis=-1)
        costs = cost[..., None] + (scale[..., None] * (values - middle[..., None])) ** 2
        costs, values = costs.reshape(len(gram), -1), values.reshape(len(gram), -1)
        best = np.arange(costs.shape[1])[None]
        if costs.shape[1] > kept:
            best = np.argpartition(costs, kept, axis=1)[:, :kept]
        cost, chosen = costs[number, best].astype(np.float32), chosen[number, best // 3]
        chosen[..., at] = values[number, best]
    chosen = np.take_along_axis(chosen, cost.argsort(1)[..., None], axis=1)
    made = np.empty_like(chosen)
    np.put_along_axis(made, order[:, None], chosen, axis=2)
    return made


def points_apart(scale: Plane, middle: Plane, dearest: float, kept: int) -> Plane:
    """Return what `points` does where the numbers decide nothing of each other: least sum of scale * (x - middle)^2.

    `scale` is (n,), `middle` (problems, n). Each number is moved by one at most, and not where that costs more than
    `dearest`.
    """
    nearest, number = np.rint(middle), np.arange(len(middle))
    off = middle - nearest
    dearer = np.concatenate([scale * (1 - 2 * off), scale * (1 + 2 * off)], axis=1)  # to go up, and to go down
    count = max(int((dearer < dearest).sum(1).max()), 1)
    doubtful = np.argpartition(dearer, count - 1, axis=1)[:, :count]
    moved, cost = np.zeros((len(middle), 1, count), bool), np.zeros((len(middle), 1), np.float32)
    for column, at in enumerate(doubtful.T):
        costs = np.concatenate([cost, cost + dearer[number, at][:, None]], axis=1)
        both = np.concatenate([moved, moved], axis=1)
        both[:, moved.shape[1] :, column] = True
        cost, moved = costs, both
        if costs.shape[1] > kept:
            best = np.argpartition(costs, kept, axis=1)[:, :kept]
            cost, moved = costs[number[:, None], best], both[number[:, None], best]
    moved = np.take_along_axis(moved, cost.argsort(1)[..., None], axis=1)
    made = np.repeat(nearest[:, None], cost.shape[1], axis=1)
    for column, at in enumerate(doubtful.T):
        up = np.where(at < len(scale), 1, -1)[:, None]
        made[number, :, at % len(scale)] += moved[..., column] * up
    return made
