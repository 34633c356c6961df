"""The lattice points near a block's pixels: of a list of the likeliest the one is kept that decodes to them.

A block's pixels are a linear function of its 64 whole numbers. Pixels that are clipped or unseen weigh little, and
coefficients that nothing else decides are as likely as they are in other blocks.
"""

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.recovery import places, sphere
from q1net_msroi.classifier.recovery.bounds import CENTRE, FREE
from q1net_msroi.classifier.recovery.places import Place
from q1net_msroi.classifier.recovery.settings import RECOVERY, List

Plane = NDArray[np.float32]
Levels = NDArray[np.int16]


def improve(
    levels: Levels,
    chosen: NDArray[np.bool_],
    table: NDArray[np.integer],
    limits: tuple[Plane, Plane],
    factors: tuple[int, int],
    how: List,
) -> Levels:
    """Return `levels` (rows, columns, 8, 8) of one component with the `chosen` blocks moved nearer to the pixels.

    `limits` are the least and the greatest value (height, width) of the component at each pixel, -+FREE for none;
    `factors` (vertical, horizontal) are the component's own.
    """
    shape, (height, width) = levels.shape[:2], limits[0].shape
    outside, spread = places.around(levels, table), spread_of(levels, how)
    low, high = (places.windows(each, shape, factors, end) for each, end in zip(limits, (-FREE, FREE), strict=True))
    made, seen = levels.copy(), (-(-height // factors[0]), -(-width // factors[1]))
    size = max(RECOVERY.search_memory // how.kept, 1)
    for down, across, y, x in places.alike(chosen, seen, factors, size):
        blocks = Blocks(levels[y, x], outside[y, x], table, down, across)
        made[y, x] = blocks.searched((_flat(low[y, x]), _flat(high[y, x])), spread, how)
    return made


def spread_of(levels: Levels, how: List) -> Plane:
    """Return the variance of each of a component's coefficients (64,), as far as it is likely."""
    share = RECOVERY.search_flat if how.flat else 1.0
    spread: Plane = np.maximum(levels.reshape(-1, 64).var(0) * share, RECOVERY.search_spread).astype(np.float32)
    spread[0] = RECOVERY.search_mean
    return spread


class Blocks:
    """Blocks of one component at places of one kind.

    Their pixels are `base` + `matrix` @ levels, where `stuck` samples, clipped before they were upsampled, stay.
    """

    def __init__(
        self, levels: Levels, outside: NDArray[np.uint8], table: NDArray[np.integer], down: Place, across: Place
    ) -> None:
        """Take `levels` (blocks, 8, 8), and the samples `outside` (blocks, 10, 10), the blocks' own in the middle."""
        self.levels, self.outside, self.table, self.down, self.across = levels, outside, table, down, across
        whole, self.inner = places.operators(down, across)
        self.basis = places.basis() * table.reshape(64).astype(np.float32)
        own = outside[:, 1:9, 1:9].reshape(-1, 64)
        halved = down.factor * across.factor > 1  # else the limits say that a sample was clipped
        self.stuck = ((own == 0) | (own == 255)) & halved
        others = outside.astype(np.float32)
        others[:, 1:9, 1:9] = np.where(self.stuck, own, CENTRE).reshape(-1, 8, 8)
        self.base = others.reshape(-1, 100) @ whole.T
        self.matrix = self.inner @ self.basis
        if self.stuck.any():
            self.matrix = np.where(self.stuck[:, None], 0, self.inner) @ self.basis

    def decoded(self, levels: NDArray[np.floating]) -> NDArray[np.int32]:
        """Return the pixels (blocks, list, pixels), bit by bit, of whole-numbered `levels` (blocks, list, 64)."""
        given = levels.reshape(*levels.shape[:2], 8, 8).astype(np.int32) * self.table.astype(np.int32)
        return places.decoded(given, self.outside[:, None], self.down, self.across)

    def made(self, points: Plane) -> Plane:
        """Return the pixels (blocks, list, pixels), not rounded, of points (blocks, list, 64)."""
        if not self.stuck.any():
            return np.asarray(self.base[:, None] + points @ self.matrix.T)
        samples = np.clip(points @ self.basis.T, -CENTRE, 255 - CENTRE)
        own = np.where(self.stuck, self.outside[:, 1:9, 1:9].reshape(-1, 64).astype(np.float32) - CENTRE, 0)
        return np.asarray(self.base[:, None] + (samples - own[:, None]) @ self.inner.T)

    def normal(self, weight: Plane, asked: Plane, how: List) -> tuple[Plane, Plane]:
        """Return G and r of the least squares: pixels less `base` (blocks, pixels), and samples that are stuck."""
        turned = self.matrix.swapaxes(-1, -2)
        gram, right = (turned * weight[:, None]) @ self.matrix, ((weight * asked)[:, None] @ self.matrix)[:, 0]
        if self.stuck.any():
            beyond, part = self.beyond(how)
            gram += (self.basis.T * part[:, None]) @ self.basis
            right += (part * beyond) @ self.basis
        return gram, right

    def beyond(self, how: List) -> tuple[Plane, Plane]:
        """Return where stuck samples were before they were clipped, less 128, and the weight of that."""
        own = self.outside[:, 1:9, 1:9].reshape(-1, 64)
        given = self.levels.reshape(-1, 64) @ self.basis.T
        far = np.where(own == 255, np.maximum(given, 256 - CENTRE), np.minimum(given, -1 - CENTRE))
        return far.astype(np.float32), self.stuck / np.float32(_unsure(how) ** 2)

    def searched(self, limits: tuple[Plane, Plane], spread: Plane, how: List) -> Levels:
        """Return the best of a list of lattice points, or the levels where none is better.

        `limits` (blocks, pixels) are those of the pixels, `spread` (64,) the variances of coefficients.
        """
        low, high = limits
        given = self.levels.reshape(-1, 1, 64).astype(np.float32)
        asked, weight = self._target(limits, how)
        if self.down.factor * self.across.factor > 1 or (high > low).any():
            gram, right = self.normal(weight, asked, how)
            points = sphere.points(gram + np.diag(1 / spread), right, how.kept)
        else:
            scale = weight[0, 0] * self.table.reshape(64).astype(np.float32) ** 2 + 1 / spread
            points = sphere.points_apart(scale, (asked * weight) @ self.matrix / scale, RECOVERY.search_dear, how.kept)
        far = _beyond(self.made(points), low[:, None], high[:, None])
        best = np.take_along_axis(points, far.argsort(1, kind="stable")[:, : how.decoded, None], axis=1)
        found, wrong = self._nearest(np.concatenate([given, best], axis=1), low, high)
        rest = np.flatnonzero((wrong > 0) & ~self.stuck.any(1))
        if how.steps and rest.size:
            left = Blocks(self.levels[rest], self.outside[rest], self.table, self.down, self.across)
            starts = np.concatenate([found[rest], best[rest, : RECOVERY.search_starts]], axis=1)
            ends = left._descended(starts, low[rest], high[rest])
            found[rest] = left._nearest(np.concatenate([found[rest], ends], axis=1), low[rest], high[rest])[0]
        made: Levels = found.reshape(-1, 8, 8).astype(np.int16)
        return made

    def _target(self, limits: tuple[Plane, Plane], how: List) -> tuple[Plane, Plane]:
        """Return what pixels were less what others add to them, as far as that is known, and its weight."""
        low, high = limits
        width, halved = high - low, self.down.factor * self.across.factor > 1
        made = self.made(self.levels.reshape(-1, 1, 64).astype(np.float32))[:, 0]
        sure, free = width < RECOVERY.search_sure, (low <= -FREE) & (high >= FREE)
        target = np.where(sure, (low + high) / 2, np.clip(made, low + 1, high - 1))
        rounding = RECOVERY.noise_chroma if halved else RECOVERY.noise_exact
        noise = rounding * np.where(free.any(1), how.noise, 1)[:, None]  # hardly seen: to fit matters more
        unsure = np.where(free, RECOVERY.noise_free, _unsure(how))
        weight: Plane = (1 / np.where(sure, noise**2 + width**2 / 12, unsure**2)).astype(np.float32)
        return target - self.base, weight

    def _nearest(self, tried: Plane, low: Plane, high: Plane) -> tuple[Plane, NDArray[np.int64]]:
        """Return which of the points (blocks, 1, 64) decodes to the fewest pixels beyond the limits, and how many."""
        decoded = self.decoded(tried)
        wrong = ((decoded < low[:, None]) | (decoded > high[:, None])).sum(-1)
        best = wrong.argmin(1)[:, None]
        return np.take_along_axis(tried, best[..., None], axis=1), np.take_along_axis(wrong, best, axis=1)[:, 0]

    def _descended(self, starts: Plane, low: Plane, high: Plane) -> Plane:
        """Return the points (blocks, list, 64) to which single steps towards the limits lead."""
        count = starts.shape[1]
        points = starts.reshape(-1, 64).copy()
        low, high, base = (np.repeat(each, count, axis=0) for each in (low, high, self.base))
        made = base + points @ self.matrix.T
        moves = np.concatenate([np.zeros((1, 64)), np.eye(64), -np.eye(64)]).astype(np.float32)
        steps, left = moves @ self.matrix.T, np.arange(len(points))
        size = max(RECOVERY.search_steps // steps.size, 1)
        for _ in range(RECOVERY.search_sweeps):
            moved = []
            for first in range(0, len(left), size):
                at = left[first : first + size]
                best = _beyond(made[at, None] + steps, low[at, None], high[at, None]).argmin(1)
                points[at] += moves[best]
                made[at] += steps[best]
                moved.append(at[best > 0])
            left = np.concatenate([left[:0], *moved])
        return points.reshape(starts.shape)


def _flat(windows: Plane) -> Plane:
    return windows.reshape(len(windows), -1)


def _unsure(how: List) -> float:
    """Return how far a clipped sample lies beyond its limit."""
    return RECOVERY.noise_flat if how.flat else RECOVERY.noise_clipped


def _beyond(made: Plane, low: Plane, high: Plane) -> Plane:
    """Return how far pixels (..., pixels) that are not rounded yet lie beyond their limits: the sum of squares."""
    beyond = np.maximum(low - 0.5 - made, made - (high + 0.5))
    np.maximum(beyond, 0, out=beyond)
    return np.asarray(np.einsum("...p,...p->...", beyond, beyond))
