"""A picture as the rate-distortion encoder sees it: coefficients, what their errors cost, what a setting gives.

An error e of a coefficient costs (STRUCTURE * structure + preference * region) * (squared error of RGB pixels) plus
what the eye sees of it: a mixture of PSNR-HVS and PSNR-HVS-M for luma, for chroma the weights of the standard table.
Structure is what a block's errors take from SSIM; region weights come from the map. The constants were chosen on
photographs with known objects; the measurements are in the README.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import blocks, entropy, perception, trellis
from q1net_msroi.msroi.encoder.jpeg_file import zigzag_tables
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.jpeg import Subsampling

VEILED = 0.75  # share of PSNR-HVS-M in what luma costs; the rest is PSNR-HVS, whose texture is never hidden
CHROMA = 0.35  # weight of chroma's errors beside luma's where a standard table makes both as large
COLOUR = 4.0  # weight of a chroma block's mean beside its other coefficients: an error there is a patch of wrong colour
STRUCTURE = 22.0  # weight of SSIM's share in what luma costs: without it smooth texture goes first
STEP_TO_PRICE = 0.075  # table step^2 * weight = price / this: measured, the steps the trellis does best with
SAMPLED_LUMA, SAMPLED_CHROMA = 4096, 1024  # blocks that settings are tried on
NO_COLOUR = 0.05  # a chroma coefficient that only the rounding of the transform makes

Lengths = list[tuple[NDArray[np.float32], NDArray[np.float32]]]  # bits of AC and DC symbols, of luma and of chroma


@dataclass(frozen=True)
class Setting:
    """What is chosen for a picture: `preference` for the region (0: none), `price` (lambda) in distortion per bit."""

    preference: float
    price: float


@dataclass(frozen=True)
class Ramp:
    """How a map's values become weights: 0 up to `low` times the map's mean, 1 from `high` times, a line between."""

    low: float
    high: float


RAMP = Ramp(1.14, 1.4)


@dataclass(frozen=True)
class Costs:
    """Bits of a file and its errors, summed over blocks; `seen` and `veiled` are luma's of PSNR-HVS and PSNR-HVS-M.

    `background` is `veiled` where the map is dark, `squared` luma's squared error.
    """

    bits: float
    squared: float
    seen: float
    veiled: float
    background: float


@dataclass(frozen=True)
class Part:
    """Some blocks of a component: coefficients (64, blocks); region weights, masking and structure (blocks,).

    `scale` is how many blocks of the picture each stands for.
    """

    spectrum: blocks.Spectrum
    region: NDArray[np.float32]
    masking: NDArray[np.float32]
    structure: NDArray[np.float32]
    scale: float


def region_weights(
    saliency: NDArray[np.uint8], side: int, rows: int, columns: int, ramp: Ramp = RAMP
) -> NDArray[np.float32]:
    """Return a weight 0..1 for each block, (rows * columns,), of `side` pixels, from a (height, width) uint8 map.

    The ramp goes by the map's mean: a map says where more of the object is, and what its brightness means differs from
    map to map. It is the root of the mean square over the block: a block across the edge of an object belongs to it
    more than by its area, for its errors spread over all its pixels.
    """
    mean = max(float(saliency.mean()), 1e-3)
    brightest = float(saliency.max())  # always weighs 1, also where nearly all is bright
    low = min(ramp.low * mean, (mean + brightest) / 2)
    high = min(ramp.high * mean, brightest)
    weight = np.clip((np.arange(256) - low) / max(high - low, 1e-3), 0, 1)
    return np.sqrt(blocks.block_means(np.square(weight).astype(np.float32)[saliency], side, rows, columns))


class Scene:
    """A picture prepared for encoding: transformed once, tried with many settings."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        saliency: NDArray[np.uint8] | None,
        subsampling: Subsampling = "4:2:0",
        ramp: Ramp = RAMP,
    ) -> None:
        """Take (height, width, 3) uint8 RGB and a map (height, width) uint8, None for no preference anywhere."""
        self.height, self.width = pixels.shape[:2]
        planes = blocks.planes_of(pixels, subsampling)
        self.components = blocks.components_of(planes, subsampling)
        masking = perception.block_masking(planes[0], self.components[0].spectrum)
        structure = perception.block_structure(planes[0])
        if all(float(np.abs(component.spectrum).max()) < NO_COLOUR for component in self.components[1:]):
            # One component, as Pillow writes a gray picture.
            self.components = [replace(self.components[0], sampling=1)]
        chroma_side = 2 * blocks.SIDE if subsampling == "4:2:0" else blocks.SIDE
        self.whole: list[Part] = []
        for index, component in enumerate(self.components):
            side = blocks.SIDE if index == 0 else chroma_side
            count = component.rows * component.columns
            region = (
                np.zeros(count, np.float32)
                if saliency is None
                else region_weights(saliency, side, component.rows, component.columns, ramp)
            )
            luma = (masking, structure) if index == 0 else (np.zeros(count, np.float32),) * 2
            self.whole.append(Part(component.spectrum, region, *luma, scale=1.0))
        self.orders = [trellis.scan_order(component)[0] for component in self.components]
        self.sample = [
            _sampled(part, SAMPLED_LUMA if index == 0 else SAMPLED_CHROMA) for index, part in enumerate(self.whole)
        ]
        rgb = perception.rgb_weights().astype(np.float32)
        spread = perception.upsampling_gain() if subsampling == "4:2:0" else np.ones(blocks.FREQUENCIES, np.float32)
        self.gains = [np.full(blocks.FREQUENCIES, rgb[0]), rgb[1] * spread, rgb[2] * spread]
        chroma_table = zigzag_tables(jpeg.standard_tables())[49, 1]
        luma_table = zigzag_tables(jpeg.standard_tables())[49, 0]
        # The eye's weight of luma is a constant over the squared standard table; chroma's is made the same way.
        constant = float(np.mean(perception.SEEN * np.square(luma_table)))
        self.chroma_weights = (CHROMA * constant / np.square(chroma_table)).astype(np.float32)
        self.chroma_weights[0] *= COLOUR

    def tables(self, setting: Setting, finest: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """Return the quantisation tables for a setting, (1 or 2, 64) in zigzag order, not finer than `finest`.

        A coefficient's step goes with the square root of price over weight, the weight being that inside the region.
        Without a preference that is the standard table's shape, with a strong one nearly flat.
        """
        weights = [setting.preference * self.gains[0] + perception.SEEN]
        if len(self.components) > 1:
            weights.append(setting.preference * (self.gains[1] + self.gains[2]) / 2 + self.chroma_weights)
        steps = np.sqrt(setting.price / STEP_TO_PRICE / np.stack(weights))
        rounded = np.clip(np.rint(steps), 1, 255).astype(np.int64)
        return rounded if finest is None else np.maximum(rounded, finest[: len(rounded)])

    def distortion(self, index: int, part: Part, preference: float) -> trellis.Distortion:
        """Return what errors of a component's blocks cost."""
        if index == 0:
            seen, plain, veil = VEILED * perception.SEEN, (1 - VEILED) * perception.SEEN, perception.VEIL
        else:
            nothing = np.zeros(blocks.FREQUENCIES, np.float32)
            seen, plain, veil = nothing, self.chroma_weights, nothing
        pixels = np.float32(STRUCTURE) * part.structure + np.float32(preference) * part.region
        return trellis.Distortion(pixels, self.gains[index], plain, seen, part.masking, veil)

    def first_lengths(self, tables: NDArray[np.integer]) -> Lengths:
        """Return code lengths to begin with: those of the sample quantised with a dead zone, without a trellis."""
        levels = []
        for index, part in enumerate(self.sample):
            steps = tables[min(index, 1)][:, None].astype(np.float32)
            magnitude = np.floor(np.abs(part.spectrum) / steps + np.float32(0.35)).astype(np.int16)
            levels.append(magnitude)
        dc = self._rounded_dc(tables)
        ac = self._ac_counts([entropy.ac_symbols(each) for each in levels], self.sample)
        return [(entropy.code_lengths(a), entropy.code_lengths(d)) for a, d in zip(ac, dc, strict=True)]

    def _rounded_dc(self, tables: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return counts of DC symbols, (tables, 256), of the whole picture rounded plainly."""
        counts = np.zeros((len(tables), entropy.SYMBOLS), np.int64)
        for index, component in enumerate(self.components):
            which = min(index, 1)
            rounded = np.rint(component.spectrum[0] / np.float32(tables[which, 0])).astype(np.int16)
            counts[which] += trellis.dc_symbols(rounded, self.orders[index])
        return counts

    def _ac_counts(self, symbols: Sequence[NDArray[np.int64]], parts: Sequence[Part]) -> NDArray[np.int64]:
        """Return counts of AC symbols by table, (tables, 256), of the whole picture."""
        counts = np.zeros((min(len(parts), 2), entropy.SYMBOLS))
        for index, (each, part) in enumerate(zip(symbols, parts, strict=True)):
            counts[min(index, 1)] += each * part.scale
        return np.ceil(counts).astype(np.int64)

    def plain_costs(self, quality: int) -> Costs:
        """Return what plain JPEG of a quality 1..100 costs, from the sample."""
        tables = zigzag_tables(jpeg.standard_tables())[quality - 1][: min(len(self.components), 2)]
        levels = [
            np.rint(part.spectrum / tables[min(index, 1)][:, None]).astype(np.int16)
            for index, part in enumerate(self.sample)
        ]
        counts = self._ac_counts([entropy.ac_symbols(each) for each in levels], self.sample)
        return self._costs(levels[0], tables, counts)

    def _costs(self, luma: NDArray[np.int16], tables: NDArray[np.integer], ac: NDArray[np.int64]) -> Costs:
        bits = sum(
            entropy.total_bits(counts, entropy.code_lengths(counts)) for counts in (*ac, *self._rounded_dc(tables))
        )
        part = self.sample[0]
        error = np.abs(part.spectrum - luma * tables[0][:, None].astype(np.float32))
        square = np.square(error)
        beyond = np.maximum(error - np.multiply.outer(perception.VEIL, part.masking), 0)
        veiled = perception.SEEN @ np.square(beyond)
        return Costs(
            bits=float(bits),
            squared=float(square.sum()) * part.scale,
            seen=float((perception.SEEN @ square).sum()) * part.scale,
            veiled=float(veiled.sum()) * part.scale,
            background=float(veiled @ (1 - part.region)) * part.scale,
        )

    def try_out(
        self, setting: Setting, lengths: Lengths | None, finest: NDArray[np.integer] | None
    ) -> tuple[Costs, Lengths]:
        """Return what a setting would cost, from the sample, and the code lengths that follow from it."""
        tables = self.tables(setting, finest)
        lengths = lengths or self.first_lengths(tables)
        symbols, luma = [], np.empty(0, np.int16)
        for index, part in enumerate(self.sample):
            which = min(index, 1)
            levels, counts = trellis.quantise_ac(
                part.spectrum,
                tables[which].astype(np.float32),
                self.distortion(index, part, setting.preference),
                setting.price,
                lengths[which][0],
            )
            symbols.append(counts)
            if index == 0:
                levels[0] = np.rint(part.spectrum[0] / np.float32(tables[0, 0]))
                luma = levels
        ac = self._ac_counts(symbols, self.sample)
        new = [(entropy.code_lengths(a), old[1]) for a, old in zip(ac, lengths, strict=True)]
        return self._costs(luma, tables, ac), new

    def quantise(
        self, setting: Setting, tables: NDArray[np.integer], lengths: Lengths
    ) -> tuple[list[NDArray[np.int16]], Lengths]:
        """Return the levels of every component, (64, blocks) in zigzag order, and the code lengths they ask for."""
        found = []
        ac = np.zeros((len(tables), entropy.SYMBOLS), np.int64)
        dc = np.zeros_like(ac)
        for index, (part, component) in enumerate(zip(self.whole, self.components, strict=True)):
            which = min(index, 1)
            distortion = self.distortion(index, part, setting.preference)
            steps = tables[which].astype(np.float32)
            levels, counts = trellis.quantise_ac(part.spectrum, steps, distortion, setting.price, lengths[which][0])
            levels[0], dc_counts = trellis.quantise_dc(
                part.spectrum, component, float(steps[0]), distortion, setting.price, lengths[which][1]
            )
            ac[which] += counts
            dc[which] += dc_counts
            found.append(levels)
        return found, [(entropy.code_lengths(a), entropy.code_lengths(d)) for a, d in zip(ac, dc, strict=True)]


def _sampled(part: Part, number: int) -> Part:
    """Return about `number` blocks that stand for all: every so-many-th of those sorted by region, then by energy."""
    blocks_there = part.spectrum.shape[1]
    if blocks_there <= number:
        return part
    energy = np.square(part.spectrum[1:]).sum(axis=0)
    order = np.lexsort((energy, np.rint(part.region * 8)))
    chosen = np.sort(order[np.linspace(0, blocks_there - 1, number).round().astype(np.intp)])
    return Part(
        np.ascontiguousarray(part.spectrum[:, chosen]),
        part.region[chosen],
        part.masking[chosen],
        part.structure[chosen],
        blocks_there / number,
    )
