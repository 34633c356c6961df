"""The list of lattice points against all of them."""

import itertools

import numpy as np
import pytest

from q1net_msroi.classifier.recovery import sphere

TRIED = np.array(list(itertools.product(range(-4, 5), repeat=4)), np.float32)


@pytest.mark.parametrize("apart", [False, True])
def test_the_nearest_points(apart: bool) -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        scale, middle = random.uniform(1, 9, 4).astype(np.float32), random.normal(0, 1, (1, 4)).astype(np.float32)
        gram = np.diag(scale)[None]
        if not apart:
            root = random.normal(size=(6, 4))
            gram = (root.T @ root)[None] + np.eye(4)
        cost = np.einsum("ni,nij,nj->n", TRIED - middle, np.broadcast_to(gram, (len(TRIED), 4, 4)), TRIED - middle)
        wanted = TRIED[cost.argsort()[:3]]
        if apart:
            found = sphere.points_apart(scale, middle, 1000, 200)
        else:
            found = sphere.points(gram, np.einsum("bij,bj->bi", gram, middle).astype(np.float32), 200)
        np.testing.assert_array_equal(found[0, 0], wanted[0])
        within = np.abs(wanted - np.rint(middle)).max() <= 1
        if not apart or within:
            np.testing.assert_array_equal(found[0, :3], wanted)
