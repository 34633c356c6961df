"""What `auto` says of whole pictures and files of every kind: the right number, or none and why."""

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from q1net_msroi.classifier.benchmark import drawings
from q1net_msroi.classifier.estimators.auto import AutoEstimator
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.utils import images, jpeg
from q1net_msroi.utils.codecs import CODECS

pytestmark = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)
SLOW = pytest.mark.slow
Pixels = np.ndarray
OfFile = Callable[[bytes], Estimate]
TABLES = jpeg.standard_tables()
NOT_STANDARD = "with tables that are not standard, near to"
NO_TABLE_FITS = "no quantisation table fits: contrast, levels or colours were changed since a compression, or none was"
EDGES_ALONE = "edges of blocks show, but no JPEG's lattice: another codec's, or changed since"
NEVER = "no JPEG trace: never compressed, or resized since"
TURNED = ", turned by a quarter since (or its table was, which is not standard)"
TURNS: dict[int, Callable[[Pixels], Pixels]] = {  # by the orientations of EXIF
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.fixture(scope="module")
def estimator() -> AutoEstimator:
    return AutoEstimator(Asked("auto"))


@pytest.fixture(scope="module")
def part(photograph: Pixels) -> Pixels:
    return np.ascontiguousarray(photograph[:240, :320])


@pytest.fixture(scope="module")
def small(photograph: Pixels) -> Pixels:
    return np.ascontiguousarray(photograph[60:188, 120:280])


@pytest.fixture
def of_file(estimator: AutoEstimator, tmp_path: Path) -> OfFile:
    """Return the answer for a file of the given content."""

    def answer(content: bytes) -> Estimate:
        path = tmp_path / "picture.jpg"
        path.write_bytes(content)
        return estimator.estimate_file(path, images.read_rgb(path).pixels)

    return answer


def saved(pixels: Pixels, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def opened(content: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def near_to(quality: int) -> list[list[int]]:
    """Return tables as cameras have them: every step is that of a quality, or off by one."""
    off = np.random.default_rng(3).choice([-1, 0, 1], (2, 64))
    return np.maximum(TABLES[quality - 1].reshape(2, 64) + off, 1).tolist()  # type: ignore[no-any-return]


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "last"), [(30, 75), (40, 95), (60, 90), (75, 98), (20, 99), (40, 100)])
def test_saved_twice_on_one_grid(of_file: OfFile, part: Pixels, first: int, last: int) -> None:
    answer = of_file(jpeg.encode(jpeg.compress(part, first), last))
    assert answer.sentence() == f"saved at {last}, but compressed at about {first} before"


@pytest.mark.parametrize(("first", "last"), [(30, 75), (40, 95), (60, 90), (75, 98)])
def test_saved_twice_on_two_grids(of_file: OfFile, part: Pixels, first: int, last: int) -> None:
    answer = of_file(jpeg.encode(np.ascontiguousarray(jpeg.compress(part, first)[3:, 5:]), last))
    assert (answer.quality, answer.evidence.earlier_quality) == (last, pytest.approx(first, abs=2))


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 95, 100])
def test_saved_once(of_file: OfFile, part: Pixels, quality: int) -> None:
    assert of_file(jpeg.encode(part, quality)).sentence() == f"saved at {quality}"


ICON, PREVIEW, ORIGINAL = (60, 60), (120, 160), (240, 320)


@pytest.mark.parametrize(
    ("shape", "quality"),
    [
        (ICON, 60),
        *((shape, quality) for shape in (ICON, PREVIEW) for quality in (70, 83, 95)),
        *((ORIGINAL, quality) for quality in (60, 90)),
    ],
)
def test_saved_once_by_a_camera(
    of_file: OfFile, estimator: AutoEstimator, part: Pixels, quality: int, shape: tuple[int, int]
) -> None:
    """Originals, previews and thumbnails: near-standard tables are no second compression, nor are they in a PNG."""
    content = saved(part[: shape[0], : shape[1]], qtables=near_to(quality), subsampling="4:2:0")
    answer = of_file(content)
    assert answer.sentence().startswith(f"saved {NOT_STANDARD} ")
    assert answer.evidence.earlier_quality is None
    assert answer.interval is not None
    assert answer.interval[0] <= quality <= answer.interval[1]
    pixels = estimator.estimate(jpeg.decode(content))
    assert pixels.evidence.earlier_quality is None
    assert pixels.quality is None or pixels.quality == pytest.approx(quality, abs=2)


@pytest.mark.fast(2)
@pytest.mark.parametrize("preset", ["low", "medium", "high", "maximum"])
def test_saved_once_by_photoshop(of_file: OfFile, estimator: AutoEstimator, part: Pixels, preset: str) -> None:
    """Its tables are unlike libjpeg's: fine where those are coarse, so that the range is wide."""
    content = saved(part, quality=preset)
    for answer in (of_file(content), estimator.estimate(jpeg.decode(content))):
        assert NOT_STANDARD in answer.sentence()
        assert answer.evidence.earlier_quality is None
        assert answer.interval is not None
    flat = np.broadcast_to(np.array([20, 60, 170], np.uint8), (64, 64, 3))
    assert of_file(saved(flat, quality=preset)).evidence.earlier_quality is None


def test_luma_and_chroma_of_two_qualities(of_file: OfFile, estimator: AutoEstimator, part: Pixels) -> None:
    tables = [TABLES[71, 0].ravel().tolist(), TABLES[79, 1].ravel().tolist()]
    content = saved(part, qtables=tables, subsampling="4:2:0")
    assert of_file(content).sentence() == "saved at 72 for luma and 80 for chroma, near to 77"
    assert estimator.estimate(jpeg.decode(content)).sentence() == (
        "compressed at 72 for luma and 80 for chroma, which is not standard"
    )


@pytest.mark.parametrize("quality", [75, 80, 90, 100])
def test_nothing_came_before_a_dark_a_gray_and_a_drawn_file(of_file: OfFile, part: Pixels, quality: int) -> None:
    letter = Image.new("L", (48, 80), 255)
    ImageDraw.Draw(letter).line((12, 70, 12, 10, 38, 10), fill=0, width=6)
    for picture in (part // 6, part[..., 1], np.asarray(letter), drawings.draw(23)):
        assert of_file(saved(picture, quality=quality)).sentence() == f"saved at {quality}"


def test_the_screenshot_with_tables_of_its_own(of_file: OfFile) -> None:
    """Steps that no scaling makes: coarse in some frequencies, fine in others."""
    table = np.where(np.indices((8, 8)).sum(0) % 2, 3, 40).ravel().tolist()
    answer = of_file(saved(drawings.draw(77), qtables=[table, table]))
    assert answer.sentence().startswith(f"saved {NOT_STANDARD} ")
    assert answer.evidence.earlier_quality is None


def test_of_a_file_neither_lattice_nor_network_is_asked(of_file: OfFile, small: Pixels) -> None:
    record = of_file(jpeg.encode(small, 80)).record("x.jpg", "auto")
    assert list(record["evidence"]) == ["spoke", "earlier_quality", "header", "history", "sentence"]
    assert record["evidence"]["history"] == {"blocks": 320, "earlier": None}
    assert (record["patches"], record["confident_patches"], record["spread"]) == (0, 0, None)


# Pixels ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", TURNS)
def test_turned_and_mirrored(estimator: AutoEstimator, small: Pixels, orientation: int) -> None:
    for quality in ((10, 85), (50, 95))[orientation % 2]:
        turned = np.ascontiguousarray(TURNS[orientation](jpeg.compress(small, quality)))
        answer = estimator.estimate(turned)
        assert (answer.quality, answer.tie_set) == (quality, (quality,))
        assert answer.sentence() == f"compressed at {quality}" + (TURNED if orientation >= 5 else "")


@pytest.mark.parametrize(("quality", "factor"), [(40, 0.5), (75, 0.8), (40, 1.2), (75, 1.5)])
def test_contrast_was_changed(estimator: AutoEstimator, part: Pixels, quality: int, factor: float) -> None:
    decoded = jpeg.compress(part, quality).astype(float)
    for middle in (0, 128):
        changed = np.clip(np.rint((decoded - middle) * factor + middle), 0, 255).astype(np.uint8)
        answer = estimator.estimate(changed)
        assert (answer.quality, answer.reason in (NO_TABLE_FITS, EDGES_ALONE)) == (None, True)


@pytest.mark.parametrize("quality", [40, 75])
def test_gamma_was_changed(estimator: AutoEstimator, part: Pixels, quality: int) -> None:
    changed = np.rint(255 * (jpeg.compress(part, quality) / 255) ** 0.8).astype(np.uint8)
    answer = estimator.estimate(changed)
    assert (answer.quality, answer.reason) == (None, EDGES_ALONE)


@pytest.mark.parametrize(("kind", "quality"), [("WEBP", 20), ("WEBP", 80), ("AVIF", 20), ("AVIF", 80)])
def test_another_codec_is_no_jpeg(estimator: AutoEstimator, part: Pixels, kind: str, quality: int) -> None:
    answer = estimator.estimate(opened(saved(part, kind, quality=quality)))
    assert (answer.quality, answer.reason in (NEVER, EDGES_ALONE)) == (None, True)


# A small icon, letters, a smooth icon, three logos, a sprite, a gradient.
@pytest.mark.parametrize("number", [1, 23, 51, *(pytest.param(n, marks=SLOW) for n in (81, 71, 52)), 80, 62, 68])
def test_no_number_for_what_was_drawn(estimator: AutoEstimator, number: int) -> None:
    answer = estimator.estimate(drawings.draw(number))
    assert (answer.quality, answer.evidence.earlier_quality, answer.interval) == (None, None, None)
    assert answer.reason is not None


def logo() -> Image.Image:
    image = Image.new("RGB", (160, 160), "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((20, 20, 140, 140), fill=(200, 30, 40))
    pen.polygon([(80, 35), (120, 120), (40, 120)], fill="white")
    pen.rectangle((70, 80, 90, 110), fill=(20, 60, 160))
    return image


def icon() -> Image.Image:
    """Seven of its 64 blocks differ, and look like a lattice of 90 to 93."""
    image = Image.new("RGB", (192, 192), (40, 44, 52))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((32, 40, 160, 150), 28, fill=(90, 200, 250))
    pen.ellipse((70, 60, 120, 110), fill=(250, 250, 250), outline=(0, 0, 0), width=6)
    return image.resize((64, 64), Image.Resampling.LANCZOS)


def chart() -> Image.Image:
    image = Image.new("RGB", (320, 240), "white")
    pen = ImageDraw.Draw(image)
    colours = [(31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189)]
    for bar, (high, colour) in enumerate(zip((60, 140, 90, 180, 120), colours, strict=True)):
        pen.rectangle((40 + 50 * bar, 210 - high, 75 + 50 * bar, 210), fill=colour)
    pen.line((30, 10, 30, 210, 310, 210), fill="black", width=2)
    pen.text((90, 222), "share of answers by year", fill="black")
    return image


def text_over_a_ramp() -> Image.Image:
    ramp = np.broadcast_to(np.arange(300) * 255 // 299, (200, 300)).astype(np.uint8)
    image = Image.fromarray(ramp).convert("RGB")
    for line in range(6):
        ImageDraw.Draw(image).text((10 + 40 * line, 20 + 25 * line), "C=1/3, T=4", fill="white")
    return image


DRAWINGS = [logo, icon, chart, text_over_a_ramp]


@pytest.mark.fast(3)
@pytest.mark.parametrize(
    ("make", "quality"), [*((make, 30) for make in DRAWINGS), *((make, 75) for make in DRAWINGS if make is not chart)]
)
def test_drawings_are_told_from_their_jpegs(
    estimator: AutoEstimator, make: Callable[[], Image.Image], quality: int
) -> None:
    answer = estimator.estimate(jpeg.compress(np.asarray(make()), quality))
    assert answer.sentence() == f"compressed at {quality}"


@pytest.mark.fast(2)
@pytest.mark.parametrize("make", DRAWINGS)
def test_drawings_as_they_were_drawn(estimator: AutoEstimator, make: Callable[[], Image.Image]) -> None:
    assert estimator.estimate(np.asarray(make())).quality is None


@pytest.mark.slow
@pytest.mark.parametrize("make", DRAWINGS)
def test_drawings_compressed_finely(estimator: AutoEstimator, make: Callable[[], Image.Image]) -> None:
    assert estimator.estimate(jpeg.compress(np.asarray(make()), 75)).sentence() == "compressed at 75"
    fine = estimator.estimate(jpeg.compress(np.asarray(make()), 92))
    assert fine.quality is None or 92 in fine.tie_set


@pytest.mark.slow
def test_a_drawing_saved_by_mozjpeg(estimator: AutoEstimator) -> None:
    answer = estimator.estimate(jpeg.decode(CODECS["mozjpeg"].encode(drawings.draw(77), 75)))
    assert answer.quality is None or answer.quality == pytest.approx(67, abs=2)


def test_a_crop_of_a_drawn_map(estimator: AutoEstimator) -> None:
    answer = estimator.estimate(jpeg.compress(drawings.draw(6), 92)[21:221, 11:311])
    assert answer.quality is None or 92 in answer.tie_set or answer.interval[0] <= 92 <= answer.interval[1]


@pytest.mark.parametrize("last", [98, 100])
@pytest.mark.parametrize("first", [30, 40, 60])
def test_a_fine_last_compression_of_two(estimator: AutoEstimator, part: Pixels, first: int, last: int) -> None:
    answer = estimator.estimate(jpeg.compress(jpeg.compress(part, first), last))
    assert answer.sentence() == f"compressed at {last}, but compressed at about {first} before"


@pytest.mark.parametrize("quality", [30, 75, 92])
def test_rgb_jpegs(of_file: OfFile, estimator: AutoEstimator, part: Pixels, quality: int) -> None:
    content = saved(part, quality=quality, keep_rgb=True)
    assert of_file(content).sentence() == f"saved at {quality}"
    assert estimator.estimate(opened(content)).sentence() == f"compressed at {quality}, as RGB"


def test_a_png_with_a_long_text(estimator: AutoEstimator, tmp_path: Path, small: Pixels) -> None:
    content = saved(jpeg.compress(small, 60), "PNG")
    text = b"zTXtprompt\0\0" + zlib.compress(b"a" * 2_000_000)
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    path = tmp_path / "x.png"
    path.write_bytes(content[:33] + chunk + content[33:])  # behind the header
    assert estimator.estimate_file(path, images.read_rgb(path).pixels).sentence() == "compressed at 60"
