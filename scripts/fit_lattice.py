#!/usr/bin/env python3
"""Which false-alarm rates do the thresholds of the lattice family keep, and which values would keep those asked for?

A threshold is compared with what the code compares with it, on pictures where an alarm is false: crops that were never
compressed, the wrong grid of compressed ones, single compressions (with standard tables, near ones, those of --tables)
for pairs, from their pixels and from their stored coefficients. No value is changed: the table and fit_lattice.json
show the alarms at the present value, the upper 95 % bound of their rate, and the value that the rate asked for needs,
also on other photographs. A run that was cut off is taken up.
"""

import argparse
import csv
import functools
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.lattice import blocks, clipped, fit, grid, history, likelihood, score, search, tables
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import files, images, jpeg, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError, run_command
from q1net_msroi.utils.jpeg import Pixels
from q1net_msroi.utils.settings import describe, fingerprint

Statistics = dict[str, list[float]]
Tables = tuple[list[int], list[int]]  # luma and chroma, 64 steps each
SIDES = (32, 64, 128, 256)  # of crops that were never compressed
AC = np.arange(1, 64)


@dataclass(frozen=True)
class Case:
    """A picture in which an alarm is false, and what thresholds are compared with, as methods.

    `table` (64,) holds its last luma steps, `quality` names them (or the nearest standard ones), at `phase` its blocks
    begin, `stored` (blocks, 64) are the luma coefficients of its file.
    """

    kind: str
    pixels: Pixels
    quality: int = 0
    table: tuple[int, ...] = ()
    phase: tuple[int, int] = (0, 0)
    stored: NDArray[np.int16] | None = None

    @functools.cached_property
    def aligned(self) -> score.Reading:
        return score.read(self.pixels, (0, 0))

    @functools.cached_property
    def found(self) -> score.Reading:
        return search.find(self.pixels)

    def any_grid(self) -> float:
        scores, faint = grid.score_phases(self.pixels)
        y, x = divmod(int(scores.argmax()), 8)
        return max(self.aligned.nats, *(score.read(self.pixels, phase).nats for phase in {(y, x), faint}))

    def on_edges(self) -> float:
        return search.strong_only(score.read(self.pixels, grid.block_edges(self.pixels).phase)).nats

    def changed(self) -> float:
        return max(search.strong_only(score.with_noise(self.aligned, noise)).nats for noise in LATTICE.inexact_noises)

    def faint(self) -> float:
        reading = score.read(self.pixels, grid.score_phases(self.pixels)[1])
        return reading.nats / max(reading.scores.used, 1)

    def denied(self) -> float | None:
        used = self.found.scores.used
        return -self.found.nats / used if used >= LATTICE.never_blocks else None

    @property
    def window(self) -> score.Reading:  # the first of the map of qualities
        return score.read(self.pixels[: LATTICE.window_side, : LATTICE.window_side], (0, 0))

    def foreign(self) -> float:
        nats = self.window.scores.nats
        return float(max(nats.max(), 0) - min(nats[self.quality - 1], nats.max()))

    def ac_alone(self) -> float:
        ratios = self.aligned.scores.ratios
        ac, dc = likelihood.sum_tables(ratios[1:], AC), likelihood.sum_tables(ratios[:1], np.zeros(1, np.int64))
        return float(ac.max()) if dc[ac > ac.max() - LATTICE.ac_tie].max() < LATTICE.dc_denial else 0.0

    @functools.cached_property
    def residuals(self) -> fit.Residuals:
        return fit.Residuals(self.aligned.counts.textured)

    @functools.cached_property
    def story(self) -> tables.Standard | None:
        return tables.standard(self.aligned, self.residuals)

    @property
    def below(self) -> int:
        return self.quality - LATTICE.quality_gap + 1

    @property
    def own(self) -> NDArray[np.int64]:
        """The table as the reading of the pixels sees it."""
        table = np.array(self.table)
        return table[blocks.TRANSPOSED] if self.aligned.turned else table

    @functools.cached_property
    def own_fit(self) -> fit.Fit:
        return self.residuals.fit(self.own[None])

    def aligned_pairs(self) -> list[history.First | None]:
        """Return the likeliest two compressions on one grid, as a file tells them and as its pixels do."""
        assert self.stored is not None
        last, told = np.array(self.table), self.story
        from_file = history.Aligned(history.stored_points(self.stored, history.reach(last)), last).likeliest(self.below)
        if told is not None and told.first is not None and not tables.missed(self.aligned, told.nats):
            return [from_file, told.first]
        counts = self.aligned.counts.textured
        return [from_file, history.Aligned(history.points(counts, self.own), self.own).likeliest(self.below)]

    def pair_gains(self) -> list[float]:
        found = self.aligned_pairs()
        return [first.gain if first is not None and first.share >= LATTICE.pair_share else 0.0 for first in found]

    def pair_shares(self) -> list[float]:
        found = self.aligned_pairs()
        return [first.share if first is not None and first.gain >= LATTICE.pair_presence else 0.0 for first in found]

    @functools.cached_property
    def other_grid(self) -> tuple[history.First, float]:
        how = (LATTICE.period_windows, LATTICE.period_frequencies)
        return history.standing_out(self.pixels, self.phase, self.below, *how)

    def period(self, beside: bool) -> float:
        """Return how far another grid stands out; a glance at fewer windows, which few pictures pass, is left out."""
        if self.below <= 1:
            return 0.0
        found, next_one = self.other_grid
        alone = found.gain >= LATTICE.period_alone * next_one
        return found.gain if alone and history.beside(found.phase, self.phase) == beside else 0.0

    def clipped_blocks(self) -> float:
        picture, phases = clipped.Picture(self.pixels), {(0, 0), grid.block_edges(self.pixels).phase, (3, 5), (4, 2)}
        own = {self.phase} if self.quality else set()
        return max(float(clipped.nats(picture.cut(phase)).max()) for phase in phases - own)

    @property
    def free(self) -> float:
        """Nats of free steps, where hardly an entry denies every lattice."""
        ratios = self.aligned.scores.ratios
        return tables.free_nats(ratios) if tables.untouched(ratios) else 0.0

    def missed(self, as_share: bool) -> float:
        """Return what the best story misses, 0 where it is not compared: fine tables have a share of their own."""
        told = self.story
        fine = told is not None and told.first is None and told.quality > LATTICE.fine_last
        nats = self.free - (told.nats if told is not None else 0.0)
        share = nats / self.free if self.free > 0 else float(nats > 0)
        if as_share:
            return share * (nats > LATTICE.tables_missed and not fine)
        return nats * (share > (LATTICE.fine_missed_share if fine else LATTICE.tables_missed_share))

    def left_untouched(self) -> float | None:
        """Return the share of the free steps' nats that entries without a lattice leave, None without such nats."""
        best = self.aligned.scores.ratios[AC].max(1)
        shown = np.maximum(best, 0).sum()
        return float(best.sum() / shown) if shown > 0 else None

    def free_spread(self) -> float:
        ratios = self.aligned.scores.ratios
        shown = ratios.max(1) > LATTICE.step_margin
        return float(self.residuals.fit(np.where(shown, ratios.argmax(1) + 1, 0)[None]).spread[0])

    def foreign_entry(self) -> float:
        """Return how surely one of the table's own entries would be given another step."""
        step = self.own[AC] - 1
        ratios = self.aligned.scores.ratios
        better = ratios[AC].max(1) - ratios[AC, step]
        excess, number = (values[AC, step] for values in (self.residuals.excess, self.residuals.number))
        return float((np.minimum(better, excess) * (excess > LATTICE.foreign_excess * number)).max())

    def explained(self) -> float:
        """Return the nats of the table's own AC entries, as far as they speak against it."""
        return -float(self.aligned.scores.ratios[AC, self.own[AC] - 1].sum())

    def fit_beyond_chance(self) -> float:
        fits = self.own_fit
        return float(fits.excess[0] - LATTICE.excess_error / np.sqrt(max(float(fits.number[0]), 1.0)))

    def own_excess(self) -> float:
        return float(self.own_fit.excess[0])

    def wrong_steps(self) -> list[float]:
        ratios = self.aligned.scores.ratios
        wrong = ratios[AC].argmax(1) + 1 != self.own[AC]
        return [float(margin) for margin in tables.step_margins(ratios)[AC] * wrong]


NEVER, ONCE, TWICE = ("never",), ("single",), ("single", "double")
NEAR = ("single", "near")
FILES = ("single", "near", "table")
Statistic = Callable[[Case], float | list[float] | None]
MEASURES: dict[str, tuple[tuple[str, ...], Statistic]] = {  # an alarm is a value above the threshold of this name
    "ac_presence": (ONCE, Case.ac_alone),
    "faint_per_block": (NEVER, Case.faint),
    "edges_visible": (NEVER, lambda c: grid.block_edges(c.pixels).strength),
    "no_other_grid": (("wrong",), lambda c: c.aligned.nats),
    "presence": (NEVER, Case.any_grid),
    "presence_on_edges": (NEVER, Case.on_edges),
    "never_per_block": (NEAR, Case.denied),
    "tie": (ONCE, lambda c: float(c.aligned.nats - c.aligned.scores.nats[c.quality - 1])),
    "chroma_decides": (ONCE, lambda c: float(c.aligned.nats - c.aligned.scores.nats[c.quality - 1])),
    "inexact_presence": (NEVER, Case.changed),
    "alone_excess": (ONCE, Case.own_excess),
    "last_excess": (TWICE, Case.own_excess),
    "pair_presence": (FILES, Case.pair_gains),
    "pair_share": (FILES, Case.pair_shares),
    "period_presence": ((*FILES, "wrong"), lambda c: c.period(beside=False)),
    "period_beside": ((*FILES, "wrong"), lambda c: c.period(beside=True)),
    "clipped_presence": (("overexposed", "wrong"), Case.clipped_blocks),
    "tables_missed": (TWICE, lambda c: c.missed(as_share=False)),
    "tables_missed_share": (TWICE, lambda c: c.missed(as_share=True)),
    "step_margin": (NEAR, Case.wrong_steps),
    "fit_spread": ((*FILES, "double"), lambda c: float(c.own_fit.spread[0])),
    "entry_denial": (FILES, Case.foreign_entry),
    "standard_denial": (TWICE, Case.explained),
    "free_spread": (FILES, Case.free_spread),
    "untouched": (FILES, Case.left_untouched),
    "fit_excess": ((*FILES, "double"), Case.fit_beyond_chance),
    "window_presence": (NEVER, lambda c: c.window.nats),
    "window_foreign": (ONCE, Case.foreign),
}
BELOW = ("untouched",)  # an alarm is a value below the threshold


def read_tables(path: str) -> list[Tables]:
    """Return the tables of a CSV with columns `luma` and `chroma` of 64 steps, those that fit a baseline file."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as handle:
            read = [
                [[int(n) for n in row[name].split()] for name in ("luma", "chroma")] for row in csv.DictReader(handle)
            ]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path} does not hold tables: {error!r}") from error
    whole = [
        (one, two) for one, two in read if len(one) == len(two) == 64 and 0 < min(one + two) <= max(one + two) < 256
    ]
    if not whole:
        raise UserError(f"{path} does not hold tables of 64 steps from 1 to 255")
    return whole


def cases(pixels: Pixels, random: np.random.Generator, others: Sequence[Tables] = ()) -> Iterator[Case]:
    """Yield the pictures made of one photograph that was never compressed, another crop and quality each time.

    `others` are tables of which one is drawn.
    """
    standard = jpeg.standard_tables().reshape(100, 2, 64)

    def crop(side: int) -> Pixels:
        top, left = (int(random.integers(0, max(length - side, 0) + 1)) for length in pixels.shape[:2])
        return np.ascontiguousarray(pixels[top : top + side, left : left + side])

    def saved(kind: str, part: Pixels, y: int = 0, x: int = 0) -> Case:
        quality = int(random.integers(1, 101))
        luma, chroma = standard[quality - 1]
        if kind == "near":  # one step in five is off by one
            luma = np.clip(luma + random.choice([-1, 0, 1], 64, p=[0.1, 0.8, 0.1]), 1, 255)
        elif kind == "table":
            luma, chroma = np.array(others[int(random.integers(len(others)))])
            quality = int(((standard - np.stack([luma, chroma])) ** 2).sum((1, 2)).argmin()) + 1
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "saved.jpg")
            Image.fromarray(part).save(path, qtables=[luma.tolist(), chroma.tolist()], subsampling="4:2:0")
            made = np.ascontiguousarray(jpeg.decode(path.read_bytes())[y:, x:])
            stored = jpeg.luma_coefficients(path, LATTICE.most_stored)
        return Case(kind, made, quality, tuple(luma.tolist()), (-y % 8, -x % 8), stored)

    yield from (Case("never", crop(side)) for side in SIDES)
    yield Case("overexposed", np.minimum(crop(128) * 1.7, 255).astype(np.uint8))
    yield saved("wrong", crop(256), *divmod(int(random.integers(1, 64)), 8))
    yield from (saved("single", crop(side)) for side in (64, 256))
    yield saved("near", crop(256))
    yield saved("double", saved("double", crop(256)).pixels)
    if others:
        yield from (saved("table", crop(256)) for _ in range(2))


def measure(path: Path, names: Sequence[str], others: Sequence[Tables]) -> Statistics:
    """Return the values of the named settings' statistics on the cases of one photograph."""
    made: Statistics = {name: [] for name in names}
    random = np.random.default_rng(zlib.crc32(path.name.encode()))
    for case in cases(images.read_rgb(path).pixels, random, others):
        for name in names:
            kinds, statistic = MEASURES[name]
            value = statistic(case) if case.kind in kinds else None
            made[name] += [round(v, 4) for v in (value if isinstance(value, list) else [value]) if v is not None]
    return made


def gather(
    folder: str, pictures: int, names: Sequence[str], partial: Path, others: Sequence[Tables] = ()
) -> Statistics:
    """Return the statistics of up to `pictures` photographs of a folder, those in the file `partial` as they are."""
    about = f"{fingerprint(LATTICE)} {zlib.crc32(repr(others).encode()):08x}"
    found = images.find_images(folder)
    found = found[:: max(1, len(found) // pictures)][:pictures]
    done: dict[str, Statistics] = files.read_json(partial) if partial.exists() else {}
    kept = [done.setdefault(f"{about} {path}", {}) for path in found]
    for path, known in zip(tasks.progress(found, unit="picture"), kept, strict=True):
        if missing := [name for name in names if name not in known]:
            known.update(measure(path, missing, others))
            files.write_json(partial, done)
    return {name: [value for known in kept for value in known[name]] for name in names}


def judged(values: Sequence[float], threshold: float, target: float, below: bool = False) -> dict[str, Any]:
    """Return how many values lie above (or `below`) the threshold, and the value needed.

    `bound` is the upper 95 % bound of their share (Clopper and Pearson), `extreme` the value furthest on that side. The
    value needed is null where the values are too few to show the target rate.
    """
    from scipy.stats import beta

    sign = -1 if below else 1
    signed = sign * np.array(values, float)
    count, alarms = len(signed), int((signed > sign * threshold).sum())
    bound = float(beta.ppf(0.95, alarms + 1, count - alarms)) if alarms < count else 1.0
    needed = sign * float(np.quantile(signed, 1 - target, method="higher")) if count * target >= 1 else None
    extreme = sign * float(signed.max(initial=-np.inf)) if count else 0.0
    return {"values": count, "alarms": alarms, "bound": round(bound, 6), "extreme": extreme, "needed": needed}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the record."""
    parser = argparse.ArgumentParser(prog="fit_lattice.py", description=__doc__)
    flags.in_path(parser, "folder of photographs that were never compressed")
    parser.add_argument("--val_path", required=True, help="folder of others, to confirm")
    flags.out_path(parser, "fit_lattice.json")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=list(MEASURES), help="settings, e.g. presence tie")
    parser.add_argument("--tables", metavar="CSV", help="columns luma and chroma: tables of which more files are made")
    parser.add_argument("--pictures", type=int, default=60, help="of each folder at most (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="false-alarm rate 0..1 (default: each setting's own target)")
    options = parser.parse_args(arguments)
    if not MEASURES.keys() >= set(options.only) or options.pictures < 1:
        raise UserError(f"--only knows {', '.join(MEASURES)}, and --pictures begins at 1")
    others = read_tables(options.tables) if options.tables else []
    out = files.output_folder(options.out_path)
    measured = {
        part: gather(folder, options.pictures, options.only, out / f"fit_lattice_{part}.partial.json", others)
        for part, folder in (("fit", options.in_path), ("val", options.val_path))
    }
    print(f"{'setting':20} {'value':>8} {'target':>7}" + "  alarms of n    95 %    needed   extreme" * 2)
    rows = []
    for entry in (entry for entry in describe(LATTICE) if entry.name in options.only):
        target = options.rate or entry.target or 0.01
        parts = {
            part: judged(values[entry.name], float(entry.value), target, entry.name in BELOW)
            for part, values in measured.items()
        }
        text = f"{entry.name:20} {entry.value:>8g} {target:7.2%}"
        for found in parts.values():
            needed = "none" if found["needed"] is None else found["needed"]
            text += "  {alarms:6}/{values:<6} <{bound:8.2%} {0:>8} {extreme:>9}".format(needed, **found)
        print(text)
        rows.append({"setting": entry.name, "value": entry.value, "target": target, **parts})
    command = results.command_line("scripts/fit_lattice.py", arguments)
    results.record(out / "fit_lattice.json", results.provenance(command, "classifier"), rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("fit_lattice.py", main))
