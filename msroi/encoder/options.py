"""What a person asks of the encoder: one frozen dataclass, built from the command's flags and passed through whole."""

import re
from dataclasses import dataclass
from typing import Literal

from q1net_msroi.msroi.encoder.levels import RULES
from q1net_msroi.utils.errors import UserError, show
from q1net_msroi.utils.jpeg import Subsampling

RATE_DISTORTION = 7  # the model that is no level rule
MODELS = (*RULES, RATE_DISTORTION)
MODEL_7 = frozenset(
    ("target_size", "strength", "min_background_quality", "source_quality", "subsampling", "recovered")
)  # its own
AUTO = "auto"  # the source's quality is read from its own header; the subsampling is chosen by what it costs
SUBSAMPLINGS = ("4:2:0", "4:4:4", AUTO)
UNITS = {"": 1, "B": 1, "K": 1000, "KB": 1000, "M": 1000**2, "MB": 1000**2, "KIB": 1024, "MIB": 1024**2}


@dataclass(frozen=True)
class EncodingOptions:
    """How to encode, each field named like its flag; `jpeg_compression` and `--target_quality` are the same.

    From `target_size` (bytes) on for model 7 only: its file is not larger than that, or else than the plain JPEG.
    `source_quality`: 1..100, `AUTO` or None for no limit. `subsampling`: `AUTO` chooses 4:2:0 or 4:4:4. `recovered`:
    the JPEG that the picture was, as classifier/recover_jpeg.py writes it. Raises `UserError` for a value out of range.
    """

    model: int = 3
    jpeg_compression: int = 50
    threshold_pct: float = 20.0
    find_best: bool = True
    modifier: str = ""
    strip: bool = False
    target_size: int | None = None
    strength: float = 0.5
    min_background_quality: int | None = None
    source_quality: int | str | None = AUTO
    subsampling: Subsampling | Literal["auto"] = "4:2:0"
    recovered: str | None = None

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise UserError(f"-model {self.model} is unknown; give one of {', '.join(map(str, MODELS))}")
        if not 1 <= self.jpeg_compression <= 100:
            raise UserError(f"-jpeg_compression {self.jpeg_compression} is no JPEG quality; give 1 to 100")
        if not 0 <= self.threshold_pct < float("inf"):
            raise UserError(f"-threshold_pct {self.threshold_pct:g} is not allowed; give 0 (no larger) or more")
        if "/" in self.modifier or "\0" in self.modifier:
            raise UserError("-modifier is the beginning of a file name; folders go to -output_directory")
        if self.model == RATE_DISTORTION:
            self._check_model_7()

    def _check_model_7(self) -> None:
        if not self.find_best:
            raise UserError("-find_best 0 is for the level rules; -model 7 writes one file of the size asked for")
        if self.target_size is not None and self.target_size < 1:
            raise UserError(f"--target_size {self.target_size} is not allowed; give bytes, or like 120kB")
        for name in ("min_background_quality", "source_quality"):
            value = getattr(self, name)
            if isinstance(value, int) and not 1 <= value <= 100:
                raise UserError(f"--{name} {value} is no JPEG quality; give 1 to 100")
        if isinstance(self.source_quality, str) and self.source_quality != AUTO:
            raise UserError(f"--source_quality {self.source_quality} is not allowed; give auto or 1 to 100")
        if not 0 <= self.strength <= 1:
            allowed = "give 0 (no preference) to 1 (all for the region)"
            raise UserError(f"--strength {self.strength:g} is not allowed; {allowed}")
        if self.subsampling not in SUBSAMPLINGS:
            raise UserError(f"--subsampling {self.subsampling} is not allowed; give {', '.join(SUBSAMPLINGS)}")


def parse_size(text: str) -> int:
    """Return the bytes of `120kB`, `1.5 MB`, `64KiB` or `120000`; raise `UserError` for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    size = int(float(found[1]) * UNITS.get(found[2].upper(), 0)) if found else 0
    if size < 1:
        raise UserError(f"--target_size {show(text)} is no size; give bytes, or like 120kB, 1.5MB, 64KiB")
    return size


def parse_quality(text: str) -> int | str:
    """Return a whole number as such and any other text (`auto`) as it is."""
    return int(text) if text.isdecimal() else text
