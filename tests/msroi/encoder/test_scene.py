"""What a map means for the blocks of a picture."""

from dataclasses import replace

import numpy as np
import pytest

from q1net_msroi.msroi.encoder.scene import OperatingPoint, Scene, region_weights, subsampling_loss
from q1net_msroi.msroi.encoder.settings import SETTINGS


def weights(saliency: np.ndarray) -> np.ndarray:
    rows, columns = -(-saliency.shape[0] // 8), -(-saliency.shape[1] // 8)
    return region_weights(saliency, 8, rows, columns).reshape(rows, columns)


def test_objects_weigh_one_and_the_rest_nothing() -> None:
    mask = np.zeros((64, 80), np.uint8)
    mask[16:40, 20:56] = 255
    found = weights(mask)
    assert (found[2:5, 3:7] == 1).all()
    assert found[2:5, 2] == pytest.approx(np.sqrt(0.5))  # half of the block is object
    assert found[:2].max() == found[5:].max() == found[:, 7:].max() == 0


def test_by_the_maps_mean() -> None:
    y, x = np.mgrid[:96, :128]
    bright = 2.0 * np.exp(-((y - 40) ** 2 + (x - 60) ** 2) / 900)
    found = weights((100 * bright).astype(np.uint8))
    assert weights((40 * bright).astype(np.uint8)) == pytest.approx(found, abs=0.05)  # brightness alone says nothing
    assert found.max() == 1
    assert found.min() == 0
    saliency = np.repeat(np.array([0, 50, 100, 150, 200], np.uint8), 8)[None].repeat(8, axis=0)
    assert weights(saliency)[0] == pytest.approx([0, 0, 0, 1, 1])  # of 0, 0.5, 1, 1.5 and 2 times the mean


@pytest.mark.parametrize("level", [0, 1, 255])
def test_flat_maps_and_a_single_pixel(level: int) -> None:
    flat = np.full((24, 24), level, np.uint8)
    found = weights(flat)
    assert np.isfinite(found).all()
    assert np.ptp(found) == 0
    flat[0, 0] = 255 - level
    assert np.isfinite(weights(flat)).all()
    assert 0 <= weights(flat).min() <= weights(flat).max() <= 1


def test_an_odd_size_repeats_its_edge() -> None:
    mask = np.zeros((20, 27), np.uint8)
    mask[16:, 24:] = 255
    assert weights(mask)[2, 3] == 1
    assert weights(mask)[:2].max() == 0


def test_the_brightest_weighs_one_also_where_most_is_bright() -> None:
    saliency = np.full((64, 64), 255, np.uint8)
    saliency[:16] = 0  # 1.4 times the mean is more than 255
    assert weights(saliency)[:, 0] == pytest.approx([0, 0, 1, 1, 1, 1, 1, 1])


def test_a_map_that_is_bright_nearly_everywhere_still_tells_bright_from_dark() -> None:
    saliency = np.full((80, 80), 255, np.uint8)
    saliency[:8, :8] = 0  # the ramp's lower end, 1.1 times the mean, would be more than 255
    found = weights(saliency)
    assert found[0, 0] == 0
    assert found.sum() == 99


def test_a_narrower_ramp_never_weighs_more() -> None:
    saliency = np.random.default_rng(0).integers(0, 256, (80, 80)).astype(np.uint8)
    wide, narrow = (
        region_weights(saliency, 8, 10, 10, replace(SETTINGS, ramp_low=low, ramp_high=high))
        for low, high in ((0.4, 1.2), (1.2, 2.2))
    )
    assert (wide >= narrow).all()
    assert wide.mean() > 1.5 * narrow.mean()


@pytest.fixture(scope="module")
def part(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[40:136, 60:188])


def test_chroma_costs_less_the_finer_a_file_is(part: np.ndarray) -> None:
    """At a tenth of lambda luma's steps are finer by the root of ten, chroma's by less."""
    scene, coarse = Scene(part, None), OperatingPoint(1e-3, SETTINGS.first_lambda)
    fine = OperatingPoint(1e-3, SETTINGS.first_lambda / 10)
    luma, chroma = (scene.tables(coarse) / scene.tables(fine))[:, 0]
    assert luma == pytest.approx(np.sqrt(10), rel=0.2)
    assert chroma < 0.85 * luma
    assert scene.chroma_factor(coarse.lambda_) == 1
    assert scene.chroma_factor(fine.lambda_) == pytest.approx(0.1**SETTINGS.chroma_exponent)


def test_a_gray_picture_has_one_component_but_where_colour_is_kept(part: np.ndarray) -> None:
    gray = np.repeat(part[..., :1], 3, axis=2)
    assert len(Scene(gray, None).components) == len(Scene(gray, None).tables(OperatingPoint(1e-3, 20))) == 1
    assert len(Scene(gray, None, keep_colour=True).components) == 3


def test_what_halving_chroma_costs(part: np.ndarray) -> None:
    """Nothing where chroma is flat, more the finer its texture."""
    flat = np.broadcast_to(np.array([200, 40, 90], np.uint8), part.shape)
    stripes = part.copy()
    stripes[:, ::2] = (220, 30, 30)
    losses = [subsampling_loss(Scene(pixels, None, "4:4:4"), pixels) for pixels in (flat, part, stripes)]
    assert losses == sorted(losses)
    assert losses[0] < 1e-3 * losses[1]
    assert losses[2] > 10 * losses[1]
