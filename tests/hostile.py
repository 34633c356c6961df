"""Small hostile picture files, made from a seed: `make(index)` gives the same kind and bytes on every machine.

Each kind takes a sound file apart and mends one thing wrongly; `KINDS` names them. Nothing here needs more than a few
kilobytes, whatever the file claims to hold.
"""

import functools
import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

SIDE = 48
SUFFIXES = {"JPEG": "jpg", "TIFF": "tif"} | {
    each: each.lower() for each in ("PNG", "GIF", "WEBP", "BMP", "PPM", "AVIF")
}
FRAMES, DHT, SOS, DQT, DRI = (0xC0, 0xC1, 0xC2), 0xC4, 0xDA, 0xDB, 0xDD
APP1, APP13, APP14, COM = 0xE1, 0xED, 0xEE, 0xFE
Segments = list[tuple[int, bytes]]
Random = random.Random


@functools.cache
def _pixels(mode: str) -> Image.Image:
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = [127 + 90 * np.sin(y / (3 + c) + c) * np.cos(x / (5 - c)) for c in range(3)]
    noise = np.random.default_rng(0).normal(0, 8, (SIDE, SIDE, 3))
    image = Image.fromarray(np.clip(np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8))
    return image.convert(mode)


@functools.cache
def sound(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Return a sound file of a 48x48 picture."""
    buffer = io.BytesIO()
    _pixels(mode).save(buffer, kind, **options)
    return buffer.getvalue()


# JPEG -----------------------------------------------------------------------------------------------------------------


def split(content: bytes) -> Segments:
    """Return the segments of a JPEG, (marker, payload); what follows the last header is in its payload."""
    segments, at = [], 2
    while True:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == SOS:
            return [*segments, (marker, content[at + 4 :])]
        segments.append((marker, content[at + 4 : at + 2 + length]))
        at += 2 + length


def join(segments: Segments, between: bytes = b"") -> bytes:
    """Undo `split`, with `between` before every segment."""
    content = b"\xff\xd8"
    for marker, payload in segments:
        length = 6 + 2 * payload[0] if marker == SOS and payload else 2 + len(payload)
        content += between + bytes([0xFF, marker]) + (length & 0xFFFF).to_bytes(2, "big") + payload
    return content


def _some_jpeg(r: Random) -> bytes:
    mode = r.choice(["RGB", "RGB", "L", "CMYK"])
    options = {"quality": r.choice([5, 50, 90]), "progressive": r.random() < 0.3}
    return sound("JPEG", mode, **options, **({"subsampling": r.choice([0, 1, 2])} if mode == "RGB" else {}))


def _replaced(r: Random, marker: int, change: Callable[[bytearray], bytes]) -> bytes:
    """Change the payload of every segment of a kind."""
    segments = split(_some_jpeg(r))
    return join([(m, bytes(change(bytearray(p))) if m == marker else (m, p)[1]) for m, p in segments])


def jpeg_markers(r: Random) -> bytes:
    segments = split(_some_jpeg(r))
    index = r.randrange(len(segments))
    segments[index] = (r.randrange(0xC0, 0x100), segments[index][1])
    return join(segments)


def jpeg_zero_steps(r: Random) -> bytes:
    def change(payload: bytearray) -> bytes:
        places = range(1, 65) if r.random() < 0.3 else r.sample(range(1, 65), r.randrange(1, 6))
        for place in places:
            payload[place] = 0
        return payload

    return _replaced(r, DQT, change)


def jpeg_wide_tables(r: Random) -> bytes:
    """16-bit tables, which baseline files may not have; some steps are 0 or 65535."""

    def change(payload: bytearray) -> bytes:
        steps = [r.choice([step, 256 + step, 65535, 0]) if r.random() < 0.2 else step for step in payload[1:65]]
        return bytes([0x10 | payload[0] & 15]) + struct.pack(">64H", *steps)

    return _replaced(r, DQT, change)


def jpeg_cut_tables(r: Random) -> bytes:
    return _replaced(r, DQT, lambda payload: payload[: r.randrange(len(payload))])


def _frame(r: Random, change: Callable[[bytearray], bytes]) -> bytes:
    segments = split(_some_jpeg(r))
    return join([(m, bytes(change(bytearray(p)))) if m in FRAMES else (m, p) for m, p in segments])


def jpeg_sampling(r: Random) -> bytes:
    def change(frame: bytearray) -> bytes:
        for component in range(frame[5]):
            across, down = (r.choice([1, 2, 3, 4]) if r.random() < 0.9 else r.randrange(16) for _ in range(2))
            frame[7 + 3 * component] = across << 4 | down
        return frame

    return _frame(r, change)


def jpeg_precision(r: Random) -> bytes:
    def change(frame: bytearray) -> bytes:
        frame[0] = r.choice([12, 12, 16, 0, 2, 255])
        return frame

    return _frame(r, change)


def jpeg_size(r: Random) -> bytes:
    def change(frame: bytearray) -> bytes:
        sides = [r.choice([0, 1, 47, 49, 500]) for _ in range(2)] if r.random() < 0.7 else [65535, 65500]
        frame[1:5] = struct.pack(">HH", *sides)
        return frame

    return _frame(r, change)


def jpeg_components(r: Random) -> bytes:
    def change(frame: bytearray) -> bytes:
        if r.random() < 0.5:
            frame[5] = r.choice([0, 1, 2, 3, 4, 5, 255])
        else:
            frame[r.randrange(6, len(frame))] = r.randrange(256)  # an identifier, factors or a table's number
        return frame

    return _frame(r, change)


def jpeg_coding(r: Random) -> bytes:
    """Arithmetic, lossless and hierarchical coding, or none of the kinds there are."""
    wanted = r.choice([0xC9, 0xCA, 0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xC1])
    return join([(wanted if m in FRAMES else m, p) for m, p in split(_some_jpeg(r))])


def jpeg_huffman(r: Random) -> bytes:
    def change(payload: bytearray) -> bytes:
        for _ in range(r.randrange(1, 4)):
            payload[r.randrange(len(payload))] = r.randrange(256)
        return payload

    return _replaced(r, DHT, change)


def jpeg_progressive_cut(r: Random) -> bytes:
    content = sound("JPEG", r.choice(["RGB", "L"]), quality=r.choice([20, 80]), progressive=True)
    return content[: r.randrange(2, len(content))] + (b"\xff\xd9" if r.random() < 0.3 else b"")


def jpeg_cut(r: Random) -> bytes:
    content = _some_jpeg(r)
    segments = split(content)
    if r.random() < 0.4:
        return join(segments[: r.randrange(len(segments))])
    return content[: r.randrange(1, len(content))]


def jpeg_garbage(r: Random) -> bytes:
    return join(split(_some_jpeg(r)), r.choice([b"\0", b"\xff", b"\xff" * 9, b"\xff\0", b"abc", r.randbytes(20)]))


def jpeg_lengths(r: Random) -> bytes:
    content = bytearray(_some_jpeg(r))
    segments = split(bytes(content))
    index = r.randrange(len(segments))
    at = 4 + sum(4 + len(payload) for _, payload in segments[:index])
    wrong = r.choice([0, 1, 2, 3, 65535, int.from_bytes(content[at : at + 2], "big") + r.choice([-3, -1, 1, 2, 60])])
    content[at : at + 2] = struct.pack(">H", max(wrong, 0))
    return bytes(content)


def jpeg_adobe(r: Random) -> bytes:
    payload = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, r.choice([0, 1, 2, 3, 255]))
    return join([(APP14, payload[: r.choice([12, 12, 12, 11, 5])]), *split(_some_jpeg(r))])


def jpeg_metadata(r: Random) -> bytes:
    tags = sound("TIFF")[:200]
    payload = r.choice(
        [
            (APP1, b"Exif\0\0" + _flipped(r, tags, 8)),
            (APP1, b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHLL", 1, 0x0112, 3, 1, r.choice([0, 9, 65535]))),
            (APP1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"),
            (
                APP13,
                b"Photoshop 3.0\x008BIM\x04\x06\0\0" + struct.pack(">L", r.choice([0, 1, 2, 7, 2**31])) + b"\xff\xfd",
            ),
            (0xE2, b"ICC_PROFILE\0" + bytes([r.choice([0, 2]), r.choice([0, 1, 255])]) + b"x" * 40),
            (0xE2, b"MPF\0" + _flipped(r, b"MM\0*\0\0\0\x08\0\x03" + b"\xb0\x00\0\x07\0\0\0\x040100" * 3, 4)),
            (0xE0, b"JFIF\0\1\1" + r.randbytes(r.randrange(8))),
            (COM, r.randbytes(60)),
        ]
    )
    return join([payload, *split(_some_jpeg(r))])


def jpeg_restart(r: Random) -> bytes:
    segments = split(_some_jpeg(r))
    segments.insert(
        r.randrange(len(segments)), (DRI, struct.pack(">H", r.choice([0, 1, 7, 65535]))[: r.choice([1, 2])])
    )
    return join(segments)


def jpeg_twice(r: Random) -> bytes:
    """A segment again, one left out, or all in another order."""
    segments = split(_some_jpeg(r))
    index = r.randrange(len(segments))
    change = r.randrange(3)
    if change == 0:
        segments.insert(r.randrange(len(segments)), segments[index])
    elif change == 1:
        del segments[index]
    else:
        r.shuffle(segments)
    return join(segments)


def jpeg_scan(r: Random) -> bytes:
    segments = split(_some_jpeg(r))
    marker, payload = segments[-1]
    segments[-1] = (marker, _flipped(r, payload, r.randrange(1, 9)))
    return join(segments)


# other formats --------------------------------------------------------------------------------------------------------


def _flipped(r: Random, content: bytes, count: int, first: int = 0, last: int | None = None) -> bytes:
    changed = bytearray(content)
    for _ in range(count):
        place = r.randrange(first, min(last or len(changed), len(changed)))
        changed[place] = r.choice([0, 1, 127, 128, 255, r.randrange(256)])
    return bytes(changed)


def _tiff(r: Random, changes: dict[int, int], strips: bytes, kept: dict[int, int] | None = None) -> bytes:
    """Return a TIFF of one strip or tile; `changes` are tags with their (long) values."""
    tags = kept or {256: SIDE, 257: SIDE, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: SIDE, 279: len(strips)}
    tags = {**tags, **changes}
    tags = {tag: value for tag, value in tags.items() if value >= 0}
    at = 8 + 2 + 12 * len(tags) + 4
    if 273 in tags and 273 not in changes:
        tags[273] = at
    order = r.choice("<>")
    entries = b"".join(struct.pack(f"{order}HHLL", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HL", 42, 8) + struct.pack(f"{order}H", len(tags))
    return head + entries + struct.pack(f"{order}L", r.choice([0, 0, 8, 2**31])) + strips


def tiff_size(r: Random) -> bytes:
    sides = r.choice([(SIDE, 40), (2**31, 2**31), (0, SIDE), (100_000, 100_000), (2**32 - 1, 1), (SIDE, 2**24)])
    return _tiff(r, {256: sides[0], 257: sides[1]}, bytes(SIDE * SIDE))


def tiff_offsets(r: Random) -> bytes:
    tag = r.choice([273, 279, 278])
    return _tiff(r, {tag: r.choice([0, 1, 4, 2**31, 2**32 - 1, -1])}, bytes(SIDE * SIDE))


def tiff_tags(r: Random) -> bytes:
    tag = r.choice([258, 259, 262, 277, 284, 317, 322, 324, 330, 338, 339, 530])
    return _tiff(r, {tag: r.choice([0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 255, 32773, 34712, 50000, -1])}, bytes(9000))


def tiff_jpeg(r: Random) -> bytes:
    content = _some_jpeg(r) if r.random() < 0.3 else r.choice(JPEGS)(r)
    return _tiff(r, {259: r.choice([7, 7, 6]), 262: r.choice([1, 2, 6]), 277: r.choice([1, 3])}, content)


def tiff_flips(r: Random) -> bytes:
    content = sound("TIFF", r.choice(["RGB", "L", "1", "P"]), compression=r.choice(["tiff_lzw", "packbits", "raw"]))
    return _flipped(r, content, r.randrange(1, 6), last=None if r.random() < 0.5 else 8)


def gif_flips(r: Random) -> bytes:
    buffer = io.BytesIO()
    _pixels("P").save(buffer, "GIF", save_all=True, append_images=[_pixels("P").rotate(90)])
    return _flipped(r, buffer.getvalue(), r.randrange(1, 6), first=6, last=r.choice([14, 900, None]))


def gif_size(r: Random) -> bytes:
    content = bytearray(sound("GIF", "P"))
    content[6:10] = struct.pack("<HH", *r.choice([(0, 0), (65535, 65535), (1, 1), (65535, 1)]))
    return bytes(content)


def webp_flips(r: Random) -> bytes:
    content = sound("WEBP", r.choice(["RGB", "RGBA"]), lossless=r.random() < 0.5)
    return _flipped(r, content, r.randrange(1, 6), first=4, last=r.choice([40, None]))


def webp_chunks(r: Random) -> bytes:
    """An extended header of another size, with flags for what is not there."""
    body = sound("WEBP")[12:]
    size = r.choice([SIDE, 1, 2**24])
    extended = struct.pack("<B3x", r.choice([0, 2, 16, 255])) + (size - 1).to_bytes(3, "little") * 2
    content = b"VP8X" + struct.pack("<L", 10) + extended + (body if r.random() < 0.8 else b"ANMF" + body)
    return b"RIFF" + struct.pack("<L", r.choice([len(content) + 4, 0, 2**32 - 1, 20])) + b"WEBP" + content


def avif_flips(r: Random) -> bytes:
    content = sound("AVIF", r.choice(["RGB", "RGBA"]), speed=10)
    return _flipped(r, content, r.randrange(1, 6), first=4, last=r.choice([300, None]))


def avif_size(r: Random) -> bytes:
    """Another size in the box that tells it than the coded frame has."""
    sides = r.choice([(0, 0), (SIDE, 2**31), (60_000, 60_000), (9500, 9500), (SIDE, 1)])
    before, after = (b"ispe" + bytes(4) + struct.pack(">LL", *each) for each in ((SIDE, SIDE), sides))
    return sound("AVIF", speed=10).replace(before, after)


def chunk(name: bytes, body: bytes, checksum: int | None = None) -> bytes:
    """Return a chunk of a PNG."""
    right = zlib.crc32(name + body)
    return struct.pack(">L", len(body)) + name + body + struct.pack(">L", right if checksum is None else checksum)


def png_of(header: bytes, *chunks: bytes, data: bytes | None = None) -> bytes:
    """Return a PNG of gray rows with `chunks` before the pixels."""
    rows = zlib.compress(bytes((SIDE + 1) * SIDE)) if data is None else data
    end = chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + end


def large(side: int, flat: bool) -> bytes:
    """Return a small PNG file of `side` x `side` gray pixels: all black, or a tile of noise again and again."""
    packer, r = zlib.compressobj(), random.Random(0)
    rows = [b"\0" + (bytes(64) if flat else r.randbytes(64)) * (side // 64) + bytes(side % 64) for _ in range(2)]
    data = b"".join(packer.compress(rows[index % 2]) for index in range(side)) + packer.flush()
    return png_of(struct.pack(">LLBBBBB", side, side, 8, 0, 0, 0, 0), data=data)


GRAY = struct.pack(">LLBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)


def png_checksum(r: Random) -> bytes:
    content = sound("PNG", r.choice(["RGB", "P", "LA"]))
    places = [at for at in range(8, len(content)) if content[at : at + 4] in (b"IHDR", b"IDAT", b"PLTE", b"IEND")]
    at = r.choice(places)
    return _flipped(r, content, 1, at - 4, at + 8)


def png_header(r: Random) -> bytes:
    sides = r.choice([(SIDE, SIDE), (SIDE, SIDE), (0, 5), (2**31 - 1, 2**31 - 1), (2**31, 1), (60_000, 60_000), (1, 1)])
    fields = [
        r.choice([1, 2, 3, 8, 16, 255]),
        r.choice(range(8)),
        r.choice([0, 0, 1]),
        r.choice([0, 0, 1]),
        r.choice([0, 1]),
    ]
    return png_of(struct.pack(">LLBBBBB", *sides, *fields)[: r.choice([13, 13, 13, 12, 0])])


def png_text(r: Random) -> bytes:
    bomb = zlib.compress(bytes(1 << 21), 9)  # more than Pillow takes for text
    texts = [b"zTXt", b"iTXt", b"tEXt", b"iCCP", b"eXIf"]
    bodies = [b"a\0\0" + bomb, b"a\0\1\0\0\0" + bomb, b"a\0" + b"x" * 3000, b"\0", r.randbytes(30)]
    return png_of(GRAY, chunk(r.choice(texts), r.choice(bodies)))


def png_animation(r: Random) -> bytes:
    frames, plays = r.choice([0, 1, 2, 2**31]), r.choice([0, 2**32 - 1])
    box = struct.pack(">LLLLLHHBB", 0, *r.choice([(SIDE,) * 2, (2**31,) * 2, (1, 0)]), r.choice([0, 40]), 0, 0, 0, 9, 9)
    control = chunk(b"acTL", struct.pack(">LL", frames, plays)[: r.choice([8, 8, 3])])
    return png_of(GRAY, control, chunk(b"fcTL", box[: r.choice([26, 26, 9])]), chunk(b"fdAT", r.randbytes(9)))


def png_data(r: Random) -> bytes:
    rows = zlib.compress(bytes((SIDE + 1) * r.choice([SIDE, SIDE - 1, 5, 0])))
    return png_of(GRAY, data=r.choice([rows, rows[:-4], rows[: len(rows) // 2], b"", r.randbytes(50), rows + b"more"]))


def bmp(r: Random) -> bytes:
    content = bytearray(sound("BMP", r.choice(["RGB", "P", "L", "1"])))
    if r.random() < 0.6:
        struct.pack_into("<l", content, r.choice([18, 22]), r.choice([0, -1, -SIDE, 2**31 - 1, -(2**31), 100_000]))
        return bytes(content)
    return _flipped(r, bytes(content), r.randrange(1, 5), first=2, last=60)


def ppm(r: Random) -> bytes:
    kind = r.choice([b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"Pf", b"PF"])
    sides = r.choice(
        [b"48 48", b"0 9", b"99999999999999999999 1", b"-3 4", b"100000 100000", b"4 4 # x", b"48", b"a b"]
    )
    return kind + b"\n" + sides + b"\n" + r.choice([b"255", b"0", b"65535", b"65536", b"-1", b""]) + b"\n" + bytes(6912)


def cut(r: Random) -> bytes:
    content = sound(r.choice(["PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM"]))
    return content[: r.randrange(len(content)) if r.random() < 0.7 else r.randrange(64)]


def nothing(r: Random) -> bytes:
    return r.choice(
        [b"", b"\0", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF", b"II*\0"]
    )


def noise(r: Random) -> bytes:
    magic = [
        b"",
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"II*\0\x08\0\0\0",
        b"BM",
        b"RIFF\xff\0\0\0WEBP",
        b"P6\n",
    ]
    return r.choice(magic) + r.randbytes(r.randrange(400))


def unharmed(r: Random) -> bytes:
    """A sound file, by which the test sees that what can be read is read."""
    return sound(r.choice(list(SUFFIXES)), "RGB")


JPEGS = (
    *(jpeg_markers, jpeg_zero_steps, jpeg_wide_tables, jpeg_cut_tables, jpeg_sampling, jpeg_precision, jpeg_size),
    *(jpeg_components, jpeg_coding, jpeg_huffman, jpeg_progressive_cut, jpeg_cut, jpeg_garbage, jpeg_lengths),
    *(jpeg_adobe, jpeg_metadata, jpeg_restart, jpeg_twice, jpeg_scan),
)
OTHERS = (
    *(tiff_size, tiff_offsets, tiff_tags, tiff_jpeg, tiff_flips, gif_flips, gif_size, webp_flips, webp_chunks),
    *(png_checksum, png_header, png_text, png_animation, png_data, bmp, ppm, cut, nothing, noise, unharmed),
    *(avif_flips, avif_size),
)
KINDS = (*JPEGS, *OTHERS)


def make(index: int) -> tuple[str, bytes]:
    """Return the name, such as `0012_jpeg_cut.jpg`, and the bytes of one file; the suffix may be of another format."""
    r = random.Random(index)
    kind = KINDS[index % len(KINDS)]
    content = kind(r)
    suffix = kind.__name__.split("_")[0]
    suffix = {"jpeg": "jpg", "tiff": "tif"}.get(suffix, suffix)
    if suffix not in SUFFIXES.values() or r.random() < 0.1:
        suffix = r.choice(list(SUFFIXES.values()))
    return f"{index:04d}_{kind.__name__}.{suffix}", content
