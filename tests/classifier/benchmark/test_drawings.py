"""Drawings: the same ones at every call, of the sizes that are told."""

import numpy as np
import pytest

from q1net_msroi.classifier.benchmark import drawings


@pytest.mark.fast(7)
@pytest.mark.parametrize("number", range(2 * len(drawings.KINDS)))
def test_drawings(number: int) -> None:
    drawn = drawings.draw(number)
    assert drawn.dtype == np.uint8
    assert drawn.shape[2] == 3
    assert min(drawn.shape[:2]) >= 16
    assert drawn.shape[0] <= 768
    assert drawn.shape[1] <= 1024
    assert np.array_equal(drawn, drawings.draw(number))
    assert not np.array_equal(drawn, drawings.draw(number + len(drawings.KINDS)))
    assert (drawn != drawn[0, 0]).any()


def test_every_kind_is_drawn_in_turn() -> None:
    assert [drawings.kind(number) for number in range(len(drawings.KINDS))] == list(drawings.KINDS)


def test_every_second_one_has_smooth_edges() -> None:
    """Edges that were reduced have colours between those that were drawn with."""
    icons = [number for number in range(80) if drawings.kind(number) == "icon"]
    colours = [len(np.unique(drawings.draw(number).reshape(-1, 3), axis=0)) for number in icons]
    assert max(colours[::2]) <= 12
    assert min(colours[1::2]) > 12
