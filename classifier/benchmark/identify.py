"""ImageMagick's word on a JPEG file, to compare with: `identify -format %Q` reads the header's tables."""

import os
import shutil
import subprocess
import time

import numpy as np
from numpy.typing import NDArray

from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.utils.errors import UserError

NAME = "identify"
PROGRAMS = (("identify",), ("magick", "identify"))  # of versions 6 and 7


class IdentifyEstimator:
    """Asks ImageMagick."""

    def __init__(self) -> None:
        """Find the program; raise `UserError` when it is not on the PATH."""
        found = [words for words in PROGRAMS if shutil.which(words[0])]
        if not found:
            raise UserError("identify (ImageMagick) is not on the PATH")
        self._words = found[0]

    def estimate(self, pixels: NDArray[np.uint8]) -> Estimate:
        """Return no answer: there is no file to ask about."""
        return Estimate(None, reason="not a JPEG file: there is no header to read")

    def estimate_file(self, path: str | os.PathLike[str], pixels: NDArray[np.uint8]) -> Estimate:
        """Return what is said of the file at `path`; 0 is its word for unknown."""
        started = time.perf_counter()
        command = [*self._words, "-format", "%Q", os.fspath(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout.strip()
        quality = float(said) if done.returncode == 0 and said.isdigit() and said != "0" else None
        reason = None if quality is not None else "identify tells no quality"
        return Estimate(quality, reason=reason, seconds=time.perf_counter() - started)
