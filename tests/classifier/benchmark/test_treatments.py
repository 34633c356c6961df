"""What becomes of pixels."""

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.benchmark import treatments
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

EVERY = [*treatments.OF_FILES.items(), *treatments.NEVER_JPEG.items(), *treatments.CHANGED.items()]
EVERY += treatments.TURNED.items()


@pytest.fixture(scope="module")
def pixels(photograph: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photograph[:120, :160])


@pytest.mark.parametrize(("name", "change"), EVERY, ids=[name for name, _ in EVERY])
def test_each_gives_pixels_and_changes_what_it_says(pixels: np.ndarray, name: str, change: treatments.Change) -> None:
    before = pixels.copy()
    made = change(pixels)
    assert made.dtype == np.uint8
    assert made.shape[2] == 3
    assert np.array_equal(pixels, before)
    same = made.shape == pixels.shape and np.array_equal(made, pixels)
    assert same == (name in ("decoded", "as it is", "orientation 1", "cropped"))


def test_curves() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert treatments.levels(ramp, 16, 235)[0, [0, 16, 235, 255], 0].tolist() == [0, 0, 255, 255]
    assert treatments.gamma(ramp, 0.8)[0, [0, 128, 255], 0].tolist() == [0, round(255 * (128 / 255) ** 0.8), 255]
    assert treatments.brighter(ramp, 10)[0, [0, 200, 250], 0].tolist() == [10, 210, 255]


def test_a_crop_lies_off_the_grid_where_there_is_room() -> None:
    large = np.arange(400 * 500 * 3, dtype=np.uint32).reshape(400, 500, 3).astype(np.uint8)
    y, x = treatments.corner_of_crop(large)
    assert y % 8
    assert x % 8
    assert np.array_equal(treatments.crop(large), large[y : y + 200, x : x + 300])
    assert treatments.corner_of_crop(large[:202, :303]) == (2, 3)
    assert treatments.crop(large[:50, :60]).shape == (50, 60, 3)


def test_decoding_without_smoothing(photograph: np.ndarray, tmp_path) -> None:
    pytest.importorskip("jpeglib")
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg.encode(photograph, 75))
    plain, smooth = treatments.without_smoothing(path), jpeg.decode(path.read_bytes())
    assert plain.shape == smooth.shape
    assert not np.array_equal(plain, smooth)
    full = tmp_path / "b.jpg"
    full.write_bytes(jpeg.encode(photograph, 75, "4:4:4"))
    assert np.array_equal(treatments.without_smoothing(full), jpeg.decode(full.read_bytes()))
    for mode in ("L", "CMYK"):
        Image.fromarray(photograph).convert(mode).save(full, quality=90)
        plain, usual = treatments.without_smoothing(full).astype(int), jpeg.decode(full.read_bytes()).astype(int)
        assert plain.shape == usual.shape
        assert np.abs(plain - usual).mean() < 4
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"a.jpg cannot be decoded"):
        treatments.without_smoothing(path)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_a_lossless_crop_has_the_pixels_and_tables_of_the_file(photograph: np.ndarray, tmp_path, subsampling) -> None:
    pytest.importorskip("jpeglib")
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg.encode(photograph, 75, subsampling))
    content, pixels = treatments.cut_losslessly(path)
    assert np.array_equal(jpeg.quantization_tables(content), jpeg.quantization_tables(path.read_bytes()))
    whole = jpeg.decode(path.read_bytes())
    views = np.lib.stride_tricks.sliding_window_view(whole[..., 1], (150, 250))[::8, ::8]
    inner = pixels[16:166, 16:266, 1]  # chroma is smoothed over the edge
    assert (views == inner).all(axis=(2, 3)).any()
    path.write_bytes(jpeg.encode(photograph[:9, :5], 75, "4:2:0"))
    assert treatments.cut_losslessly(path) is None
