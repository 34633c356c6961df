"""The size search against trying every quality from the top, as the originals do."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.msroi.encoder import levels, mixture, size_search
from q1net_msroi.utils import images, jpeg


def slow_search(sizes: dict[int, int], budget: int, top: int = 90, bottom: int = 21) -> int | None:
    for quality in range(top, bottom - 1, -1):
        if sizes[quality] <= budget:
            return quality
    return None


def pictures() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:64, :96]
    wave = np.stack([128 + 90 * np.sin(x / (3 + y / 9) + c) for c in range(3)], axis=-1).astype(np.uint8)
    noise = random.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    checks = np.kron(random.integers(0, 2, (32, 48)), np.ones((2, 2)))
    centre = (255 * np.exp(-((y - 32) ** 2 + (x - 48) ** 2) / 800)).astype(np.uint8)
    return {
        "wave": wave,
        "noise": noise,
        "flat": np.full((64, 96, 3), 99, np.uint8),
        "black": np.zeros((16, 16, 3), np.uint8),
        "dot": np.array([[[200, 30, 10]]], np.uint8),
        "checks": checks[..., None].repeat(3, 2).astype(np.uint8) * 255,
        "wave once a JPEG": jpeg.compress(wave, 50),
        "noise once a JPEG": jpeg.compress(noise, 75),
        "mixture by rule 3": mixture.mix(wave, levels.choose_levels(centre, 3)),
        "mixture by rule 5": mixture.mix(noise, levels.choose_levels(centre, 5)),
    }


def stored(sizes: dict[int, int]) -> Callable[[int], bytes]:
    return lambda quality: bytes(sizes[quality])


@pytest.mark.parametrize("name", pictures())
def test_same_answer_as_trying_every_quality(name: str) -> None:
    picture = pictures()[name]
    sizes = {quality: len(jpeg.encode(picture, quality)) for quality in range(1, 91)}
    for budget in sorted({size + change for size in sizes.values() for change in (-1, 0)}):
        for top, bottom in ((90, 21), (20, 1)):
            found = size_search.largest_quality(stored(sizes), budget, top, bottom)
            expected = slow_search(sizes, budget, top, bottom)
            assert (found and found.quality) == expected
            if found:
                assert len(found.content) == sizes[found.quality] <= budget


def test_dips_within_the_stated_margin_are_found() -> None:
    random = np.random.default_rng(2)
    for _ in range(200):
        rising = np.cumsum(random.integers(0, 900, 91)) + 20_000
        sizes = {q: int(rising[q] * (1 - 0.009 * random.random()) - 60 * random.random()) for q in range(91)}
        for budget in random.integers(min(sizes.values()) - 10, max(sizes.values()) + 10, 10).tolist():
            found = size_search.largest_quality(stored(sizes), budget)
            assert (found and found.quality) == slow_search(sizes, budget)


def test_dips_of_tiny_files_are_found() -> None:
    """One per cent of a tiny file is less than a byte or two: its dips of up to 64 bytes are allowed for too."""
    random = np.random.default_rng(3)
    for _ in range(200):
        rising = np.cumsum(random.integers(0, 30, 91)) + 300
        sizes = {q: int(rising[q] - 60 * random.random()) for q in range(91)}
        for budget in random.integers(min(sizes.values()), max(sizes.values()), 10).tolist():
            found = size_search.largest_quality(stored(sizes), budget)
            assert (found and found.quality) == slow_search(sizes, budget)


def test_takes_about_log2_of_70_encodes() -> None:
    for budget in range(38_000, 102_000, 700):
        tried: list[int] = []
        size_search.largest_quality(
            lambda quality, tried=tried: (tried.append(quality), bytes(20_000 + 900 * quality))[1], budget
        )
        assert len(tried) <= 11


def test_top_quality_takes_one_encode_and_nothing_fits_is_none() -> None:
    tried: list[int] = []
    found = size_search.largest_quality(lambda quality: (tried.append(quality), b"x")[1], 1)
    assert found is not None
    assert (found.quality, tried) == (90, [90])
    assert size_search.largest_quality(lambda quality: b"xx", 1) is None


DATA = Path(os.environ.get("Q1NET_DATA", Path(__file__).resolve().parents[3] / "data"))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not (DATA / "pristine_val").is_dir(), reason="needs the photographs of Q1NET_DATA")
def test_same_answer_on_photographs() -> None:
    y, x = np.mgrid[:192, :256]
    centre = (255 * np.exp(-((y - 96) ** 2 + (x - 128) ** 2) / 9000)).astype(np.uint8)
    for path in images.find_images(DATA / "pristine_val")[::6]:
        pixels = np.ascontiguousarray(images.read_rgb(path).pixels[:192, :256])
        for rule in (3, 5):
            mixed = mixture.mix(pixels, levels.choose_levels(centre[: pixels.shape[0], : pixels.shape[1]], rule))
            sizes = {quality: len(jpeg.encode(mixed, quality)) for quality in range(1, 91)}
            for plain in range(10, 96, 5):
                for threshold in (0, 1, 20):
                    budget = int(len(jpeg.encode(pixels, plain)) * (1 + threshold / 100))
                    found = size_search.largest_quality(stored(sizes), budget)
                    assert (found and found.quality) == slow_search(sizes, budget)
