"""Units with clipped channels: luma and chroma are found together, where neither is known without the other.

A pixel of which one channel is known says one thing of three samples. All coefficients of a unit of luma and chroma are
unknowns of one problem, and the pixels' red, green and blue are what is measured.
"""

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.recovery import decoder, places, search, sphere
from q1net_msroi.classifier.recovery.bounds import CENTRE, GREEN_OF_CB, GREEN_OF_CR
from q1net_msroi.classifier.recovery.layout import Coefficients, Layout
from q1net_msroi.classifier.recovery.projection import BLUE, RED
from q1net_msroi.classifier.recovery.search import Blocks
from q1net_msroi.classifier.recovery.settings import RECOVERY, List

Plane = NDArray[np.float32]

RGB = np.array([[1, 0, RED], [1, -GREEN_OF_CB, -GREEN_OF_CR], [1, BLUE, 0]], np.float32)  # of Y, Cb - 128, Cr - 128


def improve(
    pixels: NDArray[np.uint8],
    layout: Layout,
    tables: NDArray[np.int64],
    levels: Coefficients,
    chosen: NDArray[np.bool_],
    asked: NDArray[np.bool_],
    how: List,
) -> Coefficients:
    """Return `levels` with the `chosen` units (rows, columns) moved to where fewer of the pixels `asked` for differ."""
    factors, shape = layout.factors or (1, 1), chosen.shape
    given = places.windows(pixels, shape, factors, 0)
    seen = places.windows(asked, shape, factors, False)
    samples = places.windows(layout.planes(levels[:1], tables)[0], shape, factors, 0)
    luma = _gathered(levels[0], shape, factors)
    chroma = [each.reshape(*shape, 64).copy() for each in levels[1:]]
    outside = [places.around(each, tables[1]) for each in levels[1:]]
    spreads = [search.spread_of(each, how) for each in levels]
    spread = np.concatenate([np.tile(spreads[0], factors[0] * factors[1]), *spreads[1:]])
    for down, across, y, x in places.alike(chosen, layout.seen(1), factors, RECOVERY.joint_units):
        parts = [
            Blocks(own[y, x].reshape(-1, 8, 8), others[y, x], tables[1], down, across)
            for own, others in zip(chroma, outside, strict=True)
        ]
        units = Units(luma[y, x], parts, tables[0], samples[y, x], given[y, x], seen[y, x])
        found = units.searched(spread, how)
        luma[y, x], chroma[0][y, x], chroma[1][y, x] = np.split(found, [luma.shape[-1], luma.shape[-1] + 64], axis=1)
    return [_scattered(luma, levels[0].shape, factors), *(each.reshape(*shape, 8, 8) for each in chroma)]


def _gathered(levels: NDArray[np.int16], shape: tuple[int, ...], factors: tuple[int, int]) -> NDArray[np.int16]:
    """Return luma's blocks unit by unit: (rows, columns, 64 * blocks), zeros beyond the picture."""
    beyond = [(0, units * factor - blocks) for units, factor, blocks in zip(shape, factors, levels.shape, strict=False)]
    whole = np.pad(levels, [*beyond, (0, 0), (0, 0)])
    return whole.reshape(shape[0], factors[0], shape[1], factors[1], 64).swapaxes(1, 2).reshape(*shape, -1)


def _scattered(luma: NDArray[np.int16], shape: tuple[int, ...], factors: tuple[int, int]) -> NDArray[np.int16]:
    """Undo `_gathered`."""
    whole = luma.reshape(*luma.shape[:2], *factors, 64).swapaxes(1, 2)
    whole = whole.reshape(luma.shape[0] * factors[0], luma.shape[1] * factors[1], 8, 8)
    return np.ascontiguousarray(whole[: shape[0], : shape[1]])


class Units:
    """Units whose chroma lies at places of one kind."""

    def __init__(
        self,
        luma: NDArray[np.int16],
        chroma: list[Blocks],
        table: NDArray[np.integer],
        samples: NDArray[np.uint8],
        pixels: NDArray[np.uint8],
        seen: NDArray[np.bool_],
    ) -> None:
        """Take `luma` (units, 64 * blocks) of steps `table`; luma's `samples` and the `pixels` of the windows."""
        self.luma, self.chroma, self.table, self.samples = luma, chroma, table, samples
        self.pixels, self.seen = pixels.reshape(len(pixels), -1, 3), seen.reshape(len(seen), -1)
        self.factors = chroma[0].down.factor, chroma[0].across.factor
        self.ring = [(factor - 1, factor - 1) for factor in self.factors]
        self.inner = (slice(None), *(slice(factor - 1, 9 * factor - 1) for factor in self.factors))
        basis, (down, across) = places.basis() * table.reshape(64).astype(np.float32), self.factors
        whole = np.einsum("yxk,il,jm->iyjxlmk", basis.reshape(8, 8, 64), np.eye(down), np.eye(across))
        own = np.pad(whole.reshape(8 * down, 8 * across, -1), [*self.ring, (0, 0)]).reshape(-1, 64 * down * across)
        matrices = [own, chroma[0].matrix, chroma[1].matrix]
        self.ends = np.cumsum([each.shape[-1] for each in matrices])[:-1]
        self.matrices = [each.astype(np.float32) for each in matrices]
        others = samples.astype(np.float32)
        others[self.inner] = CENTRE
        base = [others.reshape(len(luma), -1), chroma[0].base - CENTRE, chroma[1].base - CENTRE]
        self.base = np.stack(base, axis=-1)  # of Y, Cb - 128, Cr - 128: (units, pixels, 3)

    def searched(self, spread: Plane, how: List) -> NDArray[np.int16]:
        """Return the best of a list of lattice points (units, n), or what is given where none is better."""
        given = np.concatenate([self.luma, *(each.levels.reshape(-1, 64) for each in self.chroma)], axis=1)
        given = given[:, None].astype(np.float32)
        weight, right = self._measured(self._made(given)[:, 0], how)
        size = given.shape[-1]
        gram, asked = np.zeros((len(given), size, size), np.float32), np.zeros((len(given), size), np.float32)
        parts = [slice(*each) for each in zip([0, *self.ends], [*self.ends, size], strict=True)]
        for one, rows in enumerate(parts):
            asked[:, rows] = (right[:, None, :, one] @ self.matrices[one])[:, 0]
            for two, columns in enumerate(parts):
                part = self.matrices[one].swapaxes(-1, -2) * weight[:, None, :, one, two]
                gram[:, rows, columns] = part @ self.matrices[two]
        for rows, each in zip(parts[1:], self.chroma, strict=True):
            beyond, share = each.beyond(how)
            gram[:, rows, rows] += (each.basis.T * share[:, None]) @ each.basis
            asked[:, rows] += (share * beyond) @ each.basis
        gram += np.diag(1 / spread)
        points = sphere.points(gram, asked, how.kept)
        best = np.take_along_axis(points, self._far(points).argsort(1)[:, : how.decoded, None], axis=1)
        tried = np.concatenate([given, best], axis=1)
        wrong = ((self._decoded(tried) != self.pixels[:, None]).any(-1) & self.seen[:, None]).sum(-1)
        found: NDArray[np.int16] = tried[np.arange(len(tried)), wrong.argmin(1)].astype(np.int16)
        return found

    def _made(self, points: Plane) -> Plane:
        """Return Y, Cb - 128 and Cr - 128, not rounded, (units, list, pixels, 3) of points (units, list, n)."""
        luma, *chroma = np.split(points, self.ends, axis=-1)
        made = [luma @ self.matrices[0].T + self.base[:, None, :, 0]]
        made += [each.made(part) - CENTRE for part, each in zip(chroma, self.chroma, strict=True)]
        return np.stack(made, axis=-1)

    def _measured(self, made: Plane, how: List) -> tuple[Plane, Plane]:
        """Return the weights W (units, pixels, 3, 3) of Y, Cb and Cr, and W times what they were less the base."""
        noise = np.array([RECOVERY.noise_exact, RECOVERY.noise_chroma, RECOVERY.noise_chroma]) ** 2
        colours, pixels = made @ RGB.T, self.pixels.astype(np.float32)
        limit = np.where(
            pixels == 0, np.minimum(colours, -1), np.where(pixels == 255, np.maximum(colours, 256), pixels)
        )
        clipped = (self.pixels == 0) | (self.pixels == 255)
        unsure = (RECOVERY.noise_flat if how.flat else RECOVERY.noise_clipped) ** 2
        variance = np.where(clipped, unsure, RGB**2 @ noise + RECOVERY.noise_exact**2)
        weight = np.einsum("upc,ca,cb->upab", 1 / variance, RGB, RGB)
        weight[~clipped.any(-1)] = np.diag(1 / noise)
        weight *= self.seen[..., None, None]
        target = limit @ np.linalg.inv(RGB).T
        return weight.astype(np.float32), np.einsum("upab,upb->upa", weight, target - self.base).astype(np.float32)

    def _far(self, points: Plane) -> Plane:
        """Return how far colours lie beyond what their rounding admits: sums of squares (units, list)."""
        colours, pixels = self._made(points) @ RGB.T, self.pixels[:, None].astype(np.float32)
        low, high = np.where(pixels == 0, -np.inf, pixels - 1), np.where(pixels == 255, np.inf, pixels + 1)
        beyond = np.maximum(np.maximum(low - colours, colours - high), 0) * self.seen[:, None, :, None]
        return np.asarray(np.einsum("ukpc,ukpc->uk", beyond, beyond))

    def _decoded(self, points: Plane) -> NDArray[np.uint8]:
        """Return the pixels (units, list, pixels, 3) that the decoder makes."""
        luma, cb, cr = np.split(points, self.ends, axis=-1)
        down, across = self.factors
        blocks = luma.reshape(*luma.shape[:2], down, across, 8, 8).astype(np.int32) * self.table.astype(np.int32)
        whole = np.broadcast_to(self.samples[:, None], (*luma.shape[:2], *self.samples.shape[1:])).copy()
        own = decoder.samples(blocks).swapaxes(-3, -2)
        whole[:, *self.inner] = own.reshape(*luma.shape[:2], 8 * down, 8 * across)
        samples = whole.reshape(*luma.shape[:2], -1)
        return decoder.colours(samples, *(each.decoded(part) for each, part in zip(self.chroma, (cb, cr), strict=True)))
