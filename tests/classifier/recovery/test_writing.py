"""Never a file whose pixels are others, never a source lost."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from q1net_msroi.classifier.recovery import coefficients, proof, writing
from q1net_msroi.classifier.recovery.layout import Layout
from q1net_msroi.utils import files, images, jpeg
from q1net_msroi.utils.errors import UserError


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    path = files.REPOSITORY / "sample_image" / "chelsea.png"
    return jpeg.compress(np.asarray(Image.open(path).convert("RGB"))[64:160, 96:208], 75)


def test_never_written_where_one_random_pixel_differs(pixels: np.ndarray) -> None:
    """The coefficients are found anew each time, under the right hypothesis; the content is only made where all fit."""
    random, tables = np.random.default_rng(3), jpeg.standard_tables()[74]
    layout = Layout(*pixels.shape[:2], (2, 2))
    refused = 0
    for number in range(200):
        changed = pixels.copy()
        y, x, c = random.integers(pixels.shape[0]), random.integers(pixels.shape[1]), random.integers(3)
        changed[y, x, c] = (int(changed[y, x, c]) + random.integers(1, 256)) % 256
        found = coefficients.recover(changed, layout, tables, rounds=None if number < 4 else 0)
        if found.fits.all():  # another JPEG may have just these pixels; then it has to have them in truth
            np.testing.assert_array_equal(jpeg.decode(writing.content_of(found)), changed)
        refused += not found.fits.all()
    assert refused >= 195


def test_a_wrong_proof_writes_nothing(pixels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where every block is said to fit, what is read back decides."""
    layout, tables = Layout(*pixels.shape[:2], (2, 2)), jpeg.standard_tables()[74]
    found = coefficients.recover(pixels, layout, tables)
    assert found.fits.all()
    found.levels[0][3, 3, 0, 0] += 1
    kind = proof.Hypothesis(tables, "4:2:0", "quality 75")
    monkeypatch.setattr(writing, "prove", lambda *_: proof.Proof("", kind, found))
    Image.fromarray(pixels).save(path := tmp_path / "in.png")
    done = writing.process(path, tmp_path / "in.jpg", False, True, False, 1)
    assert not done.recovered
    assert [each.name for each in tmp_path.iterdir()] == ["in.png"]
    with pytest.raises(UserError, match="does not give the pixels back"):
        writing._save(pixels, writing.content_of(found), b"", tmp_path / "in.jpg")
    assert [each.name for each in tmp_path.iterdir()] == ["in.png"]


def test_metadata_are_kept(pixels: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0131] = "a camera"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "a cat")
    texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    Image.fromarray(pixels).save(path := tmp_path / "in.png", exif=exif, icc_profile=b"profile" * 99, pnginfo=texts)
    done = writing.process(path, target := tmp_path / "in.jpg", False, True, False, 1)
    assert done.recovered
    assert not path.exists()
    with Image.open(target) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
        assert image.getexif()[0x0131] == "a camera"
        assert image.info["icc_profile"] == b"profile" * 99
        assert b"xmpmeta" in image.info["xmp"]
        assert image.info["comment"] == b"Title: a cat"
        assert image.info["progressive"]


@pytest.mark.slow
def test_residual(pixels: np.ndarray, tmp_path: Path) -> None:
    changed = pixels.copy()
    changed[40:60, 40:60] = 255 - changed[40:60, 40:60]
    Image.fromarray(changed).save(path := tmp_path / "in.png")
    target = tmp_path / "in.jpg"
    assert not writing.process(path, target, False, False, False, 1).recovered
    assert not target.exists()
    done = writing.process(path, target, True, False, False, 1)
    assert [each.name for each in done.outputs] == ["in.jpg", "in.residual.png"]
    np.testing.assert_array_equal(writing.joined(*(each.read_bytes() for each in done.outputs)), changed)


def test_a_turned_picture_is_shown_upright(pixels: np.ndarray, tmp_path: Path) -> None:
    turned = np.ascontiguousarray(np.rot90(pixels))
    Image.fromarray(turned).save(path := tmp_path / "in.png", dpi=(300, 300))
    done = writing.process(path, target := tmp_path / "in.jpg", False, True, False, 1)
    assert done.recovered, done.sentence
    assert not path.exists()
    with Image.open(target) as image:
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(image)), turned)
        assert image.info["dpi"] == (300, 300)
    np.testing.assert_array_equal(writing.picture_of(target.read_bytes()), turned)


def test_a_cropped_picture_has_a_margin(pixels: np.ndarray, tmp_path: Path) -> None:
    cropped = np.ascontiguousarray(pixels[8:, 8:])
    Image.fromarray(cropped).save(path := tmp_path / "in.png")
    done = writing.process(path, target := tmp_path / "in.jpg", False, True, False, 1)
    assert done.recovered, done.sentence
    assert "invented margin" in done.sentence
    assert path.exists()  # a JPEG with more than the picture does not replace it
    np.testing.assert_array_equal(writing.picture_of(target.read_bytes()), cropped)


def test_what_says_nothing_is_left_out(pixels: np.ndarray, tmp_path: Path) -> None:
    """Opaque alpha, a palette that holds all colours, eight bits written as sixteen; else refused by name."""
    gray = np.asarray(Image.fromarray(pixels[:, :, 1]))
    jpeg_gray = np.asarray(Image.open(io.BytesIO(_gray(gray))))
    colours, at = np.unique(np.repeat(jpeg_gray[..., None], 3, axis=2).reshape(-1, 3), axis=0, return_inverse=True)
    palette = Image.fromarray(at.reshape(jpeg_gray.shape).astype(np.uint8), "P")
    palette.putpalette(colours.astype(np.uint8).tobytes())
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    seen = opaque.copy()
    seen[3, 4, 3] = 254
    wide = jpeg_gray.astype(np.uint16) * 257
    other = wide.copy()
    other[3, 4] += 1
    cases = {
        "opaque": (Image.fromarray(opaque), ""),
        "seen": (Image.fromarray(seen), "alpha"),
        "palette": (palette, ""),
        "wide": (Image.fromarray(wide), ""),
        "other": (Image.fromarray(other), "16 bits"),
    }
    for name, (image, said) in cases.items():
        image.save(path := tmp_path / f"{name}.png")
        picture = images.read_rgb(path)
        assert said in writing.unlikely(path, picture)
        assert bool(said) == bool(writing.unlikely(path, picture))
    assert writing.process(tmp_path / "palette.png", tmp_path / "palette.jpg", False, False, False, 1).recovered


def _gray(samples: np.ndarray) -> bytes:
    Image.fromarray(samples).save(buffer := io.BytesIO(), "JPEG", quality=75)
    return buffer.getvalue()
