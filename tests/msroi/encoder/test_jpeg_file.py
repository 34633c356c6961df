"""Files from coefficients: what goes in comes out, markers and metadata are as they should be."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from q1net_msroi.msroi.encoder import blocks, jpeg_file, rate_distortion
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.msroi.encoder.scene import Scene
from q1net_msroi.utils import jpeg, jpeg_writer


def markers(content: bytes) -> list[int]:
    """The markers of a file outside entropy-coded data, in order."""
    found, at = [], 0
    while at < len(content) - 1:
        if content[at] != 0xFF or content[at + 1] in (0x00, 0xFF):
            at += 1
            continue
        marker = content[at + 1]
        found.append(marker)
        at += 2
        if marker not in (0xD8, 0xD9) and not 0xD0 <= marker <= 0xD7:
            at += int.from_bytes(content[at : at + 2], "big")
    return found


def parts(pixels: np.ndarray, subsampling: str, quality: int = 60) -> tuple[list, list, np.ndarray]:
    components = blocks.components_of(blocks.planes_of(pixels, subsampling), subsampling)
    tables = jpeg_file.zigzag_tables(jpeg.standard_tables())[quality - 1]
    levels = [
        np.rint(component.spectrum / tables[min(index, 1)][:, None]).astype(np.int16)
        for index, component in enumerate(components)
    ]
    return levels, components, tables


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 7), (16, 16), (17, 31), (40, 200)])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_decodes_to_what_plain_jpeg_decodes_to(size: tuple[int, int], subsampling: str, textured) -> None:
    pixels = textured(*size)
    levels, components, tables = parts(pixels, subsampling)
    content = jpeg_file.write(levels, components, tables, *size)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (size[1], size[0])
        assert image.info["progressive"]
        side = 2 if subsampling == "4:2:0" else 1
        assert [layer[1:3] for layer in image.layer] == [(side, side), (1, 1), (1, 1)]
        assert (np.array(image.quantization[0]) == jpeg.standard_tables()[59, 0].reshape(64)).all()
    baseline = jpeg_file.write(levels, components, tables, *size, progressive=False)
    assert (jpeg.decode(content) == jpeg.decode(baseline)).all()
    ours, theirs = (
        np.square(pixels - decoded.astype(float)).mean()
        for decoded in (jpeg.decode(content), jpeg.compress(pixels, 60, subsampling))
    )
    assert ours < 1.1 * theirs + 5  # what fills up blocks beyond the picture may differ from libjpeg's


@pytest.fixture(scope="module")
def files(photograph: np.ndarray) -> tuple[np.ndarray, dict[str, bytes]]:
    """A colourful picture of odd size, and files of it by name."""
    pixels = np.ascontiguousarray(photograph[37:190, 60:283])
    saliency = np.zeros(pixels.shape[:2], np.uint8)
    saliency[30:90, 40:150] = 255
    made = {}
    for subsampling in ("4:2:0", "4:4:4"):
        levels, components, tables = parts(pixels, subsampling)
        for progressive in (False, True):
            kind = "progressive" if progressive else "baseline"
            made[f"{kind} {subsampling}"] = jpeg_file.write(
                levels, components, tables, *pixels.shape[:2], progressive=progressive
            )
        size = len(jpeg.encode(pixels, 50, subsampling, progressive=True))
        target, options = rate_distortion.Target(size, 50), EncodingOptions(7, strength=0.75)
        scene = Scene(pixels, saliency, subsampling)
        made[f"model 7 {subsampling}"] = rate_distortion.encode(scene, target, options).content
    return pixels, made


KINDS = [
    f"{kind} {subsampling}" for kind in ("baseline", "progressive", "model 7") for subsampling in ("4:2:0", "4:4:4")
]


@pytest.mark.parametrize("name", KINDS)
def test_colours_are_not_shifted(files: tuple[np.ndarray, dict[str, bytes]], name: str) -> None:
    pixels, made = files
    shift = (jpeg.decode(made[name]).astype(float) - pixels).mean(axis=(0, 1))
    assert np.abs(shift).max() < 0.5


@pytest.mark.skipif(shutil.which("djpeg") is None, reason="no djpeg (Debian: apt-get install libjpeg-turbo-progs)")
@pytest.mark.parametrize("name", KINDS)
def test_opens_in_djpeg(files: tuple[np.ndarray, dict[str, bytes]], name: str, tmp_path: Path) -> None:
    pixels, made = files
    path = tmp_path / "picture.jpg"
    path.write_bytes(made[name])
    done = subprocess.run(["djpeg", "-pnm", path], capture_output=True, check=True)
    assert done.stderr == b""  # no warning either
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert image.size == (pixels.shape[1], pixels.shape[0])
        difference = np.abs(np.asarray(image).astype(int) - jpeg.decode(made[name]))
    assert difference.max() <= 1  # another version's rounding


def test_a_gray_file_has_one_component(textured) -> None:
    levels, components, tables = parts(textured(20, 30), "4:4:4")
    content = jpeg_file.write(levels[:1], components[:1], tables[:1], 20, 30)
    with Image.open(io.BytesIO(content)) as image:
        assert (image.mode, image.size) == ("L", (30, 20))


def test_markers_and_metadata(textured) -> None:
    levels, components, tables = parts(textured(64, 64), "4:2:0")
    content = jpeg_file.write(levels, components, tables, 64, 64)
    found = markers(content)
    assert (found[0], found[-1]) == (0xD8, 0xD9)
    assert found.count(0xE0) == 1
    assert found.count(0xC2) == 1
    assert found.count(0xDA) > 1
    assert not {0xC0, 0xC9, 0xCA, 0xEE} & set(found)
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(70_000)
    dressed = jpeg_writer.with_metadata(content, b"Exif\x00\x00" + exif.tobytes()[6:], profile)
    assert markers(dressed)[:5] == [0xD8, 0xE0, 0xE1, 0xE2, 0xE2]
    with Image.open(io.BytesIO(dressed)) as image:
        assert image.getexif()[0x0112] == 6
        assert image.info["icc_profile"] == profile
        image.load()
    assert (jpeg.decode(dressed) == jpeg.decode(content)).all()
    assert jpeg_writer.with_metadata(content) == content


def test_leaves_no_temporary_files(tmp_path, monkeypatch: pytest.MonkeyPatch, textured) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    levels, components, tables = parts(textured(32, 32), "4:2:0")
    jpeg_file.write(levels, components, tables, 32, 32)
    assert list(tmp_path.iterdir()) == []
