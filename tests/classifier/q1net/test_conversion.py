"""Rounding of kernels to float16."""

import numpy as np

from q1net_msroi.classifier.q1net import conversion


def test_sums_over_the_taps_survive_float16() -> None:
    kernel = np.random.default_rng(0).normal(0, 0.3, (3, 3, 5, 7)).astype(np.float32)
    rounded = conversion.half_precision(kernel)
    np.testing.assert_array_equal(rounded, rounded.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(rounded, kernel, rtol=2e-3, atol=1e-3)
    plain = kernel.astype(np.float16).astype(np.float64)
    off, plainly = (np.abs((each - kernel.astype(np.float64)).sum(axis=(0, 1))) for each in (rounded, plain))
    # What is left is at most half a step of the last tap.
    assert (off <= np.abs(np.spacing(rounded[-1, -1].astype(np.float16))).astype(np.float64)).all()
    assert off.mean() < 0.6 * plainly.mean()


def test_a_kernel_of_one_tap_is_rounded_to_the_nearest() -> None:
    kernel = np.random.default_rng(1).normal(0, 1, (1, 1, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(conversion.half_precision(kernel), kernel.astype(np.float16).astype(np.float32))
