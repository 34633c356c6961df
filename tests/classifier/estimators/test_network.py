"""The network's estimator with a network that says what the test wants: which patches count, and when too few do."""

import numpy as np
import pytest

from q1net_msroi.classifier.estimators import network
from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.settings import NETWORK

pytestmark = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "model.json").exists(), reason="no weights are shipped in save/jpeg_paper"
)
PARTS = 40
SURE, UNSURE = 99.9, 50.0


def estimator(monkeypatch: pytest.MonkeyPatch, sure: int, **asked: object) -> NetworkEstimator:
    """Return an estimator of whose patches the first `sure` say 60 with confidence, the others 10 without."""

    def predict(patches: np.ndarray) -> np.ndarray:
        first = np.arange(len(patches))[:, None] < sure
        return np.where(first, [[SURE, 60.0]], [[UNSURE, 10.0]]).astype(np.float32)

    monkeypatch.setattr(network, "predictor", lambda *_: predict)
    return NetworkEstimator(Asked(**asked))  # type: ignore[arg-type]


@pytest.fixture
def patches() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (PARTS, 16, 16, 3)).astype(np.uint8)


@pytest.mark.parametrize("sure", [0, 1, 3, 4, 20, PARTS])
def test_a_tenth_of_the_patches_must_be_confident(
    monkeypatch: pytest.MonkeyPatch, patches: np.ndarray, sure: int
) -> None:
    answer = estimator(monkeypatch, sure).estimate_patches(patches)
    assert (answer.evidence.used, answer.evidence.parts) == (sure, PARTS)
    if sure >= NETWORK.least_share * PARTS:
        assert answer.quality == pytest.approx(60, abs=1)  # corrected
        assert answer.interval is not None
        assert answer.interval[0] <= answer.quality <= answer.interval[1]
        assert answer.reason is None
    else:
        few = f"too few confident patches to rely on: {sure} of {PARTS}, about 60"
        none = f"none of {PARTS} patches is confident (best 50.0, needed more than 98)"
        assert (answer.quality, answer.interval, answer.reason) == (None, None, few if sure else none)
        assert answer.evidence.quality == (pytest.approx(60, abs=1) if sure else None)  # what they say is still told


@pytest.mark.parametrize(("more", "relied"), [(-0.1, True), (0.1, False)])
def test_patches_that_differ_are_not_relied_on(
    monkeypatch: pytest.MonkeyPatch, patches: np.ndarray, more: float, relied: bool
) -> None:
    """Half of the patches say one quality, half another, as at tables that are no standard quality's."""
    apart = network.calibrated(weights.SAVE / "jpeg_paper", "float32")["grid/median"]["interval"]["most_spread"] + more
    said = np.where(np.arange(PARTS)[:, None] % 2, [[SURE, 60.0]], [[SURE, 60.0 + apart]]).astype(np.float32)
    monkeypatch.setattr(network, "predictor", lambda *_: lambda _: said)
    answer = NetworkEstimator(Asked()).estimate_patches(patches)
    assert answer.evidence.spread == pytest.approx(apart, abs=1e-4)
    assert (answer.quality is not None) == (answer.interval is not None) == (answer.reason is None) == relied
    if not relied:
        half = f"half of 40 lie {apart:.0f} apart, about {answer.evidence.quality:.0f}"
        assert answer.reason == f"the confident patches differ, as with tables that are not standard: {half}"
    alone = NetworkEstimator(Asked(threshold=90.0)).estimate_patches(patches)
    assert (alone.quality, alone.reason) == (pytest.approx(60 + apart / 2, abs=1e-4), None)


def test_with_a_threshold_of_ones_own_one_is_enough(monkeypatch: pytest.MonkeyPatch, patches: np.ndarray) -> None:
    """Nothing was measured there: neither a correction, nor intervals, nor how many are enough."""
    answer = estimator(monkeypatch, 1, threshold=90.0).estimate_patches(patches)
    assert (answer.quality, answer.interval, answer.reason) == (60, None, None)


def test_flat_patches_do_not_count(monkeypatch: pytest.MonkeyPatch, patches: np.ndarray) -> None:
    patches[5:25] = 93
    assert estimator(monkeypatch, 25).estimate_patches(patches).evidence.used == 5
    patches[:] = 93
    answer = estimator(monkeypatch, PARTS).estimate_patches(patches)
    assert (answer.quality, answer.reason) == (None, "the picture is flat all over")


def test_no_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert estimator(monkeypatch, 1).predict_patches(np.zeros((0, 16, 16, 3), np.uint8)).shape == (0, 2)


@pytest.mark.parametrize(("phase", "side", "seen"), [((3, 5), 64, (3, 5)), ((7, 0), 30, (0, 0))])
def test_patches_begin_on_the_grid_that_is_known(
    monkeypatch: pytest.MonkeyPatch, phase: tuple[int, int], side: int, seen: tuple[int, int]
) -> None:
    """Unless too little of the picture would be left."""
    found: list[np.ndarray] = []

    def choose(pixels: np.ndarray) -> np.ndarray:
        found.append(pixels)
        return np.zeros((1, 16, 16, 3), np.uint8)

    monkeypatch.setitem(network.patches.CHOICES, "grid", choose)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    estimator(monkeypatch, 1).estimate(pixels, phase)
    np.testing.assert_array_equal(found[0], pixels[seen[0] :, seen[1] :])
