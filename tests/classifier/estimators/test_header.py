"""What the header tells: exact for known encoders, for all other tables the nearest quality and a range."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import header
from q1net_msroi.classifier.estimators.header import Header, estimate_header, read_header
from q1net_msroi.utils import jpeg

Texture = Callable[..., np.ndarray]


def scaled(base: np.ndarray, quality: int, largest: int = 255) -> np.ndarray:
    """libjpeg's scaling rule, the plainest way."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.array([[min(largest, max(1, (int(v) * scale + 50) // 100)) for v in row] for row in base])


def of(luma: np.ndarray, chroma: np.ndarray | None = None, **options: object) -> Header:
    return Header(luma, chroma, 3 if chroma is not None else 1, None, False, **options)  # type: ignore[arg-type]


def write(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, "JPEG", **options)
    return path


@pytest.mark.parametrize("quality", range(1, 101, 3))
def test_pillows_files_are_exact(tmp_path: Path, textured: Texture, quality: int) -> None:
    estimate = estimate_header(read_header(write(tmp_path / "x.jpg", textured(32, 32), quality=quality)))
    evidence = estimate.evidence
    assert (estimate.quality, estimate.interval) == (quality, (quality, quality))
    assert estimate.tie_set == (quality,)
    assert (evidence.family, evidence.distance, evidence.nearest_standard) == ("standard", 0, quality)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_how_it_is_coded(tmp_path: Path, textured: Texture, subsampling: str, progressive: bool) -> None:
    path = write(tmp_path / "x.jpg", textured(40, 40), quality=77, subsampling=subsampling, progressive=progressive)
    evidence = estimate_header(read_header(path)).evidence
    assert (evidence.quality, evidence.subsampling, evidence.progressive) == (77, subsampling, progressive)


def test_gray_cmyk_and_one_table(tmp_path: Path, textured: Texture) -> None:
    gray = estimate_header(read_header(write(tmp_path / "gray.jpg", textured(40, 40)[..., 0], quality=33)))
    assert (gray.quality, gray.evidence.subsampling, gray.evidence.tables) == (33, None, 1)
    path = tmp_path / "cmyk.jpg"
    Image.fromarray(textured(40, 40)).convert("CMYK").save(path, quality=64)
    cmyk = estimate_header(read_header(path))
    assert (cmyk.quality, cmyk.evidence.components) == (64, 4)


def test_tables_of_16_bits() -> None:
    """Encoders that need not be baseline do not clip the steps of low qualities."""
    base = jpeg.standard_tables()[49]
    for quality in (1, 5, 12, 24):
        wide = [scaled(table, quality, 32767) for table in base]
        assert wide[0].max() > 255 or quality == 24
        assert header.match(of(*wide)).quality == quality


def test_a_file_with_tables_of_16_bits(tmp_path: Path, textured: Texture) -> None:
    table = scaled(jpeg.standard_tables()[49][0], 5, 32767)
    content = bytearray(jpeg.encode(textured(16, 16), 5))
    parts, at = [], 2
    while content[at + 1] != 0xDA:  # swap the table segments for one of 16 bits that holds both tables
        size = struct.unpack(">H", content[at + 2 : at + 4])[0]
        if content[at + 1] != 0xDB:
            parts.append(bytes(content[at : at + 2 + size]))
        at += 2 + size
    zigzag = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))
    body = b"".join(
        bytes([0x10 | number]) + struct.pack(">64H", *(int(table.flat[i]) for i in zigzag)) for number in (0, 1)
    )
    wide = b"\xff\xdb" + struct.pack(">H", len(body) + 2) + body
    path = tmp_path / "wide.jpg"
    path.write_bytes(b"\xff\xd8" + wide + b"".join(parts) + bytes(content[at:]))
    found = read_header(path)
    assert found is not None
    np.testing.assert_array_equal(found.luma, table)
    assert header.match(found).luma_quality == 5


@pytest.mark.parametrize("version", ["6b", "8d", "9d", "9f", "turbo210", "mozjpeg101", "mozjpeg403"])
@pytest.mark.parametrize("quality", [8, 30, 50, 75, 92])
def test_other_encoders_are_exact(tmp_path: Path, textured: Texture, version: str, quality: int) -> None:
    jpeglib = pytest.importorskip("jpeglib")
    path = tmp_path / "x.jpg"
    with jpeglib.version(version):
        jpeglib.from_spatial(textured(64, 64)).write_spatial(str(path), qt=quality)
    evidence = estimate_header(read_header(path)).evidence
    assert (evidence.quality, evidence.exact) == (quality, True)
    assert evidence.family == ("mozjpeg" if version == "mozjpeg403" else "standard")
    assert (evidence.distance == 0) == (version not in ("mozjpeg403",))


def test_two_qualities() -> None:
    """cjpeg -quality 90,70."""
    tables = jpeg.standard_tables()
    found = of(tables[89, 0], tables[69, 1])
    evidence = estimate_header(found).evidence
    assert (evidence.luma_quality, evidence.chroma_quality, evidence.family) == (90, 70, "standard")
    estimate = estimate_header(found)
    assert not evidence.exact
    assert (estimate.quality, estimate.interval) == (evidence.nearest_standard, (70, 90))
    apart = estimate_header(of(tables[94, 0], tables[9, 1]))
    near = f"{apart.evidence.nearest_standard}"
    assert apart.sentence() == f"saved at 95 for luma and 10 for chroma, near to {near}"
    assert apart.interval == (10, 95)


def test_the_nearest_is_the_least_squares_one() -> None:
    tables = jpeg.standard_tables()
    random = np.random.default_rng(0)
    for quality in (20, 55, 80):
        changed = np.maximum(tables[quality - 1] + random.integers(-2, 3, (2, 8, 8)), 1)
        newer = tables.copy()  # libjpeg 9e and later begin chroma with 16, not 17
        newer[:, 1, 0, 0] = [scaled(np.array([[16]]), q)[0, 0] for q in range(1, 101)]
        errors = [min(float(((t[q] - changed) ** 2).sum()) for t in (tables, newer)) for q in range(100)]
        found = header.match(of(*changed))
        assert found.nearest_standard == 1 + min(range(100), key=errors.__getitem__)
        assert found.distance == pytest.approx((min(errors) / 128) ** 0.5)
        assert (found.family, found.quality) == ("unknown", None)
        estimate = estimate_header(of(*changed))
        assert estimate.interval is not None
        assert estimate.quality is not None
        assert estimate.interval[0] <= estimate.quality <= estimate.interval[1]


def test_strange_tables_get_the_nearest_number_and_a_wide_range() -> None:
    """Coarse where standard ones are fine and the other way round: single steps are those of 43 to 92."""
    flat = np.full((8, 8), 16)
    estimate = estimate_header(of(flat, flat))
    errors = ((jpeg.standard_tables() - 16) ** 2).sum(axis=(1, 2, 3))
    assert (estimate.quality, estimate.interval) == (int(errors.argmin()) + 1, (43, 92))
    assert estimate.sentence() == "saved with tables that are not standard, near to 91 (43 to 92)"
    assert (estimate.evidence.family, estimate.evidence.exact, estimate.tie_set) == ("unknown", False, ())


def test_photoshop_by_its_own_record(tmp_path: Path, textured: Texture) -> None:
    resource = (
        b"Photoshop 3.0\x008BIM\x04\x06\x00\x00" + struct.pack(">I", 7) + struct.pack(">hhhB", 4, 0, 1, 1) + b"\0"
    )
    own = [int(v) for v in np.clip(jpeg.standard_tables()[84, 0].ravel() + np.arange(64) % 5, 1, 255)]
    image, buffer = Image.fromarray(textured(48, 48)), io.BytesIO()
    image.save(buffer, "JPEG", qtables=[own, own])
    path = tmp_path / "x.jpg"
    content = buffer.getvalue()
    path.write_bytes(content[:2] + b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource + content[2:])
    evidence = estimate_header(read_header(path)).evidence
    assert (evidence.family, evidence.photoshop_quality) == ("photoshop", 8)


def test_what_is_no_jpeg(tmp_path: Path, textured: Texture) -> None:
    Image.fromarray(textured(30, 30)).save(tmp_path / "x.png")
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "cut.jpg").write_bytes(jpeg.encode(textured(30, 30), 50)[:20])
    (tmp_path / "empty.jpg").touch()
    for name in ("x.png", "text.jpg", "cut.jpg", "empty.jpg", "missing.jpg"):
        assert read_header(tmp_path / name) is None
    assert "not a JPEG file" in (estimate_header(None).reason or "")


@pytest.mark.parametrize("place", [1, 30])
def test_why_there_is_no_header(tmp_path: Path, textured: Texture, place: int) -> None:
    content, path = bytearray(jpeg.encode(textured(40, 40), 60)), tmp_path / "x.jpg"
    content[content.index(b"\xff\xdb") + 4 + place] = 0  # a step of luma
    path.write_bytes(content)
    assert header.find_header(path) == (None, "the JPEG header tells no quality: damaged table")
    lossless = jpeg.encode(textured(40, 40), 60).replace(b"\xff\xc0", b"\xff\xc3")
    path.write_bytes(lossless)
    answer = header.HeaderEstimator().estimate_file(path, textured(40, 40))
    assert (answer.quality, answer.reason) == (None, "the JPEG header tells no quality: lossless coding")


@pytest.mark.parametrize(("mode", "colours"), [("RGB", "RGB"), ("L", "gray"), ("CMYK", "CMYK")])
@pytest.mark.parametrize("quality", [30, 80, 95])
def test_jpeg_in_tiff(tmp_path: Path, textured: Texture, mode: str, colours: str, quality: int) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(textured(80, 60)).convert(mode).save(path, compression="jpeg", quality=quality)
    answer = estimate_header(read_header(path))
    assert (answer.quality, answer.evidence.colours) == (quality, colours)


def test_how_unusual_files_are_coded_is_told(tmp_path: Path, textured: Texture) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(textured(40, 40)).save(path, quality=60, keep_rgb=True)
    assert estimate_header(read_header(path)).lines()[0].endswith("4:4:4, baseline, RGB")
    content = bytearray(jpeg.encode(textured(40, 40), 60).replace(b"\xff\xc0", b"\xff\xca"))
    content[content.index(b"\xff\xca") + 4] = 12
    path.write_bytes(content)
    evidence = estimate_header(read_header(path)).evidence
    assert evidence.lines()[0].endswith("4:2:0, progressive arithmetic, 12 bits")
    assert (evidence.quality, evidence.progressive) == (60, True)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_headers_never_raise(tmp_path: Path, textured: Texture, seed: int) -> None:
    content, random = jpeg.encode(textured(40, 40), 60), np.random.default_rng(seed)
    for _ in range(60):
        damaged = bytearray(content)
        for at in random.integers(2, 600, 4):
            damaged[at] = int(random.integers(256))
        (tmp_path / "x.jpg").write_bytes(damaged)
        estimate_header(read_header(tmp_path / "x.jpg"))


@pytest.mark.parametrize("quality", [50, 75, 92])
def test_libjpeg_9_begins_chroma_with_16(quality: int) -> None:
    base = jpeg.standard_tables()[49].copy()
    base[1, 0, 0] = 16
    found = header.match(of(*(scaled(table, quality) for table in base)))
    assert (found.family, found.quality) == ("standard", quality)


@pytest.mark.parametrize(("share", "widest"), [(0.1, 10), (0.3, 24), (0.55, 65)])
def test_the_further_from_every_standard_table_the_wider_the_range(share: float, widest: int) -> None:
    """Every second step of quality 30 is larger by a share of it, every other smaller: no scaling comes nearer."""
    table = jpeg.standard_tables()[29, 0].astype(float)
    sign = np.where(np.indices((8, 8)).sum(0) % 2, 1, -1)
    strange = np.rint(table * (1 + share * sign)).astype(np.int64)
    found = header.match(of(strange))
    assert (found.nearest_standard, found.relative_distance) == (30, pytest.approx(share, abs=0.01))
    estimate = estimate_header(of(strange))
    assert (estimate.quality, estimate.reason) == (30, None)
    assert estimate.interval is not None
    low, high = estimate.interval
    assert (low < 30 < high, widest / 2 < high - low <= widest) == (True, True)


def test_nine_tenths_of_the_steps_lie_in_the_interval() -> None:
    tables = jpeg.standard_tables()
    mixed = tables[59].copy()
    mixed[:, 0, :5] = tables[29, :, 0, :5]  # 10 of 128 steps as at 30: a twentieth and more
    mixed[:, 7, :5] = tables[79, :, 7, :5]
    each = sorted(
        min(range(1, 101), key=lambda q: (abs(int(tables[q - 1, k, i, j]) - int(mixed[k, i, j])), q))
        for k, i, j in np.ndindex(2, 8, 8)
    )
    low, high = (each[round(share * 127)] for share in (0.05, 0.95))
    estimate = estimate_header(of(*mixed))
    assert estimate.quality is not None
    assert estimate.interval == (pytest.approx(low, abs=1), pytest.approx(high, abs=1))
    assert (low < 45, high > 75) == (True, True)


def test_a_step_of_zero_is_no_traceback() -> None:
    table = jpeg.standard_tables()[49, 0].copy()
    table[3, 3] = 0
    estimate = estimate_header(of(table))
    assert (estimate.quality, estimate.evidence.family) == (50, "unknown")
