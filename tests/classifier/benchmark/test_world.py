"""The sets: what is true of their cases, and that they are the same at every call."""

from pathlib import Path

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark import truth, world
from q1net_msroi.utils import jpeg

CAMERA = [list(range(2, 66)), list(range(3, 67))]


@pytest.fixture
def inputs(photographs: Path, photograph: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> world.Inputs:
    folder = tmp_path_factory.mktemp("files")
    path = folder / "a.jpg"
    path.write_bytes(jpeg.encode(photograph, 75))
    return world.Inputs([path], {"a.jpg": "phone"}, sorted(photographs.iterdir()), [CAMERA, CAMERA])


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
            assert truth.truth_of(one.file, "file") == one.truth
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


def test_samples_are_nested(inputs: world.Inputs) -> None:
    found = world.sources("double", inputs, {})
    few, more = (world.sample(found, number) for number in (20, 50))
    assert len(few) == 20
    assert {each.key for each in few} < {each.key for each in more}
    assert {each.detail[1] for each in few} == {True, False}
    assert world.sample(found, None) == found
