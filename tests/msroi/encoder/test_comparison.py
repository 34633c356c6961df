"""The comparison of encoders: sizes that are met, rates that are right."""

import numpy as np
import pytest

from msroi.encoder import comparison
from utils import jpeg


def test_around_meets_the_size_between_two_qualities(photograph: np.ndarray) -> None:
    pixels = np.ascontiguousarray(photograph[:96, :128])
    sizes = {quality: len(jpeg.encode(pixels, quality)) for quality in (1, 49, 50, 100)}
    exact = comparison.around(lambda quality: jpeg.encode(pixels, quality), sizes[50])
    assert exact == [(1.0, jpeg.encode(pixels, 50))]
    between = comparison.around(lambda quality: jpeg.encode(pixels, quality), sizes[50] - 1)
    assert [len(content) for _, content in between] == [sizes[49], sizes[50]]
    assert sum(share for share, _ in between) == pytest.approx(1)
    log_size = sum(share * np.log(len(content)) for share, content in between)
    assert np.exp(log_size) == pytest.approx(sizes[50] - 1)
    assert comparison.around(lambda quality: jpeg.encode(pixels, quality), 10) == [(1.0, jpeg.encode(pixels, 1))]
    assert comparison.around(lambda quality: jpeg.encode(pixels, quality), 10**6) == [(1.0, jpeg.encode(pixels, 100))]


def test_bd_rate_of_files_a_tenth_smaller() -> None:
    bits, values = [1000, 2000, 4000, 8000], [30, 33, 36, 38]
    assert comparison.bd_rate(bits, values, [0.9 * b for b in bits], values) == pytest.approx(-10)
    assert comparison.bd_rate(bits, values, bits, values) == pytest.approx(0)
    assert np.isnan(comparison.bd_rate(bits, values, bits, [50, 51, 52, 53]))


def test_every_encoder_meets_the_size(photograph: np.ndarray) -> None:
    pixels = np.ascontiguousarray(photograph[60:236, 100:292])
    y, x = np.mgrid[:176, :192]
    mask = np.where((y - 80) ** 2 + (x - 90) ** 2 < 1600, 255, 0).astype(np.uint8)
    rows = comparison.compare(pixels, mask, mask[::-1, ::-1].copy(), mask, 50)
    assert [row["encoder"] for row in rows] == [comparison.REFERENCE, *(each.name for each in comparison.ENCODERS)]
    by_name = {row["encoder"]: row for row in rows}
    for row in rows:
        assert 0.98 < row["size_ratio"] <= 1.01
        if row["encoder"].startswith(("ours", "flat", "shuffled")):
            assert row["size_ratio"] <= 1
        assert np.isfinite([value for key, value in row.items() if key != "encoder"]).all()
    assert by_name["ours_75"]["inside"] > by_name["ours_25"]["inside"]
    assert by_name["ours_50"]["inside"] > by_name["shuffled"]["inside"] > by_name["rule_3"]["inside"]
