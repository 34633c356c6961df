"""Which JPEG it was, or why there is none."""

from collections.abc import Callable

import numpy as np
import pytest

from q1net_msroi.classifier.recovery import proof
from q1net_msroi.utils import jpeg


@pytest.mark.parametrize(("way", "quality"), [("4:2:0", 75), ("4:4:4", 60), ("4:2:2", 40)])
def test_proven(photograph: np.ndarray, way: str, quality: int) -> None:
    found = proof.prove(jpeg.compress(photograph[:288, :432], quality, way), 2)
    assert found.complete
    assert found.share == 1
    assert found.sentence() == f"proven: these are the pixels of a JPEG of quality {quality}, {way}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p[3:, 5:], "cropped"),
        (np.rot90, "turned"),
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


def test_mozjpegs_tables(photograph: np.ndarray) -> None:
    moz = jpeg.decode(jpeg.written_by(np.ascontiguousarray(photograph[:288, :432]), 75, jpeg.MOZJPEG))
    assert proof.prove(moz).sentence().endswith("mozjpeg's quality 75, 4:2:0")
