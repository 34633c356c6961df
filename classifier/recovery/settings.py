"""Every tuned number of the recovery: what it decides, and on what it was found."""

from dataclasses import dataclass

from q1net_msroi.utils.settings import tuned

TIME = "set by hand, a bound on time"
MEASURED = "seven photographs of pristine_val, qualities 20 to 92: later rounds bring less than 1 % of the misfits"
HAND = "set by hand"
FEW = "set by hand: a block of which half or a third is known needs two or three times the change"


@dataclass(init=False, frozen=True, eq=False, repr=False)
class Recovery:
    """All settings of the family."""

    strip_units: int = tuned(16, "rows of units", "a strip that is recovered at once", TIME)
    rounds: int = tuned(16, "", "projections of clipped and unseen pixels", MEASURED)
    gains: tuple[float, ...] = tuned((1.0, 1.0, 1.5, 1.0, 2.0, 1.0, 3.0, 1.0), "", "of what pixels ask for", FEW)
    sample_side: int = tuned(256, "pixels", "of the part on which hypotheses are compared", TIME)

    # Blocks that the border cuts.
    noise_exact: float = tuned(
        12**-0.5, "grey levels", "of samples that were rounded", "standard deviation of rounding"
    )
    noise_chroma: float = tuned(0.5, "grey levels", "of samples whose upsampling was undone", "lattice/settings, wider")
    border_spread: float = tuned(0.4, "steps", "of coefficients about those of the repeated last sample", HAND)
    border_kept: int = tuned(16, "", "likely ones of a frequency that are decoded", TIME)
    border_sweeps: int = tuned(3, "", "over the frequencies", TIME)

    # The search among near lattice points.
    search_share: float = tuned(0.8, "of a strip's blocks", "do not fit: too many for a search, or another JPEG", TIME)
    search_passes: int = tuned(
        2, "", "over all components: neighbours change what a block's chroma is mixed with", TIME
    )
    search_sweeps: int = tuned(6, "", "of one block", TIME)
    search_coefficients: int = tuned(8, "", "that the residual asks for most", TIME)
    search_moves: int = tuned(3, "", "of these moved at once", TIME)
    search_blocks: int = tuned(128, "blocks", "searched at once, a bound on memory", TIME)


RECOVERY = Recovery()
