"""The quantisation tables that cameras and programs write: facts of their files, with the names of who wrote them."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.lattice.noise import STEPS

NAMED = 3
FILE = Path(__file__).with_name("known_tables.json")


@dataclass(frozen=True)
class Known:
    """A pair of tables, natural order, that `names` wrote in so many `files`; without names nobody knows who."""

    names: tuple[str, ...]
    files: int
    subsampling: tuple[str, ...]  # sampling factors of the components, such as 22x11x11
    luma: tuple[int, ...]
    chroma: tuple[int, ...]  # the same as luma in gray files

    @property
    def gray(self) -> bool:
        """Whether only gray files have it, which tell nothing of chroma."""
        return all("x" not in factors for factors in self.subsampling)

    @property
    def name(self) -> str:
        """Who writes it, at most three, the most frequent first, as `A, B or C`; empty where nobody is known."""
        *others, last = self.names[:NAMED] or ("",)
        return f"{', '.join(others)} or {last}" if others else last


@functools.cache
def pairs() -> tuple[Known, ...]:
    """Return all known pairs, the most frequent first."""
    listed = json.loads(FILE.read_text(encoding="utf-8"))["tables"]
    return tuple(
        Known(
            tuple(p["names"]), p["files"], tuple(p["subsampling"]), _steps(p["luma"]), _steps(p["chroma"] or p["luma"])
        )
        for p in listed
    )


def _steps(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


def writer(luma: Sequence[int], chroma: Sequence[int]) -> str:
    """Return who writes exactly these tables (64 steps each), empty where they are not known or nobody knows whose."""
    pair = tuple(luma), tuple(chroma)
    names = [each.name for each in pairs() if each.name and (each.luma, each.chroma) == pair]
    return names[0] if names else ""


@functools.cache
def tables(channel: int) -> NDArray[np.int64]:
    """Return the luma (channel 0) or chroma (1) tables of all pairs, steps over 255 as 255: (pairs, 64)."""
    return np.minimum([(pair.luma, pair.chroma)[channel] for pair in pairs()], STEPS)
