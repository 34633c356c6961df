"""Parts of a file with another first compression: composites, and edits that make no part."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.lattice import blockwise, splices
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.classifier.lattice.splices import Splices
from q1net_msroi.utils import jpeg

PART = np.s_[96:208, 160:304]  # rows and columns of what is pasted, on the grid


def standard(quality: int) -> np.ndarray:
    return jpeg.standard_tables()[quality - 1, 0].ravel()


@pytest.fixture(scope="module")
def other(photograph: np.ndarray) -> np.ndarray:
    """What is pasted: the same photograph, moved off the grid and turned over."""
    return np.ascontiguousarray(photograph[293::-1, 447::-1])


def found(pixels: np.ndarray, last: int, folder: Path) -> Splices:
    """What a file of these pixels at quality `last` tells."""
    path = folder / "file.jpg"
    path.write_bytes(jpeg.encode(pixels, last))
    stored = jpeg.luma_blocks(path)
    assert stored is not None
    decoded = jpeg.decode(path.read_bytes())
    rows, columns = -(-decoded.shape[0] // 8), -(-decoded.shape[1] // 8)
    stride, usable = blockwise.stride_of(rows, columns), blockwise.whole_and_unclipped(decoded, rows, columns)
    some = stored[:rows:stride, :columns:stride]
    return splices.find(some, standard(last), last - 4, usable[::stride, ::stride], stride)


def pasted(into: np.ndarray, what: np.ndarray) -> np.ndarray:
    made = into.copy()
    made[PART] = what[PART]
    return made


def overlap(told: Splices) -> float:
    """How far the marked blocks are those that were pasted: intersection over union."""
    truth = np.zeros((38, 57), bool)
    truth[tuple(slice(one.start // 8, one.stop // 8) for one in PART)] = True
    return float((told.marked & truth).sum() / (told.marked | truth).sum())


@pytest.mark.parametrize(("first", "part", "last"), [(50, None, 90), (None, 60, 90), (70, 40, 92)])
def test_a_pasted_part_is_found(
    photograph: np.ndarray, other: np.ndarray, tmp_path: Path, first: int | None, part: int | None, last: int
) -> None:
    into = photograph if first is None else jpeg.compress(photograph, first)
    told = found(pasted(into, other if part is None else jpeg.compress(other, part)), last, tmp_path)
    assert told.main == first
    assert [one.quality for one in told.parts] == [part]
    assert told.parts[0].nats > LATTICE.splice_proof
    left, top, right, bottom = told.parts[0].box
    for edge, true in zip((left, top, right, bottom), (160, 96, 304, 208), strict=True):
        assert abs(edge - true) <= 24
    assert overlap(told) > 0.6


def test_first_tables_need_not_be_standard(photograph: np.ndarray, other: np.ndarray, tmp_path: Path) -> None:
    """Steps of the first table are then chosen one by one, and the nearest quality is named."""
    table = np.rint(14 + 4 * np.sin(np.arange(64))).astype(int)
    Image.fromarray(photograph).save(tmp_path / "first.jpg", qtables=[table.tolist()] * 2, subsampling="4:2:0")
    told = found(pasted(jpeg.decode((tmp_path / "first.jpg").read_bytes()), other), 92, tmp_path)
    assert [(part.quality, part.standard) for part in told.parts] == [(None, True)]
    assert told.main_standard is False
    assert told.main is not None
    assert overlap(told) > 0.6


@pytest.mark.parametrize("quality", [20, 50, 75, 90])
def test_the_nearest_quality_of_steps_that_are_known(quality: int) -> None:
    table = standard(quality).copy()
    table[20:] = 0
    assert splices.nearest_quality(table) == quality
    table[3:9] += 1
    assert abs(splices.nearest_quality(table) - quality) <= 3


def test_a_part_of_few_blocks_is_not_told(photograph: np.ndarray, other: np.ndarray, tmp_path: Path) -> None:
    made = jpeg.compress(photograph, 50).copy()
    made[96:120, 160:184] = other[96:120, 160:184]
    told = found(made, 90, tmp_path)
    assert (told.parts, told.marked.any()) == ((), False)


@pytest.mark.parametrize("treatment", ["once", "twice", "noise", "brighter", "softer", "shifted"])
def test_what_is_of_one_piece_has_no_part(photograph: np.ndarray, tmp_path: Path, treatment: str) -> None:
    """A picture changed between two compressions keeps more of the first in one place than in another."""
    before = jpeg.compress(photograph, 50)
    noise = np.random.default_rng(0).normal(0, 1, before.shape)
    pixels = {
        "once": photograph,
        "twice": before,
        "noise": np.clip(before + noise, 0, 255).astype(np.uint8),
        "brighter": np.minimum(before.astype(int) + 8, 255).astype(np.uint8),
        "softer": ((2 * before.astype(int) + np.roll(before, 1, 1) + np.roll(before, -1, 1)) // 4).astype(np.uint8),
        "shifted": np.ascontiguousarray(before[3:, 5:]),
    }[treatment]
    assert found(pixels, 90, tmp_path).parts == ()


def test_a_pixel_is_told_by_its_block() -> None:
    nats = np.arange(6, dtype=np.float32).reshape(2, 3)
    told = Splices(None, (), nats, nats > 3, 2, (5, 1))
    values, marked = told.per_pixel(40, 60, 3)
    for i, y in enumerate(range(0, 40, 3)):
        for j, x in enumerate(range(0, 60, 3)):
            assert values[i, j] == nats[min(max(y - 5, 0) // 16, 1), min(max(x - 1, 0) // 16, 2)]
    assert np.array_equal(marked, values > 3)


def test_the_main_part_is_what_most_places_are_of() -> None:
    evidence = np.zeros((50, 40, 40), np.float32)
    assert splices.main_part(evidence, np.arange(50)) == 0
    evidence[1:] = -5
    evidence[20, :12, :12] = 30  # a part, however sure
    assert splices.main_part(evidence, np.arange(50)) == 0
    evidence[20] = 5
    evidence[40, :12, :12] = 30
    assert splices.main_part(evidence, np.arange(50)) == 20
    evidence[:, 8:] = 0  # most places cannot say
    evidence[20, 30, 4::8] = 20
    evidence[20, :, 36:] = 20
    assert splices.main_part(evidence, np.arange(50)) == 20


def test_equal_blocks_speak_once_and_flat_ones_not_at_all(tmp_path: Path, photograph: np.ndarray) -> None:
    """A pattern that repeats is one surface: it proves no part of a picture that was compressed twice."""
    before = jpeg.compress(photograph, 50).copy()
    before[PART] = np.tile(photograph[96:112, 160:176], (7, 9, 1))
    assert found(before, 90, tmp_path).parts == ()
    flat = np.full_like(photograph, 90)
    told = found(flat, 90, tmp_path)
    assert (told.parts, told.main) == ((), None)
    assert np.count_nonzero(told.nats) <= LATTICE.splice_side**2  # around one block, the first of its kind


def test_few_blocks_and_few_qualities_tell_nothing() -> None:
    one = np.ones((1, 1, 64), np.int16)
    for blocks, below in (
        (one, 80),
        (one, 1),
        (one, 2),
        (one, 5),
        (np.repeat(one, 30, 0), -3),
        (np.zeros((9, 9, 64), np.int16), 80),
    ):
        told = splices.find(blocks, standard(90), below, np.ones(blocks.shape[:2], bool))
        assert (told.parts, told.main) == ((), None)
        assert told.nats.shape == told.marked.shape == blocks.shape[:2]


def test_no_first_table_may_be_coarser(photograph: np.ndarray, tmp_path: Path) -> None:
    """Steps are 255 at most, so that at the lowest qualities no other is above."""
    told = found(photograph, 10, tmp_path)
    assert (told.parts, told.main) == ((), None)


def test_large_pictures_are_read_in_steps(
    photograph: np.ndarray, other: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert blockwise.stride_of(256, 256) == 1
    assert blockwise.stride_of(780, 1000) == 4
    monkeypatch.setattr(type(LATTICE), "splice_blocks", 600)
    into = jpeg.compress(np.tile(photograph, (2, 2, 1)), 50).copy()
    into[96:496, 160:560] = np.tile(other, (2, 2, 1))[96:496, 160:560]
    told = found(into, 90, tmp_path)
    assert told.stride == 4
    assert told.main == 50
    assert [part.quality for part in told.parts] == [None]
    for edge, true in zip(told.parts[0].box, (160, 96, 560, 496), strict=True):
        assert abs(edge - true) <= 96
