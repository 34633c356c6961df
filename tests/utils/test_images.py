"""Every strange picture gives exactly its stored pixels, or one line that names it."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image, ImageOps

from q1net_msroi.utils import images, jpeg
from q1net_msroi.utils.errors import UserError
from q1net_msroi.utils.journal import SUFFIX


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG by hand; `rows` hold a filter byte each."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def segments(content: bytes) -> list[tuple[int, bytes]]:
    """A JPEG's segments before its scan, as (marker, content); the last is the scan with everything after it."""
    found, at = [], 2
    while content[at + 1] != 0xDA:
        length = struct.unpack(">H", content[at + 2 : at + 4])[0]
        found.append((content[at + 1], content[at + 4 : at + 2 + length]))
        at += 2 + length
    return [*found, (0, content[at:])]


def joined(parts: list[tuple[int, bytes]]) -> bytes:
    """The opposite of `segments`."""
    return b"\xff\xd8" + b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body if marker else body for marker, body in parts
    )


def with_16_bit_tables(content: bytes) -> bytes:
    """The same JPEG with its quantisation tables written as 16-bit numbers."""

    def widened(body: bytes) -> bytes:
        tables = [body[at : at + 65] for at in range(0, len(body), 65)]
        return b"".join(bytes([0x10 | t[0]]) + b"".join(struct.pack(">H", v) for v in t[1:]) for t in tables)

    return joined([(m, widened(body) if m == 0xDB else body) for m, body in segments(content)])


def saved(path: Path, image: Image.Image, *arguments: str, **options: object) -> Path:
    image.save(path, *arguments, **options)
    return path


@pytest.fixture
def pixels(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[:64, :81])


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm", "gif"])
def test_lossless_formats_give_the_stored_pixels(tmp_path: Path, pixels: np.ndarray, suffix: str) -> None:
    image = Image.fromarray(pixels)
    if suffix == "gif":
        image = image.quantize(256)
        pixels = np.asarray(image.convert("RGB"))
    options = {"lossless": True} if suffix == "webp" else {}
    picture = images.read_rgb(saved(tmp_path / f"x.{suffix}", image, **options))
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_gray_is_repeated_in_three_channels(tmp_path: Path, pixels: np.ndarray) -> None:
    gray = pixels[..., 1]
    picture = images.read_rgb(saved(tmp_path / "x.png", Image.fromarray(gray)))
    np.testing.assert_array_equal(picture.pixels, gray[..., None].repeat(3, axis=2))
    assert "gray" in picture.notes
    assert images.is_gray(picture.pixels)
    assert not images.is_gray(pixels)


def test_one_bit_becomes_black_and_white(tmp_path: Path, pixels: np.ndarray) -> None:
    bits = pixels[..., 1] > 127
    picture = images.read_rgb(saved(tmp_path / "x.png", Image.fromarray(bits)))
    np.testing.assert_array_equal(picture.pixels[..., 0], np.where(bits, 255, 0))


def test_alpha_does_not_touch_the_colours(tmp_path: Path, pixels: np.ndarray) -> None:
    alpha = np.random.default_rng(0).integers(0, 256, pixels.shape[:2], np.uint8)
    picture = images.read_rgb(saved(tmp_path / "x.png", Image.fromarray(np.dstack([pixels, alpha]))))
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert "alpha ignored" in picture.notes
    both = Image.fromarray(np.dstack([pixels[..., 0], alpha]))
    gray = images.read_rgb(saved(tmp_path / "y.png", both))
    np.testing.assert_array_equal(gray.pixels, pixels[..., :1].repeat(3, axis=2))


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_gives_its_colours(tmp_path: Path, pixels: np.ndarray, transparent: bool) -> None:
    image = Image.fromarray(pixels).quantize(40)
    options = {"transparency": 3} if transparent else {}
    picture = images.read_rgb(saved(tmp_path / "x.png", image, **options))
    np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    assert "palette" in picture.notes
    assert ("alpha ignored" in picture.notes) == transparent


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_gray_is_rounded_to_8(tmp_path: Path, suffix: str) -> None:
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    picture = images.read_rgb(saved(tmp_path / f"x.{suffix}", Image.fromarray(samples)))
    np.testing.assert_array_equal(picture.pixels[..., 0], np.floor(samples / 257 + 0.5))
    np.testing.assert_array_equal(picture.pixels[..., 2], picture.pixels[..., 0])
    assert "16 bits reduced to 8" in picture.notes


def test_8_bit_pixels_stored_as_16_bit_rgb_come_back(tmp_path: Path, pixels: np.ndarray) -> None:
    rows = b"".join(b"\0" + (row.astype(np.uint16) * 257).astype(">u2").tobytes() for row in pixels)
    path = tmp_path / "x.png"
    path.write_bytes(png(pixels.shape[1], pixels.shape[0], 16, 2, rows))
    np.testing.assert_array_equal(images.read_rgb(path).pixels, pixels)


def test_cmyk_is_converted_and_said(tmp_path: Path, pixels: np.ndarray) -> None:
    path = saved(tmp_path / "x.jpg", Image.fromarray(pixels).convert("CMYK"), quality=95)
    picture = images.read_rgb(path)
    assert picture.pixels.shape == pixels.shape
    assert np.abs(picture.pixels.astype(int) - pixels).mean() < 8
    assert "CMYK converted to RGB" in picture.notes


def test_floating_point_is_refused_by_name(tmp_path: Path, pixels: np.ndarray) -> None:
    path = saved(tmp_path / "x.tif", Image.fromarray(pixels[..., 0].astype(np.float32)))
    with pytest.raises(UserError, match=r"x\.tif holds F samples .*save it with 8 or 16 bits"):
        images.read_rgb(path)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_gives_its_first_frame(tmp_path: Path, pixels: np.ndarray, suffix: str) -> None:
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    if suffix == "gif":
        first, second = first.quantize(128), second.quantize(128)
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"x.{suffix}", first, save_all=True, append_images=[second], duration=100, **options)
    picture = images.read_rgb(path)
    np.testing.assert_array_equal(picture.pixels, np.asarray(first.convert("RGB")))
    assert "first frame of an animation" in picture.notes


def test_jpeg_variants_give_the_same_pixels(tmp_path: Path, pixels: np.ndarray) -> None:
    """Orientation, a broken colour profile, 16-bit tables and another entropy coding do not move or change a pixel."""
    plain = jpeg.encode(pixels, 70)
    expected = jpeg.decode(plain)
    image = Image.fromarray(pixels)
    variants = {"16-bit tables": with_16_bit_tables(plain), "broken ICC": jpeg.encode(pixels, 70, icc_profile=b"no")}
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        variants[f"orientation {orientation}"] = jpeg.encode(pixels, 70, exif=exif.tobytes())
    for name, options in {"progressive": {"progressive": True}, "restart": {"restart_marker_rows": 1}}.items():
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=70, subsampling="4:2:0", **options)
        variants[name] = buffer.getvalue()
    variants["broken EXIF"] = jpeg.encode(pixels, 70, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    for name, content in variants.items():
        assert content != plain, name
        path = tmp_path / "x.jpg"
        path.write_bytes(content)
        np.testing.assert_array_equal(images.read_rgb(path).pixels, expected, err_msg=name)


def test_arithmetic_coding_gives_the_same_pixels(tmp_path: Path, pixels: np.ndarray) -> None:
    jpeglib = pytest.importorskip("jpeglib")
    path, arithmetic = tmp_path / "x.jpg", tmp_path / "arithmetic.jpg"
    path.write_bytes(jpeg.encode(pixels, 70))
    with jpeglib.version("turbo210"):
        coefficients = jpeglib.read_dct(str(path))
        coefficients.load()
        coefficients.write_dct(str(arithmetic), flags=["+ARITH_CODE"])
    assert b"\xff\xc9" in arithmetic.read_bytes()
    np.testing.assert_array_equal(images.read_rgb(arithmetic).pixels, images.read_rgb(path).pixels)


def test_jpeg_with_one_table_and_with_an_adobe_marker(tmp_path: Path, pixels: np.ndarray) -> None:
    one = saved(tmp_path / "one.jpg", Image.fromarray(pixels), qtables=[[5] * 64])
    assert sum(len(body) // 65 for marker, body in segments(one.read_bytes()) if marker == 0xDB) == 1
    adobe = saved(tmp_path / "adobe.jpg", Image.fromarray(pixels), quality=95, keep_rgb=True)
    assert b"Adobe" in adobe.read_bytes()
    gray = saved(tmp_path / "gray.jpg", Image.fromarray(pixels[..., 0]), quality=95)
    for path, expected in ((one, pixels), (adobe, pixels), (gray, pixels[..., :1].repeat(3, axis=2))):
        got = images.read_rgb(path).pixels
        assert np.abs(got.astype(int) - expected).mean() < 5, path.name


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "gif", "tif", "avif"])
def test_a_truncated_file_is_damaged(tmp_path: Path, pixels: np.ndarray, suffix: str, keep: float) -> None:
    whole = saved(tmp_path / f"whole.{suffix}", Image.fromarray(pixels)).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(UserError, match=rf"cut\.{suffix}") as caught:
        images.read_rgb(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_png_with_a_wrong_checksum_is_damaged(tmp_path: Path, pixels: np.ndarray) -> None:
    path = saved(tmp_path / "x.png", Image.fromarray(pixels))
    content = bytearray(path.read_bytes())
    at = content.index(b"IDAT") + 400
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.png is damaged"):
        images.read_rgb(path)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("a letter, not a picture\n" * 20)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "dangling.png").symlink_to("nowhere.png")
    cases = {
        "empty.png": "is empty",
        "text.png": "is not a picture",
        "folder.png": "is a folder",
        "loop.png": "leads to itself",
        "dangling.png": "does not exist",
        "missing.png": "does not exist",
    }
    for name, message in cases.items():
        with pytest.raises(UserError, match=rf"{name}.*{message}"):
            images.read_rgb(tmp_path / name)


def test_random_bytes_never_escape_as_another_error(tmp_path: Path, pixels: np.ndarray) -> None:
    """Hundreds of damaged files: a picture or a `UserError` of one line, nothing else."""
    random = np.random.default_rng(5)
    sources = [
        saved(tmp_path / f"x.{suffix}", Image.fromarray(pixels[:32, :32])).read_bytes()
        for suffix in ("jpg", "png", "webp", "bmp", "gif", "tif", "ppm")
    ]
    path = tmp_path / "damaged.png"
    for round_number in range(40):
        for source in sources:
            content = bytearray(source)
            for at in random.integers(0, min(len(content), 200 if round_number % 2 else len(content)), 3):
                content[at] = random.integers(256)
            path.write_bytes(content)
            message = ""
            try:
                shape = images.read_rgb(path).pixels.shape
            except UserError as error:
                message, shape = str(error), (0, 0, 3)
            assert shape[2] == 3
            assert not message or ("damaged.png" in message and message.isprintable())


@pytest.mark.parametrize("size", [(1, 1), (23, 24), (24, 23), (65500, 8)])
def test_too_small_says_the_size(tmp_path: Path, size: tuple[int, int]) -> None:
    path = saved(tmp_path / "x.jpg", Image.new("RGB", size))
    with pytest.raises(UserError, match=rf"x\.jpg is {size[0]}x{size[1]} pixels; at least 24x24"):
        images.read_rgb(path, minimum_side=24)
    assert images.read_rgb(path).pixels.shape == (size[1], size[0], 3)


def test_just_large_enough(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", Image.new("RGB", (24, 24)))
    assert images.read_rgb(path, minimum_side=24).pixels.shape == (24, 24, 3)


@pytest.mark.parametrize(("width", "height"), [(12_001, 10_000), (65_501, 1), (8, 18_219_008)])
def test_one_rule_for_what_is_too_large(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png(width, height, 8, 2, b"\0"))
    with pytest.raises(
        UserError, match=rf"large\.png claims {width}x{height} pixels; at most 65,500 a side and 120 mega"
    ):
        images.read_rgb(path)
    path.write_bytes(png(12_000, 10_000, 8, 2, b"\0"))
    with pytest.raises(UserError, match="is damaged"):  # of a size that is read
        images.read_rgb(path)


def test_avif_is_read_up_to_a_size_of_its_own(tmp_path: Path, pixels: np.ndarray) -> None:
    path = saved(tmp_path / "x.avif", Image.fromarray(pixels), quality=100, subsampling="4:4:4")
    got = images.read_rgb(path)
    assert (got.format, got.pixels.shape) == ("AVIF", pixels.shape)
    assert np.abs(got.pixels.astype(int) - pixels).mean() < 2
    height, width = pixels.shape[:2]
    content, sides = path.read_bytes(), struct.pack(">LL", width, height)
    assert sides in content
    path.write_bytes(content.replace(sides, struct.pack(">LL", 9500, 9500)))
    with pytest.raises(UserError, match=r"x\.avif claims 9500x9500 pixels; at most 65,500 a side and 90 megapixels"):
        images.read_rgb(path)


PLUGIN = """
from PIL import Image, PngImagePlugin
class File(PngImagePlugin.PngImageFile):
    format = "HEIF"
    def _open(self):
        assert self.fp.read(4) == b"heif"
        super()._open()
def register_heif_opener():
    Image.register_open("HEIF", File, lambda prefix: prefix.startswith(b"heif"))
"""


def test_heif_is_read_where_its_plugin_is_installed(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin here is one of ours, which reads a PNG behind four bytes."""
    path = tmp_path / "x.heic"
    path.write_bytes(b"heif" + saved(tmp_path / "x.png", Image.fromarray(pixels)).read_bytes())
    monkeypatch.setattr(images, "HEIF_PLUGIN", "not_installed")
    with pytest.raises(UserError, match=r"x\.heic is not a picture in a format that can be read"):
        images.read_rgb(path)
    assert [each.name for each in images.find_images(tmp_path)] == ["x.png"]
    (tmp_path / "plugin_of_a_test.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(images, "HEIF_PLUGIN", "plugin_of_a_test")
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    assert [each.name for each in images.find_images(tmp_path)] == ["x.heic", "x.png"]
    found = images.read_rgb(path)
    assert found.format == "HEIF"
    np.testing.assert_array_equal(found.pixels, pixels)


def test_scans_without_end_are_refused(tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    content = jpeg.encode(pixels, 70, progressive=True)
    last = content.rindex(b"\xff\xda")
    path = tmp_path / "x.jpg"
    path.write_bytes(content[:-2] + content[last:-2] * 90 + content[-2:])
    assert images.read_rgb(path).pixels.shape == pixels.shape
    monkeypatch.setattr(images, "MOST_SCANNED", 99 * pixels[..., 0].size)
    with pytest.raises(UserError, match=rf"x\.jpg holds 100 scans of {pixels.shape[1]}x{pixels.shape[0]} pixels"):
        images.read_rgb(path)


def test_a_large_picture_is_converted_strip_by_strip(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(pixels)
    made = [image, image.convert("L"), image.convert("CMYK"), image.quantize(40), image.convert("1")]
    made += [
        Image.fromarray(np.dstack([pixels, pixels[..., 0]])),
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 99),
    ]
    for number, each in enumerate(made):
        path = saved(tmp_path / f"{number}.tif", each)
        for on_white in (False, True):
            whole = images.read_rgb(path, on_white=on_white)
            with monkeypatch.context() as context:
                context.setattr(images, "STRIP", 7 * pixels.shape[1])
                strips = images.read_rgb(path, on_white=on_white)
            np.testing.assert_array_equal(strips.pixels, whole.pixels)
            assert strips.notes == whole.notes


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", pytest.param(b"tEXt", marks=pytest.mark.slow), b"iCCP"])
def test_a_png_with_a_long_text_is_read(tmp_path: Path, pixels: np.ndarray, kind: bytes) -> None:
    body = b"k\0" + {b"zTXt": b"\0", b"iCCP": b"\0", b"iTXt": b"\1\0\0\0", b"tEXt": b""}[kind]
    text = b"a" * 70_000_000
    body += text if kind == b"tEXt" else zlib.compress(text, 1)
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    path = saved(tmp_path / "x.png", Image.fromarray(pixels))
    content = path.read_bytes()
    end = content.index(b"IEND") - 4
    places = [33] if kind == b"iCCP" else [33, end]
    for at in places:  # before the pixels and after them
        path.write_bytes(content[:at] + chunk + content[at:])
        np.testing.assert_array_equal(images.read_rgb(path).pixels, pixels)
        damaged = bytearray(path.read_bytes())
        damaged[content.index(b"IDAT") + (len(chunk) if at == 33 else 0) + 400] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"x\.png is damaged"):
            images.read_rgb(path)


@pytest.mark.parametrize("value", range(1, 9))
def test_orientations(tmp_path: Path, pixels: np.ndarray, value: int) -> None:
    """A viewer's own turning (Pillow's) is the oracle."""
    exif = Image.Exif()
    exif[0x0112] = value
    picture = images.read_rgb(saved(tmp_path / "x.png", Image.fromarray(pixels), exif=exif))
    assert picture.orientation == value
    with Image.open(tmp_path / "x.png") as image:
        seen = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(images.upright(picture.pixels, value), seen)
    np.testing.assert_array_equal(images.as_stored(seen, value), pixels)
    # Pillow turns the pixels of a TIFF by itself: they are not to be turned again.
    turned = images.read_rgb(saved(tmp_path / "x.tif", Image.fromarray(pixels), exif=exif))
    np.testing.assert_array_equal(images.upright(turned.pixels, turned.orientation), seen)
    exif[0x0112] = 9
    assert images.read_rgb(saved(tmp_path / "x.png", Image.fromarray(pixels), exif=exif)).orientation == 1


def test_nothing_of_pillow_is_changed_on_import() -> None:
    assert Image.MAX_IMAGE_PIXELS == 1024**3 // 4 // 3


def test_a_decompression_bomb_is_refused_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(60_000, 60_000, 8, 2, b"\0"))
    with pytest.raises(UserError, match=r"bomb\.png claims 3600000000 pixels"):
        images.read_rgb(path)


@pytest.mark.parametrize("options", [{}, {"exif": Image.Exif()}, {"save_all": True}])
@pytest.mark.parametrize("lossless", [False, True])
def test_lossless_webp(tmp_path: Path, pixels: np.ndarray, options: dict[str, Any], lossless: bool) -> None:
    if "exif" in options:
        options["exif"][0x0131] = "GIMP\n 2.10\0"
    if "save_all" in options:
        options = {**options, "append_images": [Image.fromarray(255 - pixels)]}
    path = saved(tmp_path / "x.webp", Image.fromarray(pixels), lossless=lossless, **options)
    assert images.is_lossless_webp(path) == lossless
    assert images.read_rgb(path).software == ("GIMP 2.10" if "exif" in options else "")


def test_damaged_exif_names_no_software(pixels: np.ndarray) -> None:
    assert images.Picture(pixels, "PNG", exif=b"Exif\0\0II*\0\xff\xff").software == ""


NAMES = ["with space.png", "quote'\".png", "line\nbreak.png", b"not-utf8-\xff\xfe.png", "-dash.png", "ünïcode.PNG"]


@pytest.mark.parametrize("name", NAMES)
def test_strange_names(tmp_path: Path, pixels: np.ndarray, name: str | bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"broken")
    with pytest.raises(UserError) as caught:
        images.read_rgb(path)
    message = str(caught.value)
    assert message.isprintable()
    message.encode("utf-8")
    with path.open("wb") as handle:
        Image.fromarray(pixels).save(handle, "PNG")
    np.testing.assert_array_equal(images.read_rgb(path).pixels, pixels)
    assert images.find_images(tmp_path) == [path]


def test_find_images(tmp_path: Path) -> None:
    wanted = ["a.png", "b.JPG", "c.tiff"]
    for name in [*wanted, ".hidden.png", "notes.txt", "png"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.webp").touch()
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "e.png").touch()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    assert [p.name for p in images.find_images(tmp_path)] == wanted
    assert [p.name for p in images.find_images(tmp_path, recursive=True)] == [*wanted, "d.webp"]


def test_what_is_skipped_is_named_with_a_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "HEIF_PLUGIN", "not_installed")
    for name in ("a.PSD", "b.psd", "c.psd", "d.mov", ".hidden.heic", "README"):
        (tmp_path / name).touch()
    said = "skipped 3 .psd, 1 .mov, 1 without a suffix"
    with pytest.raises(UserError, match=said):
        images.find_images(tmp_path)
    assert capsys.readouterr().err == ""
    (tmp_path / "d.png").touch()
    assert images.find_images(tmp_path) == [tmp_path / "d.png"]
    assert capsys.readouterr().err == f"{said}\n"
    for number in range(12):
        (tmp_path / f"x.{number}").touch()
        (tmp_path / f"y.{number}").touch()
    (tmp_path / "e.heic").touch()
    images.find_images(tmp_path)
    assert capsys.readouterr().err.endswith("of other formats (pip install 'q1net-msroi[heif]' reads HEIC)\n")


def test_a_heic_picture_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "HEIF_PLUGIN", "not_installed")
    path = tmp_path / "x.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(UserError, match=r"x\.jpg is a HEIC picture; pip install 'q1net-msroi\[heif\]' reads HEIC"):
        images.read_rgb(path)
    path.write_bytes(b"\0\0\0\x18ftypavif" + bytes(40))
    with pytest.raises(UserError, match=r"x\.jpg is (damaged|not a picture)"):
        images.read_rgb(path)
    monkeypatch.setattr(images.features, "check", lambda name: name != "avif")
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    with (
        pytest.warns(UserWarning, match="AVIF"),
        pytest.raises(UserError, match=r"x\.jpg is an AVIF picture, which this Pillow was built without"),
    ):
        images.read_rgb(path)


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pictures"):
        images.find_images(tmp_path)
    with pytest.raises(UserError, match="missing does not exist"):
        images.find_images(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file"):
        images.find_images(tmp_path / "file")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match="loop"):
        images.find_images(tmp_path / "loop")


def test_no_permission(unprivileged: Path) -> None:
    path = unprivileged / "secret.png"
    Image.new("RGB", (30, 30)).save(path)
    path.chmod(0)
    with pytest.raises(UserError, match=r"no permission for .*secret\.png"):
        images.read_rgb(path)
    closed = unprivileged / "closed"
    closed.mkdir()
    closed.chmod(0)
    with pytest.raises(UserError, match=r"no permission for .*closed"):
        images.find_images(closed)


def test_a_closed_folder_below_is_said(unprivileged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --recursive, what cannot be looked into is not passed over in silence."""
    Image.new("RGB", (30, 30)).save(unprivileged / "a.png")
    (unprivileged / "closed").mkdir()
    (unprivileged / "closed").chmod(0)
    assert [p.name for p in images.find_images(unprivileged, recursive=True)] == ["a.png"]
    assert "closed" in capsys.readouterr().err


def test_a_picture_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "x.png", Image.new("RGB", (30, 30)))

    def too_much(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", too_much)
    with pytest.raises(UserError, match=r"x\.png does not fit into memory"):
        images.read_rgb(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.png", "a/x.jpg", "a/out/y.jpg", "out/z.jpg", ".hidden/h.png", "notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def names(*arguments: object) -> list[str]:
    return [str(path) for path in images.find_pictures(*arguments)]  # type: ignore[arg-type]


def test_places_in_the_tree(root: Path) -> None:
    assert names(root) == ["b.png"]
    assert names(root, True) == ["a/out/y.jpg", "a/x.jpg", "b.png", "out/z.jpg"]
    assert names(root, True, [root / "out", root.parent]) == ["a/out/y.jpg", "a/x.jpg", "b.png"]
    assert names(root, True, [root / "a" / ".." / "a"]) == ["b.png", "out/z.jpg"]


def test_relative_and_linked_folders(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (root.parent / "link").symlink_to(root)
    for folder in (Path(), Path("../link")):
        assert names(folder, True, [root / "out", Path("a/out")]) == ["a/x.jpg", "b.png"]


def test_nothing_left_and_wrong_use(root: Path) -> None:
    with pytest.raises(UserError, match="is the input folder too"):
        names(root, True, [root / "a" / ".."])
    (root / "b.png").unlink()
    with pytest.raises(UserError, match="--recursive looks into its subfolders"):
        names(root)
    with pytest.raises(UserError, match="but those that were written there"):
        names(root, True, [root / "a", root / "out"])
    with pytest.raises(UserError, match="does not exist"):
        names(root / "absent", True, [root])


def test_the_outputs_of_a_folder_job_are_no_pictures(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "a" / f"x{SUFFIX}").touch()
    (root / f"y{SUFFIX}").touch()  # the folder that was asked for is taken all the same
    assert names(root, True) == ["b.png", "out/z.jpg"]
    assert (
        capsys.readouterr().err == f"skipped 1 .txt\nleft out: {root}/a, whose pictures were written by a folder job\n"
    )
