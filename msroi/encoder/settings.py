"""Every tuned number of the encoder: what it decides, its unit, where it was found, how to find it again.

The weights decide how a file looks. Lambda, in weighted squared error per bit, and the step s of a table go together
where lambda is in proportion to weight * s^2 (Sullivan and Wiegand, "Rate-distortion optimization for video
compression", 1998). What the search is set to decides how soon an answer is found, hardly which one.
"""

from dataclasses import dataclass
from typing import TypeVar

from q1net_msroi.utils.settings import tuned

T = TypeVar("T")

PHOTOGRAPHS = (
    "10 crops of pristine_train, 30, 50, 80; SSIMULACRA 2 twice, PSNR-HVS-M, butteraugli's 3-norm, MS-SSIM; one weight"
    " after the other from the standard table on; confirmed on 10 of pristine_val"
)
THINGS = "115 COCO photographs with object masks, our maps; Kodak's 24 chose nothing"
PAGES = "four pages of text, 50: SSIMULACRA 2 of 41.3 without, 45.8 with; reach 2.5: 44.8, limit 24: 43.7, 40: 46.1"
PRICE = (
    "8 of things with true masks of 5-35 %, 50: inside +1.9 dB at 0.8, +2.7 at 0.6, +3.0 at 0.5, +3.4 at 0.3; the whole"
    " by SSIMULACRA 2 +4.8, +4.0, +3.7, +3.1, mozjpeg +3.2"
)
SEAMS = "chroma's step at blocks' edges over that inside, 5 backgrounds of things, 50: 4.5, 4.0 with this; plain 3.4"
HAND = "set by hand"
OBJECTIVE = "per cent that plain JPEG has to grow to be as good"
FIT = "scripts/fit_encoder.py --in_path $Q1NET_DATA/pristine_train --count 10 --qualities 30,50,80"
REFIT = f"{FIT} --only NAME --values ..."


def _weight(value: T, unit: str, decides: str, measured: str) -> T:
    """Declare a weight that scripts/fit_encoder.py searches; `measured`: the objective at some values."""
    return tuned(value, unit, decides, PHOTOGRAPHS, f"{OBJECTIVE}: {measured}", REFIT)


def _search(value: T, unit: str, decides: str) -> T:
    return tuned(value, unit, decides, "set by hand, for speed")


@dataclass(frozen=True, eq=False, repr=False)  # what is not generated does not slow the start
class EncoderSettings:
    """All of them, frozen; `dataclasses.replace` makes another set to try."""

    masking_share: float = _weight(
        0.75, "share", "PSNR-HVS-M's part of luma's cost beside PSNR-HVS", "0.75: 11.9, 0.9: 12.2, SSIM and 90 lose"
    )
    ssim_weights: tuple[float, ...] = _weight(
        (40.0, 30.0, 20.0, 5.0),
        "",
        "luma's structure in means of 1, 2, 4 and 8 pixels",
        "66, 0, 0, 0: 11.9; 40, 40, 20, 0: 12.3",
    )
    dark_exponent: float = _weight(0.2, "", "how much more structure counts in the dark", "0: 11.92, 0.3: 11.97")
    luma_steps: tuple[float, ...] = _weight(
        (9.85, 12.8, 19.8, 34.3, 46.2, 98.5, 257.0), "grey levels", "luma's table at 0, 1, 2, 3.5, 5.5, 7.5, 9.9 waves",
        "these: 12.9; the standard table's: 10.8; mozjpeg's (N. Robidoux) times 0.8: 12.4",
    )  # fmt: skip
    chroma_steps: tuple[float, ...] = _weight(
        (8.5, 15.0, 19.0, 60.0, 99.0, 99.0, 99.0), "grey levels", "chroma's at 0, 0.5, 1, 2, 3.5, 5, 9.9",
        "8.5, 18, 21, 60 ...: 11.9; mozjpeg's times 0.8: 9.8; these for fewer seams",
    )  # fmt: skip
    chroma_weight: float = _weight(
        0.46,
        "",
        "cost of an error as large as the table's step, beside luma's",
        "0.35: 10.7, 0.7: 10.9, 1.2: 10.8, alone",
    )
    chroma_ssim_weight: float = _weight(
        40.0, "", "chroma's structure at each scale", f"0: 11.9, 15: 12.1, 20: 12.9, 40: 12.5, but fewer seams: {SEAMS}"
    )
    chroma_exponent: float = _weight(
        0.3,
        "d log cost / d log lambda",
        "how chroma's cost grows with coarseness",
        "0: 12.6, 0.2: 13.1, 0.4: 13.5; at 90 4.3, 4.5, 5.1, but SSIMULACRA 2 +1.4, +1.0, +0.8",
    )
    red_weight: float = _weight(1.2, "", "errors of Cr beside those of Cb", "0.7: 11.95, 1: 11.92, 1.5: 11.97")
    lambda_per_squared_step: float = _weight(
        0.1, "1/bit", "lambda over weight * step^2", "0.05: 11.3, 0.075: 11.9, 0.11: 12.3, worse by butteraugli"
    )
    overshoot_reach: float = tuned(3.0, "pixels", "how far from an edge black and white are moved", PAGES)
    overshoot_limit: float = tuned(31.0, "grey levels", "by how much at most", PAGES)
    ramp_low: float = tuned(
        1.14, "map's mean", "map value up to which a region weight is 0", f"{THINGS}: docs/results.md, ramps"
    )
    ramp_high: float = tuned(
        1.4, "map's mean", "map value from which a region weight is 1", f"{THINGS}: docs/results.md, ramps"
    )
    deepest_change: float = tuned(-1.5, "dB", "what strength 1 may take from the whole picture", "a choice")
    kept_share: float = tuned(0.6, "share", "what strength 0.5 keeps of the gain over plain JPEG", PRICE)
    least_price: float = tuned(0.4, "dB", "what strength 0.5 may take where little is gained", HAND)
    safety_margin: float = tuned(0.05, "dB", "how much more than a strength promises is aimed at", HAND)
    least_region: float = tuned(0.001, "share", "of the picture; a map that prefers less prefers nothing", HAND)
    greatest_region: float = tuned(0.95, "share", "of the picture; a map that prefers more prefers nothing", HAND)
    copy_share: float = tuned(
        1.02, "of the bytes asked for", "of the JPEG that a picture was: up to there plain JPEG nearly repeats it", HAND
    )
    drawn_share: float = tuned(0.5, "share", "of pixels like their left neighbour from which a picture is drawn", HAND)
    gray_limit: float = tuned(0.05, "grey levels", "largest chroma coefficient of a gray picture", "float32's rounding")
    aspect_tolerance: float = tuned(0.02, "share", "difference of shape up to which a map is stretched", HAND)
    dip_share: float = tuned(0.01, "share", "a file's shrinking while its quality rises", "deepest measured: 0.23 %")
    dip_bytes: int = tuned(64, "bytes", "the same of small files, added", "flat and tiny pictures")

    # The sample that operating points are tried on, and a first guess of size and code lengths.
    luma_sample: int = _search(2048, "blocks", "of luma that are tried")
    chroma_sample: int = _search(768, "blocks", "of each chroma component that are tried")
    sample_strata: int = _search(8, "classes", "of region weight from which they are drawn in proportion")
    first_rounding: float = _search(0.35, "steps", "added before the floor where no trellis has run yet")
    header_bytes: int = _search(650, "bytes", "tables and scan headers of a file")
    least_content: float = _search(0.25, "share", "of a tiny file that is taken for coefficients all the same")

    # The search of lambda for a size, by secant steps in the logarithms of lambda and size.
    first_excess: tuple[tuple[float, ...], ...] = _search(
        ((30, 50, 75, 90), (0.98, 1.0, 1.025, 1.06)), "qualities, ratios", "size of a file over what plain JPEG's says"
    )
    least_fill: float = _search(0.995, "share", "of the size asked for from which on a file is done")
    most_encodes: int = _search(10, "files", "that are written at most")
    most_counts: int = _search(4, "trials", "of the whole picture before a file is written all the same")
    count_tolerance: float = _search(0.004, "share", "distance of the counted size at which a file is written")
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
