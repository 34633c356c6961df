"""Encoders on the same bytes: plain JPEG, its peers, the rules, model 7, and model 7 without the right map."""

import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import blocks, levels, mixture, rate_distortion
from q1net_msroi.msroi.encoder.options import RATE_DISTORTION, EncodingOptions
from q1net_msroi.msroi.encoder.scene import Scene
from q1net_msroi.msroi.encoder.settings import SETTINGS, EncoderSettings
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.msroi.metrics.metric import Pixels
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.codecs import CODECS
from q1net_msroi.utils.settings import fingerprint

Files = list[tuple[float, bytes]]  # files and their shares, which sum to 1, in what is said of the size asked for
REFERENCE = "progressive"
QUALITIES = range(1, 101)


@dataclass(frozen=True)
class Task:
    """A picture at a size: `map` steers, `wrong_map` is another picture's, `size` is that of `quality`'s plain JPEG.

    `finest`: the tables of the JPEG that the picture was before, (2, 64) zigzag, None where it was none.
    """

    pixels: Pixels
    map: Pixels
    wrong_map: Pixels
    quality: int
    size: int
    finest: NDArray[np.int64] | None = None

    @property
    def everywhere(self) -> Pixels:
        """A map that prefers all of the picture; all but one block, since a map without contrast is no preference."""
        bright = np.full_like(self.map, 255)
        bright[: blocks.SIDE, : blocks.SIDE] = 0
        return bright


@dataclass(frozen=True)
class Encoder:
    """An encoder to compare: `encode` answers a task, with the help of the package `needs` where there is one."""

    name: str
    title: str
    encode: Callable[[Task], Files]
    needs: str = ""

    @property
    def is_there(self) -> bool:
        """Whether what it needs is installed."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def around(encode: Callable[[int], bytes], size: int) -> Files:
    """Return the files of the two neighbouring qualities between which a size lies, weighted by log bytes.

    A hundred qualities meet a size only now and then. Above quality 100 and below 1 the last file stands alone.
    """
    low, high = 0, len(QUALITIES) + 1
    files: dict[int, bytes] = {}
    while high - low > 1:
        middle = (low + high) // 2
        files[middle] = encode(middle)
        low, high = (middle, high) if len(files[middle]) <= size else (low, middle)
    if low == 0 or high > len(QUALITIES):
        return [(1.0, files[max(low, 1)])]
    small, large = len(files[low]), len(files[high])
    share = (np.log(size) - np.log(small)) / (np.log(large) - np.log(small))
    return [(float(1 - share), files[low]), (float(share), files[high])] if share > 0 else [(1.0, files[low])]


def jpegli(pixels: Pixels, quality: int) -> bytes:
    """Return jpegli's JPEG, 4:2:0, its scans optimised by mozjpeg without loss: pyjpegli writes baseline files."""
    import pyjpegli

    height, width = pixels.shape[:2]
    content: bytes = pyjpegli.encode(np.ascontiguousarray(pixels), width, height, quality=quality)
    return jpeg.optimised(content)


def _of_quality(encode: Callable[[Pixels, int], bytes]) -> Callable[[Task], Files]:
    return lambda task: around(lambda quality: encode(task.pixels, quality), task.size)


def _rule_3(task: Task) -> Files:
    mixed = mixture.mix(task.pixels, levels.choose_levels(task.map, 3))
    return around(lambda quality: jpeg.encode(mixed, quality, progressive=True), task.size)


RAMPS = {  # from map to region weight, beside the default one
    "wide": replace(SETTINGS, ramp_low=0.9, ramp_high=1.6),
    "narrow": replace(SETTINGS, ramp_low=1.3, ramp_high=2.2),
}


def _ours(strength: float, which: str = "map", settings: EncoderSettings = SETTINGS) -> Callable[[Task], Files]:
    def encode(task: Task) -> Files:
        saliency = None if which == "flat" else getattr(task, which)
        target = rate_distortion.Target(task.size, task.quality, task.finest, task.size)
        options = EncodingOptions(RATE_DISTORTION, strength=strength)
        scene = Scene(task.pixels, saliency, settings=settings)
        return [(1.0, rate_distortion.encode(scene, target, options).content)]

    return encode


ENCODERS = (
    Encoder("baseline", "plain JPEG, baseline", _of_quality(jpeg.encode)),
    Encoder("mozjpeg", "mozjpeg", _of_quality(CODECS["mozjpeg"].encode), needs="jpeglib"),
    Encoder("jpegli", "jpegli, its scans optimised", _of_quality(jpegli), needs="pyjpegli"),
    Encoder("rule_3", "original's rule 3", _rule_3),
    Encoder("flat", "model 7, strength 0 (flat map)", _ours(0.5, "flat")),
    Encoder("everywhere", "model 7, 0.5, all of the picture preferred", _ours(0.5, "everywhere")),
    Encoder("shuffled", "model 7, 0.5, another picture's map", _ours(0.5, "wrong_map")),
    Encoder("ours_25", "model 7, strength 0.25", _ours(0.25)),
    Encoder("ours_50", "model 7, strength 0.5", _ours(0.5)),
    Encoder("ours_75", "model 7, strength 0.75", _ours(0.75)),
    Encoder("ours_wide", "model 7, 0.5, wide ramp", _ours(0.5, settings=RAMPS["wide"])),
    Encoder("ours_narrow", "model 7, 0.5, narrow ramp", _ours(0.5, settings=RAMPS["narrow"])),
    Encoder("shuffled_wide", "model 7, 0.5, wide ramp, another map", _ours(0.5, "wrong_map", RAMPS["wide"])),
    Encoder("shuffled_narrow", "model 7, 0.5, narrow ramp, another map", _ours(0.5, "wrong_map", RAMPS["narrow"])),
)
TITLES = {REFERENCE: "plain JPEG, optimised, progressive", **{encoder.name: encoder.title for encoder in ENCODERS}}


def compare(
    task: Task, mask: Pixels | None, names: Sequence[str] = (), also: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return a row an encoder at a task's size; the plain JPEG (optimised, progressive) of its quality comes first.

    `mask` (height, width) uint8. A row holds encoder, quality, size_ratio, bytes, seconds, every metric of `suite`,
    `inside` where there is a mask, and those named by `also`. `names` leaves out other encoders; those whose package is
    missing are left out too.
    """
    start = time.perf_counter()
    plain = jpeg.encode(task.pixels, task.quality, progressive=True)
    taken = time.perf_counter() - start
    reference = suite.Reference(task.pixels, task.map if mask is None else mask, mask)

    def row(name: str, files: Files, seconds: float) -> dict[str, Any]:
        values: dict[str, float] = {"size_ratio": 0.0}
        for share, content in files:
            measured = suite.measure(reference, jpeg.decode(content), ("inside", *also))
            measured["size_ratio"] = len(content) / task.size
            for key, value in measured.items():
                values[key] = values.get(key, 0.0) + share * value
        values["bytes"] = values["size_ratio"] * task.size
        return {"encoder": name, "quality": task.quality, "seconds": round(seconds, 3), **values}

    rows = [row(REFERENCE, [(1.0, plain)], taken)]
    for encoder in ENCODERS:
        if (names and encoder.name not in names) or not encoder.is_there:
            continue
        start = time.perf_counter()
        files = encoder.encode(task)
        rows.append(row(encoder.name, files, time.perf_counter() - start))
    return rows


def settings() -> dict[str, str]:
    """Return fingerprints of what the encoders are set to, for cache keys and records."""
    return {name: fingerprint(each) for name, each in {"encoder": SETTINGS, **RAMPS}.items()}


def task_of(
    pixels: Pixels, saliency: Pixels, wrong_map: Pixels, quality: int, finest: NDArray[np.int64] | None = None
) -> Task:
    """Return the task to be as small as plain JPEG (optimised, progressive) of a quality, its arrays as in `Task`."""
    size = len(jpeg.encode(pixels, quality, progressive=True))
    return Task(pixels, saliency, wrong_map, quality, size, finest)


def bd_rate(
    bits: Sequence[float], values: Sequence[float], other_bits: Sequence[float], other: Sequence[float]
) -> float:
    """Return by how many per cent the other encoder's files are larger at the same metric (Bjontegaard's rate).

    Mean over the common range of the metric of the difference of log bits, each curve (at least two points, rising)
    interpolated by monotone cubics. NaN where the curves have no common range.
    """
    from scipy.interpolate import PchipInterpolator

    low, high = max(min(values), min(other)), min(max(values), max(other))
    if not low < high:
        return float("nan")
    areas = []
    for x, y in ((values, bits), (other, other_bits)):
        order = np.argsort(x)
        curve = PchipInterpolator(np.asarray(x, float)[order], np.log(np.asarray(y, float)[order]))
        areas.append(float(curve.integrate(low, high)))
    return float(100 * (np.exp((areas[1] - areas[0]) / (high - low)) - 1))
