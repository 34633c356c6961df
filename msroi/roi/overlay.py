"""The overlay: the map as colours over its picture, with a legend of the classes the network saw."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont

# Dark violet over red and orange to pale yellow: brightness rises all the way, so it reads in gray and for the
# colour-blind too.
COLOURS = np.array([(13, 8, 75), (106, 23, 110), (188, 55, 84), (243, 120, 25), (252, 190, 60), (252, 250, 170)], float)
STRENGTH = 0.62  # share of the map's colour, the rest is the picture
SHADE = 0.4  # how bright that colour is on a black pixel: the picture's own light and shade stay visible in it
SCALE = "importance"  # what the colours tell, by whichever rule
LEAST_SHARE = 0.005  # a class below it is left out of the legend (it would read 0 %)
LEGEND_MINIMUM = 96  # pixels of the shorter side below which a legend would hide the picture


def colour(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return colours (h, w, 3) for map values (h, w) 0..255."""
    stops = np.linspace(0, 255, len(COLOURS))
    table = np.stack([np.interp(np.arange(256), stops, COLOURS[:, channel]) for channel in range(3)], axis=1)
    return np.asarray(table.astype(np.uint8)[values])


def draw(pixels: NDArray[np.uint8], values: NDArray[np.uint8], classes: Sequence[tuple[str, float]]) -> Image.Image:
    """Return the overlay of a map (h, w) uint8 over its picture (h, w, 3) uint8, of the picture's size."""
    picture = Image.fromarray(pixels)
    light = picture.convert("L").point([round(255 * (SHADE + (1 - SHADE) * level / 255)) for level in range(256)])
    tinted = ImageChops.multiply(Image.fromarray(colour(values)), light.convert("RGB"))
    overlay = Image.blend(picture, tinted, STRENGTH)
    if min(overlay.size) >= LEGEND_MINIMUM:
        _legend(overlay, classes)
    return overlay


def _legend(overlay: Image.Image, classes: Sequence[tuple[str, float]]) -> None:
    """Draw a dark panel in the lower left corner: colour scale, then name and share of each class, light on dark."""
    width, height = overlay.size
    text_size = max(10, round(min(width, height) / 32))
    font = ImageFont.load_default(text_size)
    line, pad = round(text_size * 1.45), round(text_size * 0.7)
    names_room = round(width * 0.7)
    shown = [entry for number, entry in enumerate(classes) if number == 0 or entry[1] >= LEAST_SHARE]
    rows = [(_shorten(name, font, names_room), f"{100 * share:.0f} %") for name, share in shown]
    rows = rows[: max(0, (height // 2 - 2 * pad - line) // line)]
    name_width = max([font.getlength(name) for name, _ in rows] + [font.getlength(f"low  {SCALE}  high")])
    share_width = max([font.getlength(share) for _, share in rows], default=0)
    panel_width = round(name_width + share_width + 3 * pad)
    panel_height = line * (len(rows) + 1) + 2 * pad + round(text_size * 0.6)
    left, top = pad, height - panel_height - pad
    panel = overlay.crop((left, top, left + panel_width, top + panel_height))
    overlay.paste(Image.blend(panel, Image.new("RGB", panel.size, (12, 12, 16)), 0.78), (left, top))
    pen = ImageDraw.Draw(overlay)
    x, y, right = left + pad, top + pad, left + panel_width - pad
    bar = Image.fromarray(colour(np.linspace(0, 255, right - x).astype(np.uint8)[None]))
    overlay.paste(bar.resize((right - x, max(3, round(text_size * 0.45)))), (x, y))
    y += round(text_size * 0.6)
    light, dim = (245, 245, 245), (190, 190, 196)
    pen.text((x, y), "low", dim, font)
    pen.text(((x + right - font.getlength(SCALE)) / 2, y), SCALE, dim, font)
    pen.text((right - font.getlength("high"), y), "high", dim, font)
    for name, share in rows:
        y += line
        pen.text((x, y), name, light, font)
        pen.text((right - font.getlength(share), y), share, light, font)


def _shorten(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    while len(name) > 1 and font.getlength(name) > room:
        name = name[:-2] + "…"
    return name
