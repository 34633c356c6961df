"""The sets: what is true of their cases, and that they are the same at every call."""

from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark import world
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

CAMERA = [list(range(2, 66)), list(range(3, 67))]


@pytest.fixture
def inputs(photographs: Path, photograph: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> world.Inputs:
    folder = tmp_path_factory.mktemp("files")
    path = folder / "a.jpg"
    path.write_bytes(jpeg.encode(photograph, 75))
    return world.Inputs([path], {"a.jpg": "phone"}, sorted(photographs.iterdir()), [CAMERA, CAMERA])


def test_truth() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    luma, chroma = (table.ravel().tolist() for table in jpeg.standard_tables()[59])
    other = jpeg.standard_tables()[79, 1].ravel().tolist()
    changed = [luma[0] + 1, *luma[1:]]
    for tables, truth in (
        ([luma, chroma], world.Truth(60, 60, "standard")),
        ([luma, other], world.Truth(60, 60, "luma standard")),
        ([changed, chroma], world.Truth(60, 60, "other")),
    ):
        assert world.truth_of(world.with_tables(pixels, tables, "4:2:0"), "a.jpg") == truth
    with pytest.raises(UserError, match=r"b.jpg has no header"):
        world.truth_of(b"nothing", "b.jpg")


@pytest.mark.parametrize("name", world.SETS)
def test_sets(inputs: world.Inputs, name: str) -> None:
    found = world.sources(name, inputs, {"code": "x"})
    assert found
    assert len({source.key for source in found}) == len(found)
    assert all(source.settings_record()["code"] == "x" for source in found)
    cases, again = list(found[0].cases()), list(found[0].cases())
    assert len({case.treatment for case in cases}) == len(cases)
    for one, other in zip(cases, again, strict=True):
        assert np.array_equal(one.pixels(), other.pixels())
        assert one.truth == other.truth
        assert (one.truth is None) == (name in ("never", "drawn"))
        if one.file is not None:
            assert world.truth_of(one.file, "file") == one.truth
        assert (one.source is not None) == (name == "real")
        assert (one.first is not None) == (name == "double")
    if name not in ("drawn", "drawn_jpeg"):
        assert not world.sources(name, world.Inputs(), {})
        assert name in world.NEEDS


def test_doubles_are_as_far_apart_as_told(inputs: world.Inputs) -> None:
    found = world.sources("double", inputs, {})
    for source in found[:8]:
        case = next(source.cases())
        assert case.truth is not None
        assert case.first == case.truth.quality - source.detail[0]
        assert case.group.startswith("aligned" if source.detail[1] else "shifted")
    assert {source.detail[0] for source in found} == set(world.APART)


def test_near_standard_tables() -> None:
    random = np.random.default_rng(0)
    standard = jpeg.standard_tables().reshape(100, 2, 64)
    for _ in range(30):
        luma, chroma = world.near_standard("two qualities", random)
        assert (standard[:, 0] == luma).all(1).any()
        assert (standard[:, 1] == chroma).all(1).any()
        assert not (standard == [luma, chroma]).all((1, 2)).any()
        off = np.abs(standard - world.near_standard("one step off", random)).sum((1, 2)).min()
        assert off <= 3


def test_tables_of_a_csv(tmp_path: Path) -> None:
    path, (luma, chroma) = tmp_path / "t.csv", (" ".join(map(str, table)) for table in CAMERA)
    large = " ".join(["300"] * 64)
    path.write_text(f"names,luma,chroma\ncamera,{luma},{chroma}\ngray,{luma},\nlarge,{large},{chroma}\n")
    assert world.read_tables(path) == [CAMERA, CAMERA[:1]]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="holds no tables"):
        world.read_tables(path)


def test_samples_are_nested(inputs: world.Inputs) -> None:
    found = world.sources("double", inputs, {})
    few, more = (world.sample(found, number) for number in (20, 50))
    assert len(few) == 20
    assert {each.key for each in few} < {each.key for each in more}
    assert {each.detail[1] for each in few} == {True, False}
    assert world.sample(found, None) == found
