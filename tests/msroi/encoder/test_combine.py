"""Encoding one picture: the files, the budget, the metadata."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from q1net_msroi.msroi.encoder import combine, levels, mixture
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError


def write_pair(folder: Path, height: int = 96, width: int = 120, name: str = "a.png") -> tuple[Path, Path]:
    """A picture with smooth and textured parts, and a map that is bright in its middle."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1)
    pixels[height // 3 :, : width // 2] += random.integers(-30, 30, pixels[height // 3 :, : width // 2].shape)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name)
    saliency = 255 * np.exp(-3 * ((y / height - 0.5) ** 2 + (x / width - 0.5) ** 2))
    Image.fromarray(saliency.astype(np.uint8)).save(folder / f"map_{name}.png")
    return folder / name, folder / f"map_{name}.png"


def test_files_are_what_the_originals_are(tmp_path: Path) -> None:
    image, saliency_map = write_pair(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    outcome = combine.combine(image, saliency_map, out, EncodingOptions())
    assert sorted(path.name for path in out.iterdir()) == ["_compressed_a.png_.jpg", "_original_a.png_50.jpg"]
    pixels = np.asarray(Image.open(image))
    mixed = mixture.mix(pixels, levels.choose_levels(np.asarray(Image.open(saliency_map)), 3))
    plain = jpeg.encode(pixels, 50)
    assert outcome.plain.path.read_bytes() == plain
    expected = max(q for q in range(21, 91) if len(jpeg.encode(mixed, q)) <= len(plain) * 1.2)
    assert outcome.ours[0].quality == expected
    assert outcome.ours[0].path.read_bytes() == jpeg.encode(mixed, expected)
    assert outcome.ours[0].bytes == outcome.ours[0].path.stat().st_size <= 1.2 * outcome.plain.bytes


def test_both_files_have_the_same_kind_of_encoding(tmp_path: Path) -> None:
    image, saliency_map = write_pair(tmp_path)
    outcome = combine.combine(image, saliency_map, tmp_path, EncodingOptions())
    for written in (outcome.plain, outcome.ours[0]):
        with (
            Image.open(written.path) as found,
            Image.open(io.BytesIO(jpeg.encode(outcome.pixels, written.quality))) as e,
        ):
            assert found.quantization == e.quantization
            assert [layer[1:3] for layer in found.layer] == [(2, 2), (1, 1), (1, 1)]


def test_fixed_qualities(tmp_path: Path) -> None:
    image, saliency_map = write_pair(tmp_path)
    outcome = combine.combine(image, saliency_map, tmp_path, EncodingOptions(find_best=False, modifier="m-"))
    assert [w.path.name for w in outcome.ours] == [f"m-a.png_{q}.jpg" for q in (100, 85, 65, 45)]
    sizes = [w.path.stat().st_size for w in outcome.ours]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("model", levels.RULES)
@pytest.mark.parametrize("quality", [1, 2, 5, 10, 20, 50, 75, 95, 100])
def test_threshold_0_is_never_larger_than_plain_jpeg(tmp_path: Path, model: int, quality: int) -> None:
    image, saliency_map = write_pair(tmp_path)
    settings = EncodingOptions(model=model, jpeg_compression=quality, threshold_pct=0)
    outcome = combine.combine(image, saliency_map, tmp_path, settings)
    assert outcome.ours[0].path.stat().st_size <= outcome.plain.path.stat().st_size
    assert bool(outcome.notices) == (outcome.ours[0].quality < 21)


def test_threshold_0_falls_back_to_the_plain_jpeg_itself() -> None:
    quality, content, notices = combine.within_budget(
        lambda q: bytes(1000 + q), bytes(900), EncodingOptions(threshold_pct=0, jpeg_compression=7)
    )
    assert (quality, content) == (7, bytes(900))
    assert "plain JPEG is written" in notices[0]


def test_above_the_budget_the_originals_lowest_quality_is_kept_and_said() -> None:
    quality, content, notices = combine.within_budget(lambda q: bytes(1000 + q), bytes(900), EncodingOptions())
    assert (quality, len(content), notices) == (80, 1080, [])
    quality, content, notices = combine.within_budget(lambda q: bytes(2000 + q), bytes(900), EncodingOptions())
    assert (quality, len(content)) == (21, 2021)
    assert "not within the size asked for" in notices[0]
    assert "2,021 bytes instead of at most 1,080" in notices[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_and_profile_stay_in_both_files(tmp_path: Path, orientation: int) -> None:
    image, saliency_map = write_pair(tmp_path)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = tmp_path / "b.jpg"
    Image.open(image).save(turned, quality=95, exif=exif, icc_profile=profile)
    outcome = combine.combine(turned, saliency_map, tmp_path, EncodingOptions())
    for written in (outcome.plain, *outcome.ours):
        with Image.open(written.path) as found:
            assert found.size == (120, 96)
            assert found.getexif()[0x0112] == orientation
            assert found.info["icc_profile"] == profile
    stripped = combine.combine(turned, saliency_map, tmp_path, EncodingOptions(strip=True))
    for before, after in ((outcome.plain, stripped.plain), (outcome.ours[0], stripped.ours[0])):
        assert after.bytes < before.bytes or after.quality > before.quality
        with Image.open(after.path) as found:
            assert not found.getexif()
            assert "icc_profile" not in found.info


@pytest.mark.parametrize(("value", "level"), [(0, 2), (80, 9)])
def test_a_flat_map_is_said(tmp_path: Path, value: int, level: int) -> None:
    image, _ = write_pair(tmp_path)
    Image.new("L", (120, 96), value).save(tmp_path / "flat.png")
    outcome = combine.combine(image, tmp_path / "flat.png", tmp_path, EncodingOptions(model=2))
    assert f"is flat (every pixel {value}): rule 2 gives the whole picture level {level}" in outcome.notices[0]


def test_refuses_to_overwrite_its_input(tmp_path: Path) -> None:
    image, saliency_map = write_pair(tmp_path)
    own = tmp_path / "a.png_85.jpg"
    Image.open(image).save(own)
    link = tmp_path / "a.png_45.jpg"
    link.symlink_to(saliency_map)
    before = own.read_bytes(), saliency_map.read_bytes()
    for map_file in (own, saliency_map):
        with pytest.raises(UserError, match="would overwrite the input"):
            combine.combine(image, map_file, tmp_path, EncodingOptions(find_best=False))
    assert (own.read_bytes(), saliency_map.read_bytes()) == before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model": 0}, "-model 0 is unknown"),
        ({"model": 8}, "-model 8 is unknown"),
        ({"jpeg_compression": 0}, "give 1 to 100"),
        ({"jpeg_compression": 101}, "give 1 to 100"),
        ({"threshold_pct": -1.0}, "give 0"),
        ({"threshold_pct": float("nan")}, "give 0"),
        ({"modifier": "../x"}, "-output_directory"),
    ],
)
def test_settings_out_of_range(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        EncodingOptions(**wrong)
