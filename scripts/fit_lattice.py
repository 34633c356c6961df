#!/usr/bin/env python3
"""Which false-alarm rates do the thresholds of the lattice family keep, and which values would keep those asked for?

A threshold is compared with what the code compares with it, on pictures where an alarm is false: crops that were never
compressed, the wrong grid of compressed ones, single compressions (with standard tables and with near ones) for pairs.
No value is changed: the table and fit_lattice.json show the alarms at the present value, the upper 95 % bound of their
rate, and the value that the rate asked for needs, also on other photographs. A run that was cut off is taken up.
"""

import argparse
import functools
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from q1net_msroi.classifier.lattice import clipped, grid, likelihood, pairs, score, search, tables
from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.utils import files, images, jpeg, results, tasks
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import UserError, run_command
from q1net_msroi.utils.jpeg import Pixels
from q1net_msroi.utils.settings import describe, fingerprint

Statistics = dict[str, list[float]]
SIDES = (32, 64, 128, 256)  # of crops that were never compressed
AC = np.arange(1, 64)


@dataclass(frozen=True)
class Case:
    """A picture in which an alarm is false, and what thresholds are compared with, as methods.

    `table` (64,) holds its last luma steps, `quality` names them, at `phase` its blocks begin.
    """

    kind: str
    pixels: Pixels
    quality: int = 0
    table: tuple[int, ...] = ()
    phase: tuple[int, int] = (0, 0)

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

    def pair(self, fine: bool) -> float | None:
        scores = self.aligned.scores
        pair = pairs.likeliest(self.aligned.counts.textured, scores.textured, scores.misfit)
        if ((pair.last if pair else self.quality) > LATTICE.fine_last) != fine:
            return None
        return pairs.lead(pair, scores.textured) if pair else 0.0

    def shifted(self) -> float:
        finest = min(self.quality, LATTICE.finest_last) - LATTICE.quality_gap
        found = pairs.best_of(self.pixels, pairs.standing_out(self.pixels, (0, 0)) or [(3, 5), (0, 4)], finest)
        return found.nats if found else 0.0

    def off_grid(self, of: Callable[..., float]) -> float:
        rows, columns = grid.edges(self.pixels)
        return float(of(rows[1:].max(), columns[1:].max()))

    def clipped_blocks(self) -> float:
        picture, phases = clipped.Picture(self.pixels), {(0, 0), grid.block_edges(self.pixels).phase, (3, 5), (4, 2)}
        own = {self.phase} if self.quality else set()
        return max(float(clipped.nats(picture.cut(phase)).max()) for phase in phases - own)

    def missed(self, as_share: bool) -> float:
        nats, share = tables.missed_by_standard(self.aligned.scores.ratios)
        others = (share > LATTICE.tables_missed_share, nats > LATTICE.tables_missed)
        return (nats, share)[as_share] * others[as_share]

    def wrong_steps(self) -> list[float]:
        ratios = self.aligned.scores.ratios
        wrong = ratios[AC].argmax(1) + 1 != np.array(self.table)[AC]
        return [float(margin) for margin in tables.step_margins(ratios)[AC] * wrong]


NEVER, ONCE, NEAR, TWICE = ("never",), ("single",), ("single", "near"), ("single", "double")
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
    "pair_presence": (NEAR, lambda c: c.pair(fine=False)),
    "fine_pair_presence": (NEAR, lambda c: c.pair(fine=True)),
    "shifted_presence": (ONCE, Case.shifted),
    "edges_both_ways": (ONCE, lambda c: c.off_grid(min)),
    "edges_one_way": (ONCE, lambda c: c.off_grid(max)),
    "clipped_presence": (("overexposed", "wrong"), Case.clipped_blocks),
    "tables_missed": (TWICE, lambda c: c.missed(as_share=False)),
    "tables_missed_share": (TWICE, lambda c: c.missed(as_share=True)),
    "step_margin": (NEAR, Case.wrong_steps),
    "free_misfit": (NEAR, lambda c: tables.misfit(c.aligned)),
    "lattice_below": (ONCE, lambda c: c.quality - c.found.scores.best if c.found.nats > LATTICE.presence else 0.0),
    "window_presence": (NEVER, lambda c: c.window.nats),
    "window_foreign": (ONCE, Case.foreign),
}


def cases(pixels: Pixels, random: np.random.Generator) -> Iterator[Case]:
    """Yield the pictures made of one photograph that was never compressed, another crop and quality each time."""

    def crop(side: int) -> Pixels:
        top, left = (int(random.integers(0, max(length - side, 0) + 1)) for length in pixels.shape[:2])
        return np.ascontiguousarray(pixels[top : top + side, left : left + side])

    def saved(kind: str, part: Pixels, y: int = 0, x: int = 0) -> Case:
        quality, buffer = int(random.integers(1, 101)), io.BytesIO()
        luma, chroma = jpeg.standard_tables()[quality - 1].reshape(2, 64)
        if kind == "near":  # one step in five is off by one
            luma = np.clip(luma + random.choice([-1, 0, 1], 64, p=[0.1, 0.8, 0.1]), 1, 255)
        Image.fromarray(part).save(buffer, "JPEG", qtables=[luma.tolist(), chroma.tolist()], subsampling="4:2:0")
        made = np.ascontiguousarray(jpeg.decode(buffer.getvalue())[y:, x:])
        return Case(kind, made, quality, tuple(luma.tolist()), (-y % 8, -x % 8))

    yield from (Case("never", crop(side)) for side in SIDES)
    yield Case("overexposed", np.minimum(crop(128) * 1.7, 255).astype(np.uint8))
    yield saved("wrong", crop(256), *divmod(int(random.integers(1, 64)), 8))
    yield from (saved("single", crop(side)) for side in (64, 256))
    yield saved("near", crop(256))
    yield saved("double", saved("double", crop(256)).pixels)


def measure(path: Path, names: Sequence[str]) -> Statistics:
    """Return the values of the named settings' statistics on the cases of one photograph."""
    made: Statistics = {name: [] for name in names}
    for case in cases(images.read_rgb(path).pixels, np.random.default_rng(zlib.crc32(path.name.encode()))):
        for name in names:
            kinds, statistic = MEASURES[name]
            value = statistic(case) if case.kind in kinds else None
            made[name] += [round(v, 4) for v in (value if isinstance(value, list) else [value]) if v is not None]
    return made


def gather(folder: str, pictures: int, names: Sequence[str], partial: Path) -> Statistics:
    """Return the statistics of up to `pictures` photographs of a folder, those in the file `partial` as they are."""
    found = images.find_images(folder)
    found = found[:: max(1, len(found) // pictures)][:pictures]
    done: dict[str, Statistics] = files.read_json(partial) if partial.exists() else {}
    kept = [done.setdefault(f"{fingerprint(LATTICE)} {path}", {}) for path in found]
    for path, known in zip(tasks.progress(found, unit="picture"), kept, strict=True):
        if missing := [name for name in names if name not in known]:
            known.update(measure(path, missing))
            files.write_json(partial, done)
    return {name: [value for known in kept for value in known[name]] for name in names}


def judged(values: Sequence[float], threshold: float, target: float) -> dict[str, Any]:
    """Return the share of values above the threshold, its upper 95 % bound (Clopper and Pearson), the value needed.

    That is null where the values are too few to show the target rate.
    """
    from scipy.stats import beta

    count, alarms = len(values), int((np.array(values) > threshold).sum())
    bound = float(beta.ppf(0.95, alarms + 1, count - alarms)) if alarms < count else 1.0
    needed = float(np.quantile(values, 1 - target, method="higher")) if count * target >= 1 else None
    largest = max(values, default=0.0)
    return {"values": count, "alarms": alarms, "bound": round(bound, 6), "largest": largest, "needed": needed}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the record."""
    parser = argparse.ArgumentParser(prog="fit_lattice.py", description=__doc__)
    flags.in_path(parser, "folder of photographs that were never compressed")
    parser.add_argument("--val_path", required=True, help="folder of others, to confirm")
    flags.out_path(parser, "fit_lattice.json")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=list(MEASURES), help="settings, e.g. presence tie")
    parser.add_argument("--pictures", type=int, default=60, help="of each folder at most (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="false-alarm rate 0..1 (default: each setting's own target)")
    options = parser.parse_args(arguments)
    if not MEASURES.keys() >= set(options.only) or options.pictures < 1:
        raise UserError(f"--only knows {', '.join(MEASURES)}, and --pictures begins at 1")
    out = files.output_folder(options.out_path)
    measured = {
        part: gather(folder, options.pictures, options.only, out / f"fit_lattice_{part}.partial.json")
        for part, folder in (("fit", options.in_path), ("val", options.val_path))
    }
    print(f"{'setting':20} {'value':>8} {'target':>7}" + "  alarms of n    95 %    needed   largest" * 2)
    rows = []
    for entry in (entry for entry in describe(LATTICE) if entry.name in options.only):
        target = options.rate or entry.target or 0.01
        parts = {part: judged(values[entry.name], float(entry.value), target) for part, values in measured.items()}
        text = f"{entry.name:20} {entry.value:>8g} {target:7.2%}"
        for found in parts.values():
            needed = "none" if found["needed"] is None else found["needed"]
            text += "  {alarms:6}/{values:<6} <{bound:8.2%} {0:>8} {largest:>9}".format(needed, **found)
        print(text)
        rows.append({"setting": entry.name, "value": entry.value, "target": target, **parts})
    command = results.command_line("scripts/fit_lattice.py", arguments)
    results.record(out / "fit_lattice.json", results.provenance(command, "classifier"), rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("fit_lattice.py", main))
