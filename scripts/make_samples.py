#!/usr/bin/env python3
"""Make the pictures of sample_image/ from the photographs that come with scikit-image."""

from __future__ import annotations

import sys

from PIL import Image
from skimage import data

from q1net_msroi.utils import files, jpeg

SAMPLES = {"coffee": 20, "astronaut": 50, "rocket": 80}


def main() -> int:
    """Write each photograph as PNG after one JPEG compression at its quality, and one as it is."""
    folder = files.output_folder(files.REPOSITORY / "sample_image")
    made = {
        f"{name}_jpeg_q{quality}": jpeg.compress(getattr(data, name)(), quality) for name, quality in SAMPLES.items()
    }
    for name, pixels in {**made, "chelsea": data.chelsea()}.items():
        with files.atomic_path(folder / f"{name}.png") as temporary:
            Image.fromarray(pixels).save(temporary, "PNG", optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
