"""Every tuned number of the encoder: what it decides, its unit, where it was found, how to find it again.

Where a step of a quantisation table is s, lambda is the distortion that a bit is worth and w a coefficient's weight,
theory and the table agree where w s^2 is in proportion to lambda (Sullivan and Wiegand, "Rate-distortion optimization
for video compression", 1998). Weights and promises decide how a file looks, search settings how fast it is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from q1net_msroi.utils.settings import tuned

T = TypeVar("T")

# How an answer is searched was set by hand: it decides how soon the answer is found, hardly which one it is.
THINGS = "115 COCO photographs with object masks, our maps, qualities 30 to 75; Kodak's 24 only confirmed"
OBJECTIVE = "objective: mean of PSNR-HVS, PSNR-HVS-M, SSIM and chroma PSNR over plain JPEG of equal bytes"


def _weight(value: T, unit: str, decides: str, seen: str, sweep: str) -> T:
    refit = f"scripts/fit_encoder.py --in_path $Q1NET_DATA/pristine_train --only {sweep}"
    return tuned(value, unit=unit, decides=decides, found_on=f"{THINGS}. {seen}", rate=OBJECTIVE, refit=refit)


def _search(value: T, unit: str, decides: str) -> T:
    return tuned(value, unit=unit, decides=decides, found_on="by hand: speed")


def _limit(value: T, unit: str, decides: str, found_on: str) -> T:
    return tuned(value, unit=unit, decides=decides, found_on=found_on)


@dataclass(frozen=True)
class EncoderSettings:
    """The tuned numbers, frozen; `dataclasses.replace` makes another set to try."""

    masking_share: float = _weight(
        0.75,
        "share",
        "how much of luma's cost is PSNR-HVS-M, which forgives what texture masks; the rest is PSNR-HVS",
        "0.3 let another picture's map gain 66-73 % of the right one's",
        "masking_share --values 0.5,0.75,1",
    )
    ssim_weight: float = _weight(
        22.0,
        "squared error",
        "weight of SSIM's loss in luma's cost: without it smooth texture goes first",
        "0 loses the same as masking_share 0.3",
        "ssim_weight --values 0,11,22,44",
    )
    chroma_weight: float = _weight(
        0.35,
        "ratio",
        "cost of chroma's errors beside luma's where a standard table makes both as large",
        "0.7, 0.5 and 0.45 before it gave luma fewer bits",
        "chroma_weight --values 0.2,0.35,0.7",
    )
    chroma_dc_weight: float = _weight(
        4.0,
        "ratio",
        "cost of the mean of a chroma block beside its other coefficients: its error is a patch of colour",
        "1 let areas change their colour",
        "chroma_dc_weight --values 1,4,8",
    )
    lambda_per_squared_step: float = _weight(
        0.075,
        "1/bit",
        "lambda over (step^2 * weight): how fine the tables are that go with a lambda",
        "measured, the steps that the trellis does best with",
        "lambda_per_squared_step --values 0.05,0.075,0.11",
    )
    ramp_low: float = _limit(
        1.14,
        "of the map's mean",
        "map value up to which a block's region weight is 0",
        f"{THINGS}: README, the ramps; rises to 1 at ramp_high",
    )
    ramp_high: float = _limit(
        1.4,
        "of the map's mean",
        "map value from which a block's region weight is 1",
        f"{THINGS}: README, the ramps; 0.9-1.6 gives a wrong map 58 % of the right one's gain, 1.3-2.2 none",
    )

    deepest_change: float = _limit(
        -1.5,
        "dB",
        "what strength 1 may take from the whole picture's PSNR-HVS and PSNR-HVS-M",
        "convention: the largest loss that bought a gain inside on the same photographs",
    )
    estimate_offset: float = _limit(
        0.27,
        "dB",
        "added to the sample's estimate of the whole picture, which leaves the decoded block's masking out",
        f"{THINGS}: mean of measured minus estimated change",
    )
    safety_margin: float = _limit(
        0.05, "dB", "how much more than what a strength promises is aimed at", f"{THINGS}: spread of that difference"
    )
    gray_limit: float = _limit(
        0.05,
        "grey levels",
        "largest chroma coefficient of a picture that is written with one component",
        "the rounding of the float32 transform stays below it",
    )
    aspect_tolerance: float = _limit(
        0.02,
        "share",
        "difference of width / height up to which a map of another size is stretched over the picture",
        "convention: a map that is 8 pixels long is off by less",
    )
    dip_share: float = _limit(
        0.01,
        "share",
        "how much smaller a file may get while its quality rises, in the search of the level rules",
        "deepest dip of pictures that were JPEGs before: 0.23 %",
    )
    dip_bytes: int = _limit(64, "bytes", "the same for small files, added", "flat and tiny pictures")

    luma_sample: int = _search(4096, "blocks", "luma blocks that operating points are tried on")
    chroma_sample: int = _search(1024, "blocks", "chroma blocks of each component that they are tried on")
    sample_strata: int = _search(8, "classes", "classes of region weight that the sample is drawn from in proportion")
    first_rounding: float = _search(
        0.35, "steps", "added before the floor when code lengths are guessed, no trellis yet"
    )
    header_bytes: int = _search(650, "bytes", "tables and scan headers of a file, for a first guess")
    least_content: float = _search(
        0.25, "share", "share of a tiny file taken to be coefficients in spite of its header"
    )
    least_fill: float = _search(0.995, "share", "of the bytes asked for: a file from there on is done")
    tables_fixed_within: float = _search(
        0.03, "log ratio", "distance from the size from which on tables stay as they are"
    )
    most_encodes: int = _search(10, "files", "how many files are written at most")
    least_lambda: float = _search(1e-3, "distortion/bit", "lower bound of lambda")
    greatest_lambda: float = _search(1e7, "distortion/bit", "upper bound of lambda")
    first_lambda: float = _search(22.0, "distortion/bit", "where its search starts at quality 50")
    first_tries: int = _search(5, "trials", "trials of lambda on the sample when nothing is known")
    later_tries: int = _search(3, "trials", "trials of lambda for every further region weight")
    size_tolerance: float = _search(0.01, "log ratio", "distance from the size at which a trial is near enough")
    sample_slope: float = _search(-0.5, "d log size / d log lambda", "slope first assumed, tables follow lambda")
    file_slope: float = _search(-0.35, "d log size / d log lambda", "slope first assumed, tables fixed")
    steepest_slope: float = _search(-1.5, "d log size / d log lambda", "lower bound of a measured slope")
    flattest_slope: float = _search(-0.1, "d log size / d log lambda", "upper bound of a measured slope")
    longest_step: float = _search(2.5, "log lambda", "longest step of the search")
    bisection_range: float = _search(5.0, "log lambda", "interval under which a step out of it becomes a bisection")
    least_region_weight: float = _search(1e-3, "ratio", "smallest weight of the region that is tried, as good as none")
    first_region_weight: float = _search(0.2, "ratio", "the first one above it")
    greatest_region_weight: float = _search(6.0, "ratio", "the largest")
    region_weight_factor: float = _search(3.0, "ratio", "from one to the next until the answer lies between two")
    region_weight_tries: int = _search(5, "trials", "how many are tried")
    margin_tolerance: float = _search(0.06, "dB", "distance from what the strength promises at which one is taken")
    nearest_cut: float = _search(0.1, "share", "how near to an end of the interval the next one may lie")
    first_lambda_factor: float = _search(1.4, "ratio", "lambda at the first region weight over that without")
    lambda_exponent: float = _search(0.4, "d log lambda / d log weight", "how lambda grows from one to the next")


SETTINGS = EncoderSettings()
