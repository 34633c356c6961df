"""Some 150 small pictures, always the same: photographs, text, flat, clipped and noisy ones after many compressions."""

import functools
import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from q1net_msroi.classifier.benchmark import conditions
from q1net_msroi.utils import files, jpeg

Pixels = NDArray[np.uint8]
SIDE = 136
SAMPLES = {"astronaut": "astronaut_jpeg_q50", "coffee": "coffee_jpeg_q20", "rocket": "rocket_jpeg_q80"}
LEFT_OUT = ("crop 256",)  # no smaller than the pictures here
# Names of pictures with many clipped blocks, into which the lattice looks for a second or more.
SLOW = ("overexposed", "text", "small text", "noise", "clipped at", "60 pasted", "twice, aligned: rocket")
FAST = ("text at 30", "small text at 30", "overexposed: cat 130,280 at 95", "noise of 1", "noise at")
QUALITIES = (10, 25, 37, 50, 63, 75, 82, 90, 95, 98)
WORDS = "The quick brown fox jumps over the lazy dog, 0123456789 times; then it sleeps (until noon)."


@dataclass(frozen=True)
class Golden:
    """A picture's pixels, (height, width, 3) uint8 RGB, and the JPEG file that holds them where there is one."""

    pixels: Pixels
    file: bytes | None = None


def is_slow(name: str) -> bool:
    """Tell whether the estimators take long for a picture."""
    return name.startswith(SLOW) and not name.startswith(FAST)


def random(name: str) -> np.random.Generator:
    """Return a generator of random numbers that a picture's name alone decides."""
    return np.random.default_rng(zlib.crc32(name.encode()))


@functools.cache
def sample(name: str) -> Pixels:
    """Return a picture of sample_image/ by the beginning of its name."""
    path = files.REPOSITORY / "sample_image" / f"{SAMPLES.get(name, name)}.png"
    return np.asarray(Image.open(path).convert("RGB"))


def crop(pixels: Pixels, top: int, left: int, height: int = SIDE, width: int = SIDE) -> Pixels:
    """Return a part of a picture."""
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


@functools.cache
def photographs() -> dict[str, Pixels]:
    """Return parts of photographs without traces of a compression."""
    cat = sample("chelsea")
    found = {f"cat {top},{left}": crop(cat, top, left) for top, left in ((0, 0), (60, 100), (130, 280), (33, 201))}
    for name in SAMPLES:  # half as large: the traces of the sample's own compression are gone
        whole = Image.fromarray(sample(name))
        half = whole.resize((whole.width * 2 // 5, whole.height * 2 // 5), Image.Resampling.BOX)
        found[name] = crop(np.asarray(half), 0, 20)
    return found


def gradient(height: int = SIDE, width: int = SIDE) -> Pixels:
    """Return a smooth picture, another slope in each channel."""
    y, x = np.mgrid[:height, :width]
    return np.stack([255 * x / width, 255 * y / height, 127 * (x + y) / (width + height) + 64], -1).astype(np.uint8)


def page(lines: int = 6, size: int = 72) -> Pixels:
    """Return black text on white paper."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    for line in range(lines):
        draw.text((4, 4 + line * (size - 8) // lines), WORDS[line * 5 :], fill=(line * 12, 0, 40))
    return np.asarray(image)


def pasted(inside: int, outside: int, shift: int) -> Pixels:
    """Return a photograph in whose middle lies a part of another one, compressed otherwise, on another grid."""
    made = jpeg.compress(photographs()["cat 60,100"], outside).copy()
    part = jpeg.compress(photographs()["rocket"], inside)
    made[40 + shift : 120 + shift, 40:120] = part[40:120, 40:120]
    return made


def saved(pixels: Pixels, **how: Any) -> Golden:
    """Return a JPEG file that Pillow writes with the given options."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **how)
    return Golden(jpeg.decode(buffer.getvalue()), buffer.getvalue())


def _conditions() -> dict[str, Golden]:
    """Return what the benchmark's conditions make, each of four photographs at four qualities."""
    found, names = {}, list(photographs())
    for number, condition in enumerate(name for name in conditions.CONDITIONS if name not in LEFT_OUT):
        for turn in range(4):
            photograph = names[(number + 2 * turn) % len(names)]
            quality = QUALITIES[(3 * number + turn * 7) % len(QUALITIES)]
            name = f"{condition}: {photograph} at {quality}"
            pixels = photographs()[photograph]
            if condition == "overexposed":
                pixels = crop(pixels, 32, 32, 64, 72)  # looking into clipped blocks takes long
            made = conditions.make(condition, pixels, quality, random(name))
            found[name] = Golden(made.pixels, made.file)
    return found


def _files() -> dict[str, Golden]:
    """Return JPEG files of all kinds of tables and coding."""
    cat, rocket = photographs()["cat 60,100"], photographs()["rocket"]
    found = {f"file at {quality}": saved(cat, quality=quality) for quality in (1, 5, 15, 40, 60, 88, 96, 100)}
    found["file at 70, progressive, optimised"] = saved(rocket, quality=70, progressive=True, optimize=True)
    found["file at 70, gray"] = saved(np.asarray(Image.fromarray(rocket).convert("L")), quality=70)
    luma, chroma = (jpeg.standard_tables()[q - 1, n].ravel().tolist() for q, n in ((85, 0), (60, 1)))
    found["file with luma 85, chroma 60"] = saved(cat, qtables=[luma, chroma])
    found["file with luma 85 for all"] = saved(cat, qtables=[luma, luma])
    found["file with steps all 7"] = saved(cat, qtables=[[7] * 64])
    for preset in ("web_low", "low", "high"):
        found[f"file of Photoshop's {preset}"] = saved(cat, quality=preset)
    for quality in (40, 80):
        made = conditions.make("mozjpeg", rocket, quality, random("mozjpeg")).file or b""
        tables = [table.ravel().tolist() for table in jpeg.quantization_tables(made)]
        found[f"file with mozjpeg's tables of {quality}"] = saved(cat, qtables=tables)
        found[f"pixels with mozjpeg's tables of {quality}"] = Golden(saved(cat, qtables=tables).pixels)
    found["file at 92 of pixels at 45"] = saved(jpeg.compress(cat, 45), quality=92)
    found["file at 92 of pixels at 45, shifted"] = saved(crop(jpeg.compress(cat, 45), 3, 5), quality=92)
    return found


def _samples() -> dict[str, Golden]:
    """Return parts of the pictures of sample_image/ as they are."""
    found = {"whole cat": Golden(sample("chelsea")), "cat at 55, 300x451": Golden(jpeg.compress(sample("chelsea"), 55))}
    for name in SAMPLES:
        for top, left, height, width in ((96, 160, SIDE, SIDE), (101, 203, SIDE, 200), (16, 7, 96, 224)):
            found[f"sample {name} {top},{left}"] = Golden(crop(sample(name), top, left, height, width))
    return found


def _drawn() -> dict[str, Golden]:
    """Return generated pictures, plain and compressed."""
    noise = random("noise").integers(0, 256, (56, 56, 3)).astype(np.uint8)
    faint = (128 + random("faint").normal(0, 3, (120, 120, 3))).astype(np.uint8)
    clipped = np.where(crop(photographs()["cat 33,201"], 0, 0, 64, 64) > 110, 255, 0).astype(np.uint8)
    dark = (photographs()["coffee"] // 12).astype(np.uint8)
    plain = {"text": page(), "small text": page(7, 56), "noise": noise, "faint noise": faint, "clipped": clipped,
             "dark": dark, "gradient": gradient(), "checks": np.kron(np.indices((15, 15)).sum(0) % 2 * 255,
             np.ones((8, 8)))[..., None].repeat(3, -1).astype(np.uint8)}  # fmt: skip
    found = {name: Golden(pixels) for name, pixels in plain.items()}
    for name, pixels in plain.items():
        for quality in (30, 85):
            found[f"{name} at {quality}"] = Golden(jpeg.compress(pixels, quality))
    found["text at 60, shifted"] = Golden(crop(jpeg.compress(page(), 60), 5, 2, 64, 64))
    found["text at 95, 4:4:4"] = Golden(jpeg.compress(page(), 95, "4:4:4"))
    for value in (0, 100, 255):
        flat = np.full((120, 96, 3), value, np.uint8)
        found[f"flat {value}"] = Golden(flat)
    found["flat file at 50"] = saved(np.full((96, 96, 3), (200, 30, 60), np.uint8), quality=50)
    for inside, outside, shift in ((40, 85, 0), (85, 40, 3), (60, 60, 5)):
        found[f"{inside} pasted into {outside}, {shift} lines down"] = Golden(pasted(inside, outside, shift))
    return found


def _tiny() -> dict[str, Golden]:
    """Return pictures so small that many answers cannot be given."""
    found = {}
    at_70 = jpeg.compress(photographs()["rocket"], 70)
    for height, width in ((1, 1), (1, 30), (7, 9), (8, 8), (16, 16), (23, 24), (24, 24), (32, 40), (9, 200), (64, 64)):
        found[f"tiny {height}x{width}"] = Golden(crop(at_70, 40, 40, height, width))
    for quality in (80, 88, 93, 96):  # blocks hardly enough: close to the limits of what counts as seen
        for side in (24, 28, 32):
            part = crop(jpeg.compress(photographs()["rocket"], quality), 41, 19, side, side + 8)
            found[f"few blocks at {quality}, {side} lines"] = Golden(part)
    found["tiny file 24x24 at 70"] = saved(crop(photographs()["rocket"], 40, 40, 24, 24), quality=70)
    found["tiny file 1x1 at 70"] = saved(crop(photographs()["rocket"], 40, 40, 1, 1), quality=70)
    return found


@functools.cache
def pictures() -> dict[str, Golden]:
    """Return all pictures by plain names that tell what they are."""
    return {**_conditions(), **_files(), **_samples(), **_drawn(), **_tiny()}
