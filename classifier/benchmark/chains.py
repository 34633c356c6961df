"""Photographs as the world has them: softer, sharper or larger, saved before, last saved with tables of all kinds.

Photographs that are saved once by libjpeg are the laboratory's. Intervals that hold for them alone do not hold for the
files of cameras, editors and web services, so that they are measured on these.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from q1net_msroi.classifier.benchmark.treatments import Pixels
from q1net_msroi.classifier.benchmark.truth import Random, Tables, truth_of, with_tables
from q1net_msroi.utils import jpeg
from q1net_msroi.utils.codecs import JPEG

# What is common: of real files that were gathered before, about half had tables that are not libjpeg's, and hardly one
# in forty showed an earlier compression on its own grid.
OTHER_SHARE, ALIGNED_SHARE, MOVED_SHARE = 0.5, 0.05, 0.3
FULL_COLOUR_SHARE = 0.35  # 4:4:4, else 4:2:0
ROUND_SHARE, ROUND = 0.3, (70, 75, 80, 85, 90, 92, 95)  # standard qualities that programs come with
LAST, FIRST = (20, 100), (50, 95)  # the others, and those of earlier compressions
WORKED_ON = (512, 640)  # height and width of the part of a photograph that is used
LARGEST, SMALL = (384, 512), (128, 128)  # of what is cut out in the end
CUTS = {"grid": 0.6, "anywhere": 0.25, "small": 0.15}
CHANGES = ("none", "smaller", "larger", "soft", "sharp")


@dataclass(frozen=True)
class Chains:
    """Makes chains; `tables` that are not libjpeg's, each as likely as its share of `files`."""

    tables: list[Tables]
    files: list[float]

    def picture(self, photograph: Pixels, random: Random) -> tuple[Pixels, int, str]:
        """Return what becomes of a photograph that never was a JPEG, its standard quality and the kind of its tables.

        The quality is the nearest to the tables of the last compression, the kind `standard` or `other`.
        """
        pixels = _noisy(_changed(cut(photograph, random, WORKED_ON), random), random)
        before = random.random()
        if before < ALIGNED_SHARE + MOVED_SHARE:
            pixels = JPEG.decode(self._saved(pixels, random, FIRST))
            pixels = pixels if before < ALIGNED_SHARE else _moved(pixels, random)
        content = self._saved(pixels, random, LAST)
        truth, pixels = truth_of(content, "a chain"), JPEG.decode(content)
        how = str(random.choice(list(CUTS), p=list(CUTS.values())))
        kind = "standard" if truth.tables == "standard" else "other"
        return (
            cut(pixels, random, SMALL if how == "small" else LARGEST, 16 if how == "grid" else 1),
            truth.quality,
            kind,
        )

    def _saved(self, pixels: Pixels, random: Random, qualities: tuple[int, int]) -> bytes:
        """Return a JPEG file with tables of any kind."""
        subsampling = "4:4:4" if random.random() < FULL_COLOUR_SHARE else "4:2:0"
        if random.random() < OTHER_SHARE:
            shares = np.array(self.files) / np.sum(self.files)
            tables = self.tables[int(random.choice(len(self.tables), p=shares))]
        else:
            low, high = qualities
            rounded = random.random() < ROUND_SHARE
            quality = int(random.choice(ROUND)) if rounded else int(random.integers(low, high + 1))
            tables = jpeg.standard_tables()[quality - 1].reshape(2, 64).tolist()
        return with_tables(pixels, tables if len(tables) > 1 else tables * 2, subsampling)


def cut(pixels: Pixels, random: Random, most: tuple[int, int], grid: int = 1) -> Pixels:
    """Return a part, no larger than `most` (height, width), that begins at multiples of `grid`."""
    sides = tuple(min(side, limit) for side, limit in zip(pixels.shape[:2], most, strict=True))
    top, left = (
        int(random.integers(length - side + 1)) // grid * grid
        for length, side in zip(pixels.shape[:2], sides, strict=True)
    )
    return np.ascontiguousarray(pixels[top : top + sides[0], left : left + sides[1]])


def _changed(pixels: Pixels, random: Random) -> Pixels:
    """Return pixels smaller, larger, softer or sharper than they were, or as they are."""
    image, how = Image.fromarray(pixels), str(random.choice(CHANGES))
    if how in ("smaller", "larger"):
        factor = random.uniform(0.5, 0.95) if how == "smaller" else random.uniform(1.1, 2.0)
        image = image.resize([max(128, round(side * factor)) for side in image.size], Image.Resampling.BICUBIC)
        return cut(np.asarray(image), random, WORKED_ON)
    if how == "soft":
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.4, 1.5)))
    if how == "sharp":
        strength = int(random.integers(50, 200))
        image = image.filter(ImageFilter.UnsharpMask(random.uniform(0.7, 2.0), strength, 0))
    return np.asarray(image)


def _noisy(pixels: Pixels, random: Random) -> Pixels:
    """Return pixels with a sensor's noise: of each colour, of brightness, or none."""
    shape = [(), pixels.shape, (*pixels.shape[:2], 1)][int(random.integers(3))]
    noise = random.normal(0, random.uniform(0.5, 4.0), shape) if shape else 0.0
    noisy: Pixels = np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
    return noisy


def _moved(pixels: Pixels, random: Random) -> Pixels:
    """Return pixels that lie on another grid, or are smaller."""
    if random.random() < 0.5:
        top, left = random.integers(0, 8, 2)
        return np.ascontiguousarray(pixels[top:, left:])
    factor = random.uniform(0.5, 0.95)
    image = Image.fromarray(pixels)
    return np.asarray(image.resize([max(64, round(side * factor)) for side in image.size], Image.Resampling.LANCZOS))
