"""Chroma through the upsampling: samples recovered, subsampling found, tables told apart."""

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.lattice import chroma
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import jpeg

WHOLE = chroma.Subsampling("4:4:4", 1, 1)


@pytest.mark.parametrize("smooth", [True, False])
def test_inverse_undoes_the_upsampling(smooth: bool) -> None:
    samples = np.random.default_rng(0).normal(0, 20, 10)
    pixels = np.zeros(16)
    for i in range(16):
        own = i // 2 + 1
        other = own + (1 if i % 2 else -1)
        pixels[i] = 0.75 * samples[own] + 0.25 * samples[other] if smooth else samples[own]
    np.testing.assert_allclose(chroma.inverse(2, smooth) @ pixels, samples[1:9], atol=1e-4)


def test_full_chroma_is_the_decoders_own(photograph: np.ndarray) -> None:
    content = jpeg.encode(photograph[:160, :160], 80, "4:4:4")
    image = Image.open(io.BytesIO(content))
    image.draft("YCbCr", image.size)
    own = np.asarray(image).astype(int) - 128
    cut = chroma.cut(jpeg.decode(content), (0, 0), WHOLE)
    half = len(cut.values) // 2
    for plane, values in ((1, cut.values[:half]), (2, cut.values[half:])):
        for (y, x), block, clipped in zip(cut.places, values, cut.clipped, strict=False):
            if not clipped:
                np.testing.assert_array_equal(block.reshape(8, 8), own[y : y + 8, x : x + 8, plane])


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
@pytest.mark.parametrize("offset", [(0, 0), (3, 13)])
def test_quality_and_subsampling(
    photograph: np.ndarray, subsampling: jpeg.Subsampling, offset: tuple[int, int]
) -> None:
    pixels = jpeg.compress(photograph, 80, subsampling)[offset[0] :, offset[1] :]
    found = chroma.scores(pixels, (-offset[0] % 8, -offset[1] % 8))
    assert found is not None
    assert found.way.name == subsampling
    assert found.nats.argmax() + 1 == 80
    assert found.nats.max() > 100
    for start, whole in zip(found.phase, offset, strict=True):
        assert (start + whole) % 8 == 0


def repeated(pixels: np.ndarray, quality: int, down: int, across: int) -> np.ndarray:
    """What a decoder without smoothing makes of a file whose chroma was subsampled by these factors."""
    sides = [side // (8 * factor) * 8 * factor for side, factor in zip(pixels.shape, (down, across), strict=False)]
    image = Image.fromarray(pixels[: sides[0], : sides[1]]).convert("YCbCr")
    table = jpeg.standard_tables()[quality - 1]
    planes = []
    for channel, plane in enumerate(np.moveaxis(np.asarray(image, float), 2, 0)):
        factors = (1, 1) if channel == 0 else (down, across)
        small = plane.reshape(sides[0] // factors[0], factors[0], sides[1] // factors[1], factors[1]).mean((1, 3))
        square = (small - 128).reshape(small.shape[0] // 8, 8, small.shape[1] // 8, 8).swapaxes(1, 2)
        dct, steps = jpeg.dct_matrix(), table[min(channel, 1)]
        square = dct.T @ (np.rint(dct @ square @ dct.T / steps) * steps) @ dct
        decoded = np.clip(np.rint(square.swapaxes(1, 2).reshape(small.shape) + 128), 0, 255)
        planes.append(decoded.repeat(factors[0], 0).repeat(factors[1], 1))
    return np.asarray(Image.fromarray(np.stack(planes, 2).astype(np.uint8), "YCbCr").convert("RGB"))


@pytest.mark.parametrize(
    ("factors", "name"), [((1, 4), "4:1:1"), ((2, 1), "4:4:0"), ((2, 2), "4:2:0"), ((1, 1), "4:4:4")]
)
def test_ways_that_repeat_samples(photograph: np.ndarray, factors: tuple[int, int], name: str) -> None:
    found = chroma.scores(repeated(photograph, 85, *factors), (0, 0))
    assert found is not None
    assert (found.way.name, found.way.smooth, found.nats.argmax() + 1) == (name, factors == (1, 1), 85)
    assert found.clear


def test_never_subsampled_photographs_are_whole(photograph: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(-9, 10, photograph.shape)
    textured = np.clip(photograph.astype(int) + noise, 1, 254).astype(np.uint8)
    assert [way.name for way in chroma.ways(textured, (0, 0))] == ["4:4:4"]


def test_gray_has_none() -> None:
    gray = np.repeat(np.random.default_rng(0).integers(0, 256, (40, 40, 1), dtype=np.uint8), 3, axis=2)
    assert chroma.scores(gray, (0, 0)) is None


def test_too_small() -> None:
    assert len(chroma.cut(np.zeros((15, 40, 3), np.uint8), (0, 0), chroma.WAYS[0]).values) == 0


@pytest.mark.parametrize("way", chroma.WAYS)
def test_flat_colour_stays_flat(way: chroma.Subsampling) -> None:
    """Undoing the upsampling must not make texture of rounding: a flat block is one surface, not evidence."""
    colours = np.random.default_rng(3).integers(40, 210, (6, 3))
    for colour in colours:
        values = chroma.cut(np.full((32, 32, 3), colour, np.uint8), (0, 0), way).values
        np.testing.assert_array_equal(values, np.repeat(values[:, :1], 64, axis=1))


@pytest.mark.parametrize(("factors", "smooth"), [((1, 2), True), ((2, 2), True), ((1, 2), False), ((1, 4), False)])
def test_ways_from_differences(factors: tuple[int, int], smooth: bool) -> None:
    """Samples at random, upsampled: the differences alone leave one way, wherever the first sample begins."""
    down, across = factors
    samples = np.random.default_rng(1).integers(-40, 41, (2, 64 // down, 96 // across)).astype(float)
    full = np.stack([made_of(made_of(plane.T, across, smooth).T, down, smooth) for plane in samples])
    blue, red = full
    gray = 128.0
    rgb = np.stack([gray + 1.402 * red, gray - 0.344136 * blue - 0.714136 * red, gray + 1.772 * blue], -1)
    pixels = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    for start in (0, 1):
        found = chroma.ways(pixels[start * (down > 1) :, start:], (-start % 8, -start % 8))
        assert {(way.vertical, way.horizontal, way.smooth) for way in found} == {(down, across, smooth)}


def made_of(samples: np.ndarray, factor: int, smooth: bool) -> np.ndarray:
    """Return columns of samples upsampled, the ends repeated."""
    if factor == 1 or not smooth:
        return samples.repeat(factor, 0)
    padded = np.concatenate([samples[:1], samples, samples[-1:]])
    pixels = np.zeros((2 * len(samples), samples.shape[1]))
    for i in range(len(pixels)):
        own = i // 2 + 1
        pixels[i] = 0.75 * padded[own] + 0.25 * padded[own + (1 if i % 2 else -1)]
    return pixels


def test_noise_by_frequency() -> None:
    """What undoing the upsampling makes of rounding errors, measured: coarser noise where it is larger."""
    way = next(way for way in chroma.WAYS if (way.name, way.smooth) == ("4:2:0", True))
    errors = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 16, 16))
    samples = chroma.inverse(2, True) @ errors @ chroma.inverse(2, True).T
    dct = jpeg.dct_matrix()
    measured = np.hypot((dct @ samples @ dct.T).reshape(-1, 64).std(0), chroma.PIXEL_ROUNDING)
    kinds = chroma.noises(way)
    order = ["chroma", "chroma_wide", "chroma_wider", "chroma_widest"]
    levels = np.array([order.index(kind) for kind in kinds[1:]])
    assert set(levels) == {0, 1, 2, 3}
    assert levels[measured[1:].argmax()] == 3
    assert levels[measured[1:].argmin()] == 0
    by_level = [measured[1:][levels == level] for level in range(4)]
    assert all(low.max() < high.min() + 0.01 for low, high in itertools.pairwise(by_level))
    for name, least in LATTICE.chroma_noises:
        assert (measured[1:][levels >= order.index(name)] > least - 0.01).all()
        assert (measured[1:][levels < order.index(name)] < least + 0.01).all()
    assert kinds[0] == "chroma_widest"
    whole = chroma.noises(WHOLE)
    assert set(whole[1:]) <= {"chroma", "chroma_wide"}


def test_what_is_clear(photograph: np.ndarray) -> None:
    found = chroma.scores(jpeg.compress(photograph, 85, "4:4:4"), (0, 0))
    assert found is not None
    assert found.clear
    assert not replace(found, textured=LATTICE.chroma_blocks - 1).clear
    nothing = replace(found, nats=np.zeros(100), ratios=np.zeros_like(found.ratios))
    assert nothing.presence == 0
    assert not nothing.clear
    assert replace(nothing, nats=np.full(100, LATTICE.chroma_sure + 1)).clear


@pytest.mark.parametrize(("subsampling", "coarser"), [("4:2:0", []), ("4:2:2", [0]), ("4:4:4", [0, 2])])
def test_the_true_way_explains_nearly_all(photograph: np.ndarray, subsampling: str, coarser: list[int]) -> None:
    """No way that joins more pixels does."""
    decoded = jpeg.compress(photograph[:160, :240], 85, subsampling)
    true = next(way for way in chroma.WAYS if way.name == subsampling)
    assert chroma._read(decoded, true, (0, 0)).explains
    assert not any(chroma._read(decoded, chroma.WAYS[place], (0, 0)).explains for place in coarser)


def test_a_coarser_way_that_fits_is_preferred(photograph: np.ndarray) -> None:
    found = chroma.scores(jpeg.compress(photograph, 85, "4:4:4"), (0, 0))
    assert found is not None
    coarse = replace(found, way=chroma.WAYS[0])
    assert chroma._likelihood(coarse) == 4 * chroma._likelihood(found) > 0
