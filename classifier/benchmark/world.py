"""Pictures as the world has them, with what is true of each: real JPEG files, and sets made of photographs.

A set is a list of sources; a source makes its cases. Everything random depends on the set's name and the source's
number alone, so a part of a set has the same pictures as the whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from q1net_msroi.classifier.benchmark import drawings, treatments
from q1net_msroi.classifier.benchmark.treatments import Pixels
from q1net_msroi.classifier.benchmark.truth import NEAR, Tables, Truth, near_standard, truth_of, with_tables
from q1net_msroi.utils import images
from q1net_msroi.utils.codecs import JPEG
from q1net_msroi.utils.errors import show
from q1net_msroi.utils.jobs import Task

DRAWINGS = 200
QUALITIES = range(30, 96)  # at which drawings, and pictures that are changed afterwards, are saved
DOUBLES = 1000
APART = (5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60)  # qualities between the first and the last compression
BANDS = {8: "5-8", 20: "10-20", 60: "25-60"}  # their groups, by the most
LOWEST_FIRST, LOWEST_LAST, HIGHEST_LAST = 5, 50, 95
TURNED_QUALITIES = range(5, 96, 5)
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")


@dataclass(frozen=True)
class Case:
    """A picture as somebody has it: its pixels, made when asked for, and the JPEG file where there is one.

    `truth` None: it never was a JPEG. `first` is the quality of an earlier compression made here. `source` is the real
    file whose coefficients tell whether it was compressed before, `corner` (y, x) where the picture begins in it, None
    where it does not lie in it unturned and unscaled.
    """

    group: str
    treatment: str
    truth: Truth | None
    pixels: Callable[[], Pixels]
    file: bytes | None = None
    first: int | None = None
    source: bytes | None = None
    corner: tuple[int, int] | None = None


@dataclass(frozen=True)
class Source(Task):
    """What cases are made of: `image` is a file (of drawings: the module that draws), `number` its place in the set."""

    set_name: ClassVar[str] = ""
    number: int = 0
    detail: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    @property
    def random(self) -> np.random.Generator:
        """A generator that depends on the set and the number alone."""
        return np.random.default_rng([zlib.crc32(self.set_name.encode()), self.number])

    def settings_record(self) -> dict[str, Any]:
        """Return what else the rows depend on: `settings`, and what is made of the file."""
        return {**self.settings, "detail": self.detail}

    def photograph(self) -> Pixels:
        """Return the pixels of the source's file."""
        return images.read_rgb(self.image).pixels

    def cases(self) -> Iterator[Case]:
        """Yield the cases."""
        raise NotImplementedError


@dataclass(frozen=True)
class Inputs:
    """What sets are made from: real files and the origins of some, photographs never compressed, known tables."""

    files: Sequence[Path] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    photographs: Sequence[Path] = ()
    tables: Sequence[Tables] = ()


def _saved(content: bytes, group: str, first: int | None = None) -> Iterator[Case]:
    """Yield a JPEG file and its pixels, whole and cropped."""
    truth, pixels = truth_of(content, group), JPEG.decode(content)
    yield Case(group, "file", truth, lambda: pixels, content, first)
    yield Case(group, "decoded", truth, lambda: pixels, None, first)
    yield Case(group, "cropped", truth, partial(treatments.crop, pixels), None, first)


def _treated(
    pixels: Pixels, group: str, truth: Truth | None, changes: Mapping[str, treatments.Change]
) -> Iterator[Case]:
    for name, change in changes.items():
        yield Case(group, name, truth, partial(change, pixels))


class RealFile(Source):
    """A JPEG file as it is, and what may become of its pixels; `detail` is its origin."""

    set_name = "real"

    def cases(self) -> Iterator[Case]:
        """Yield the file, then its pixels."""
        content, pixels = self.image.read_bytes(), self.photograph()
        truth = truth_of(content, show(self.image))
        yield Case(self.detail, "file", truth, lambda: pixels, content, source=content, corner=(0, 0))
        corners = {"decoded": (0, 0), "cropped": treatments.corner_of_crop(pixels)}
        for name, change in treatments.OF_FILES.items():
            make = partial(change, pixels)
            yield Case(self.detail, name, truth, make, source=content, corner=corners.get(name))
        make = partial(treatments.without_smoothing, self.image)
        yield Case(self.detail, "without smoothing", truth, make, source=content, corner=(0, 0))
        if (cut := treatments.cut_losslessly(self.image)) is not None:
            part, own = cut
            yield Case(self.detail, "lossless crop", truth, lambda: own, part, source=part, corner=(0, 0))


class NeverJpeg(Source):
    """A photograph that never was a JPEG, as it is, through other codecs, and enlarged."""

    set_name = "never"

    def cases(self) -> Iterator[Case]:
        """Yield the photograph and what became of it."""
        yield from _treated(self.photograph(), "photographs", None, treatments.NEVER_JPEG)


class SingleKnown(Source):
    """A photograph saved once with tables that are not libjpeg's; `detail` is their kind and the known ones."""

    set_name = "single_known"

    def cases(self) -> Iterator[Case]:
        """Yield the file and its pixels."""
        kind, known = self.detail
        tables = near_standard(kind, self.random) if kind in NEAR else known
        subsampling = ("4:2:0", "4:4:4")[int(self.random.integers(0, 2))]
        yield from _saved(with_tables(self.photograph(), tables, subsampling), kind)


class Double(Source):
    """A photograph saved twice, the stronger compression first; `detail`: how far apart, whether on one grid."""

    set_name = "double"

    def cases(self) -> Iterator[Case]:
        """Yield the file and its pixels."""
        (apart, aligned), random = self.detail, self.random
        last = int(random.integers(max(LOWEST_LAST, LOWEST_FIRST + apart), HIGHEST_LAST + 1))
        pixels = JPEG.compress(self.photograph(), last - apart)
        if not aligned:
            top, left = divmod(int(random.integers(1, 64)), 8)
            pixels = np.ascontiguousarray(pixels[top:, left:])
        band = next(name for most, name in BANDS.items() if apart <= most)
        group = f"{'aligned' if aligned else 'shifted'}, {band} apart"
        yield from _saved(JPEG.encode(pixels, last), group, last - apart)


class Changed(Source):
    """A decoded JPEG whose values were changed."""

    set_name = "changed"

    def cases(self) -> Iterator[Case]:
        """Yield what the pixels become."""
        quality = int(self.random.integers(QUALITIES[0], QUALITIES[-1] + 1))
        pixels = JPEG.compress(self.photograph(), quality)
        yield from _treated(pixels, "standard", Truth.standard(quality), treatments.CHANGED)


class Turned(Source):
    """The eight orientations of a decoded JPEG of quality `detail`."""

    set_name = "turned"

    def cases(self) -> Iterator[Case]:
        """Yield the orientations."""
        pixels = JPEG.compress(self.photograph(), self.detail)
        yield from _treated(pixels, "standard", Truth.standard(self.detail), treatments.TURNED)


class Drawn(Source):
    """A drawing that never was a JPEG."""

    set_name = "drawn"

    def cases(self) -> Iterator[Case]:
        """Yield the drawing."""
        yield Case(drawings.kind(self.number), "as it is", None, partial(drawings.draw, self.number))


class DrawnJpeg(Source):
    """The same drawing, saved as JPEG and decoded."""

    set_name = "drawn_jpeg"

    def cases(self) -> Iterator[Case]:
        """Yield the pixels."""
        quality = int(self.random.integers(QUALITIES[0], QUALITIES[-1] + 1))

        def decoded() -> Pixels:
            return JPEG.compress(drawings.draw(self.number), quality)

        yield Case(drawings.kind(self.number), "decoded", Truth.standard(quality), decoded)


def _of_photographs(kind: type[Source], inputs: Inputs, details: Sequence[Any]) -> list[Source]:
    """Return a source a detail, the photographs in turn."""
    found = inputs.photographs
    return [kind(found[n % len(found)], n, detail) for n, detail in enumerate(details)] if found else []


def _single_known(inputs: Inputs) -> list[Source]:
    """Return sources of every known pair of tables, and after each two a source with tables near to standard ones."""
    details: list[tuple[str, Tables]] = []
    for number, known in enumerate(inputs.tables):
        details.append(("known tables", known))
        if number % 2:
            details.append((NEAR[number // 2 % len(NEAR)], known))
    return _of_photographs(SingleKnown, inputs, details)


def _per_photograph(kind: type[Source], inputs: Inputs, details: Sequence[Any] = (None,)) -> list[Source]:
    """Return a source a photograph and detail."""
    pairs = [(path, detail) for detail in details for path in inputs.photographs]
    return [kind(path, number, detail) for number, (path, detail) in enumerate(pairs)]


def _drawings(kind: type[Source], _: Inputs) -> list[Source]:
    return [kind(Path(drawings.__file__), number) for number in range(DRAWINGS)]


def _real(inputs: Inputs) -> list[Source]:
    return [RealFile(path, n, inputs.origins.get(path.name, "files")) for n, path in enumerate(inputs.files)]


def _double(inputs: Inputs) -> list[Source]:
    details = [(APART[n // 2 % len(APART)], n % 2 == 0) for n in range(DOUBLES)]
    return _of_photographs(Double, inputs, details)


SETS: dict[str, Callable[[Inputs], list[Source]]] = {
    RealFile.set_name: _real,
    NeverJpeg.set_name: partial(_per_photograph, NeverJpeg),
    Drawn.set_name: partial(_drawings, Drawn),
    DrawnJpeg.set_name: partial(_drawings, DrawnJpeg),
    SingleKnown.set_name: _single_known,
    Double.set_name: _double,
    Changed.set_name: partial(_per_photograph, Changed),
    Turned.set_name: partial(_per_photograph, Turned, details=TURNED_QUALITIES),
}


NEEDS = {
    RealFile.set_name: "--images",
    SingleKnown.set_name: "--photographs and --tables",
    **dict.fromkeys((kind.set_name for kind in (NeverJpeg, Double, Changed, Turned)), "--photographs"),
}


def sources(name: str, inputs: Inputs, settings: Mapping[str, Any]) -> list[Source]:
    """Return the sources of a set with their keys for a journal; none where the inputs lack what it is made of."""
    made = SETS[name](inputs)
    return [replace(each, key=f"{name} {each.number} {each.image.name}", settings=settings) for each in made]


def sample(found: Sequence[Source], most: int | None) -> list[Source]:
    """Return at most so many sources in their order: a larger number takes the same ones and more."""
    chosen = np.random.default_rng(0).permutation(len(found))[:most]
    return [found[number] for number in sorted(chosen)]
