"""What other programs call: each function returns the dataclass that the command of the same task prints.

Models are loaded at the first call and kept, one a thread, so that every function may be called from several threads.
What cannot be used raises `UserError`, whose text is one line for a person.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.utils import images, tasks
from q1net_msroi.utils.errors import UserError

__all__ = ["Estimate", "UserError", "estimate_quality"]

Source = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]


def estimate_quality(picture: Source, comp_type: str = "auto", **settings: Any) -> Estimate:
    """Return how strongly a picture was JPEG-compressed: the quality 1..100, or None with the reason why there is none.

    `picture` is a file's path, of which the header is read too; or a Pillow image or a uint8 array, (height, width) or
    (height, width, 3 or 4) RGB, of which only the pixels count. `comp_type` is a name of `registry.KINDS`, and
    `settings` are fields of `Asked`: `backend="int8"`, `save_path`, `threads`, `explain=True` to ask every estimator.
    Raises `UserError` for what cannot be read and for missing models.
    """
    asked = Asked(comp_type, **settings)
    if isinstance(picture, str | os.PathLike):
        return registry.estimate_path(asked, None, picture)
    pixels = _pixels(picture, registry.get_kind(comp_type).minimum_side)
    return tasks.per_thread(registry.load, asked).estimate(pixels).with_tie_interval()


def _pixels(picture: Image.Image | NDArray[np.uint8], minimum_side: int) -> NDArray[np.uint8]:
    """Return (height, width, 3) uint8 RGB pixels as stored: alpha is ignored, gray repeated."""
    if not isinstance(picture, Image.Image):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,), (4,)):
            shape = "x".join(map(str, picture.shape))
            raise UserError(f"an array of {picture.dtype}, {shape}, is no picture; uint8, height x width (x 3 or 4) is")
        picture = Image.fromarray(picture)
    return images.of_image(picture, minimum_side).pixels
