"""What is read of a picture and of its map: pixels, metadata, notices, refusals."""

import functools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from q1net_msroi.msroi.encoder import source
from q1net_msroi.utils.errors import UserError


def gradient(height: int = 24, width: int = 32) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 7 % 256, y * 9 % 256, (x + y) * 3 % 256], axis=-1).astype(np.uint8)


@functools.cache  # a profile holds the second it was made in
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010F] = "Maker"
    return data


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_metadata_is_kept_and_pixels_are_not_turned(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(gradient()).save(path, exif=exif(orientation), icc_profile=profile())
    found = source.read_source(path)
    assert found.pixels.shape == (24, 32, 3)
    assert found.orientation == orientation
    assert found.icc_profile == profile()
    assert found.exif.startswith(b"Exif\0\0")
    assert b"Maker" in found.exif
    assert found.notices == ()


def test_strip_leaves_metadata_out_and_says_what_that_means(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(gradient()).save(path, exif=exif(6), icc_profile=profile())
    found = source.read_source(path, strip=True)
    assert (found.exif, found.icc_profile) == (b"", b"")
    assert "orientation 6" in found.notices[0]


@pytest.mark.parametrize("broken", [b"not a profile", b"x" * 500])
def test_a_broken_profile_is_left_out_with_a_notice(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(gradient()).save(path, icc_profile=broken)
    found = source.read_source(path)
    assert found.icc_profile == b""
    assert "colour profile left out" in found.notices[0]


def test_exif_too_long_for_a_jpeg_is_left_out_with_a_notice(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(gradient()).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0" + b"x" * 70_000)
    found = source.read_source(path)
    assert found.exif == b""
    assert "EXIF data left out" in found.notices[0]


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = source.read_source(tmp_path / "a.png")
    assert (found.pixels[:4] == 0).all()
    assert (found.pixels[4:] == 255).all()
    assert "transparency flattened on white" in found.notices


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_one_transparent_colour_is_laid_on_white(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (8, 8), 0)
    image.save(tmp_path / "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    found = source.read_source(tmp_path / "a.png")
    assert (found.pixels == 255).all()
    assert "transparency flattened on white" in found.notices


@pytest.mark.parametrize(
    ("mode", "suffix", "notice"),
    [
        ("P", ".png", "palette flattened to RGB"),
        ("CMYK", ".jpg", "CMYK converted to RGB"),
        ("I;16", ".png", "16 bits reduced to 8"),
        ("L", ".png", None),
        ("1", ".png", None),
    ],
)
def test_other_modes(tmp_path: Path, mode: str, suffix: str, notice: str | None) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new(mode, (20, 10)).save(path)
    found = source.read_source(path)
    assert found.pixels.shape == (10, 20, 3)
    assert found.notices == ((notice,) if notice else ())


def test_too_wide_for_a_jpeg(tmp_path: Path) -> None:
    Image.new("L", (65_501, 1)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="claims 65501x1 pixels; at most 65,500 a side"):
        source.read_source(tmp_path / "a.png")


def of_size(height: int, width: int, orientation: int = 1) -> source.Source:
    return source.Source(np.zeros((height, width, 3), np.uint8), "PNG", orientation=orientation)


def test_a_map_of_the_pictures_size_is_taken_as_it_is(tmp_path: Path) -> None:
    values = np.arange(24 * 32).reshape(24, 32).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "m.png")
    found, notices = source.read_map(tmp_path / "m.png", of_size(24, 32))
    np.testing.assert_array_equal(found, values)
    assert notices == []


def test_a_smaller_map_of_the_same_shape_is_resized_with_a_notice(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255], [0, 255]], np.uint8)).save(tmp_path / "m.png")
    found, notices = source.read_map(tmp_path / "m.png", of_size(100, 101))
    assert found.shape == (100, 101)
    assert (np.diff(found[0].astype(int)) >= 0).all()
    assert (found[0, 0], found[0, -1]) == (0, 255)
    assert "resized from 2x2 to 101x100" in notices[0]


def test_a_map_of_another_shape_is_refused(tmp_path: Path) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "m.png")
    with pytest.raises(UserError, match="100x100, but the picture 103x100, of another shape"):
        source.read_map(tmp_path / "m.png", of_size(100, 103))
    assert source.read_map(tmp_path / "m.png", of_size(100, 102))[0].shape == (100, 102)


def test_a_map_of_the_turned_picture_is_explained(tmp_path: Path) -> None:
    Image.new("L", (30, 40)).save(tmp_path / "m.png")
    with pytest.raises(UserError, match=r"stored sideways \(EXIF orientation 6\)"):
        source.read_map(tmp_path / "m.png", of_size(30, 40, orientation=6))


def test_a_colour_map_is_taken_by_its_brightness_with_a_notice(tmp_path: Path) -> None:
    Image.fromarray(gradient()).save(tmp_path / "m.png")
    found, notices = source.read_map(tmp_path / "m.png", of_size(24, 32))
    assert found.shape == (24, 32)
    assert "in colour" in notices[0]


def test_a_turned_tiff_is_read_upright_and_its_orientation_not_kept(tmp_path: Path) -> None:
    Image.fromarray(gradient()).save(tmp_path / "a.tif", exif=exif(6), icc_profile=profile())
    found = source.read_source(tmp_path / "a.tif")
    assert found.pixels.shape == (32, 24, 3)
    np.testing.assert_array_equal(found.pixels, np.rot90(gradient(), -1))
    assert (found.orientation, found.exif, found.icc_profile) == (1, b"", profile())
