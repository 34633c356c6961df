"""The lattice estimator on pictures: right where the pixels tell, silent where they do not."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import lattice
from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.classifier.lattice import known, search
from q1net_msroi.utils import files, jpeg
from q1net_msroi.utils.codecs import CODECS


@pytest.fixture(scope="module")
def estimator() -> LatticeEstimator:
    return LatticeEstimator()


@pytest.mark.fast(4)
@pytest.mark.parametrize("quality", [4, 15, 33, 50, 68, 75, 84, 90, 95, 97])
def test_uncropped(estimator: LatticeEstimator, photograph: np.ndarray, quality: int) -> None:
    answer = estimator.estimate(jpeg.compress(photograph, quality))
    assert answer.quality == quality
    assert quality in answer.tie_set
    said = answer.evidence
    assert said.verdict == "compressed"
    assert said.phase == (0, 0)
    assert said.noise == "exact"
    assert said.earlier is None
    assert answer.reason is None
    assert answer.seconds > 0


@pytest.mark.parametrize("quality", [98, 99, 100])
def test_faint_lattices(estimator: LatticeEstimator, textured: Callable[..., np.ndarray], quality: int) -> None:
    assert estimator.estimate(jpeg.compress(textured(160, 200), quality)).quality == quality


def test_the_sample_photograph_was_a_jpeg_once(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    """So it cannot serve as one that was never compressed, nor be compressed anew at 98 or above."""
    assert estimator.estimate(photograph).quality == 98


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2"])
def test_other_subsampling(estimator: LatticeEstimator, photograph: np.ndarray, subsampling: jpeg.Subsampling) -> None:
    assert estimator.estimate(jpeg.compress(photograph, 72, subsampling)).quality == 72


def test_gray(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    gray = np.repeat(photograph[..., 1:2], 3, axis=2)
    assert estimator.estimate(jpeg.compress(gray, 66)).quality == 66


@pytest.mark.fast(2)
@pytest.mark.parametrize("quality", [20, 65, 88, 97])
def test_crop_of_unknown_offset(estimator: LatticeEstimator, photograph: np.ndarray, quality: int) -> None:
    answer = estimator.estimate(jpeg.compress(photograph, quality)[70:198, 123:251])
    assert answer.quality == quality
    assert answer.evidence.phase == (2, 5)


def test_noise_after_decoding(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    decoded = jpeg.compress(photograph, 70).astype(int)
    noisy = decoded + np.random.default_rng(0).integers(-1, 2, decoded.shape)
    answer = estimator.estimate(np.clip(noisy, 0, 255).astype(np.uint8))
    assert answer.quality == 70
    assert answer.evidence.noise != "exact"


@pytest.mark.fast(2)
@pytest.mark.parametrize("method", ["JDCT_IFAST", "JDCT_FLOAT"])
@pytest.mark.parametrize("quality", [25, 60, 90])
def test_other_inverse_transforms(
    estimator: LatticeEstimator, photograph: np.ndarray, tmp_path: Path, method: str, quality: int
) -> None:
    jpeglib = pytest.importorskip("jpeglib")
    path = tmp_path / "picture.jpg"
    path.write_bytes(jpeg.encode(photograph, quality))
    with jpeglib.version("turbo210"):
        decoded = jpeglib.read_spatial(str(path), dct_method=getattr(jpeglib, method)).spatial
    assert estimator.estimate(np.array(decoded).reshape(photograph.shape)).quality == quality


@pytest.mark.fast(2)
@pytest.mark.parametrize(("first", "last"), [(30, 70), (45, 90), (60, 85), (75, 95)])
def test_compressed_twice_on_one_grid(
    estimator: LatticeEstimator, photograph: np.ndarray, first: int, last: int
) -> None:
    answer = estimator.estimate(jpeg.compress(jpeg.compress(photograph, first), last))
    assert answer.quality == last
    assert answer.evidence.earlier.quality == first
    assert answer.evidence.earlier.phase == (0, 0)


def saved_with(pixels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the pixels after a JPEG of one table for luma and chroma, steps up to 255."""
    buffer = io.BytesIO()
    steps = np.clip(table, 1, 255).ravel().tolist()
    Image.fromarray(pixels).save(buffer, "JPEG", qtables=[steps, steps], subsampling="4:2:0")
    return jpeg.decode(buffer.getvalue())


@pytest.mark.fast(2)
@pytest.mark.parametrize("setting", [30, 55, 75, 90, 97])
def test_mozjpeg_tables(estimator: LatticeEstimator, photograph: np.ndarray, setting: int) -> None:
    """The right answer is the standard quality nearest to the tables in the header of mozjpeg's own file."""
    content = CODECS["mozjpeg"].encode(photograph, setting)
    written = jpeg.quantization_tables(content)
    both = np.stack([written[0], written[-1]])
    nearest = int(((jpeg.standard_tables() - both) ** 2).sum(axis=(1, 2, 3)).argmin()) + 1
    answer = estimator.estimate(jpeg.decode(content))
    said = answer.evidence
    assert (answer.quality, said.tables, said.family) == (nearest, "not standard", "mozjpeg")
    assert answer.interval is not None
    assert answer.interval[0] <= nearest <= answer.interval[1]
    assert answer.tie_set == ()


def test_unknown_tables_near_standard_ones(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    """Every step is off from quality 60's by one at least, so that no standard table fits."""
    off = np.random.default_rng(3).choice([-2, -1, 1, 2], (8, 8))
    answer = estimator.estimate(saved_with(photograph, jpeg.standard_tables()[59, 0] + off))
    said = answer.evidence
    assert (said.tables, said.family) == ("not standard", "unknown")
    assert answer.quality == pytest.approx(60, abs=3)
    assert answer.interval is not None
    assert answer.interval[0] <= answer.quality <= answer.interval[1]


def test_tables_like_no_standard_ones(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    """Nearly all steps are read: the nearest of all is named, with a range that says how little it means."""
    table = np.full((8, 8), 23)
    nearest = int(((jpeg.standard_tables()[:, 0] - table) ** 2).sum(axis=(1, 2)).argmin()) + 1
    answer = estimator.estimate(saved_with(photograph, table))
    assert (answer.evidence.tables, answer.evidence.steps > 50) == ("not standard", True)
    assert answer.quality == pytest.approx(nearest, abs=1)
    assert answer.interval is not None
    assert answer.interval[1] - answer.interval[0] > 50
    few = estimator.estimate(saved_with(photograph[:112, :112], np.full((8, 8), 60)))  # few steps and far apart
    assert few.evidence.verdict == "compressed"
    assert few.interval is not None
    assert few.interval[1] - few.interval[0] > 40


@pytest.mark.parametrize("quality", [20, 50, 70, 90])
def test_standard_tables_are_named_so(estimator: LatticeEstimator, photograph: np.ndarray, quality: int) -> None:
    once = jpeg.compress(photograph, quality)
    assert estimator.estimate(once).evidence.tables == "standard"
    assert estimator.estimate(jpeg.compress(once, 93)).evidence.tables == "standard"


@pytest.mark.parametrize("quality", [20, 45, 70, 90])
def test_brighter_after_decoding(estimator: LatticeEstimator, photograph: np.ndarray, quality: int) -> None:
    brighter = np.clip(jpeg.compress(photograph, quality).astype(int) + 10, 0, 255).astype(np.uint8)
    answer = estimator.estimate(brighter)
    assert answer.quality == quality
    assert answer.evidence.tables == "standard"


def test_compressed_twice_on_shifted_grids(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    cropped = np.ascontiguousarray(jpeg.compress(photograph, 30)[3:, 5:])
    answer = estimator.estimate(jpeg.compress(cropped, 85))
    assert answer.quality == 85
    assert answer.evidence.earlier.phase == (5, 3)
    assert answer.evidence.earlier.quality == pytest.approx(30, abs=2)  # neighbours' periods are nearly the same


def test_never_compressed(estimator: LatticeEstimator, textured: Callable[..., np.ndarray]) -> None:
    answer = estimator.estimate(textured(200, 240))
    assert answer.quality is None
    assert answer.reason == "no JPEG trace: never compressed, or resized since"
    assert answer.evidence.verdict == "never"
    assert answer.tie_set == ()


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (8, 8), (23, 24), (9, 2000), (100, 100)])
def test_too_little_to_say(estimator: LatticeEstimator, shape: tuple[int, int]) -> None:
    answer = estimator.estimate(np.full((*shape, 3), 93, np.uint8))
    assert answer.quality is None
    assert answer.evidence.verdict == "unknown"
    assert answer.reason is not None
    assert not answer.reason.startswith("unknown")  # it is told behind that word


def test_clipped_everywhere(estimator: LatticeEstimator) -> None:
    pixels = np.random.default_rng(1).choice(np.array([0, 255], np.uint8), (64, 64, 3))
    assert estimator.estimate(pixels).evidence.verdict == "unknown"


def test_does_not_change_the_pixels(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    pixels = jpeg.compress(photograph[:100, :100], 77)
    before = pixels.copy()
    pixels.setflags(write=False)
    estimator.estimate(pixels)
    np.testing.assert_array_equal(pixels, before)


def test_starts_without_heavy_libraries(run: Callable[..., object]) -> None:
    code = (
        "import sys; from q1net_msroi.classifier.estimators.lattice import LatticeEstimator; import numpy as np;"
        "LatticeEstimator().estimate(np.full((99, 99, 3), 7, np.uint8));"
        "print(sorted({'tensorflow', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    finished = run("-c", code)
    assert finished.out.strip() == "[]"  # type: ignore[attr-defined]


@pytest.mark.data
@pytest.mark.slow
def test_never_compressed_photographs(estimator: LatticeEstimator, data_folder: Path) -> None:
    called = []
    for path in sorted((data_folder / "pristine_val").glob("*.webp")):
        quality = estimator.estimate(np.asarray(Image.open(path).convert("RGB"))).quality
        called += [path.name] if quality is not None and quality < 95 else []
    assert len(called) <= 1


def smooth(seed: int) -> np.ndarray:
    """Return a soft picture without a block that is flat: little more than its blocks' means is left at low quality."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(60, 200, (6, 6, 3)).astype(np.uint8))
    return np.asarray(small.resize((136, 136), Image.Resampling.BICUBIC))


@pytest.mark.fast(2)
@pytest.mark.parametrize("quality", [4, 8, 12, 17, 24])
def test_smooth_crops_are_read_where_their_block_edges_stand_out(estimator: LatticeEstimator, quality: int) -> None:
    """At 4 hardly a block differs: where they have 30 nats they answer, else what they leave is right."""
    answered = 0
    for seed in range(4):
        answer = estimator.estimate(jpeg.compress(smooth(seed), quality)[35:99, 22:86])
        assert quality in answer.tie_set
        assert len(answer.tie_set) <= 3
        if answer.quality is None:
            assert "blocks could say something, the others are flat, clipped or alike" in str(answer.reason)
            assert answer.evidence.nats < 30
        else:
            answered += 1
            assert answer.evidence.phase == (5, 2)
    assert answered >= (1 if quality == 4 else 4)


def test_never_is_not_said_where_block_edges_stand_out(
    estimator: LatticeEstimator, photograph: np.ndarray, textured: Callable[..., np.ndarray]
) -> None:
    """Noise after a strong compression hides the lattice, not the blocks."""
    decoded = jpeg.compress(photograph, 5).astype(float)
    noisy = np.clip(decoded + np.random.default_rng(0).normal(0, 6, decoded.shape), 0, 255).round().astype(np.uint8)
    answer = estimator.estimate(noisy)
    assert answer.evidence.verdict == "changed"
    assert answer.reason == "edges of blocks show, but no JPEG's lattice: another codec's, or changed since"
    assert estimator.estimate(textured(200, 260)).evidence.verdict == "never"


def test_the_margin_is_a_number_where_all_other_qualities_are_denied(estimator: LatticeEstimator) -> None:
    """Every record is JSON that any program reads: it knows no infinity."""
    sample = Image.open(files.REPOSITORY / "sample_image" / "coffee_jpeg_q20.png").convert("RGB")
    answer = estimator.estimate(np.asarray(sample)[101:237, 203:403])
    assert answer.quality == 20
    json.dumps(answer.record("x.png", "jpeg_lattice"), allow_nan=False)
    assert answer.evidence.margin == pytest.approx(answer.evidence.nats)  # ahead of none


STANDARD = jpeg.standard_tables().reshape(100, 2, 64)


def of_tables(pixels: np.ndarray, luma: np.ndarray, chroma: np.ndarray, subsampling: str = "4:4:4") -> np.ndarray:
    """Return the pixels after a JPEG with tables (64,) of luma and chroma."""
    buffer = io.BytesIO()
    tables = [np.ravel(table).tolist() for table in (luma, chroma)]
    Image.fromarray(pixels).save(buffer, "JPEG", qtables=tables, subsampling=subsampling)
    return jpeg.decode(buffer.getvalue())


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_two_qualities(estimator: LatticeEstimator, photograph: np.ndarray, subsampling: str) -> None:
    answer = estimator.estimate(of_tables(photograph, STANDARD[71, 0], STANDARD[79, 1], subsampling))
    assert answer.sentence() == "compressed at 72 for luma and 80 for chroma, which is not standard"
    assert (answer.interval, answer.evidence.subsampling) == ((72.0, 80.0), subsampling)


def test_a_chroma_table_of_no_quality_is_not_called_one(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    """Fine steps deny hardly a coefficient: they must explain them too."""
    off = STANDARD[79, 1].copy()
    off[[1, 2, 8, 9, 10, 16, 17]] += 4
    said = estimator.estimate(of_tables(photograph, STANDARD[79, 0], off)).evidence
    assert (said.tables, said.chroma_quality) == ("not standard", None)


def test_standard_tables_are_told_where_asked_for(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    pixels = jpeg.compress(photograph, 85, "4:4:4")
    assert estimator.estimate(pixels).evidence.quantisation is None
    answer = LatticeEstimator(tables=True).estimate(pixels)
    told = answer.evidence.quantisation
    assert told.luma == tuple(STANDARD[84, 0])
    assert {step for step, true in zip(told.chroma, STANDARD[84, 1], strict=True) if step not in (0, true)} == set()
    assert sum(step > 0 for step in told.chroma) > 8
    assert told.lines()[-1] == "subsampling 4:4:4; fits libjpeg's of quality 85"
    record = answer.record("x", "jpeg_lattice")
    assert "luma_table" not in record["evidence"]["lattice"]
    json.dumps(record | told.record())


def test_what_ties_have_in_common_is_told(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    pixels = jpeg.compress(photograph, 85)
    answer = replace(estimator.estimate(pixels), tie_set=(85, 86))
    told = lattice._with_tables(pixels, search.find(pixels), answer).evidence.luma_table
    assert 0 < sum(step > 0 for step in told) < 64
    for step, of_ties in zip(told, STANDARD[[84, 85], 0].T, strict=True):
        assert step == (of_ties[0] if of_ties[0] == of_ties[1] else 0)


def test_steps_of_255_are_not_told_at_the_lowest_qualities(photograph: np.ndarray) -> None:
    told = LatticeEstimator(tables=True).estimate(jpeg.compress(photograph, 5)).evidence.quantisation
    assert 0 in told.luma
    assert 255 not in told.luma


@pytest.mark.parametrize("brighter", [0, 10])
def test_known_tables_are_named_with_both_tables(
    estimator: LatticeEstimator, photograph: np.ndarray, brighter: int
) -> None:
    pair = next(pair for pair in known.pairs() if pair.name == "Photoshop save 8")
    pixels = of_tables(photograph, np.array(pair.luma), np.array(pair.chroma)).astype(int) + brighter
    said = estimator.estimate(np.clip(pixels, 0, 255).astype(np.uint8)).evidence
    assert said.tables == "not standard"
    told = said.quantisation
    assert all(step in (0, true) for step, true in zip(told.luma[1:], pair.luma[1:], strict=True))
    if not brighter:
        assert (said.written_by, said.software) == ("Photoshop save 8", "Photoshop save 8")
        assert told.luma == pair.luma
        assert told.lines()[-1].endswith(f"fits Photoshop save 8; no other of {len(known.pairs())} known tables")


def test_moved_entries_make_no_table(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    """Coarse steps beside steps of 1 are no table: the picture was changed since."""
    mixed = jpeg.standard_tables()[4, 0].copy()
    mixed[2:, 2:] = 1
    answer = estimator.estimate(saved_with(photograph, mixed))
    assert (answer.quality, answer.evidence.verdict) == (None, "changed")


def test_noise_over_a_photograph_that_is_mostly_black(estimator: LatticeEstimator, photograph: np.ndarray) -> None:
    """Most blocks are clipped then, but the others are no drawing."""
    dark = photograph.copy()
    dark[:200] = 0
    noise = np.random.default_rng(1).normal(0, 1, dark.shape)
    noisy = np.clip(np.rint(jpeg.compress(dark, 40) + noise), 0, 255).astype(np.uint8)
    assert estimator.estimate(noisy).quality == 40
