"""The comparison of encoders: sizes that are met, rates that are right."""

import numpy as np
import pytest

from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.msroi.encoder import blocks, jpeg_file, rate_distortion
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.msroi.encoder.scene import Scene
from q1net_msroi.msroi.metrics import ssimulacra2, suite
from q1net_msroi.utils import jpeg


def inside(pixels: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float:
    return suite.measure(suite.Reference(pixels, mask=mask), other, ["inside"])["inside"]


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


@pytest.fixture(scope="module")
def picture(photograph: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture and the mask of an object in it."""
    y, x = np.mgrid[:176, :192]
    mask = np.where((y - 80) ** 2 + (x - 90) ** 2 < 1600, 255, 0).astype(np.uint8)
    return np.ascontiguousarray(photograph[60:236, 100:292]), mask


@pytest.mark.slow
def test_every_encoder_meets_the_size(picture: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, mask = picture
    rows = comparison.compare(comparison.task_of(pixels, mask, mask[::-1, ::-1].copy(), 50), mask)
    there = [each.name for each in comparison.ENCODERS if each.is_there]
    assert [row["encoder"] for row in rows] == [comparison.REFERENCE, *there]
    assert set(there) >= {"baseline", "mozjpeg", "rule_3", "flat", "shuffled", "ours_50"}
    by_name = {row["encoder"]: row for row in rows}
    for row in rows:
        assert 0.98 < row["size_ratio"] <= 1.01
        if row["encoder"].startswith(("ours", "flat", "shuffled", "everywhere")):
            assert row["size_ratio"] <= 1
        assert np.isfinite([value for key, value in row.items() if key != "encoder"]).all()
    assert by_name["ours_75"]["inside"] > by_name["ours_25"]["inside"]
    assert by_name["ours_50"]["inside"] > by_name["shuffled"]["inside"] > by_name["rule_3"]["inside"]
    assert by_name["everywhere"]["psnr"] > by_name["flat"]["psnr"]


def test_strength_0_is_what_a_flat_map_gives(picture: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, mask = picture
    task = comparison.task_of(pixels, mask, mask, 50)
    target = rate_distortion.Target(task.size, 50)
    (flat,) = (row for row in comparison.compare(task, mask, ["flat"]) if row["encoder"] == "flat")
    content = rate_distortion.encode(Scene(pixels, mask), target, EncodingOptions(7, strength=0.0)).content
    assert inside(pixels, jpeg.decode(content), mask) == pytest.approx(flat["inside"], abs=0.15)


def test_the_sources_tables_are_the_finest(picture: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, mask = picture
    once = jpeg.compress(pixels, 60)
    finest = jpeg_file.zigzag_tables(jpeg.standard_tables())[59]
    found = {}
    for name, tables in (("known", finest), ("unknown", None)):
        task = comparison.task_of(once, mask, mask, 60, tables)
        plain, ours = comparison.compare(task, mask, ["ours_50"])
        assert plain["psnr"] > 50  # the same tables again lose next to nothing
        found[name] = ours["psnr"]
    assert found["known"] > found["unknown"] + 1


def test_everywhere_leaves_one_block_dark(picture: tuple[np.ndarray, np.ndarray]) -> None:
    task = comparison.task_of(*picture, picture[1], 50)
    assert (task.everywhere != 255).sum() == blocks.FREQUENCIES
    assert task.everywhere.shape == task.map.shape


def test_jpegli(picture: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("pyjpegli", reason="pip install pyjpegli")
    pixels, _ = picture
    small, large = (comparison.jpegli(pixels, quality) for quality in (40, 80))
    assert len(small) < len(large)
    assert inside(pixels, jpeg.decode(large), np.full(pixels.shape[:2], 255, np.uint8)) > 30


def test_ssimulacra2(picture: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("ssimulacra2", reason="pip install ssimulacra2")
    pixels, mask = picture
    assert ssimulacra2.ssimulacra2(pixels, pixels) == pytest.approx(100)
    better, worse = (ssimulacra2.ssimulacra2(pixels, jpeg.compress(pixels, quality)) for quality in (90, 30))
    assert 100 > better > worse + 10
    (row,) = comparison.compare(comparison.task_of(pixels, mask, mask, 30), None, ["none"], also=["ssimulacra2"])
    assert row["ssimulacra2"] == pytest.approx(ssimulacra2.ssimulacra2(pixels, jpeg.compress(pixels, 30)))
