"""JPEG in memory is what Pillow writes to a file."""

import io

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.utils import jpeg


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_tables_are_those_in_a_files_header(photograph: np.ndarray, quality: int) -> None:
    found = jpeg.quantization_tables(jpeg.encode(photograph[:16, :16], quality))
    np.testing.assert_array_equal(np.stack(found), jpeg.standard_tables()[quality - 1])


def test_rows_of_a_table_are_vertical_frequencies() -> None:
    luma, chroma = jpeg.standard_tables()[49]
    assert luma[0, :3].tolist() == [16, 11, 10]  # Annex K.1
    assert luma[:3, 0].tolist() == [16, 12, 14]
    assert chroma[0, :3].tolist() == [17, 18, 24]


def test_compress_is_encode_then_decode(photograph: np.ndarray) -> None:
    content = jpeg.encode(photograph, 60)
    np.testing.assert_array_equal(jpeg.compress(photograph, 60), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize(("subsampling", "factors"), [("4:2:0", (2, 2)), ("4:2:2", (2, 1)), ("4:4:4", (1, 1))])
def test_subsampling(photograph: np.ndarray, subsampling: str, factors: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(jpeg.encode(photograph, 60, subsampling)))
    assert image.layer[0][1:3] == factors
    assert jpeg.compress(photograph, 60, subsampling).shape == photograph.shape


def test_the_default_is_4_2_0(photograph: np.ndarray) -> None:
    assert jpeg.encode(photograph, 60) == jpeg.encode(photograph, 60, "4:2:0")
    assert jpeg.encode(photograph, np.uint8(60)) == jpeg.encode(photograph, 60)


def test_metadata_is_stored_as_given(photograph: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = jpeg.encode(photograph, 60, exif=exif.tobytes(), icc_profile=b"profile")
    image = Image.open(io.BytesIO(content))
    assert image.getexif()[0x0112] == 6
    assert image.info["icc_profile"] == b"profile"
    np.testing.assert_array_equal(jpeg.decode(content), jpeg.compress(photograph, 60))


def test_a_gray_jpeg_decodes_to_three_channels(photograph: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photograph[..., 0]).save(buffer, "JPEG")
    assert jpeg.decode(buffer.getvalue()).shape == photograph.shape


def test_codec_identity_names_both() -> None:
    assert jpeg.codec_identity().startswith("Pillow ")
    assert "libjpeg-turbo" in jpeg.codec_identity()
