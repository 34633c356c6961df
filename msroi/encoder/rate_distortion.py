"""The rate-distortion encoder (model 7): one generation of loss, steered by the map, as large as asked for.

A picture's setting has two numbers: how much the region is preferred, and the price of a bit. They are searched on a
sample of blocks so that the size is met and the whole picture looks as good as the strength promises; then the whole
picture is quantised and the price corrected until the file itself fits.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import jpeg_file
from q1net_msroi.msroi.encoder.scene import Costs, Lengths, Scene, Setting
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.errors import UserError

DEEPEST = -1.5  # dB that strength 1 may take from the whole picture
ESTIMATED_LOW = 0.27  # dB by which the estimate of the whole picture is too low, as measured on `things`
SAFE = 0.05  # dB more than what a strength promises is aimed at
NO_PREFERENCE = 1e-3  # the smallest preference that is searched, as good as none
GREATEST_PREFERENCE = 6.0
CHEAPEST, DEAREST = 1e-3, 1e7  # bounds of the price of a bit
HEADER = 650  # bytes of a file's tables and scan headers, for a first guess
TRIES, ENCODES = 12, 10
NEAR = 0.995  # a file this close under its target size is done
TABLES_SETTLED = 0.03  # relative distance from the target size from which on the tables stay as they are


class SizeImpossibleError(UserError):
    """No setting makes the file as small as asked; `smallest` is how many bytes it gets."""

    def __init__(self, message: str, smallest: int) -> None:
        super().__init__(message)
        self.smallest = smallest


@dataclass(frozen=True)
class Goal:
    """What is asked for: at most `size` bytes; whole-picture quality compared with plain JPEG of `plain_quality`.

    `strength` 0..1; `background_quality`: the dark part of the map shall look at least like plain JPEG of that quality,
    None for no such limit; `finest` tables (2, 64), zigzag: no step shall be smaller, None for no such limit.
    `plain_size`: the bytes of that plain JPEG, None where nobody knows.
    """

    size: int
    plain_quality: int
    strength: float = 0.5
    background_quality: int | None = None
    finest: NDArray[np.int64] | None = None
    plain_size: int | None = None


@dataclass(frozen=True)
class Encoded:
    """A file: its bytes, its tables (1 or 2, 64) in zigzag order, the setting, and notices for a person."""

    content: bytes
    tables: NDArray[np.int64]
    setting: Setting
    notices: tuple[str, ...] = ()


def _content(size: int) -> float:
    """Return about how many bits of a file of so many bytes are not headers."""
    return 8.0 * max(size - HEADER, size / 4)


def _decibels(before: float, after: float) -> float:
    """Return how many dB an error is smaller than before."""
    return 10 * math.log10((before + 1e-9) / (after + 1e-9))


def whole_change(costs: Costs, plain: Costs) -> float:
    """Return the change in dB against plain JPEG of PSNR-HVS or of PSNR-HVS-M, whichever is worse."""
    return min(
        _decibels(plain.seen, costs.seen),
        _decibels(plain.veiled, costs.veiled),
    )


def allowed_change(strength: float, without: float) -> float:
    """Return the change in dB that a strength aims at; `without` is what no preference gives.

    0: no preference; 0.5: the whole picture as good as plain JPEG of the same size; 1: 1.5 dB worse.
    """
    if strength <= 0.5:
        return max(without, 0.0) * (1 - 2 * strength)
    return DEEPEST * (2 * strength - 1)


def encode(scene: Scene, goal: Goal, start_price: float | None = None) -> Encoded:
    """Return the best file for a goal. Raises `SizeImpossibleError` where no file is small enough."""
    flat = all(np.ptp(part.region) == 0 for part in scene.whole[:1])
    search = _Search(scene, goal, start_price)
    if flat or goal.strength == 0:
        preference = NO_PREFERENCE
        search.price_for(preference)
    else:
        preference = search.preference()
    setting = Setting(preference, search.price)
    return _fit(scene, goal, setting, search)


class _Search:
    """The search on the sample: which preference and price meet size and strength."""

    def __init__(self, scene: Scene, goal: Goal, start_price: float | None) -> None:
        self.scene, self.goal = scene, goal
        self.plain = scene.plain_costs(goal.plain_quality)
        self.floor = scene.plain_costs(goal.background_quality) if goal.background_quality else None
        self.bits = _content(goal.size)
        if goal.plain_size:
            # The estimate knows nothing of progressive scans: what it is off by for plain JPEG it is off by here too.
            self.bits *= self.plain.bits / _content(goal.plain_size)
        self.lengths: Lengths | None = None
        self.price = start_price or _first_price(goal.plain_quality)
        self.notices: list[str] = []

    def costs(self, preference: float, price: float) -> Costs:
        found, self.lengths = self.scene.try_out(Setting(preference, price), self.lengths, self.goal.finest)
        return found

    def price_for(self, preference: float, tries: int = 5) -> Costs:
        """Find the price of a bit that meets the size at a preference, and return the costs there."""
        solver = _LogSecant(-0.5, CHEAPEST, DEAREST)
        for _ in range(tries):
            found = self.costs(preference, self.price)
            missed = math.log(found.bits / self.bits)
            if abs(missed) < 0.01:
                break
            self.price = solver.next(self.price, missed)
        return found

    def margin(self, found: Costs, allowed: float) -> float:
        """Return how many dB a result is better than it must be; negative: worse than allowed."""
        margin = whole_change(found, self.plain) - allowed + ESTIMATED_LOW - SAFE
        if self.floor:
            margin = min(margin, _decibels(self.floor.background, found.background))
        return margin

    def preference(self) -> float:
        """Return the largest preference that the strength allows, the price that goes with it left in `price`."""
        without = self.price_for(NO_PREFERENCE)
        allowed = allowed_change(self.goal.strength, whole_change(without, self.plain))
        low, low_margin = NO_PREFERENCE, self.margin(without, allowed)
        low_price = self.price
        if low_margin <= 0:
            if self.floor and self.margin(without, -math.inf) < 0:
                self.notices.append(
                    f"the background does not reach quality {self.goal.background_quality} at this size: nothing is "
                    "taken from it"
                )
            return low
        preference, high, high_margin = 0.2, math.inf, -math.inf
        # Prices grow about with the square root of the preference, from where it counts.
        self.price *= 1.4
        for _ in range(5):
            margin = self.margin(self.price_for(preference, 3), allowed)
            if abs(margin) < 0.06:
                return preference
            if margin > 0:
                low, low_margin, low_price = preference, margin, self.price
            else:
                high, high_margin = preference, margin
            if math.isinf(high):
                if preference >= GREATEST_PREFERENCE:
                    return preference
                after = min(preference * 3, GREATEST_PREFERENCE)
            elif low == NO_PREFERENCE:
                after = preference / 3
            else:
                share = low_margin / (low_margin - high_margin)
                after = math.exp(math.log(low) + min(max(share, 0.1), 0.9) * math.log(high / low))
            self.price *= (after / preference) ** 0.4
            preference = after
        self.price = low_price
        return low


def _first_price(quality: int) -> float:
    """Return a price of a bit to begin with: it goes with the square of the table's step."""
    scale = jpeg.standard_tables()[quality - 1, 0].mean() / jpeg.standard_tables()[49, 0].mean()
    return float(22 * scale**2)


class _LogSecant:
    """Secant steps for a falling function of a logarithm, kept between bounds and between known signs."""

    def __init__(self, slope: float, low: float, high: float) -> None:
        self.slope, self.low, self.high = slope, math.log(low), math.log(high)
        self.last: tuple[float, float] | None = None

    def next(self, at: float, value: float) -> float:
        """Return where to look next after the function's logarithm was `value` too high at `at`."""
        x = math.log(at)
        if self.last and abs(x - self.last[0]) > 1e-6:
            self.slope = min(max((value - self.last[1]) / (x - self.last[0]), -1.5), -0.1)
        self.last = x, value
        if value > 0:
            self.low = max(self.low, x)
        else:
            self.high = min(self.high, x)
        step = min(max(-value / self.slope, -2.5), 2.5)
        after = x + step
        if not self.low < after < self.high:
            after = (self.low + self.high) / 2 if self.high - self.low < 5 else min(max(after, self.low), self.high)
        return math.exp(after)


def _fit(scene: Scene, goal: Goal, setting: Setting, search: _Search) -> Encoded:
    """Return the file of a preference whose price makes it fit the size, the largest found."""
    lengths = search.lengths
    solver = _LogSecant(-0.5, CHEAPEST, DEAREST)
    best: Encoded | None = None
    aim = (1 + NEAR) / 2
    price = setting.price
    tables: NDArray[np.int64] | None = None
    smallest = sys.maxsize
    for _ in range(ENCODES):
        now = Setting(setting.preference, price)
        tables_now = scene.tables(now, goal.finest) if tables is None else tables
        if lengths is None:
            lengths = scene.first_lengths(tables_now)
        levels, lengths = scene.quantise(now, tables_now, lengths)
        content = jpeg_file.write(levels, scene.components, tables_now, scene.height, scene.width)
        size = len(content)
        smallest = min(smallest, size)
        if size <= goal.size and (best is None or size > len(best.content)):
            best = Encoded(content, tables_now, now, tuple(search.notices))
        if NEAR * goal.size <= size <= goal.size or (size < goal.size and price <= CHEAPEST * 1.01):
            break
        if size > goal.size and price >= DEAREST * 0.99:
            break
        missed = math.log(size / (aim * goal.size))
        if tables is None and abs(missed) < TABLES_SETTLED:
            tables = tables_now
            solver = _LogSecant(-0.35, CHEAPEST, DEAREST)
        price = solver.next(price, missed)
    if best is None:
        raise SizeImpossibleError(f"{goal.size:,} bytes are too few, {smallest:,} the least", smallest)
    return best
