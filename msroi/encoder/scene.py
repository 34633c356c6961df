"""A picture as the rate-distortion encoder sees it: coefficients, what their errors cost, what a trial gives.

A luma coefficient's error costs what it takes from PSNR-HVS and PSNR-HVS-M and from the structure (SSIM) of the picture
at four scales, a chroma coefficient's by a curve of frequency and structure; inside the region both cost the squared
error of RGB pixels on top. The weights are in `settings.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.msroi.encoder import blocks, entropy, perception, trellis
from q1net_msroi.msroi.encoder.jpeg_file import zigzag_tables
from q1net_msroi.msroi.encoder.settings import SETTINGS, EncoderSettings
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.jpeg import Subsampling

LUMA_KNOTS = (0, 1, 2, 3.5, 5.5, 7.5, 9.9)  # frequencies of `luma_steps`
CHROMA_KNOTS = (0, 0.5, 1, 2, 3.5, 5, 9.9)
Lengths = list[tuple[NDArray[np.float32], NDArray[np.float32]]]  # bits of AC and DC symbols, of luma and of chroma


@dataclass(frozen=True)
class OperatingPoint:
    """A point of the rate-distortion curve: weight of the region's squared error, lambda in distortion per bit."""

    region_weight: float
    lambda_: float


@dataclass(frozen=True)
class Costs:
    """Bits of a file, what all its errors cost, and luma's as PSNR-HVS and PSNR-HVS-M weigh them.

    `background`: the latter's where the map is dark.
    """

    bits: float
    seen: float
    hvs: float
    hvs_m: float
    background: float


@dataclass(frozen=True)
class Part:
    """Some blocks of a component: coefficients (64, blocks), region weights and masking (blocks,).

    `fields` (5, blocks): what errors cost that `Scene.spectra` weigh by frequency, ones and SSIM's sensitivity.

    `scale` is how many blocks of the picture each stands for.
    """

    spectrum: blocks.Spectrum
    region: NDArray[np.float32]
    masking: NDArray[np.float32]
    fields: NDArray[np.float32]
    scale: float


def region_weights(
    saliency: NDArray[np.uint8], side: int, rows: int, columns: int, settings: EncoderSettings = SETTINGS
) -> NDArray[np.float32]:
    """Return a weight 0..1 for each block, (rows * columns,), of `side` pixels, from a (height, width) uint8 map.

    The ramp goes by the map's mean, for what its brightness means differs from map to map. The root of the mean square
    over the block: one across the edge of an object belongs to it more than by its area, as its errors spread over all.
    """
    mean = max(float(saliency.mean()), 1e-3)
    brightest = float(saliency.max())  # always weighs 1, also where nearly all is bright
    low = min(settings.ramp_low * mean, (mean + brightest) / 2)
    high = min(settings.ramp_high * mean, brightest)
    weight = np.clip((np.arange(256) - low) / max(high - low, 1e-3), 0, 1)
    return np.sqrt(blocks.block_means(np.square(weight).astype(np.float32)[saliency], side, rows, columns))


class Scene:
    """A picture prepared for encoding: transformed once, tried with many settings."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        saliency: NDArray[np.uint8] | None,
        subsampling: Subsampling = "4:2:0",
        settings: EncoderSettings = SETTINGS,
        keep_colour: bool = False,
    ) -> None:
        """Take (height, width, 3) uint8 RGB and a map (height, width) uint8, None for no preference anywhere.

        A gray picture becomes a file of one component, but with `keep_colour` one of three.
        """
        self.settings, self.subsampling = settings, subsampling
        self.height, self.width = pixels.shape[:2]
        planes = blocks.planes_of(pixels, subsampling)
        aimed = perception.overshot(planes[0], settings.overshoot_reach, settings.overshoot_limit)
        self.components = blocks.components_of([aimed, *planes[1:]], subsampling)
        chroma = self.components[1:]
        gray = all(float(np.abs(component.spectrum).max()) < settings.gray_limit for component in chroma)
        self.is_gray = gray and not keep_colour
        if self.is_gray:  # one component, as Pillow writes a gray picture
            self.components = [replace(self.components[0], sampling=1)]
        halved = 2 if subsampling == "4:2:0" else 1
        self.whole = []
        for index, component in enumerate(self.components):
            side = blocks.SIDE * (halved if index else 1)
            nothing = np.zeros(component.rows * component.columns, np.float32)
            region = nothing
            if saliency is not None:
                region = region_weights(saliency, side, component.rows, component.columns, settings)
            masking = nothing if index else perception.block_masking(planes[0], component.spectrum)
            fields = np.concatenate([nothing[None] + 1, perception.ssim_sensitivity(planes[index])])
            if index == 0:
                fields[1:] *= perception.darkness(component.spectrum[0], settings.dark_exponent)
            self.whole.append(Part(component.spectrum, region, masking, fields, scale=1.0))
        self.orders = [trellis.scan_order(component)[0] for component in self.components]
        sizes = (settings.luma_sample, settings.chroma_sample, settings.chroma_sample)
        pairs = zip(self.whole, sizes, strict=False)
        self.sample = [_sampled(part, size, settings.sample_strata) for part, size in pairs]
        self._weigh(halved)

    def _weigh(self, halved: int) -> None:
        """Set what errors cost by frequency: `spectra` go with a part's `fields`, `gains` with the region's weight.

        `table_weights` shape the tables.
        """
        settings = self.settings
        rgb = perception.rgb_weights().astype(np.float32)
        spread = perception.upsampling_gain() if halved == 2 else np.ones(blocks.FREQUENCIES, np.float32)
        self.gains = [np.full(blocks.FREQUENCIES, rgb[0]), rgb[1] * spread, rgb[2] * spread]
        luma_steps = perception.radial(LUMA_KNOTS, settings.luma_steps)
        chroma_steps = perception.radial(CHROMA_KNOTS, settings.chroma_steps, halved)
        # An error as large as the step of a table of quality 50 costs the same in both components.
        chroma = perception.STEP_COST * spread / 4 / np.square(chroma_steps)
        self.table_weights = [perception.STEP_COST / np.square(luma_steps), chroma]
        scales = perception.scale_spectra()
        share, nothing = settings.masking_share, np.zeros(blocks.FREQUENCIES, np.float32)
        self.masked = [share * perception.SENSITIVITY, nothing, nothing]
        unmasked = (1 - share) * perception.SENSITIVITY
        own = np.multiply.outer(settings.chroma_ssim_weight * spread / 4, np.ones(len(scales))).T * scales
        each = np.concatenate([[settings.chroma_weight * chroma], own])
        luma = np.concatenate([[unmasked], np.array(settings.ssim_weights)[:, None] * scales])
        self.spectra = [array.astype(np.float32) for array in (luma, each, settings.red_weight * each)]

    def tables(self, point: OperatingPoint, finest: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
        """Return the quantisation tables for a point, (1 or 2, 64) in zigzag order, not finer than `finest`.

        A coefficient's step goes with the square root of lambda over weight, the weight being that inside the region.
        Without a region weight that is the shape of `luma_steps` and `chroma_steps`, with a great one nearly flat.
        """
        weights = [point.region_weight * self.gains[0] + self.table_weights[0]]
        if len(self.components) > 1:
            own = self.chroma_factor(point.lambda_) * self.table_weights[1]
            weights.append(point.region_weight * (self.gains[1] + self.gains[2]) / 2 + own)
        steps = np.sqrt(point.lambda_ / self.settings.lambda_per_squared_step / np.stack(weights))
        rounded = np.clip(np.rint(steps), 1, 255).astype(np.int64)
        return rounded if finest is None else np.maximum(rounded, finest[: len(rounded)])

    def chroma_factor(self, lambda_: float) -> np.float32:
        """Return how much errors of chroma cost beside those at quality 50: the less, the finer a file is."""
        return np.float32((lambda_ / self.settings.first_lambda) ** self.settings.chroma_exponent)

    def distortion(
        self, index: int, part: Part, region_weight: float = 0.0, lambda_: float | None = None
    ) -> trellis.Distortion:
        """Return what errors of a component's blocks cost, by default to compare what was made with any lambda."""
        fields, spectra = part.fields, self.spectra[index]
        if index > 0 and lambda_ is not None:
            spectra = spectra * self.chroma_factor(lambda_)
        if region_weight > self.settings.least_region_weight:
            fields = np.concatenate([fields, np.float32(region_weight) * part.region[None]])
            spectra = np.concatenate([spectra, self.gains[index][None].astype(np.float32)])
        return trellis.Distortion(fields, spectra, self.masked[index], part.masking, perception.THRESHOLD)

    def first_lengths(self, tables: NDArray[np.integer]) -> Lengths:
        """Return code lengths to begin with: those of the sample quantised with a dead zone, without a trellis."""
        rounding, symbols = np.float32(self.settings.first_rounding), []
        for index, part in enumerate(self.sample):
            steps = tables[min(index, 1)][:, None].astype(np.float32)
            magnitude = np.floor(np.abs(part.spectrum) / steps + rounding).astype(np.int16)
            symbols.append(entropy.ac_symbols(magnitude))
        dc, ac = self._rounded_dc(tables), self._ac_counts(symbols)
        return [(entropy.code_lengths(a), entropy.code_lengths(d)) for a, d in zip(ac, dc, strict=True)]

    def _rounded_dc(self, tables: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return counts of DC symbols, (tables, 256), of the whole picture rounded plainly."""
        counts = np.zeros((len(tables), entropy.SYMBOLS), np.int64)
        for index, component in enumerate(self.components):
            which = min(index, 1)
            rounded = np.rint(component.spectrum[0] / np.float32(tables[which, 0])).astype(np.int16)
            counts[which] += trellis.dc_symbols(rounded, self.orders[index])
        return counts

    def _ac_counts(self, symbols: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return counts of AC symbols by table, (tables, 256), of the whole picture from the sample's."""
        counts = np.zeros((min(len(symbols), 2), entropy.SYMBOLS))
        for index, (each, part) in enumerate(zip(symbols, self.sample, strict=True)):
            counts[min(index, 1)] += each * part.scale
        return np.ceil(counts).astype(np.int64)

    def plain_costs(self, quality: int) -> Costs:
        """Return what plain JPEG of a quality 1..100 costs, from the sample."""
        tables = zigzag_tables(jpeg.standard_tables())[quality - 1][: min(len(self.components), 2)]
        levels = [
            np.rint(part.spectrum / tables[min(index, 1)][:, None]).astype(np.int16)
            for index, part in enumerate(self.sample)
        ]
        return self._costs(levels, tables, self._ac_counts([entropy.ac_symbols(each) for each in levels]))

    def _costs(self, levels: Sequence[NDArray[np.int16]], tables: NDArray[np.integer], ac: NDArray[np.int64]) -> Costs:
        symbols = (*ac, *self._rounded_dc(tables))
        bits = sum(entropy.total_bits(counts, entropy.code_lengths(counts)) for counts in symbols)
        seen = 0.0
        errors = []
        for index, (part, values) in enumerate(zip(self.sample, levels, strict=True)):
            errors.append(np.abs(part.spectrum - values * tables[min(index, 1)][:, None].astype(np.float32)))
            seen += part.scale * float(self.distortion(index, part).of_all(errors[-1]).sum())
        part, error = self.sample[0], errors[0]
        beyond = np.maximum(error - np.multiply.outer(perception.THRESHOLD, part.masking), 0)
        masked = perception.SENSITIVITY @ np.square(beyond)
        hvs, hvs_m = float((perception.SENSITIVITY @ np.square(error)).sum()), float(masked.sum())
        background = float(masked @ (1 - part.region))
        return Costs(float(bits), seen, hvs * part.scale, hvs_m * part.scale, background * part.scale)

    def try_out(
        self, point: OperatingPoint, lengths: Lengths | None, finest: NDArray[np.integer] | None
    ) -> tuple[Costs, Lengths]:
        """Return what a point would cost, from the sample, and the code lengths that follow from it."""
        tables = self.tables(point, finest)
        lengths = lengths or self.first_lengths(tables)
        symbols, found = [], []
        for index, part in enumerate(self.sample):
            which = min(index, 1)
            distortion, steps = (
                self.distortion(index, part, point.region_weight, point.lambda_),
                tables[which].astype(np.float32),
            )
            levels, counts = trellis.quantise_ac(part.spectrum, steps, distortion, point.lambda_, lengths[which][0])
            levels[0] = np.rint(part.spectrum[0] / np.float32(tables[which, 0]))
            symbols.append(counts)
            found.append(levels)
        ac = self._ac_counts(symbols)
        new = [(entropy.code_lengths(a), old[1]) for a, old in zip(ac, lengths, strict=True)]
        return self._costs(found, tables, ac), new

    def quantise(
        self, point: OperatingPoint, tables: NDArray[np.integer], lengths: Lengths
    ) -> tuple[list[NDArray[np.int16]], Lengths, float]:
        """Return the levels of every component, (64, blocks) in zigzag order, the code lengths they ask for, and bits.

        Progressive scans make the file smaller than the bits.
        """
        found = []
        ac = np.zeros((len(tables), entropy.SYMBOLS), np.int64)
        dc = np.zeros_like(ac)
        for index, (part, component) in enumerate(zip(self.whole, self.components, strict=True)):
            which = min(index, 1)
            distortion = self.distortion(index, part, point.region_weight, point.lambda_)
            steps = tables[which].astype(np.float32)
            levels, counts = trellis.quantise_ac(part.spectrum, steps, distortion, point.lambda_, lengths[which][0])
            step, bits = float(steps[0]), lengths[which][1]
            levels[0], dc_counts = trellis.quantise_dc(part.spectrum, component, step, distortion, point.lambda_, bits)
            ac[which] += counts
            dc[which] += dc_counts
            found.append(levels)
        new = [(entropy.code_lengths(a), entropy.code_lengths(d)) for a, d in zip(ac, dc, strict=True)]
        pairs = [pair for a, d, own in zip(ac, dc, new, strict=True) for pair in zip((a, d), own, strict=True)]
        return found, new, sum(entropy.total_bits(counts, of_each) for counts, of_each in pairs)


def _sampled(part: Part, number: int, strata: int) -> Part:
    """Return about `number` blocks that stand for all: every so-many-th of those sorted by region, then by energy."""
    blocks_there = part.spectrum.shape[1]
    if blocks_there <= number:
        return part
    energy = np.square(part.spectrum[1:]).sum(axis=0)
    order = np.lexsort((energy, np.rint(part.region * strata)))
    chosen = np.sort(order[np.linspace(0, blocks_there - 1, number).round().astype(np.intp)])
    spectrum = np.ascontiguousarray(part.spectrum[:, chosen])
    return Part(spectrum, part.region[chosen], part.masking[chosen], part.fields[:, chosen], blocks_there / number)


def subsampling_loss(full: Scene, pixels: NDArray[np.uint8]) -> float:
    """Return what halving the chroma of a picture costs, in the unit of `Costs.seen`; `full`: its scene at 4:4:4."""
    lost = 0.0
    for index, plane in enumerate(blocks.planes_of(pixels, "4:4:4")[1:], 1):
        error = blocks.to_spectrum(plane - blocks.doubled(blocks.halve(plane)))
        lost += float(full.distortion(index, full.whole[index]).of_all(np.abs(error)).sum())
    return lost
