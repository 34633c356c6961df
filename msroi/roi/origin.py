"""Which picture a map was made of: written into the map's file, so that no other picture is encoded by it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from PIL import Image, PngImagePlugin

from q1net_msroi.utils import files
from q1net_msroi.utils.errors import show, text

KEY = "comment"  # of a JPEG file, and the name of a PNG's text
PATTERN = re.compile(r"map of (?P<name>.*), sha256 (?P<digest>[0-9a-f]{64})", re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """A picture's file: its name without folder, and the SHA-256 of its content."""

    name: str
    digest: str

    @classmethod
    def of(cls, image: Path) -> Self:
        """Return the origin of what is made from `image`."""
        return cls(text(image.name), files.sha256(image))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return what a map's file says of its origin, None where it says nothing."""
        try:
            with Image.open(path, formats=("JPEG", "PNG")) as image:
                if image.format == "PNG":
                    image.load()  # a text may stand behind the pixels
                said: Any = image.info.get(KEY, "")
        except Exception:  # said where its pixels are read
            return None
        found = PATTERN.fullmatch(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))
        return cls(found["name"], found["digest"]) if found else None

    def saving(self, suffix: str) -> dict[str, Any]:
        """Return the options with which Pillow writes it into a map's file, a `.jpg` or a `.png`."""
        said = f"map of {self.name}, sha256 {self.digest}"
        if suffix != ".png":
            return {KEY: said.encode()}
        info = PngImagePlugin.PngInfo()
        info.add_itxt(KEY, said)
        return {"pnginfo": info}


def stranger(map_path: Path, image: Path) -> tuple[str, bool]:
    """Return what speaks against a map being of `image`, and whether it is of another picture for sure.

    A map that tells its origin is of the picture with that content; one with that name was made before the picture was
    changed. Of another map the name counts (`map_<file name>`), and that it is not older than the picture.
    """
    told = Origin.read(map_path)
    if told is None:
        older = image.name not in map_path.name and map_path.stat().st_mtime < image.stat().st_mtime
        return f"the map {show(map_path)} is older than the picture: is it this picture's?" if older else "", False
    if told.digest == files.sha256(image):
        return "", False
    if Path(told.name).stem.lower() == Path(text(image.name)).stem.lower():
        return f"the map {show(map_path)} was made before the picture was changed", False
    return f"the map {show(map_path)} is of {show(told.name)}, not of {show(image.name)}", True
