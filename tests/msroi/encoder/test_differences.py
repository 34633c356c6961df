"""Where two files differ most, against a slow search that looks at every square."""

from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.msroi.encoder import differences
from q1net_msroi.msroi.encoder.differences import find_places


def noisy(pixels: np.ndarray, where: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Return pixels with noise of a strength inside a mask and of 2 gray levels elsewhere."""
    noise = np.random.default_rng(seed).normal(0, 1, pixels.shape) * np.where(where, strength, 2.0)[..., None]
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def box(shape: tuple[int, int], top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize("rows", [differences.ROWS, 64])  # in one piece and in bands
def test_against_every_square(textured: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(differences, "ROWS", rows)
    shape = (203, 317)
    original = textured(*shape)
    region = np.random.default_rng(5).random((26, 40)).repeat(8, 0).repeat(8, 1)[:203, :317] > 0.4
    plain, ours = (noisy(original, box(shape, 60, 90, 80), strength, 1) for strength in (20, 6))
    found = find_places(original, plain, ours, region, count=1)

    def rms(other: np.ndarray, top: int, left: int, chosen: np.ndarray) -> float:
        part = slice(top, top + 64), slice(left, left + 64)
        return float(np.sqrt(((original[part].astype(float) - other[part])[chosen[part]] ** 2).mean()))

    for place, chosen in zip(found, (region, ~region), strict=True):
        best, enough = None, min(64 * 64 / 2, 0.9 * most(chosen))
        # Squares reach over an edge that is no multiple of 8, as a JPEG's blocks do.
        for top in range(0, 208 - 64 + 1, 8):
            for left in range(0, 320 - 64 + 1, 8):
                if chosen[top : top + 64, left : left + 64].sum() < enough:
                    continue
                gain = rms(plain, top, left, chosen) - rms(ours, top, left, chosen)
                gain = gain if place.inside else -gain
                best = gain if best is None else max(best, gain)
        assert place.plain == pytest.approx(rms(plain, place.top, place.left, chosen), abs=1e-3)
        assert place.ours == pytest.approx(rms(ours, place.top, place.left, chosen), abs=1e-3)
        gain = place.plain - place.ours
        assert (gain if place.inside else -gain) == pytest.approx(best, abs=1e-3)


def most(chosen: np.ndarray) -> int:
    return max(
        int(chosen[top : top + 64, left : left + 64].sum()) for top in range(0, 145, 8) for left in range(0, 257, 8)
    )


def test_finds_what_was_planted(textured: Callable[..., np.ndarray]) -> None:
    shape = (480, 640)
    original = textured(*shape)
    region = box(shape, 0, 0, 320)
    plain = noisy(original, box(shape, 96, 160, 80), 25, 1)
    ours = noisy(original, box(shape, 320, 480, 80), 25, 2)
    places = find_places(original, plain, ours, region)
    assert [place.inside for place in places] == [True, True, False, False]
    assert (places[0].top, places[0].left, places[0].height, places[0].width) == (96, 160, 80, 80)
    assert (places[2].top, places[2].left) == (320, 480)
    assert places[0].plain - places[0].ours > 15
    assert places[2].ours - places[2].plain > 15
    for one, other in (places[:2], places[2:]):
        assert abs(one.top - other.top) >= 80 or abs(one.left - other.left) >= 80


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (8, 65), (300, 9)])
def test_small_pictures(textured: Callable[..., np.ndarray], shape: tuple[int, int]) -> None:
    original = textured(*shape)
    region = np.ones(shape, bool)
    places = find_places(original, original, original, region)
    assert places
    for place in places:
        assert place.inside
        assert (place.plain, place.ours) == (0, 0)
        assert place.top + place.height <= shape[0]
        assert place.left + place.width <= shape[1]


def test_a_small_region_has_its_square(textured: Callable[..., np.ndarray]) -> None:
    original = textured(200, 200)
    region = box((200, 200), 100, 40, 16)
    places = find_places(original, original, original, region)
    inside = [place for place in places if place.inside]
    assert len(inside) == 1
    assert inside[0].top <= 100 <= inside[0].top + inside[0].height
