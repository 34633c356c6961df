"""Which JPEG it was, or why there is none."""

from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.classifier.recovery import proof, writing
from q1net_msroi.utils import jpeg


@pytest.mark.parametrize(("way", "quality"), [("4:2:0", 75), ("4:4:4", 60), ("4:2:2", 40)])
def test_proven(photograph: np.ndarray, way: str, quality: int) -> None:
    found = proof.prove(jpeg.compress(photograph[:288, :432], quality, way), 2)
    assert found.complete
    assert found.share == 1
    assert found.sentence() == f"proven: these are the pixels of a JPEG of quality {quality}, {way}"


@pytest.mark.parametrize(
    ("change", "said", "orientation"),
    [
        (np.rot90, "turned by a quarter", 8),
        (lambda p: p[:, ::-1], "mirrored", 3),
        (lambda p: np.rot90(p, 2), "turned by a half", 3),
        (lambda p: p.swapaxes(0, 1), "turned by a quarter", 6),
        (lambda p: p[16:, 32:-16], "", 1),
        (lambda p: p[8:-8, 24:-24], "cropped", 1),
    ],
)
def test_turned_or_cropped_since(
    photograph: np.ndarray, change: Callable[[np.ndarray], np.ndarray], said: str, orientation: int
) -> None:
    """What is shown of the JPEG found is the picture, pixel for pixel."""
    pixels = np.ascontiguousarray(change(jpeg.compress(photograph[:288, :432], 50)))
    found = proof.prove(pixels)
    assert found.complete, found.sentence()
    assert found.sentence().startswith("proven: these are the pixels of a JPEG of quality 50, 4:2:0")
    assert said in found.sentence()
    assert found.orientation == orientation
    assert found.found is not None
    np.testing.assert_array_equal(found.picture_of(jpeg.decode(writing.content_of(found.found))), pixels)


def test_cropped_anywhere(photograph: np.ndarray) -> None:
    """Blocks of which a few rows or columns are left are not all found; nothing else is missing."""
    pixels = np.ascontiguousarray(jpeg.compress(photograph[:288, :432], 50)[3:-9, 5:-7])
    found = proof.prove(pixels)
    assert found.share > 0.99
    assert "4:2:0, cropped" in found.sentence()
    assert found.found is not None
    assert found.found.fits[2:-3, 2:-3].all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p[:, :1], "no block"),
        (lambda p: p[:5, :7], "no block"),
        (lambda p: np.clip(p * 0.8 + 20, 0, 255).astype(np.uint8), "changed"),
    ],
)
def test_refused_by_name(photograph: np.ndarray, change: Callable[[np.ndarray], np.ndarray], said: str) -> None:
    found = proof.prove(np.ascontiguousarray(change(jpeg.compress(photograph[:288, :432], 75))))
    assert not found.complete
    assert found.share == 0
    assert said in found.sentence()


@pytest.mark.slow
def test_mozjpegs_tables(photograph: np.ndarray) -> None:
    moz = jpeg.decode(jpeg.written_by(np.ascontiguousarray(photograph[:288, :432]), 75, jpeg.MOZJPEG))
    assert proof.prove(moz).sentence().endswith("mozjpeg's quality 75, 4:2:0")
