"""What a person asks for, and what is said when it cannot be."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, JpegImagePlugin

from q1net_msroi.msroi.encoder import jpeg_file, rate_distortion, semantic
from q1net_msroi.msroi.encoder.options import AUTO, EncodingOptions, parse_size
from q1net_msroi.msroi.encoder.source import read_source
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError


@pytest.fixture
def picture(tmp_path: Path, photograph: np.ndarray) -> tuple[Path, np.ndarray]:
    path = tmp_path / "a.png"
    Image.fromarray(photograph[40:200, 60:260]).save(path)
    saliency = np.zeros((160, 200), np.uint8)
    saliency[40:110, 60:150] = 255
    Image.fromarray(saliency).save(tmp_path / "m.png")
    return path, saliency


@pytest.mark.parametrize(
    ("text", "size"),
    [("120kB", 120_000), ("120k", 120_000), ("120000", 120_000), ("1.5 MB", 1_500_000), ("64KiB", 65_536), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "kB", "-5", "12 parsecs", "1e5", "0", "0.2", "1,5MB", "nan"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UserError, match="is no size"):
        parse_size(text)


def test_nearest_quality() -> None:
    tables = jpeg_file.zigzag_tables(jpeg.standard_tables())
    assert [semantic.nearest_quality(tables[q - 1]) for q in (1, 30, 50, 75, 100)] == [1, 30, 50, 75, 100]
    assert semantic.nearest_quality(tables[74][:1]) == 75


def ask(picture: tuple[Path, np.ndarray], **asked: object) -> semantic.Encoded:
    path, saliency = picture
    return semantic.encode(path, read_source(path), saliency, EncodingOptions(7, **asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1500, 4000, 9000, 40_000])
def test_never_larger_than_asked(picture: tuple[Path, np.ndarray], size: int) -> None:
    answer = ask(picture, target_size=size)
    assert len(answer.content) <= size
    assert len(answer.content) > 0.97 * min(size, 28_000)
    assert len(answer.plain) <= size or answer.plain_quality == 1


def test_the_plain_jpeg_is_the_largest_that_fits(picture: tuple[Path, np.ndarray]) -> None:
    answer = ask(picture, target_size=5000)
    pixels = read_source(picture[0]).pixels
    assert len(jpeg.encode(pixels, answer.plain_quality + 1, progressive=True)) > 5000
    assert answer.plain == jpeg.encode(pixels, answer.plain_quality, progressive=True)


def test_impossible_size(picture: tuple[Path, np.ndarray]) -> None:
    with pytest.raises(rate_distortion.SizeImpossibleError, match=r"a\.png cannot be as small as 200 bytes"):
        ask(picture, target_size=200)


def test_no_bytes_above_the_source(tmp_path: Path, picture: tuple[Path, np.ndarray]) -> None:
    path, saliency = picture
    once = tmp_path / "once.jpg"
    once.write_bytes(jpeg.encode(read_source(path).pixels, 40))
    floor = jpeg_file.zigzag_tables(jpeg.standard_tables())[39]
    answer = ask((once, saliency), jpeg_compression=90)
    assert answer.plain_quality == 40
    assert "quality 40" in answer.notices[0]
    with Image.open(once) as image:
        assert image.quantization
    found = tmp_path / "found.jpg"
    found.write_bytes(answer.content)
    tables, quality = semantic.source_tables(found, read_source(found), AUTO)
    assert tables is not None
    assert (tables >= floor).all()
    assert quality is not None
    assert quality <= 40
    assert ask((once, saliency), jpeg_compression=90, source_quality=None).plain_quality == 90
    # A PNG has no header to ask; the number comes from outside.
    assert ask(picture, jpeg_compression=90).plain_quality == 90
    assert ask(picture, jpeg_compression=90, source_quality=40).plain_quality == 40
    worth = ask(picture, target_size=100_000, source_quality=40)
    assert len(worth.content) <= len(worth.plain) < 20_000
    assert "all it is worth" in worth.notices[0]


def test_metadata_counts(tmp_path: Path, picture: tuple[Path, np.ndarray]) -> None:
    path, saliency = picture
    exif = Image.Exif()
    exif[0x010E] = "words " * 300
    described = tmp_path / "described.jpg"
    Image.open(path).save(described, quality=95, exif=exif)
    for asked in ({"target_size": 6000}, {"jpeg_compression": 50}):
        answer = ask((described, saliency), **asked)
        assert len(answer.content) <= asked.get("target_size", len(answer.plain))
        found = tmp_path / "found.jpg"
        found.write_bytes(answer.content)
        with Image.open(found) as image:
            assert image.getexif()[0x010E] == exif[0x010E]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"strength": 1.5}, "--strength 1.5"),
        ({"strength": float("nan")}, "--strength nan"),
        ({"target_size": 0}, "--target_size 0"),
        ({"min_background_quality": 0}, "--min_background_quality 0"),
        ({"source_quality": 101}, "--source_quality 101"),
        ({"source_quality": "high"}, "--source_quality high"),
        ({"find_best": False}, "-find_best 0"),
    ],
)
def test_options_out_of_range(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        EncodingOptions(model=7, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["L", "1", "RGB"])
@pytest.mark.parametrize("asked", [{}, {"target_size": 2500}])
def test_a_gray_pictures_plain_jpeg_is_gray_too(
    tmp_path: Path, photograph: np.ndarray, mode: str, asked: dict[str, int]
) -> None:
    """Both files have one component, so that none pays for chroma that is not there, whatever mode the picture has."""
    gray = Image.fromarray(photograph[40:136, 60:180]).convert("1" if mode == "1" else "L").convert(mode)
    gray.save(tmp_path / "g.png")
    saliency = np.zeros((96, 120), np.uint8)
    saliency[20:60, 30:80] = 255
    answer = ask((tmp_path / "g.png", saliency), **asked)
    for content in (answer.plain, answer.content):
        with Image.open(io.BytesIO(content)) as image:
            assert image.mode == "L"
    if not asked:
        expected = jpeg.encode(np.asarray(gray.convert("L")), 50, progressive=True)
        assert answer.plain == expected
        assert 0.9 * len(expected) < len(answer.content) <= len(expected)


def test_no_file_is_larger_than_its_source(tmp_path: Path, photograph: np.ndarray) -> None:
    """A source that is itself a small file of this encoder; plain JPEG at the quality asked for would be larger."""
    saliency = np.zeros((96, 120), np.uint8)
    saliency[20:60, 30:80] = 255
    Image.fromarray(photograph[40:136, 60:180]).save(tmp_path / "a.png")
    once = tmp_path / "once.jpg"
    once.write_bytes(ask((tmp_path / "a.png", saliency), jpeg_compression=20).content)
    again = ask((once, saliency), jpeg_compression=90)
    assert len(again.plain) > once.stat().st_size
    assert len(again.content) <= once.stat().st_size


def test_whole_chroma_is_told_or_kept(tmp_path: Path, photograph: np.ndarray) -> None:
    saliency = np.zeros((96, 120), np.uint8)
    path = tmp_path / "whole.jpg"
    Image.fromarray(photograph[40:136, 60:180]).save(path, quality=80, subsampling="4:4:4")
    assert "--subsampling 4:4:4 keeps it" in ask((path, saliency)).notices[0]
    assert not [said for said in ask((path, saliency), subsampling="4:4:4").notices if "chroma" in said]


@pytest.mark.parametrize("stripes", [False, True])
def test_the_subsampling_that_costs_less(tmp_path: Path, photograph: np.ndarray, stripes: bool) -> None:
    """Red and blue stripes of one pixel are lost where chroma is halved; a photograph's chroma can be."""
    pixels = photograph[40:136, 60:180].copy()
    if stripes:
        pixels[:, ::2], pixels[:, 1::2] = (220, 30, 30), (30, 30, 220)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    answer = ask((tmp_path / "a.png", np.zeros((96, 120), np.uint8)), subsampling=AUTO, jpeg_compression=80)
    with Image.open(io.BytesIO(answer.content)) as image:
        assert JpegImagePlugin.get_sampling(image) == (0 if stripes else 2)


def test_a_gray_picture_with_a_profile_for_rgb_keeps_three_components(tmp_path: Path, photograph: np.ndarray) -> None:
    gray = Image.fromarray(photograph[40:136, 60:180]).convert("L").convert("RGB")
    gray.save(tmp_path / "g.png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    answer = ask((tmp_path / "g.png", np.zeros((96, 120), np.uint8)))
    for content in (answer.plain, answer.content):
        with Image.open(io.BytesIO(content)) as image:
            assert image.mode == "RGB"
            assert image.info["icc_profile"]


def test_a_drawing_is_told_where_a_file_without_loss_is_smaller(tmp_path: Path) -> None:
    drawing = Image.new("RGB", (200, 160), "white")
    ImageDraw.Draw(drawing).ellipse((30, 30, 150, 120), outline="navy", width=2)
    drawing.save(tmp_path / "d.png")
    found = ask((tmp_path / "d.png", np.zeros((160, 200), np.uint8)), jpeg_compression=80)
    assert "without loss" in found.notices[-1]
