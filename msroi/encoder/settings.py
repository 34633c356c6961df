"""Every tuned number of the encoder: what it decides, its unit, where it was found, how to find it again.

The weights decide how a file looks. Lambda, in weighted squared error per bit, and the step s of a table go together
where lambda is in proportion to weight * s^2 (Sullivan and Wiegand, "Rate-distortion optimization for video
compression", 1998). What the search is set to decides how soon an answer is found, hardly which one.
"""

from dataclasses import dataclass
from typing import TypeVar

from q1net_msroi.utils.settings import tuned

T = TypeVar("T")

THINGS = "115 COCO photographs with object masks, our maps; Kodak's 24 chose nothing"
HAND = "set by hand"
OBJECTIVE = (
    "per cent that plain JPEG has to grow to be as good, mean of seven metrics, no map, 6 of pristine_train, 30, 75"
)
REFIT = (
    "scripts/fit_encoder.py --in_path $Q1NET_DATA/pristine_train --count 6 --qualities 30,75 --only NAME --values ..."
)


def _weight(value: T, unit: str, decides: str, measured: str) -> T:
    """Declare a weight that scripts/fit_encoder.py searches; `measured`: the objective at some values."""
    return tuned(value, unit, decides, THINGS, f"{OBJECTIVE}: {measured}", REFIT)


def _search(value: T, unit: str, decides: str) -> T:
    return tuned(value, unit, decides, "set by hand, for speed")


@dataclass(frozen=True, eq=False, repr=False)  # what is not generated does not slow the start
class EncoderSettings:
    """All of them, frozen; `dataclasses.replace` makes another set to try."""

    masking_share: float = _weight(0.75, "share", "PSNR-HVS-M's part of luma's cost", "0.5: 7.1, 0.75: 7.1, 1: 4.2")
    ssim_weight: float = _weight(22.0, "", "SSIM's part of it: keeps smooth texture", "0: 2.9, 22: 7.1, 44: 7.1")
    chroma_weight: float = _weight(
        0.35, "", "cost beside luma at equal steps", "0.2: 7.1, 0.35: 7.1, 0.7: 6.5; val 0.35: 7.9, 0.7: 7.4"
    )
    chroma_dc_weight: float = _weight(4.0, "", "of a chroma block's mean: keeps colour", "1: 6.6, 4: 7.1, 8: 6.9")
    lambda_per_squared_step: float = _weight(
        0.075, "1/bit", "lambda over weight * step^2", "0.05: 6.9, 0.075: 7.1, 0.11: 6.1"
    )
    ramp_low: float = tuned(
        1.14, "map's mean", "map value up to which a region weight is 0", f"{THINGS}: docs/results.md, ramps"
    )
    ramp_high: float = tuned(
        1.4, "map's mean", "map value from which a region weight is 1", f"{THINGS}: docs/results.md, ramps"
    )
    deepest_change: float = tuned(-1.5, "dB", "what strength 1 may take from the whole picture", "a choice")
    estimate_offset: float = tuned(0.27, "dB", "by how much the sample's estimate is too low", f"{THINGS}: mean")
    safety_margin: float = tuned(0.05, "dB", "how much more than a strength promises is aimed at", HAND)
    gray_limit: float = tuned(0.05, "grey levels", "largest chroma coefficient of a gray picture", "float32's rounding")
    aspect_tolerance: float = tuned(0.02, "share", "difference of shape up to which a map is stretched", HAND)
    dip_share: float = tuned(0.01, "share", "a file's shrinking while its quality rises", "deepest measured: 0.23 %")
    dip_bytes: int = tuned(64, "bytes", "the same of small files, added", "flat and tiny pictures")

    # The sample that operating points are tried on, and a first guess of size and code lengths.
    luma_sample: int = _search(4096, "blocks", "of luma that are tried")
    chroma_sample: int = _search(1024, "blocks", "of each chroma component that are tried")
    sample_strata: int = _search(8, "classes", "of region weight from which they are drawn in proportion")
    first_rounding: float = _search(0.35, "steps", "added before the floor where no trellis has run yet")
    header_bytes: int = _search(650, "bytes", "tables and scan headers of a file")
    least_content: float = _search(0.25, "share", "of a tiny file that is taken for coefficients all the same")

    # The search of lambda for a size, by secant steps in the logarithms of lambda and size.
    least_fill: float = _search(0.995, "share", "of the size asked for from which on a file is done")
    most_encodes: int = _search(10, "files", "that are written at most")
    tables_fixed_within: float = _search(0.03, "log size", "distance from the size from which on tables stay")
    size_tolerance: float = _search(0.01, "log size", "distance from the size at which a trial is near enough")
    first_lambda: float = _search(22.0, "1/bit", "lambda tried first at quality 50")
    least_lambda: float = _search(1e-3, "1/bit", "lower bound of lambda")
    greatest_lambda: float = _search(1e7, "1/bit", "upper bound of lambda")
    first_tries: int = _search(5, "trials", "of lambda at the first region weight")
    later_tries: int = _search(3, "trials", "of lambda at every other region weight")
    sample_slope: float = _search(-0.5, "d log size / d log lambda", "taken first where tables follow lambda")
    file_slope: float = _search(-0.35, "d log size / d log lambda", "taken first where tables are fixed")
    steepest_slope: float = _search(-1.5, "d log size / d log lambda", "lower bound of a measured slope")
    flattest_slope: float = _search(-0.1, "d log size / d log lambda", "upper bound of a measured slope")
    longest_step: float = _search(2.5, "log lambda", "upper bound of a step")
    bisection_range: float = _search(5.0, "log lambda", "interval within which a step out of it becomes a bisection")

    # The search of the region's weight for a strength.
    least_region_weight: float = _search(1e-3, "", "as good as none")
    first_region_weight: float = _search(0.2, "", "the first one tried above that")
    greatest_region_weight: float = _search(6.0, "", "upper bound")
    region_weight_factor: float = _search(3.0, "", "from one to the next until the answer lies between two")
    region_weight_tries: int = _search(5, "trials", "of region weights at most")
    margin_tolerance: float = _search(0.06, "dB", "distance from what the strength allows at which one is taken")
    nearest_cut: float = _search(0.1, "share", "of the interval that a next one keeps from its ends")
    first_lambda_factor: float = _search(1.4, "", "lambda at the first region weight over that without")
    lambda_exponent: float = _search(0.4, "d log lambda / d log weight", "how lambda grows from one to the next")


SETTINGS = EncoderSettings()
