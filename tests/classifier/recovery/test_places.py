"""Windows of blocks, cut out and decoded by themselves, against the whole plane."""

import numpy as np
import pytest

from q1net_msroi.classifier.recovery import decoder, places


@pytest.mark.parametrize("seen", [(24, 32), (21, 27)])
@pytest.mark.parametrize("factors", [(1, 1), (1, 2), (2, 2)])
def test_windows_are_those_of_the_plane(factors: tuple[int, int], seen: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    levels = np.rint(random.laplace(0, 20, (3, 4, 8, 8))).astype(np.int16)
    ones = np.ones((8, 8), np.int32)
    plane = decoder.plane(decoder.samples(levels))[: seen[0], : seen[1]]
    size = seen[0] * factors[0], seen[1] * factors[1]
    whole = decoder.upsampled(plane, factors, size).astype(np.int32)
    wanted = places.windows(whole, (3, 4), factors, -1)
    outside, met = places.around(levels, ones), 0
    for down, across, y, x in places.alike(np.ones((3, 4), bool), seen, factors, 5):
        made = places.decoded(levels[y, x].astype(np.int32), outside[y, x], down, across)
        cut = wanted[y, x].reshape(len(y), -1)
        np.testing.assert_array_equal(np.where(cut >= 0, made, -1), cut)
        kernel, own = places.operators(down, across)
        ten = outside[y, x].astype(np.float32)
        down.closed(ten.swapaxes(1, 2))
        across.closed(ten)
        off = np.where(cut >= 0, ten.reshape(-1, 100) @ kernel.T - cut, 0)
        assert np.abs(off).max() <= 0.5
        assert own.shape == (made.shape[-1], 64)
        met += len(y)
    assert met == 12
