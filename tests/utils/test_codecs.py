"""Every codec keeps what its entry promises, and what is compressed in parts equals the whole or is the whole."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.baselines import crops
from q1net_msroi.classifier.q1net import mosaic, patches
from q1net_msroi.classifier.q1net.dataset import PatchFile
from q1net_msroi.classifier.q1net.generation import Plan, Request, generate
from q1net_msroi.classifier.q1net.photographs import PatchSource
from q1net_msroi.utils import codecs, jpeg
from q1net_msroi.utils.codecs import CODECS, JPEG, Codec
from q1net_msroi.utils.errors import UserError


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> Codec:
    found = CODECS[request.param]
    if found.name in ("libjpeg 6b", "libjpeg 9e", "mozjpeg"):
        pytest.importorskip("jpeglib")
    return found


@pytest.fixture
def picture(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[:301, :417])


def views(pixels: np.ndarray, side: int = 16) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(0, 1)).transpose(0, 1, 3, 4, 2)


def test_a_file_and_back(codec: Codec, picture: np.ndarray) -> None:
    sizes = []
    for quality in (codec.qualities[0], codec.qualities[len(codec.qualities) // 2], codec.qualities[-1]):
        content = codec.encode(picture, quality)
        assert content == codec.encode(picture, np.uint8(quality))
        decoded = codec.decode(content)
        assert decoded.shape == picture.shape
        assert decoded.dtype == np.uint8
        assert np.array_equal(decoded, codec.compress(picture, quality))
        sizes.append(len(content))
    assert sizes == sorted(sizes)
    error = np.abs(decoded.astype(int) - picture)
    assert error.mean() < 4
    assert codec.identity().startswith("Pillow ")


def test_the_first_is_jpeg(picture: np.ndarray) -> None:
    assert next(iter(CODECS.values())) is JPEG
    assert JPEG.encode(picture, 60) == jpeg.encode(picture, 60, "4:2:0")
    assert JPEG.identity() == jpeg.codec_identity()
    assert [name for name, codec in CODECS.items() if codec.margin is None] == ["mozjpeg", "webp"]
    assert all(mosaic.UNIT % codec.unit == 0 for codec in CODECS.values())
    assert CODECS["webp"].encode(picture, 60)[8:12] == b"WEBP"
    assert "libwebp" in CODECS["webp"].identity()


@pytest.mark.fast(6)
@pytest.mark.parametrize(("quality", "offset"), [(3, (0, 0)), (95, (3, 5)), (50, (20, 11))])
def test_a_pictures_mosaic_is_exact(codec: Codec, picture: np.ndarray, quality: int, offset: tuple[int, int]) -> None:
    large = np.tile(picture, (3, 3, 1))
    made = mosaic.picture_mosaic(large, offset, codec)
    whole = codec.compress(large, quality)[offset[0] :, offset[1] :]
    assert np.array_equal(made.compressed_patches(quality), patches.cut_grid(whole))
    assert (made.pixels.shape[0] < large.shape[0]) == (codec.margin is not None)


@pytest.mark.parametrize("name", ["jpeg", "jpeg 4:2:2"])
def test_the_stated_margin_is_needed(picture: np.ndarray, name: str) -> None:
    """With a pixel less, a patch differs somewhere: the margin is no caution."""
    bold = dataclasses.replace(CODECS[name], margin=0)
    large = np.tile(picture, (3, 3, 1))
    whole = patches.cut_grid(bold.compress(large, 60)[4:, 4:])
    assert not np.array_equal(mosaic.picture_mosaic(large, (4, 4), bold).compressed_patches(60), whole)


@pytest.mark.parametrize("name", ["mozjpeg", "webp"])
def test_whole_pictures_are_needed(picture: np.ndarray, name: str) -> None:
    if name == "mozjpeg":
        pytest.importorskip("jpeglib")
    bold = dataclasses.replace(CODECS[name], margin=1)
    large = np.tile(picture, (3, 3, 1))
    whole = patches.cut_grid(bold.compress(large, 60))
    assert not np.array_equal(mosaic.picture_mosaic(large, codec=bold).compressed_patches(60), whole)


def test_training_windows(codec: Codec, picture: np.ndarray) -> None:
    """Patches come from the compressed photograph, or from windows that are pictures of their own."""
    source = PatchSource([picture[:96, :96]], 100, augment=False, windows_per_quality=1, codec=codec)
    made, qualities = source.round(0, 0)
    whole = {quality: views(codec.compress(source.photographs[0], quality)) for quality in (10, 60)}
    found = [
        (whole[q] == patch).all(axis=(2, 3, 4)).any() for patch, q in zip(made, qualities, strict=True) if q in whole
    ]
    assert len(found) == 2
    assert codec.margin is None or all(found)


def test_windows_alone_where_none_is_exact(picture: np.ndarray) -> None:
    windows = np.stack([picture[:48, :48], picture[48:96, 16:64]])
    made = mosaic.compressor(windows, CODECS["webp"])(40)
    assert np.array_equal(made, [CODECS["webp"].compress(window, 40) for window in windows])


@pytest.mark.parametrize("across", [1, 4])
def test_windows_of_any_side(picture: np.ndarray, across: int) -> None:
    windows = np.stack([picture[t : t + 96, x : x + 96] for t, x in ((0, 0), (16, 64), (128, 32))])
    shapes = []
    spy = dataclasses.replace(JPEG, encode=lambda p, q: shapes.append(p.shape) or JPEG.encode(p, q))
    made = mosaic.compressor(windows, spy, across=across)(40)
    assert shapes == [{1: (288, 96, 3), 4: (96, 384, 3)}[across]]
    whole = JPEG.compress(np.ascontiguousarray(picture[:288, :416]), 40)
    for window, (top, left) in zip(made, ((0, 0), (16, 64), (128, 32)), strict=True):
        assert np.array_equal(window[1:-1, 1:-1], whole[top + 1 : top + 95, left + 1 : left + 95])


def test_the_baselines_crops(picture: np.ndarray) -> None:
    shapes = []
    spy = dataclasses.replace(CODECS["webp"], encode=lambda p, q: shapes.append(p.shape) or JPEG.encode(p, q))
    source = crops.CropSource([picture], 100, augment=False, windows_per_quality=2, side=32, codec=spy)
    assert source.round(0, 0)[0].shape == (200, 32, 32, 3)
    assert shapes == [(64, 64, 3)] * 200


@pytest.mark.fast(2)
@pytest.mark.parametrize("name", ["jpeg", "jpeg 4:4:4", "webp"])
def test_a_sets_patches_are_those_of_whole_photographs(tmp_path: Path, picture: np.ndarray, name: str) -> None:
    for index, part in enumerate((picture[:80, :90], picture[100:170, 50:130])):
        Image.fromarray(part).save(tmp_path / f"{index}.png")
    request = Request("jpeg_paper", 4, perturb=2, quality_division=50, codec=name)
    generate(Plan(request, tuple(sorted(tmp_path.glob("*.png")))), tmp_path / "set.hdf5", workers=1)
    file = PatchFile(tmp_path / "set.hdf5")
    made, qualities = file.patches(0, len(file)), file.qualities
    whole = [
        {int(q): views(CODECS[name].compress(np.asarray(Image.open(path)), int(q))) for q in np.unique(qualities)}
        for path in sorted(tmp_path.glob("*.png"))
    ]
    for patch, quality in zip(made, qualities, strict=True):
        assert any((each[int(quality)] == patch).all(axis=(2, 3, 4)).any() for each in whole)


def test_a_codec_without_all_qualities_makes_no_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codecs.CODECS, "short", dataclasses.replace(JPEG, name="short", qualities=range(10, 101)))
    with pytest.raises(UserError, match=r"--codec short has not all qualities 1\.\.100"):
        Request("jpeg_paper", 4, codec="short")
