"""The search: never larger than asked, the region better, the rest as good as promised."""

import io
import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jpeglib
import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.encoder import blocks, rate_distortion, scene
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.msroi.encoder.settings import SETTINGS
from q1net_msroi.msroi.metrics import hvs, pixel, ssimulacra2
from q1net_msroi.utils import jpeg


def blob(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.where((y - height / 2) ** 2 + (x - width / 2) ** 2 < (min(height, width) / 4) ** 2, 255, 0).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def part(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[40:232, 60:316])


def plain_of(pixels: np.ndarray, quality: int) -> bytes:
    return jpeg.encode(pixels, quality, progressive=True)


def encode(prepared: scene.Scene, size: int, quality: int, **asked: object) -> rate_distortion.Encoded:
    """Encode with model 7: `plain_size` and `finest` go to the target, all else is asked for."""
    own = {name: asked.pop(name) for name in ("plain_size", "finest") if name in asked}
    target = rate_distortion.Target(size, quality, **own)  # type: ignore[arg-type]
    return rate_distortion.encode(prepared, target, EncodingOptions(7, **asked))  # type: ignore[arg-type]


def psnr(pixels: np.ndarray, content: bytes, where: np.ndarray) -> float:
    error = np.square(pixels.astype(float) - jpeg.decode(content))[where].mean()
    return 10 * math.log10(255**2 / error)


@pytest.mark.parametrize("quality", [20, 50, 80])
def test_the_region_gains_and_the_whole_does_not_lose(part: np.ndarray, quality: int) -> None:
    plain, saliency = plain_of(part, quality), blob(*part.shape[:2])
    found = encode(scene.Scene(part, saliency), len(plain), quality)
    assert 0.99 * len(plain) <= len(found.content) <= len(plain)
    inside = saliency > 0
    assert psnr(part, found.content, inside) > psnr(part, plain, inside) + 0.5
    (_, ours), (_, theirs) = (
        hvs.psnr_hvs_pair(pixel.luma(part), pixel.luma(jpeg.decode(content))) for content in (found.content, plain)
    )
    assert ours > theirs - 0.4
    shift = jpeg.decode(found.content).astype(float).mean(axis=(0, 1)) - part.mean(axis=(0, 1))
    assert np.abs(shift).max() < 0.5


def changes(pixels: np.ndarray, content: bytes, plain: bytes) -> dict[str, float]:
    """What is gained over plain JPEG: dB, hundredths of SSIM, and gray levels of the mean chroma of 16x16 areas."""
    found = []
    for each in (content, plain):
        decoded = jpeg.decode(each)
        luma, other = pixel.luma(pixels), pixel.luma(decoded)
        values = dict(zip(("hvs", "hvs_m"), hvs.psnr_hvs_pair(luma, other), strict=True))
        chroma = (decoded.astype(float) - pixels) @ blocks.RGB_TO_YCC[1:].T
        areas = chroma.reshape(chroma.shape[0] // 16, 16, chroma.shape[1] // 16, 16, 2).mean(axis=(1, 3))
        found.append({**values, "ssim": 100 * pixel.ssim(luma, other), "colour": -np.sqrt(np.square(areas).mean())})
    return {key: found[0][key] - found[1][key] for key in found[0]}


def test_what_the_weights_buy_without_a_region(part: np.ndarray) -> None:
    """At equal bytes several judges gain: a weight too few, or other tables, loses one of them."""
    plain = plain_of(part, 75)
    found = encode(scene.Scene(part, None), len(plain), 75, plain_size=len(plain), strength=0.0)
    gained = changes(part, found.content, plain)
    assert gained["hvs_m"] > 1.4  # 1.8; half of the masking: 1.0; chroma as costly as at quality 50: 1.1
    assert gained["ssim"] > 0.4  # 0.6; without SSIM's term: -1.5; the standard table of luma: 0.2
    assert gained["colour"] > 0.15  # 0.19; the standard table of chroma: 0.08; without chroma's weights: -0.20
    pytest.importorskip("ssimulacra2")
    ours, theirs = (ssimulacra2.ssimulacra2(part, jpeg.decode(content)) for content in (found.content, plain))
    assert ours > theirs + 2.75  # 3.1; the standard table of luma: 2.6; tables three times as coarse: 2.0


def test_a_strength_of_a_half_spends_what_it_may_and_no_more(part: np.ndarray) -> None:
    """Of the two promises one is kept just so, the other with something over."""
    plain = plain_of(part, 50)
    prepared = scene.Scene(part, blob(*part.shape[:2]))
    target = rate_distortion.Target(len(plain), 50, plain_size=len(plain))
    search = rate_distortion.Search(prepared, target, EncodingOptions(7))
    without = rate_distortion.whole_change(search.meet_size(SETTINGS.least_region_weight, 8), search.plain)
    allowed = rate_distortion.allowed_change(0.5, without)
    assert search.margin(search.meet_size(search.region_weight(), 8), allowed) == pytest.approx(0, abs=0.2)
    content = encode(prepared, len(plain), 50, plain_size=len(plain)).content
    assert changes(part, content, plain)["hvs_m"] > -0.1


def test_few_pixels_and_nearly_all_are_no_region(part: np.ndarray) -> None:
    size = len(plain_of(part, 50))
    nothing = encode(scene.Scene(part, None), size, 50)
    for value, few in ((0, 255), (255, 0)):
        saliency = np.full(part.shape[:2], value, np.uint8)
        saliency[:5, :5] = few
        found = encode(scene.Scene(part, saliency), size, 50)
        assert found.content == nothing.content
        assert "no region" in found.notices[0]
    saliency = np.zeros(part.shape[:2], np.uint8)
    saliency[64:96, 64:96] = 255
    assert encode(scene.Scene(part, saliency), size, 50).content != nothing.content


@pytest.mark.parametrize("wanted", [2500, 6000, 12_000])
def test_a_trial_meets_the_size_on_the_sample(part: np.ndarray, wanted: int) -> None:
    search = rate_distortion.Search(scene.Scene(part, None), rate_distortion.Target(wanted, 50), EncodingOptions(7))
    assert search.meet_size(SETTINGS.least_region_weight, 8).bits == pytest.approx(search.bits, rel=0.015)


@pytest.mark.parametrize("size", [2500, 9000])
def test_the_tables_are_those_of_the_files_own_lambda(part: np.ndarray, size: int) -> None:
    """Also where the first guess of lambda is far off: tables are fixed only near the end of the search."""
    prepared = scene.Scene(part, None)
    found = encode(prepared, size, 50, strength=0.0)
    assert np.abs(np.log(found.tables / prepared.tables(found.point))).mean() < 0.1


@pytest.mark.parametrize("root", [-5.0, 0.3, 9.0])
@pytest.mark.parametrize("curve", [lambda d: -0.5 * d, lambda d: -0.9 * np.tanh(d), lambda d: -0.1 * d - 0.02 * d**3])
def test_secant_steps_find_the_zero_of_a_falling_function(curve: Callable[[float], float], root: float) -> None:
    solver, at = rate_distortion.LogSecant(-0.5), 1.0
    for _ in range(30):
        at = solver.next(at, float(curve(math.log(at) - root)))
    assert math.log(at) == pytest.approx(root, abs=1e-3)


def test_more_strength_means_more_inside_and_less_outside(part: np.ndarray) -> None:
    plain, saliency = plain_of(part, 50), blob(*part.shape[:2])
    prepared, inside = scene.Scene(part, saliency), blob(*part.shape[:2]) > 0
    files = [encode(prepared, len(plain), 50, strength=strength).content for strength in (0.0, 0.5, 1.0)]
    in_region = [psnr(part, content, inside) for content in files]
    outside = [psnr(part, content, ~inside) for content in files]
    assert in_region == sorted(in_region)
    assert in_region[2] > in_region[0] + 1
    assert outside == sorted(outside, reverse=True)


def test_a_map_without_a_preference_changes_nothing(part: np.ndarray) -> None:
    height, width = part.shape[:2]
    size = len(plain_of(part, 40))
    black = encode(scene.Scene(part, np.zeros((height, width), np.uint8)), size, 40)
    nothing = encode(scene.Scene(part, None), size, 40)
    weak = encode(scene.Scene(part, blob(height, width)), size, 40, strength=0)
    assert black.content == nothing.content
    assert (
        abs(psnr(part, weak.content, blob(height, width) >= 0) - psnr(part, black.content, blob(height, width) >= 0))
        < 0.1
    )


def test_the_background_keeps_the_quality_asked_for(part: np.ndarray) -> None:
    plain, saliency = plain_of(part, 50), blob(*part.shape[:2])
    prepared = scene.Scene(part, saliency)
    free = encode(prepared, len(plain), 50, strength=1.0)
    kept = encode(prepared, len(plain), 50, strength=1.0, min_background_quality=50)
    assert kept.point.region_weight < free.point.region_weight
    outside = saliency == 0
    assert psnr(part, kept.content, outside) > psnr(part, free.content, outside)
    too_much = encode(prepared, len(plain), 50, strength=1.0, min_background_quality=95)
    assert "does not reach quality 95" in too_much.notices[0]


def test_no_step_is_finer_than_allowed(part: np.ndarray) -> None:
    finest = np.full((2, 64), 20)
    found = encode(scene.Scene(part, blob(*part.shape[:2])), 10**6, 90, finest=finest)
    assert (found.tables >= 20).all()
    assert len(found.content) < len(plain_of(part, 95))


def test_impossible_sizes_are_said(part: np.ndarray) -> None:
    with pytest.raises(rate_distortion.SizeImpossibleError) as caught:
        encode(scene.Scene(part, None), 300, 1)
    smallest = caught.value.smallest
    assert 300 < smallest < 1500
    found = encode(scene.Scene(part, None), smallest + 20, 1)
    assert len(found.content) <= smallest + 20


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 8), (23, 24), (16, 300)])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_any_size_of_picture(size: tuple[int, int], subsampling: str, textured) -> None:
    pixels = textured(*size)
    saliency = np.zeros(size, np.uint8)
    saliency[: size[0] // 2 + 1, : size[1] // 2 + 1] = 255
    limit = len(jpeg.encode(pixels, 50, subsampling, progressive=True))
    found = encode(scene.Scene(pixels, saliency, subsampling), limit, 50)
    assert len(found.content) <= limit
    with Image.open(io.BytesIO(found.content)) as image:
        assert image.size == size[::-1]
        image.load()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_and_gray_pictures(value: int, textured) -> None:
    flat = np.full((40, 56, 3), value, np.uint8)
    limit = len(plain_of(flat, 50))
    for plain_size in (None, limit):
        found = encode(scene.Scene(flat, blob(40, 56)), limit, 50, plain_size=plain_size)
        assert np.abs(jpeg.decode(found.content).astype(int) - value).max() <= 8
    gray = np.repeat(textured(40, 56)[..., :1], 3, axis=2)
    found = encode(scene.Scene(gray, blob(40, 56)), len(plain_of(gray, 50)), 50)
    with Image.open(io.BytesIO(found.content)) as image:
        assert image.mode == "L"
    assert len(found.tables) == 1


def test_strengths_are_what_help_says() -> None:
    gained = (2.0, 1.5)  # of all that is seen, and of PSNR-HVS-M
    assert rate_distortion.allowed_change(0, gained) == gained
    assert rate_distortion.allowed_change(0.5, gained) == pytest.approx((2 * SETTINGS.kept_share, 0))
    assert rate_distortion.allowed_change(1, gained) == pytest.approx((SETTINGS.deepest_change,) * 2)
    between = rate_distortion.allowed_change(0.25, gained)
    assert between == pytest.approx((1 + SETTINGS.kept_share, 0.75))
    little = rate_distortion.allowed_change(0.5, (-0.3, 0.1))
    assert little == pytest.approx((-0.3 - SETTINGS.least_price, 0.1 - SETTINGS.least_price))


def test_the_estimate_of_a_sample_is_the_whole_pictures(part: np.ndarray) -> None:
    whole = scene.Scene(part, blob(*part.shape[:2])).plain_costs(60)
    few = replace(SETTINGS, luma_sample=200, chroma_sample=60)
    sampled = scene.Scene(part, blob(*part.shape[:2]), settings=few).plain_costs(60)
    assert sampled.bits == pytest.approx(whole.bits, rel=0.06)
    assert sampled.hvs == pytest.approx(whole.hvs, rel=0.1)


@pytest.mark.data
def test_no_preference_is_as_good_as_mozjpeg(data_folder) -> None:
    """PSNR-HVS-M at least mozjpeg's minus 0.2 dB at equal bytes, in the mean of four photographs."""
    changes = []
    for path in sorted((data_folder / "pristine_val").glob("*.webp"))[::10][:4]:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        with tempfile.NamedTemporaryFile(suffix=".jpg") as file, jpeglib.version("mozjpeg403"):
            made = jpeglib.from_spatial(pixels)
            made.samp_factor = "4:2:0"
            made.write_spatial(file.name, qt=60)
            theirs = Path(file.name).read_bytes()
        found = encode(scene.Scene(pixels, None), len(theirs), 50, strength=0.0)
        luma = pixel.luma(pixels)
        ours, moz = (hvs.psnr_hvs_pair(luma, pixel.luma(jpeg.decode(c)))[1] for c in (found.content, theirs))
        changes.append(ours - moz)
    assert np.mean(changes) > -0.2
