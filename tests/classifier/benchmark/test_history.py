"""Whether a file was compressed before, by its coefficients."""

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark import history
from q1net_msroi.classifier.estimators.auto import AutoEvidence
from q1net_msroi.classifier.estimators.lattice_evidence import Earlier, LatticeEvidence
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.utils import jpeg

pytest.importorskip("jpeglib")


@pytest.fixture(scope="module")
def pixels(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[:288, :400])


def test_the_pixels_of_the_coefficients_are_those_of_a_decoder(pixels: np.ndarray) -> None:
    gray = pixels[..., 1]
    content = jpeg.encode(gray, 90)
    stored = history.read(content)
    assert stored is not None
    decoded = jpeg.decode(content)[..., 0].astype(float)
    assert np.abs(stored.plane + 128 - decoded)[8:-8, 8:-8].max() < 1.5
    same = stored.plane.reshape(36, 8, 50, 8).swapaxes(1, 2).reshape(-1, 64) @ history._transform()
    assert np.allclose(same, stored.coefficients, atol=0.01)


@pytest.mark.fast(1)
@pytest.mark.parametrize(("offset", "grid"), [((0, 0), (0, 0)), ((3, 5), (5, 3))])
def test_a_compression_shows_on_its_own_grid_alone(
    pixels: np.ndarray, offset: tuple[int, int], grid: tuple[int, int]
) -> None:
    twice = jpeg.encode(np.ascontiguousarray(jpeg.compress(pixels, 60)[offset[0] :, offset[1] :]), 90)
    assert history.stands_out(twice, 60, grid) is True
    assert history.stands_out(twice, 60, None) is True
    assert history.stands_out(twice, 60, (1, 6)) is False
    assert history.stands_out(twice, 45, grid) is False


@pytest.mark.fast(1)
@pytest.mark.parametrize("claimed", [10, 40, 75])
def test_a_single_compression_shows_none(pixels: np.ndarray, claimed: int) -> None:
    assert history.stands_out(jpeg.encode(pixels, 85), claimed, None) is False


def test_an_earlier_compression_above_the_last_is_false(pixels: np.ndarray) -> None:
    assert history.strength(jpeg.encode(pixels, 70), 75, None) == 0


def test_what_cannot_be_read_is_undecided() -> None:
    assert history.stands_out(b"no JPEG", 50, None) is None


def test_the_grid_that_is_claimed() -> None:
    other = LatticeEvidence(verdict="compressed", quality=90, phase=(1, 2), earlier=Earlier(60, (5, 7), 99.0))
    lower = LatticeEvidence(verdict="compressed", quality=60, phase=(1, 2))
    silent = LatticeEvidence(verdict="never")

    def grid(said: LatticeEvidence, corner: tuple[int, int] | None) -> tuple[int, int] | None:
        return history.claimed_grid(Estimate(90.0, evidence=AutoEvidence(asked=(said,))), corner)

    assert grid(other, (0, 0)) == (5, 7)
    assert grid(other, (5, 13)) == (2, 4)
    assert grid(lower, (0, 0)) == (1, 2)
    assert grid(other, None) is None
    assert grid(silent, (0, 0)) is None
