"""The rate-distortion encoder (model 7): one generation of loss, steered by the map, as large as asked for.

A picture's operating point has two numbers: the weight of the region's error, and lambda, what a bit is worth. They
are searched on a sample of blocks so that the size is met and the whole picture looks as good as the strength
promises; then the whole picture is quantised and lambda corrected until the file itself fits.
"""

import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import jpeg_file
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.msroi.encoder.scene import Costs, Lengths, OperatingPoint, Scene
from q1net_msroi.msroi.encoder.settings import SETTINGS, EncoderSettings
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError


class SizeImpossibleError(UserError):
    """No operating point makes the file as small as asked; `smallest` is how many bytes it gets."""

    def __init__(self, message: str, smallest: int) -> None:
        super().__init__(message)
        self.smallest = smallest


@dataclass(frozen=True)
class Target:
    """At most `size` bytes, compared with plain JPEG of `plain_quality`, which has `plain_size` (None: not known).

    `finest` tables (2, 64), zigzag: no step shall be smaller, None for no such limit.
    """

    size: int
    plain_quality: int
    finest: NDArray[np.int64] | None = None
    plain_size: int | None = None


@dataclass(frozen=True)
class Encoded:
    """A file: its bytes, its tables (1 or 2, 64) in zigzag order, the operating point, and notices for a person."""

    content: bytes
    tables: NDArray[np.int64]
    point: OperatingPoint
    notices: tuple[str, ...] = ()


def content_bits(size: int, settings: EncoderSettings = SETTINGS) -> float:
    """Return about how many bits of a file of so many bytes are not headers."""
    return 8.0 * max(size - settings.header_bytes, size * settings.least_content)


def _decibels(before: float, after: float) -> float:
    """Return how many dB an error is smaller than before."""
    return 10 * math.log10((before + 1e-9) / (after + 1e-9))


def whole_change(costs: Costs, plain: Costs) -> tuple[float, float]:
    """Return the change in dB against plain JPEG of all that is seen, and of PSNR-HVS-M."""
    return _decibels(plain.seen, costs.seen), _decibels(plain.hvs_m, costs.hvs_m)


def allowed_change(
    strength: float, without: tuple[float, float], settings: EncoderSettings = SETTINGS
) -> tuple[float, float]:
    """Return the changes in dB, as `whole_change`, that a strength aims at; `without`: what no region weight gives.

    0: no preference; 0.5: a share of the gain kept, and PSNR-HVS-M not under that of plain JPEG of the same size, or a
    little under what no region weight gives where that is less; 1: both 1.5 dB under plain JPEG.
    """
    price = max((1 - settings.kept_share) * without[0], settings.least_price)
    half = without[0] - price, min(without[1] - settings.least_price, 0.0)
    if strength <= 0.5:
        seen, masked = (start + 2 * strength * (end - start) for start, end in zip(without, half, strict=True))
    else:
        seen, masked = (start + (2 * strength - 1) * (settings.deepest_change - start) for start in half)
    return seen, masked


def encode(scene: Scene, target: Target, options: EncodingOptions, plain: Costs | None = None) -> Encoded:
    """Return the best file for a target as `options` ask; raise `SizeImpossibleError` where none is small enough.

    `plain`: the costs of the plain JPEG to compare with where that is of another subsampling than the scene.
    """
    search, settings = Search(scene, target, options, plain), scene.settings
    if options.strength == 0 or not has_region(scene):
        if options.strength > 0 and np.ptp(scene.whole[0].region) > 0:
            share = f"{100 * scene.whole[0].region.mean():.3g} % of the picture"
            search.notices.append(f"the map prefers {share}, which is no region: no part is favoured")
        region_weight = settings.least_region_weight
        search.meet_size(region_weight, settings.first_tries)
    else:
        region_weight = search.region_weight()
    return _fit(scene, target, OperatingPoint(region_weight, search.lambda_), search)


def has_region(scene: Scene) -> bool:
    """Return whether the map tells a part of some size from the rest: neither a few pixels nor nearly everything."""
    region, settings = scene.whole[0].region, scene.settings
    least = max(1.0, settings.least_region * region.size)  # in blocks
    return bool(np.ptp(region) > 0 and least <= region.sum() <= settings.greatest_region * region.size)


def full_chroma_pays(half: Scene, full: Scene, loss: float, target: Target, options: EncodingOptions) -> bool:
    """Return whether a file costs less with whole chroma than with halved, both as large as the target.

    `half` and `full` are the picture's scenes at 4:2:0 and 4:4:4, `loss` is what halving costs.
    """
    settings = half.settings
    first = Search(half, target, options)
    halved = first.meet_size(settings.least_region_weight, settings.first_tries).seen + loss
    second = Search(full, target, options, first.plain)
    return second.meet_size(settings.least_region_weight, settings.first_tries).seen < halved


class Search:
    """The search on the sample: which region weight and lambda meet size and strength."""

    def __init__(self, scene: Scene, target: Target, options: EncodingOptions, plain: Costs | None = None) -> None:
        self.scene, self.target, self.options, self.settings = scene, target, options, scene.settings
        self.plain = plain or scene.plain_costs(target.plain_quality)
        floor = options.min_background_quality
        self.floor = scene.plain_costs(floor) if floor else None
        self.bits = content_bits(target.size, self.settings)
        if target.plain_size:
            # The estimate knows nothing of progressive scans: what it is off by for plain JPEG it is off by here too.
            self.bits *= self.plain.bits / content_bits(target.plain_size, self.settings)
        self.lengths: Lengths | None = None
        # Lambda goes with the square of the table's step.
        luma = jpeg.standard_tables()[:, 0]
        step = luma[target.plain_quality - 1].mean() / luma[49].mean()
        self.lambda_ = float(self.settings.first_lambda * step**2)
        self.notices: list[str] = []

    def meet_size(self, region_weight: float, tries: int) -> Costs:
        """Find the lambda that meets the size at a region weight, and return the costs of the last trial."""
        solver = LogSecant(self.settings.sample_slope, self.settings)
        for _ in range(tries):
            point = OperatingPoint(region_weight, self.lambda_)
            found, self.lengths = self.scene.try_out(point, self.lengths, self.target.finest)
            missed = math.log(found.bits / self.bits)
            if abs(missed) < self.settings.size_tolerance:
                break
            self.lambda_ = solver.next(self.lambda_, missed)
        return found

    def margin(self, found: Costs, allowed: tuple[float, float]) -> float:
        """Return how many dB a result is better than it must be; negative: worse than allowed."""
        changes = whole_change(found, self.plain)
        margin = min(now - least for now, least in zip(changes, allowed, strict=True)) - self.settings.safety_margin
        if self.floor:
            margin = min(margin, _decibels(self.floor.background, found.background))
        return margin

    def region_weight(self) -> float:
        """Return the largest region weight that the strength allows, its lambda left in `lambda_`."""
        settings = self.settings
        low = settings.least_region_weight
        without = self.meet_size(low, settings.first_tries)
        allowed = allowed_change(self.options.strength, whole_change(without, self.plain), settings)
        low_margin, low_lambda = self.margin(without, allowed), self.lambda_
        if low_margin <= 0:
            if self.floor and self.margin(without, (-math.inf, -math.inf)) < 0:
                missed = f"does not reach quality {self.options.min_background_quality} at this size"
                self.notices.append(f"the background {missed}: nothing is taken from it")
            return low
        weight, high, high_margin = settings.first_region_weight, math.inf, -math.inf
        self.lambda_ *= settings.first_lambda_factor
        for _ in range(settings.region_weight_tries):
            margin = self.margin(self.meet_size(weight, settings.later_tries), allowed)
            greatest = math.isinf(high) and margin > 0 and weight >= settings.greatest_region_weight
            if abs(margin) < settings.margin_tolerance or greatest:
                return weight
            if margin > 0:
                low, low_margin, low_lambda = weight, margin, self.lambda_
            else:
                high, high_margin = weight, margin
            after = self._next_weight(low, high, low_margin, high_margin)
            self.lambda_ *= (after / weight) ** settings.lambda_exponent
            weight = after
        self.lambda_ = low_lambda
        return low

    def _next_weight(self, low: float, high: float, low_margin: float, high_margin: float) -> float:
        """Return the region weight to try next: `low` is allowed, `high` is not; infinite where none was too much."""
        settings = self.settings
        if math.isinf(high):
            return min(low * settings.region_weight_factor, settings.greatest_region_weight)
        if low == settings.least_region_weight:
            return high / settings.region_weight_factor
        share = low_margin / (low_margin - high_margin)
        share = min(max(share, settings.nearest_cut), 1 - settings.nearest_cut)
        return math.exp(math.log(low) + share * math.log(high / low))


class LogSecant:
    """Secant steps towards the lambda at which a falling function of its logarithm is 0, kept between known signs."""

    def __init__(self, slope: float, settings: EncoderSettings = SETTINGS) -> None:
        self.slope, self.settings = slope, settings
        self.low, self.high = math.log(settings.least_lambda), math.log(settings.greatest_lambda)
        self.last: tuple[float, float] | None = None

    def next(self, at: float, value: float) -> float:
        """Return where to look next after the function was `value` at `at`."""
        settings, x = self.settings, math.log(at)
        if self.last and abs(x - self.last[0]) > 1e-6:
            slope = (value - self.last[1]) / (x - self.last[0])
            self.slope = min(max(slope, settings.steepest_slope), settings.flattest_slope)
        self.last = x, value
        if value > 0:
            self.low = max(self.low, x)
        else:
            self.high = min(self.high, x)
        after = x + min(max(-value / self.slope, -settings.longest_step), settings.longest_step)
        if not self.low < after < self.high:
            near = self.high - self.low < settings.bisection_range
            after = (self.low + self.high) / 2 if near else min(max(after, self.low), self.high)
        return math.exp(after)


def _fit(scene: Scene, target: Target, point: OperatingPoint, search: Search) -> Encoded:
    """Return the largest file that fits of those that are written while lambda is corrected.

    A file is written where the bits that are counted say that it will fit; what they are off by is learnt from it.
    """
    settings, lengths = scene.settings, search.lengths
    solver = LogSecant(settings.sample_slope, settings)
    best: Encoded | None = None
    aim = (1 + settings.least_fill) / 2 * target.size
    header = aim - content_bits(target.size, settings) / 8
    qualities, ratios = settings.first_excess
    bytes_a_bit = (aim - header) / search.bits * float(np.interp(target.plain_quality, qualities, ratios))
    fixed: NDArray[np.int64] | None = None
    smallest, written, counted = sys.maxsize, 0, 0
    size: float
    while written < settings.most_encodes:
        tables = scene.tables(point, target.finest) if fixed is None else fixed
        levels, lengths, bits = scene.quantise(point, tables, lengths or scene.first_lengths(tables))
        size = header + bits * bytes_a_bit
        counted += 1
        if abs(size / aim - 1) < settings.count_tolerance or counted > settings.most_counts:
            content = jpeg_file.write(levels, scene.components, tables, scene.height, scene.width)
            written, counted, size = written + 1, 0, len(content)
            header = min(header, size / 2)
            bytes_a_bit = (size - header) / bits
            smallest = min(smallest, size)
            if size <= target.size and (best is None or size > len(best.content)):
                best = Encoded(content, tables, point, tuple(search.notices))
            if settings.least_fill * target.size <= size <= target.size:
                break
            cheapest = size < target.size and point.lambda_ <= settings.least_lambda * 1.01
            if cheapest or (size > target.size and point.lambda_ >= settings.greatest_lambda * 0.99):
                break
            if fixed is None and abs(math.log(size / aim)) < settings.tables_fixed_within:
                fixed = tables
            # What was counted before was off: the solver begins anew.
            slope = settings.sample_slope if fixed is None else settings.file_slope
            solver = LogSecant(slope, settings)
        missed = math.log(size / aim)
        point = OperatingPoint(point.region_weight, solver.next(point.lambda_, missed))
    if best is None:
        raise SizeImpossibleError(f"{target.size:,} bytes are too few, {smallest:,} the least", smallest)
    return best
