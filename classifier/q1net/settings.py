"""Every tuned number that makes one answer for a picture of the network's answers for its patches."""

from dataclasses import dataclass

from q1net_msroi.utils.settings import tuned

HAND = "set by hand"
KNOTS = (0, 3, 6, 10, 15, 20, 30, 40, 50, 60, 70, 80, 88, 94, 98, 100)


@dataclass(frozen=True, eq=False, repr=False)  # what is not generated does not slow the start
class Network:
    """All settings of fusion, intervals and correction."""

    smallest_error: float = tuned(0.25, "qualities", "a patch that expects less gets no more weight", HAND)
    mode_bandwidth: float = tuned(1.0, "qualities", "standard deviation of the mode's kernel", HAND)
    mode_step: float = tuned(0.05, "qualities", "between the places where the mode is sought", "a bound on time")
    inlier_deviations: float = tuned(2.0, "robust standard deviations", "from the median: an inlier", "a convention")
    inlier_floor: float = tuned(0.5, "qualities", "least distance from the median that is an inlier's", HAND)
    coverage: float = tuned(0.9, "", "share of answers whose interval holds the truth", "a convention")
    least_share: float = tuned(
        0.1, "", "of patches with texture that are confident; below, intervals were not shown to hold", HAND
    )
    learnt: float = tuned(
        0.95, "", "of the error of one answer for all patches or pictures; who errs less has learnt something", HAND
    )
    kept_share: float = tuned(
        0.98,
        "",
        "of answers at standard tables; what spreads more than these has no interval",
        "3 of 164 whole validation photographs saved once spread more",
    )
    correction_knots: tuple[int, ...] = tuned(KNOTS, "quality", "where the correction bends", "closer at both ends")
    bend_cost: float = tuned(0.003, "qualities", "mean error that outweighs a bend of one quality a quality", HAND)


NETWORK = Network()
