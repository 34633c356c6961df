"""Every tuned number of the recovery: what it decides, and on what it was found."""

from dataclasses import dataclass

from q1net_msroi.utils.settings import tuned

TIME = "set by hand, a bound on time"
HAND = "set by hand"
FEW = "set by hand: a block of which half or a third is known needs two or three times the change"


@dataclass(frozen=True)
class List:
    """A pass of the search: how many points are kept of a block, and `decoded` bit by bit.

    `flat` takes blocks for such with hardly any coefficients; `steps` goes on from the best points, step by step;
    `joint` is the length of the list of a unit of luma and chroma, 0 for none. Of more than `far` blocks those are left
    out of which a sample lies far beyond its limits: they were changed, likely. `noise` is the share of what
    roundings add that is taken in blocks that are partly unseen.
    """

    kept: int
    decoded: int = 8
    flat: bool = False
    steps: bool = False
    joint: int = 0
    far: int = 0
    noise: float = 1.0


@dataclass(init=False, frozen=True, eq=False, repr=False)
class Recovery:
    """All settings of the family."""

    strip_units: int = tuned(16, "rows of units", "a strip that is recovered at once", TIME)
    gains: tuple[float, ...] = tuned(
        (1.0, 1.0, 1.5, 1.0, 2.0, 1.0), "", "of what pixels ask for, a projection each", FEW
    )
    sample_side: int = tuned(256, "pixels", "of the part on which hypotheses are compared", TIME)

    sample_sure: float = tuned(
        0.3,
        "of the sample's blocks",
        "fit at once: no other orientation is tried",
        "half fit at quality 95, none mirrored",
    )

    # Lists of lattice points near a block. Measured by scripts/measure_recovery.py on pristine_val, every third.
    lists: tuple[List, ...] = tuned(
        (
            List(8, far=10**6),
            List(64, 16, far=64, flat=True, steps=True, joint=16, noise=0.5),
            List(64, 16, far=64, steps=True, joint=64, noise=0.5),
            List(512, 32, steps=True, noise=0.5),
            List(512, 32, flat=True, steps=True, joint=128, noise=0.25),
            List(4096, 128, steps=True, noise=0.5),
        ),
        "",
        "one pass each",
        TIME,
    )
    lists_beside: tuple[List, ...] = tuned(
        (List(64, 16, steps=True, noise=0.5, far=512), List(512, 64, steps=True, noise=0.5, far=64)),
        "",
        "the same of units that were changed in part",
        TIME,
    )
    search_memory: int = tuned(8192, "", "points of all lists at once, a bound on memory", TIME)
    search_dear: float = tuned(
        60.0, "", "of a coefficient's next value: twice the log-likelihood that is not tried", HAND
    )
    search_spread: float = tuned(0.05, "", "the least variance of a coefficient among blocks", HAND)
    search_mean: float = tuned(1e4, "", "variance of a block's mean", HAND)
    search_flat: float = tuned(0.02, "", "of the variance of coefficients, in blocks that are flat", HAND)
    search_sure: float = tuned(8.0, "grey levels", "between limits that give a value", HAND)
    search_starts: int = tuned(3, "points", "from which single steps are tried", TIME)
    search_steps: int = tuned(2_000_000, "pixels", "of steps tried at once, a bound on memory", TIME)
    search_sweeps: int = tuned(8, "", "steps from a point", TIME)
    search_far: float = tuned(3.0, "grey levels", "beyond its limits: a sample that is far", TIME)
    search_few: int = tuned(64, "blocks", "left of a strip: a longer list is tried whatever the last one brought", TIME)
    search_vain: float = tuned(0.9, "", "of these left by a list: not a JPEG's, no longer list is tried", TIME)
    joint_units: int = tuned(8, "units", "searched at once, a bound on memory", TIME)
    noise_exact: float = tuned(
        12**-0.5, "grey levels", "of samples that were rounded", "standard deviation of rounding"
    )
    noise_chroma: float = tuned(
        0.34, "grey levels", "of upsampled samples, rounded twice", "standard deviation of both roundings"
    )
    noise_clipped: float = tuned(20.0, "grey levels", "how far a clipped sample lies beyond its limit", HAND)
    noise_flat: float = tuned(2.0, "grey levels", "the same in flat blocks", HAND)
    noise_free: float = tuned(200.0, "grey levels", "of a sample that is not seen", HAND)


RECOVERY = Recovery()
