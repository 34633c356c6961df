"""Find pictures and read their pixels exactly as stored: no rotation, no colour management, no resampling."""

import collections
import importlib.util
import io
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, features

from q1net_msroi.utils.errors import UserError, existing_folder, note, os_error_line, show

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".avif")
HEIF_SUFFIXES = (".heic", ".heif")  # read where the plugin of Pillow is installed
HEIF_PLUGIN = "pillow_heif"
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")  # bytes 8 to 11 of such a file
AVIF_BRANDS = (b"avif", b"avis")
INSTALL_HEIF = "pip install 'q1net-msroi[heif]' reads HEIC"
MOST_NAMED = 8  # kinds of files that are skipped
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF")
JPEG_FORMATS = ("JPEG", "MPO")  # what Pillow calls a JPEG file, the second with more pictures behind the first
# Measured peaks of reading one: 7 (PNG) to 12 bytes a pixel (progressive CMYK JPEG), WebP 16: at most 1.4 GiB. The
# largest photographs of one exposure, 102 and 108 megapixels, are read.
MAXIMUM_PIXELS = 120_000_000
MAXIMUM_OTHERWISE = dict.fromkeys(("WEBP", "AVIF", "HEIF"), 90_000_000)
MAXIMUM_SIDE = 65_500  # libjpeg's limit: what is read can be written
MOST_SCANNED = 20 * MAXIMUM_PIXELS  # pixels times scans of a progressive JPEG; a scan of nothing takes time as well
STRIP = 4_000_000  # pixels converted at once, so that a large picture is not held twice
ORIENTATION_TAG, SOFTWARE_TAG = 0x0112, 0x0131  # of EXIF
LONGEST_NAME = 100  # characters of a software's name
ORIENTATIONS = range(1, 9)
TURNED = 5  # the first of the orientations with rows for columns
START_OF_SCAN = b"\xff\xda"
PNG_SIGNATURE, CHUNK, CHECKSUM = b"\x89PNG\r\n\x1a\n", struct.Struct(">I4s"), 4
LONG_TEXT = (b"zTXt", b"iTXt", b"tEXt", b"iCCP")


@dataclass(frozen=True)
class Picture:
    """A decoded picture: `pixels` (height, width, 3) uint8 RGB as stored, and what had to be done to get them.

    `orientation` is EXIF's, 1..8, of the pixels as they are here; `exif` and `icc_profile` are the file's bytes.
    """

    pixels: NDArray[np.uint8]
    format: str
    notes: tuple[str, ...] = ()
    orientation: int = 1
    exif: bytes = b""
    icc_profile: bytes = b""

    @property
    def software(self) -> str:
        """The software that the file's EXIF data name, empty without."""
        exif = Image.Exif()
        try:
            exif.load(self.exif)
            return " ".join(str(exif.get(SOFTWARE_TAG, "")).replace("\0", " ").split())[:LONGEST_NAME]
        except Exception:  # damaged EXIF raises whatever it likes
            return ""


def find_images(folder: str | os.PathLike[str], recursive: bool = False) -> list[Path]:
    """Return the pictures in `folder` by suffix, sorted by name; hidden files and folder links are left out.

    What else lies there is said, by suffix. Raises `UserError` where there is no picture.
    """
    found, skipped = sort_out(listed(folder, recursive))
    if not found:
        none = f"no pictures ({', '.join(sorted(suffixes()))}) in {show(folder)}"
        hint = "" if recursive else "--recursive looks into its subfolders too"
        raise UserError("; ".join(filter(None, (none, skipped, hint))))
    if skipped:
        note(skipped)
    return found


def listed(folder: str | os.PathLike[str], recursive: bool = False) -> list[Path]:
    """Return the files of a folder that are not hidden, those of its subfolders too where `recursive`."""
    root = existing_folder(folder)
    if recursive:
        # os.walk does not follow links to folders, so a loop of links cannot catch it.
        candidates = [
            Path(where) / name
            for where, _, names in os.walk(root, onerror=lambda error: note(f"left out: {os_error_line(error)}"))
            for name in names
            if not any(part.startswith(".") for part in Path(where).relative_to(root).parts)
        ]
    else:
        try:
            candidates = list(root.iterdir())
        except OSError as error:
            raise UserError(os_error_line(error)) from None
    return [path for path in candidates if not path.name.startswith(".") and not path.is_dir()]


def sort_out(paths: Sequence[Path]) -> tuple[list[Path], str]:
    """Return the pictures among files by suffix, sorted, and what is said of the others; nothing without any."""
    from q1net_msroi.utils import journal

    known = suffixes()
    found = sorted(path for path in paths if path.suffix.lower() in known)
    left = [path for path in paths if path.suffix.lower() not in known and not path.name.endswith(journal.SUFFIX)]
    others = collections.Counter(path.suffix.lower() for path in left)
    named = [f"{count} {show(suffix) or 'without a suffix'}" for suffix, count in others.most_common(MOST_NAMED)]
    if rest := others.total() - sum(count for _, count in others.most_common(MOST_NAMED)):
        named.append(f"{rest} of other formats")
    hint = f" ({INSTALL_HEIF})" if any(suffix in HEIF_SUFFIXES for suffix in others) else ""
    return found, f"skipped {', '.join(named)}{hint}" if others else ""


def suffixes() -> tuple[str, ...]:
    """Return the suffixes of files that can be read here."""
    return SUFFIXES + (HEIF_SUFFIXES if has_heif() else ())


def has_heif() -> bool:
    """Return whether the plugin for HEIF (HEIC) files, which Pillow itself does not read, is installed."""
    return importlib.util.find_spec(HEIF_PLUGIN) is not None


def find_pictures(root: Path, recursive: bool = False, without: Sequence[Path] = ()) -> list[Path]:
    """Return the pictures in `root`, relative to it, sorted; those in folders `without` (outputs) are left out.

    So is a subfolder that holds the journal of a folder job, with a word about it: its pictures are another's outputs.
    Raises `UserError` for a folder that is missing or holds no picture, and where one of `without` is `root` itself.
    """
    here = root.resolve()
    for folder in without:
        if folder.resolve() == here:
            raise UserError(f"the output folder {show(folder)} is the input folder too; choose another")
    found = [path.relative_to(root) for path in find_images(root, recursive)]
    inside = [place.relative_to(here) for folder in without if (place := folder.resolve()).is_relative_to(here)]
    from q1net_msroi.utils import journal

    kept = [path for path in found if not any(path.is_relative_to(folder) for folder in inside)]
    parents = {parent for path in kept for parent in path.parents if parent != Path()}
    written = {folder for folder in parents if any((root / folder).glob(f"*{journal.SUFFIX}"))}
    for folder in sorted(written):
        note(f"left out: {show(root / folder)}, whose pictures were written by a folder job")
    kept = [path for path in kept if written.isdisjoint(path.parents)]
    if not kept:
        raise UserError(f"no pictures in {show(root)} but those that were written there")
    return kept


def _all_rgb(image: Image.Image, on_white: bool) -> tuple[NDArray[np.uint8], list[str]]:
    """Convert strip by strip, because Pillow holds four bytes a pixel and would hold as much again of the result."""
    rows = max(1, STRIP // image.width)
    if image.height <= rows:
        pixels, notes = _rgb(image, on_white)
        return np.ascontiguousarray(pixels), notes
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom], notes = _rgb(image.crop((0, top, image.width, bottom)), on_white)
    return pixels, notes


def _rgb(image: Image.Image, on_white: bool) -> tuple[NDArray[np.uint8], list[str]]:
    """Convert a decoded Pillow image to (height, width, 3) uint8, with a note for everything that was not plain RGB."""
    mode = image.mode
    keyed = mode in ("1", "L", "P", "RGB") and "transparency" in image.info
    transparent = keyed or mode in ("LA", "RGBA", "La", "RGBa", "PA")
    notes = ["palette"] if mode == "P" else ["gray"] if mode in ("L", "1") else []
    if transparent and on_white:
        layers = image.convert("RGBA")
        white = Image.new("RGBA", layers.size, (255, 255, 255, 255))
        return np.asarray(Image.alpha_composite(white, layers).convert("RGB")), [*notes, "transparency on white"]
    if mode == "RGB":
        return np.asarray(image), []
    if mode in ("L", "1"):
        return np.repeat(np.asarray(image.convert("L"))[..., None], 3, axis=2), notes
    if mode in ("LA", "RGBA", "La", "RGBa", "PA", "P"):
        # The stored colours, not a blend with a background: a blend would disturb the compression's traces.
        return np.asarray(image.convert("RGBA"))[..., :3], [*notes, *(["alpha ignored"] if transparent else [])]
    if mode.startswith("I;16"):
        gray = ((np.asarray(image).astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2), ["gray", "16 bits reduced to 8"]
    if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        return np.asarray(image.convert("RGB")), [f"{mode} converted to RGB"]
    raise UserError(f"holds {mode} samples (floating point or 32 bits); save it with 8 or 16 bits a channel first")


def of_image(image: Image.Image, minimum_side: int = 1) -> Picture:
    """Return the pixels of a Pillow image as stored; raise `UserError` for one that is too small, damaged or float."""
    try:
        _check_size(image, minimum_side, lambda: b"")
        image.load()
        pixels, conversions = _all_rgb(image, False)
    except UserError as error:
        raise UserError(f"the picture {error}") from None
    except (OSError, SyntaxError) as error:
        raise UserError(f"the picture is damaged ({_first_line(error)})") from None
    return Picture(pixels, image.format or "unknown", tuple(conversions), orientation(image))


def read_rgb(path: str | os.PathLike[str], minimum_side: int = 1, on_white: bool = False) -> Picture:
    """Read a picture's pixels as stored (EXIF orientation is not applied; first frame of an animation).

    Transparency is ignored, or with `on_white` laid on white. Raises `UserError` with one line for a missing,
    unreadable, damaged, too large or too small file.
    """
    name = show(path)
    try:
        if os.path.isdir(path):  # noqa: PTH112
            raise UserError(f"{name} is a folder, not a picture")
        if os.path.getsize(path) == 0:  # noqa: PTH202
            raise UserError(f"{name} is empty (0 bytes); restore it from its source")
        try:
            return _decoded(Path(path), minimum_side, on_white)
        except ValueError as error:
            if "MAX_TEXT" not in str(error):
                raise
            # Pillow refuses a text or colour profile of over 1 MB; a sound picture may have one.
            return _decoded(_without_text(Path(path).read_bytes()), minimum_side, on_white)
    except UserError as error:
        text = str(error)
        raise UserError(text if name in text else f"{name} {text}") from None
    except MemoryError:
        raise UserError(f"{name} does not fit into memory; cut it into parts first") from None
    except UnidentifiedImageError:
        said = f"is not a picture in a format that can be read ({', '.join(FORMATS)})"
        raise UserError(f"{name} {_to_install(path) or said}") from None
    except Image.DecompressionBombError as error:  # Pillow's own limit lies above ours, and names the count alone
        raise UserError(f"{name} {_too_large(str(error).partition('(')[2].partition(' ')[0])}") from None
    except Exception as error:  # decoders raise whatever a damaged file makes them raise
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(os_error_line(error)) from None
        raise UserError(f"{name} is damaged ({_first_line(error)}); restore it from its source") from None


def _to_install(path: str | os.PathLike[str]) -> str:
    """Return what to install for a file that Pillow does not know, empty where nothing helps."""
    with Path(path).open("rb") as handle:
        kind, brand = handle.read(8)[4:], handle.read(4)
    if kind == b"ftyp" and brand in HEIF_BRANDS:
        return f"is a HEIC picture; {INSTALL_HEIF}"
    if kind == b"ftyp" and brand in AVIF_BRANDS and not features.check("avif"):
        return "is an AVIF picture, which this Pillow was built without; pip install --force-reinstall pillow reads it"
    return ""


def _too_large(claimed: str, most: int = MAXIMUM_PIXELS) -> str:
    read = f"at most {MAXIMUM_SIDE:,} a side and {most // 1_000_000} megapixels are read"
    return f"claims {claimed} pixels; {read}: cut it into parts first"


def _check_size(probe: Image.Image, minimum_side: int, content: Callable[[], bytes]) -> None:
    """Raise `UserError` for an opened picture that is too small, or takes too much memory or time to decode."""
    width, height = probe.size
    most = MAXIMUM_OTHERWISE.get(probe.format or "", MAXIMUM_PIXELS)
    if width * height > most or max(width, height) > MAXIMUM_SIDE:
        raise UserError(_too_large(f"{width}x{height}", most))
    if min(width, height) < minimum_side:
        raise UserError(f"is {width}x{height} pixels; at least {minimum_side}x{minimum_side} are needed")
    if probe.info.get("progressive") and (scans := content().count(START_OF_SCAN)) * width * height > MOST_SCANNED:
        raise UserError(f"holds {scans} scans of {width}x{height} pixels, which take too long; save it anew")


def _decoded(source: Path | bytes, minimum_side: int, on_white: bool) -> Picture:
    """Return the picture of a file, or of a file's content; raise what Pillow raises."""

    def opened() -> Image.Image:
        given = io.BytesIO(source) if isinstance(source, bytes) else source
        try:
            return Image.open(given, formats=FORMATS)
        except UnidentifiedImageError:
            if not has_heif():
                raise
            importlib.import_module(HEIF_PLUGIN).register_heif_opener()
            return Image.open(given, formats=("HEIF",))

    with opened() as probe:
        _check_size(probe, minimum_side, lambda: source if isinstance(source, bytes) else source.read_bytes())
        if probe.format == "PNG":
            probe.verify()  # reads every chunk's checksum, which decoding alone skips
    with opened() as image:
        notes = ["first frame of an animation"] if getattr(image, "is_animated", False) else []
        image.load()
        pixels, conversions = _all_rgb(image, on_white)
        metadata = (image.info.get(name) or b"" for name in ("exif", "icc_profile"))
        return Picture(pixels, image.format or "unknown", (*conversions, *notes), orientation(image), *metadata)


def _without_text(png: bytes) -> bytes:
    """Return a PNG's content without its texts and colour profile."""
    kept, at = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while len(header := png[at : at + CHUNK.size]) == CHUNK.size:
        length, kind = CHUNK.unpack(header)
        end = at + CHUNK.size + length + CHECKSUM
        if kind not in LONG_TEXT:
            kept.append(png[at:end])
        at = end
    return b"".join(kept)


def is_lossless_webp(path: Path) -> bool:
    """Return whether a WebP file's first picture is coded without loss."""
    with path.open("rb") as handle:
        handle.seek(12)  # RIFF, size, WEBP
        while len(header := handle.read(8)) == 8:
            if header[:4] in (b"VP8 ", b"VP8L"):
                return header[:4] == b"VP8L"
            size = int.from_bytes(header[4:], "little")
            # An animation's frame holds chunks of its own behind 16 bytes.
            handle.seek(16 if header[:4] == b"ANMF" else size + size % 2, os.SEEK_CUR)
    return False


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1..8 of a picture; 1 where there is none or it is damaged.

    Pillow turns the pixels of a TIFF when it loads them, and takes the tag away.
    """
    try:
        value = int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # damaged EXIF raises whatever it likes, and a picture without it is a picture still
        return 1
    return value if value in ORIENTATIONS else 1


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return pixels (height, width, ...) as a viewer shows them that heeds the EXIF orientation 1..8."""
    turned = pixels.swapaxes(0, 1) if orientation >= TURNED else pixels
    rows, columns = (-1 if orientation in mirrored else 1 for mirrored in ((3, 4, 7, 8), (2, 3, 6, 7)))
    return np.ascontiguousarray(turned[::rows, ::columns])


def both(first: int, second: int) -> int:
    """Return the EXIF orientation that shows pixels as those would be shown that the `first` gave, by the `second`."""
    sample = np.arange(6, dtype=np.uint8).reshape(2, 3)
    wanted = upright(upright(sample, first), second)
    return next(each for each in ORIENTATIONS if np.array_equal(upright(sample, each), wanted))


def as_stored(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return upright pixels as a file with that EXIF orientation stores them; the inverse of `upright`."""
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def _first_line(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return show(text.splitlines()[0][:120])


def is_gray(pixels: NDArray[np.uint8]) -> bool:
    """Return whether the three channels of (height, width, 3) pixels are equal everywhere."""
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
