"""Was a real JPEG file compressed before, as somebody claims? Asked of the file's own stored coefficients.

Coefficients c that an earlier compression with steps Q left lie near multiples of Q, so the mean of cos(2 pi c / Q) is
high on the grid of that compression and on no other. Measured is by how many standard errors it is higher than on
other grids. On the file's own grid the last compression made multiples of its steps S: there the others are rounded to
multiples of S before they are compared. Beside the own grid edges between blocks disturb the mean, alike on both sides:
there a grid is also compared with its mirror image.

On 60 photographs saved once, half of them with tables of cameras and Photoshop, claims of random qualities stood out by
at most 3.7 on the best of all grids. Of compressions made 5 to 60 below the last one 30 of 30 on the same grid stood
out by 10 and more, 26 of 30 on another by 6 and more. A claim whose steps are twice those of a true compression counts
as true.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.lattice_evidence import LatticeEvidence
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.utils import jpeg

Floats = NDArray[np.float32]
Sums = tuple[Floats, Floats]
Grid = tuple[int, int]

SHOWS = 6.0  # standard errors from which on a claim is true
DENIED = 4.0  # below which it is false; between the two it is undecided
LEAST_SHARE = 0.15  # of what a whole earlier compression shows
NEAR = 2  # qualities by which a claim may be off
BESIDE = 8  # qualities off which an earlier compression's steps no longer fit
FEWEST_STEPS = 5  # of an earlier table that must be above the last one's to leave anything
ROUNDING = 1 / 12  # variance of a pixel's rounding
OWN = (0, 0)
GRIDS = [(y, x) for y in range(8) for x in range(8)]
CONTROLS = [(y, x) for y in (3, 4, 5) for x in (3, 4, 5)]  # far from the own grid


@dataclass(frozen=True)
class Stored:
    """A file's luma: stored coefficients (blocks, 64), the steps (64,) they are multiples of, the pixels they give."""

    coefficients: Floats
    steps: Floats
    plane: Floats

    def on(self, grid: Grid) -> Floats:
        """Return the coefficients (blocks, 64) on the grid of blocks that begins at (y, x)."""
        if grid == OWN:
            return self.coefficients
        part = self.plane[grid[0] :, grid[1] :]
        rows, columns = part.shape[0] // 8, part.shape[1] // 8
        blocks = part[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).swapaxes(1, 2)
        return blocks.reshape(-1, 64) @ _transform()


def _transform() -> Floats:
    """Return the matrix (64 pixels, 64 coefficients) of the DCT of a block."""
    matrix = jpeg.dct_matrix()
    return np.kron(matrix, matrix).T.astype(np.float32)


def read(content: bytes) -> Stored | None:
    """Return a JPEG file's luma; None where its coefficients cannot be read."""
    import jpeglib

    with jpeg.jpeglib_lock, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(content)
        try:
            file = jpeglib.read_dct(str(path))
            levels, steps = np.array(file.Y, np.float32), np.array(file.qt[file.quant_tbl_no[0]], np.float32)
        except Exception:  # the library raises whatever it likes
            return None
    rows, columns = levels.shape[:2]
    coefficients: Floats = (levels * steps).reshape(-1, 64)
    blocks = (coefficients @ _transform().T).reshape(rows, columns, 8, 8).swapaxes(1, 2)
    return Stored(coefficients, steps.ravel(), blocks.reshape(rows * 8, columns * 8))


def cosines(coefficients: Floats, steps: Floats, least: Floats | float = 0.0) -> Sums:
    """Return for each frequency the sum of cos(2 pi c / Q) and the number of its terms.

    Those are of coefficients that do not round to 0 and are greater than `least`.
    """
    speak = np.abs(coefficients) > np.maximum(steps / 2, least)
    speak[:, 0] = False
    return (np.cos(2 * np.pi * coefficients / steps) * speak).sum(0), speak.sum(0).astype(np.float32)


def _excess(one: Sums, others: Sequence[Sums], weights: Floats) -> tuple[float, float]:
    """Return how much higher the weighted cosines of a grid are than those of others: in standard errors, and per 1.

    The second is about 1 where all coefficients still lie as an earlier compression left them, 0 where none does.
    """
    expected = sum(total for total, _ in others) / np.maximum(sum(number for _, number in others), 1)
    total, number = one
    found, most = float((weights * (total - expected * number)).sum()), float((weights**2 * number).sum()) + 1e-9
    return found / float(np.sqrt(most / 2)), found / most


def on_own_grid(stored: Stored, steps: Floats) -> tuple[float, float]:
    """Return how much an earlier compression with `steps` (64,) shows on the file's own grid, as `_excess`."""
    last = stored.steps
    weights = np.where(steps > last, np.exp(-2 * np.pi**2 * last**2 / 12 / steps**2), 0)
    least = 1.5 * last  # some encoders, Photoshop's too, leave out most coefficients of one step
    rounded = [cosines(np.rint(stored.on(grid) / last) * last, steps, least) for grid in CONTROLS]
    return _excess(cosines(stored.coefficients, steps, least), rounded, weights)


def peak(stored: Stored, quality: int) -> float:
    """Return by how many standard errors more a quality shows on the own grid than the less of two beside it.

    One of them may show as much, as two thirds of a step do. What a single compression does to few and strong
    coefficients makes many qualities in a row show a little, or one in very many coefficients: what is little by
    itself counts as undecided.
    """
    found, share = on_own_grid(stored, _steps(quality))
    beside = [other for other in (quality - BESIDE, quality + BESIDE) if 1 <= other <= 100]
    higher = found - max(0.0, min(on_own_grid(stored, _steps(other))[0] for other in beside))
    return higher if share >= LEAST_SHARE else min(higher, DENIED)


def _steps(quality: int) -> Floats:
    """Return the luma steps (64,) of a standard quality."""
    steps: Floats = jpeg.standard_tables()[quality - 1, 0].ravel().astype(np.float32)
    return steps


def on_other_grids(stored: Stored, steps: Floats) -> dict[Grid, float]:
    """Return by how many standard errors an earlier compression with `steps` (64,) shows on the 63 other grids."""
    noise = float((stored.steps**2).mean()) / 12 + ROUNDING
    weights = np.exp(-2 * np.pi**2 * noise / steps**2)
    found = {grid: cosines(stored.on(grid), steps) for grid in GRIDS if grid != OWN}
    errors = {grid: _excess(one, list(found.values()), weights)[0] for grid, one in found.items()}
    middle = float(np.median(list(errors.values())))
    spread = max(1.0, 1.4826 * float(np.median([abs(error - middle) for error in errors.values()])))
    return {(y, x): (error - max(middle, errors[_mirror(y, x)])) / spread for (y, x), error in errors.items()}


def _mirror(y: int, x: int) -> Grid:
    """Return the grid that lies on the other side of the file's own one, turned where that is the same."""
    other = -y % 8, -x % 8
    return other if other != (y, x) else (x, y)


def strength(content: bytes, claimed: float, grid: Grid | None) -> float | None:
    """Return by how many standard errors a compression near a quality shows on a grid, or on any; None if unread.

    It is 0 where no quality near the claimed one has steps enough above the last one's.
    """
    stored = read(content)
    if stored is None:
        return None
    low, high = max(1, round(claimed) - NEAR), min(100, round(claimed) + NEAR)
    best = 0.0
    for quality in range(low, high + 1):
        steps = _steps(quality)
        if (steps > stored.steps)[1:].sum() < FEWEST_STEPS:
            continue
        if grid in (OWN, None):
            best = max(best, peak(stored, quality))
        if grid != OWN:
            others = on_other_grids(stored, steps)
            best = max(best, max(others.values()) if grid is None else others[grid])
    return best


def stands_out(content: bytes, claimed: float, grid: Grid | None) -> bool | None:
    """Return whether a claim of an earlier compression is true by the file's coefficients; None: undecided."""
    found = strength(content, claimed, grid)
    return None if found is None or DENIED <= found < SHOWS else found >= SHOWS


def claimed_grid(answer: Estimate, corner: Grid | None) -> Grid | None:
    """Return on which grid of the file an answer claims an earlier compression; None where it names none.

    `corner` (y, x) is where the picture begins in the file, None where it does not lie in it as it is.
    """
    everyone = (answer.evidence, *getattr(answer.evidence, "asked", ()))
    lattice = next((said for said in everyone if isinstance(said, LatticeEvidence)), None)
    if lattice is None or corner is None:
        return None
    phase = lattice.earlier.phase if lattice.earlier is not None else None
    if phase is None and lattice.quality is not None:
        phase = lattice.phase
    return None if phase is None else ((phase[0] + corner[0]) % 8, (phase[1] + corner[1]) % 8)
