"""The densities of rounding against what decoders really leave between coefficients and their lattices."""

import numpy as np
import pytest

from q1net_msroi.classifier.lattice import blocks, chroma
from q1net_msroi.classifier.lattice.noise import RESOLUTION, expected, noise_table
from q1net_msroi.utils import jpeg
from tests.golden import pictures

DCT = np.kron(jpeg.dct_matrix(), jpeg.dct_matrix())


def distances(kind: str, quality: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of seven decoded photographs less the nearest points of their tables, and the steps."""
    found = []
    for pixels in pictures.photographs().values():
        decoded = jpeg.compress(pixels, quality)
        cut = chroma.cut(decoded, (0, 0), chroma.WAYS[0]) if kind == "chroma" else blocks.cut(decoded)
        found.append(cut.values[~cut.clipped])
    values = np.concatenate(found)
    square = values.reshape(-1, 8, 8)
    values = values[(np.ptp(square, axis=1).any(1)) & (np.ptp(square, axis=2).any(1))]
    steps = jpeg.standard_tables()[quality - 1, int(kind == "chroma")].ravel()
    coefficients = values @ DCT.T
    away = coefficients - np.rint(coefficients / steps) * steps
    return away, np.broadcast_to(steps, away.shape)


@pytest.mark.parametrize(
    ("kind", "quality", "most"), [("exact", 30, 0.005), ("exact", 50, 0.009), ("chroma", 30, 0.63)]
)
def test_the_density_is_that_of_decoded_photographs(kind: str, quality: int, most: float) -> None:
    """Kullback-Leibler distance of the measured distances from the table's density, on wide lattices, in nats."""
    away, steps = distances(kind, quality)
    bins = np.rint(np.abs(away[steps >= 16]) * RESOLUTION).astype(int)
    share = np.bincount(bins, minlength=65)[:65] / len(bins)
    width = np.where(np.arange(65) == 0, 1, 2) / RESOLUTION
    model = noise_table(kind)[:65, 98].astype(float)  # of step 99: its cells overlap nowhere near
    some = share > 0
    assert 0 <= (share[some] * (np.log(share[some] / width[some]) - model[some])).sum() < most


@pytest.mark.parametrize("step", [2, 8, 60])
def test_the_expected_density_is_that_of_drawn_rounding(step: int) -> None:
    random = np.random.default_rng(step)
    wide = random.random(200_000) < 0.05
    away = random.normal(0, np.where(wide, 0.50, 0.280))
    bins = np.rint(np.abs(away) * RESOLUTION).astype(int)
    assert noise_table("exact")[bins, step - 1].mean() == pytest.approx(expected("exact")[step - 1], abs=0.01)
