"""Butteraugli (J. Alakuijala, Google), by libjxl's program of that name: how far from not being told apart."""

import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from q1net_msroi.msroi.metrics.metric import Metric, Pair, Pixels
from q1net_msroi.utils.errors import UserError

PROGRAM = "butteraugli_main"  # Debian's package libjxl-devtools
NORM = "3"


def butteraugli(pixels: Pixels, other: Pixels) -> float:
    """Return the 3-norm over the picture of (height, width, 3) uint8 pictures: 0 for equal ones, 1 just to be told."""
    with tempfile.TemporaryDirectory(prefix="butteraugli-") as folder:
        paths = [Path(folder, name) for name in ("reference.ppm", "other.ppm")]
        for path, values in zip(paths, (pixels, other), strict=True):
            Image.fromarray(values).save(path)
        command = [PROGRAM, *map(str, paths), "--pnorm", NORM]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise UserError(f"{PROGRAM} (Debian: libjxl-devtools) cannot be run: {error}") from None
    return float(said.split()[-1])  # "3-norm: 0.512" ends what it prints


def _of_pair(pair: Pair) -> float:
    return butteraugli(pair.pixels, pair.other)


METRICS = (
    Metric(
        "butteraugli",
        "Butteraugli",
        "3-norm; 0: the same",
        _of_pair,
        digits=3,
        higher_is_better=False,
        on_request=True,
        runs=PROGRAM,
    ),
)
