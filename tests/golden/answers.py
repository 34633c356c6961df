"""What the code answers for the golden pictures, as plain data, and how two such answers are compared."""

import functools
import hashlib
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators import registry
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.msroi.encoder import combine, levels, size_search
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.msroi.metrics import pixel, suite
from q1net_msroi.msroi.roi import generate
from q1net_msroi.msroi.roi.network import load_lite
from q1net_msroi.utils import files, jpeg
from q1net_msroi.utils.errors import UserError
from tests.golden import pictures
from tests.golden.pictures import Golden

Record = dict[str, Any]
FOLDER = Path(__file__).parent
PARTS = 6  # the estimators' pictures are asked in as many tests
EVERY_PICTURE = {"auto": Asked("auto"), "paper": Asked("jpeg_paper"), "header": Asked("jpeg_header")}
EVERY_THIRD = {
    "k12": Asked("jpeg_paper_k12"),
    "block_corners": Asked("block_corners"),
    "mobilenet_v2": Asked("mobilenet_v2"),
}
EVERY_SEVENTH = {
    "int8": Asked("jpeg_paper", backend="int8"),
    "weighted": Asked("jpeg_paper", fusion="weighted_median"),
    "texture": Asked("jpeg_paper", patches="texture"),
    "lattice": Asked("jpeg_lattice"),
    "find_grid": Asked("jpeg_paper", find_grid=True),
    "explained": Asked("auto", explain=True),
}
LATTICE = ("verdict", "family", "nats", "margin", "phase", "noise", "subsampling", "steps", "blocks", "earlier",
           "turned", "partly", "colours")  # fmt: skip
# How far a number may be from the golden one: absolute, and as a share of it. The first pattern that fits
# `family/picture/field/...` counts; what fits none is exact. Numbers in sentences are compared by the same rule.
TOLERANCES: dict[str, tuple[float, float]] = {
    "estimators/*/lattice/nats": (2.0, 0.01),
    "estimators/*/lattice/margin": (2.0, 0.01),
    "estimators/*/earlier/nats": (2.0, 0.01),
    "estimators/*/earlier/standard_errors": (0.5, 0.01),
    "estimators/*/reason": (1.0, 0.0),
    "estimators/*/sentence": (1.0, 0.0),
    "estimators/*/quality": (0.05, 0.0),
    "estimators/*/interval/*": (0.1, 0.0),
    "estimators/*/spread": (0.1, 0.0),
    "estimators/*/confident": (1.0, 0.0),
    "maps/*/classes": (1.0, 0.0),
    "maps/*/means/*": (2.0, 0.0),
    "levels/*/shares/*": (0.0, 0.0),
    "encoder/*/bytes": (0.0, 0.01),
    "encoder/*/psnr": (0.05, 0.0),
    "encoder/*/notices/*": (1.0, 0.01),
    "metrics/*": (1e-9, 1e-4),
}
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def tidy(value: Any) -> Any:
    """Return a value as JSON keeps it: None and empty fields left out, no endless numbers, tuples as lists."""
    if isinstance(value, dict):
        return {key: tidy(entry) for key, entry in value.items() if entry is not None and entry not in ((), [], {})}
    if isinstance(value, (list, tuple)):
        return [tidy(entry) for entry in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else str(value)
    return value


def sha(pixels: NDArray[np.uint8]) -> str:
    """Return a short name of pixels, which tells a changed codec from changed code."""
    return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()[:10]


def estimate_record(estimate: Estimate) -> Record:
    """Return what an estimator said."""
    evidence = estimate.evidence
    told = evidence.record(estimate)
    found: Record = {
        "quality": None if estimate.quality is None else round(estimate.quality, 3),
        "interval": estimate.interval and [round(end, 3) for end in estimate.interval],
        "ties": estimate.tie_set,
        "confident": evidence.used,
        "patches": evidence.parts,
        "spread": None if evidence.spread is None else round(evidence.spread, 2),
        "reason": estimate.reason,
        "sentence": estimate.sentence() if estimate.reason is None else None,
        "spoke": told.get("spoke"),
        "before": told.get("earlier_quality"),
    }
    if "lattice" in told:
        found["lattice"] = {key: told["lattice"].get(key) for key in LATTICE}
    if "history" in told:
        found["history"] = told["history"]
    if "header" in told:
        found["header"] = told["header"]["family"]
    return found


def answer(asked: Asked, path: Path) -> Record:
    """Return an estimator's answer for a file, or the message why there is none."""
    try:
        return estimate_record(registry.estimate_path(asked, None, path))
    except UserError as error:
        return {"error": str(error).replace(f"{path.parent}/", "")}


def _write(golden: Golden, folder: Path) -> Path:
    path = folder / ("picture.png" if golden.file is None else "picture.jpg")
    if golden.file is None:
        Image.fromarray(golden.pixels).save(path, compress_level=1)
    else:
        path.write_bytes(golden.file)
    return path


def estimators(part: int | None) -> Record:
    """Return what all estimators say of a sixth of the pictures, or with None of those that take long."""
    slow, kept = part is None, pictures.pictures()
    names = enumerate(sorted(name for name in kept if pictures.is_slow(name) == slow))
    chosen = {name: (number, kept[name]) for number, name in names if slow or number % PARTS == part}
    found: Record = {name: {"pixels": sha(golden.pixels)} for name, (_, golden) in chosen.items()}
    with tempfile.TemporaryDirectory() as folder:
        for step, group in ((1, EVERY_PICTURE), (3, EVERY_THIRD), (7, EVERY_SEVENTH)):
            for key, asked in group.items():
                for name, (number, golden) in chosen.items():
                    if number // PARTS % step == 0 and not (key == "header" and golden.file is None):
                        found[name][key] = answer(asked, _write(golden, Path(folder)))
    return found


@functools.cache
def _crops() -> dict[str, NDArray[np.uint8]]:
    return {
        "cat": pictures.crop(pictures.sample("chelsea"), 20, 60, 144, 176),
        "astronaut": pictures.crop(pictures.sample("astronaut"), 0, 140, 160, 160),
        "coffee": pictures.crop(pictures.sample("coffee"), 90, 170, 120, 200),
        "rocket": pictures.crop(pictures.sample("rocket"), 200, 250, 131, 163),
    }


@functools.cache
def _map(name: str, method: str) -> generate.MapResult:
    return generate.generate(_network(), _crops()[name], generate.Settings(method))


@functools.cache
def _network() -> Any:
    return load_lite(1)


def maps() -> Record:
    """Return the maps of four pictures by the three rules, as the means of blocks of 16x16 pixels."""
    found: Record = {}
    for name, pixels in _crops().items():
        for method in generate.METHODS:
            made = _map(name, method)
            height, width = (side // 16 * 16 for side in made.values.shape)
            means = made.values[:height, :width].reshape(height // 16, 16, width // 16, 16).mean((1, 3))
            classes = ", ".join(f"{kind} {share:.0%}" for kind, share in made.classes[:3])
            record = {"pixels": sha(pixels), "classes": classes, "means": np.rint(means).astype(int).ravel().tolist()}
            found[f"{name}, {method}"] = record
    return found


def _synthetic_maps() -> dict[str, NDArray[np.uint8]]:
    y, x = np.mgrid[:60, :80]
    wave = np.rint(127 + 100 * np.sin(x / 9) * np.cos(y / 13)).astype(np.uint8)
    maps_of = {name: np.full((9, 11), value, np.uint8) for name, value in (("black", 0), ("gray", 99), ("white", 255))}
    steps = (np.arange(256).repeat(3) % 256).astype(np.uint8).reshape(24, 32)
    dots = np.where((x % 20 == 0) & (y % 15 == 0), 255, 3).astype(np.uint8)
    one = np.full((1, 1), 7, np.uint8)
    return {**maps_of, "wave": wave, "steps": steps, "dots": dots, "one pixel": one, "ramp": (x * 3).astype(np.uint8)}


def level_rules() -> Record:
    """Return how many pixels get which level by each rule, and percentiles, of drawn maps and one of a picture."""
    found: Record = {}
    for name, saliency in {**_synthetic_maps(), "centre": _bump(_crops()["cat"])}.items():
        statistics = levels.MapStatistics.of(saliency)
        record: Record = {"pixels": sha(saliency)}
        record["percentiles"] = [round(float(p), 4) for p in statistics.percentiles([0, 10, 33, 50, 90, 99, 100])]
        for number in levels.RULES:
            counts = np.bincount(levels.choose_levels(saliency, number).ravel(), minlength=10)[1:]
            record[f"rule {number}"] = counts.tolist()
        found[name] = record
    return found


def _bump(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a map that is bright left of the middle: the encoder's golden files need no network."""
    y, x = (np.arange(side) / side for side in pixels.shape[:2])
    bump = np.exp(-8 * ((y[:, None] - 0.5) ** 2 + (x[None] - 0.4) ** 2))
    return np.asarray(np.rint(255 * bump), np.uint8)


ENCODINGS: dict[str, Record] = {
    "rule 3": {"model": 3},
    "rule 5, no larger, at 30": {"model": 5, "jpeg_compression": 30, "threshold_pct": 0.0},
    "rule 1, four qualities": {"model": 1, "find_best": False},
    "strength 0": {"model": 7, "strength": 0.0},
    "strength 0.25": {"model": 7, "strength": 0.25},
    "strength 0.5": {"model": 7},
    "strength 1": {"model": 7, "strength": 1.0},
    "strength 1, background 48": {"model": 7, "strength": 1.0, "min_background_quality": 48},
    "3000 bytes": {"model": 7, "target_size": 3000},
    "400 bytes": {"model": 7, "target_size": 400},
    "at 80, source of 60": {"model": 7, "jpeg_compression": 80, "source_quality": 60},
    "at 20": {"model": 7, "jpeg_compression": 20},
    "4:4:4": {"model": 7, "subsampling": "4:4:4"},
}


def _encoded(image: Path, saliency: Path, settings: Record) -> Record:
    """Return what became of a picture: qualities, bytes and PSNR of the plain and of our files."""
    folder = image.parent
    try:
        done = combine.combine(image, saliency, folder, EncodingOptions(**settings))
    except UserError as error:
        return {"error": str(error).replace(f"{folder}/", "")}
    luma = suite.Reference(done.pixels).luma
    found: Record = {"notices": [notice.replace(f"{folder}/", "") for notice in done.notices]}
    for key, file in zip(("plain", "ours", "second", "third", "fourth"), (done.plain, *done.ours), strict=False):
        decoded = suite.Reference(jpeg.decode(file.path.read_bytes())).luma
        psnr = round(pixel.psnr(luma, decoded), 3)
        found[key] = {"quality": file.quality, "bytes": file.bytes, "psnr": psnr}
    return found


def encoder() -> Record:
    """Return the files of the level rules and of model 7 for three pictures and a JPEG file."""
    cat = pictures.crop(_crops()["cat"], 0, 0, 112, 136)
    gray = np.asarray(Image.fromarray(_crops()["rocket"]).convert("L").convert("RGB"))
    sources = {"cat": Golden(cat), "gray rocket": Golden(pictures.crop(gray, 0, 0, 96, 96)),
               "file of coffee at 45": pictures.saved(_crops()["coffee"][:96, :101], quality=45)}  # fmt: skip
    few = ("rule 3", "strength 0", "strength 0.5", "strength 1, background 48", "at 20", "4:4:4")
    found: Record = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, golden in sources.items():
            image, saliency = _write(golden, Path(folder)), Path(folder) / "map.png"
            Image.fromarray(_bump(golden.pixels)).save(saliency)
            for key in ENCODINGS if name == "cat" else few:
                record = _encoded(image, saliency, ENCODINGS[key])
                found[f"{name}, {key}"] = {"pixels": sha(golden.pixels), **record}
    return found


def metrics() -> Record:
    """Return every metric of several pairs of pictures."""
    cat, found = _crops()["cat"], {}
    large = np.asarray(Image.fromarray(pictures.sample("chelsea")).resize((240, 200)))
    others = {f"cat at {quality}": (cat, jpeg.compress(cat, quality)) for quality in (5, 30, 75, 95)}
    others["same"] = (cat, cat)
    others["brighter"] = (cat, np.minimum(cat.astype(int) + 12, 255).astype(np.uint8))
    others["large at 50"] = (large, jpeg.compress(large, 50))
    others["tiny"] = (cat[:9, :9], jpeg.compress(cat[:9, :9], 50))
    others["text at 40"] = (pictures.page(), jpeg.compress(pictures.page(), 40))
    for name, (one, other) in others.items():
        values = suite.measure(suite.Reference(one, _bump(one)), other)
        found[name] = {"pixels": f"{sha(one)} {sha(other)}", **{key: float(value) for key, value in values.items()}}
    return found


def size_searches() -> Record:
    """Return which quality the size search finds for several budgets."""
    found: Record = {}
    twice = jpeg.compress(_crops()["cat"], 60)
    flat = np.full((64, 64, 3), 90, np.uint8)
    for name, pixels in (("cat", _crops()["cat"]), ("cat of 60", twice), ("flat", flat)):
        for budget in (100, 900, 2500, 5000, 9000, 10**6):
            for top, bottom in ((size_search.TOP, size_search.BOTTOM), (100, 1)):
                tried: list[int] = []

                def encode(quality: int, of: NDArray[np.uint8] = pixels, tried: list[int] = tried) -> bytes:
                    tried.append(quality)
                    return jpeg.encode(of, quality)

                done = size_search.largest_quality(encode, budget, top, bottom)
                said = "none" if done is None else f"{done.quality}, {len(done.content)} bytes, {len(tried)} encodes"
                found[f"{name} in {budget}, {top} to {bottom}"] = {"pixels": sha(pixels), "found": said}
    return found


FAMILIES: dict[str, Callable[[], Record]] = {
    **{f"estimators_{part}": functools.partial(estimators, part) for part in range(PARTS)},
    "estimators_slow": functools.partial(estimators, None),
    "maps": maps,
    "levels": level_rules,
    "encoder": encoder,
    "metrics": metrics,
    "size_search": size_searches,
}


def compute(family: str) -> Record:
    """Return the golden record of a family as the code makes it now: picture to fields."""
    return {name: tidy(record) for name, record in FAMILIES[family]().items()}


def _file(family: str) -> Path:
    return FOLDER / f"{family}.json"


def read(family: str) -> Record:
    """Return the record that was kept; empty where there is none yet."""
    return dict(files.read_json(_file(family))) if _file(family).exists() else {}


def write(family: str, record: Record) -> None:
    """Keep a record, one line a picture."""
    lines = [f"{json.dumps(name)}: {json.dumps(record[name], sort_keys=True)}" for name in sorted(record)]
    files.write_text(_file(family), "{\n" + ",\n".join(lines) + "\n}\n")


def tolerance(field: str) -> tuple[float, float]:
    """Return how far a number may be from the golden one: absolute, and as a share."""
    name = re.sub(r"^estimators_\w+", "estimators", field)
    return next((allowed for pattern, allowed in TOLERANCES.items() if fnmatch(name, pattern)), (0.0, 0.0))


def _near(old: Any, new: Any, allowed: tuple[float, float]) -> bool:
    """Tell whether two numbers or sentences are the same within what is allowed."""
    if isinstance(old, str) and isinstance(new, str):
        numbers = [[float(n.replace(",", "")) for n in NUMBER.findall(text)] for text in (old, new)]
        same_words = NUMBER.sub("#", old) == NUMBER.sub("#", new)
        pairs = zip(*numbers, strict=False)
        return old == new or (allowed != (0, 0) and same_words and all(_near(a, b, allowed) for a, b in pairs))
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        return abs(old - new) <= allowed[0] + allowed[1] * abs(old) + 1e-12
    return bool(old == new)


def _leaves(old: Any, new: Any, field: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield field, old and new value of everything in two records; None for what one of them lacks."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _leaves(old.get(key), new.get(key), f"{field}/{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _leaves(*pair, f"{field}/{number}")
    else:
        yield field, old, new


def differences(family: str, old: Record, new: Record) -> list[str]:
    """Return a line for every field that is beyond its tolerance: picture, field, old and new value."""
    found: list[str] = []
    for name in sorted({*old, *new}):
        one, other = old.get(name), new.get(name)
        if one is None or other is None:
            found.append(f"{family}: {name}: {'is new' if one is None else 'is gone'}")
        elif one["pixels"] != other["pixels"]:
            found.append(f"{family}: {name}: another codec or generator made other pixels, answers are not compared")
        else:
            head = f"{family}/{name.replace('/', '|')}"
            for field, before, after in _leaves(one, other, head):
                if not _near(before, after, tolerance(field)):
                    found.append(f"{family}: {name}: {field.removeprefix(head + '/')}: {before!r} -> {after!r}")
    return found


def check(families: Sequence[str]) -> list[str]:
    """Return what differs now from the kept records of some families."""
    return [line for family in families for line in differences(family, read(family), compute(family))]
