"""The Python interface: the same answers as the commands', from files, images and arrays, in several threads."""

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import q1net_msroi
from q1net_msroi import api
from q1net_msroi.classifier.estimators import registry, table
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.q1net import weights
from q1net_msroi.msroi.roi.network import SHIPPED_MODEL
from q1net_msroi.utils import files, images, jpeg
from q1net_msroi.utils.errors import UserError

SAMPLE = files.REPOSITORY / "sample_image" / "chelsea.png"
needs_weights = pytest.mark.skipif(
    not (weights.SAVE / "jpeg_paper" / "comp_cls.tflite").exists(), reason="no weights are shipped in save/jpeg_paper"
)


@pytest.fixture
def pixels(photograph: np.ndarray) -> np.ndarray:
    return jpeg.compress(np.ascontiguousarray(photograph[:96, :128]), 40)


def without_time(estimate: q1net_msroi.Estimate) -> q1net_msroi.Estimate:
    return replace(estimate, seconds=0.0)


@needs_weights
def test_a_path_is_what_the_command_answers(jpeg_file: Callable[..., Path]) -> None:
    path = jpeg_file(60)
    expected = registry.estimate_path(Asked("auto"), None, path)
    for given in (path, str(path)):
        found = q1net_msroi.estimate_quality(given)
        assert without_time(found) == without_time(expected)
    assert found.quality == 60
    assert found.sentence() == "saved at 60"
    assert q1net_msroi.estimate_quality(path, "jpeg_header").evidence.kind == "header"


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_images_and_arrays_of_colour(pixels: np.ndarray, mode: str) -> None:
    image = Image.fromarray(pixels).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(pixels[..., 0]))  # what lies under it is what was compressed
    for given in (image, np.asarray(image)):
        found = q1net_msroi.estimate_quality(given, "jpeg_lattice")
        assert (found.quality, found.interval) == (40, (40, 40))


def test_gray_images_and_arrays(pixels: np.ndarray) -> None:
    gray = Image.open(_saved(Image.fromarray(pixels).convert("L"), quality=70)).convert("L")
    for given in (gray, np.asarray(gray), gray.convert("RGB")):
        assert q1net_msroi.estimate_quality(given, "jpeg_lattice").quality == 70


def _saved(image: Image.Image, **options: Any) -> Any:
    import io

    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer


def test_palettes_are_looked_up() -> None:
    image = Image.new("P", (30, 20))
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.paste(1, (0, 0, 30, 20))
    assert images.of_image(image).pixels[3, 4].tolist() == [200, 100, 50]
    assert "only 1 of 6 blocks could say" in (q1net_msroi.estimate_quality(image, "jpeg_lattice").reason or "")


@needs_weights
def test_settings_reach_the_estimator(pixels: np.ndarray) -> None:
    plain, strict = (q1net_msroi.estimate_quality(pixels, "jpeg_paper", threshold=t) for t in (0.0, 100.0))
    assert plain.quality is not None
    assert "needed more than 100" in (strict.reason or "")
    assert q1net_msroi.estimate_quality(pixels, "auto", explain=True).evidence.parts > 0
    with pytest.raises(TypeError, match="colour"):
        q1net_msroi.estimate_quality(pixels, colour="red")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("backend", "nonsense", "unknown --backend nonsense; known are float32, float16, int8, tf"),
        ("fusion", "nonsense", "unknown --fusion nonsense; known are median, weighted_median"),
        ("patches", "nonsense", "unknown --patches nonsense; known are grid, texture"),
        ("threads", 0, "threads 0: at least 1 is needed"),
        ("threshold", float("nan"), "--threshold nan is no number"),
    ],
)
def test_settings_that_nothing_can_do_with(pixels: np.ndarray, name: str, value: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        q1net_msroi.estimate_quality(pixels, "jpeg_paper", **{name: value})


@needs_weights
def test_a_backend_that_is_not_installed(pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")

    monkeypatch.setattr(weights, "load_model", absent)
    with pytest.raises(UserError, match=r"^backend tf needs TensorFlow: pip install 'q1net-msroi\[train\]'$"):
        q1net_msroi.estimate_quality(pixels, "jpeg_paper", backend="tf")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((30, 30, 3), np.float32), "float32, 30x30x3, is no picture"),
        (np.zeros((30, 30, 2), np.uint8), "uint8, 30x30x2, is no picture"),
        (np.zeros((30,), np.uint8), "uint8, 30, is no picture"),
        (np.zeros((23, 90, 3), np.uint8), "90x23 pixels; at least 24x24"),
        (Image.new("F", (30, 30)), "the picture holds F samples"),
        (Path("missing.png"), r"missing\.png"),
    ],
)
def test_what_is_no_picture(given: Any, words: str) -> None:
    with pytest.raises(q1net_msroi.UserError, match=words):
        q1net_msroi.estimate_quality(given, "jpeg_paper")
    with pytest.raises(UserError, match="unknown --comp_type webp"):
        q1net_msroi.estimate_quality(np.zeros((30, 30, 3), np.uint8), "webp")


def test_a_damaged_image(jpeg_file: Callable[..., Path]) -> None:
    path = jpeg_file(60)
    path.write_bytes(path.read_bytes()[:1500])
    with Image.open(path) as image, pytest.raises(UserError, match="the picture is damaged"):
        q1net_msroi.estimate_quality(image)


@needs_weights
def test_threads_have_models_of_their_own(pixels: np.ndarray) -> None:
    """Models are loaded once a thread, and answers do not mix."""
    pictures = {quality: jpeg.compress(pixels, quality) for quality in (15, 50, 85)}
    alone = {quality: q1net_msroi.estimate_quality(made, "jpeg_paper").quality for quality, made in pictures.items()}
    assert len(set(alone.values())) == 3
    loaded: list[Asked] = []
    kept = registry.load

    def counting(asked: Asked) -> Any:
        loaded.append(asked)
        return kept(asked)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        patch.setattr(registry, "load", counting)
        asked_for = list(pictures) * 6
        said = list(pool.map(lambda q: q1net_msroi.estimate_quality(pictures[q], "jpeg_paper").quality, asked_for))
    assert said == [alone[quality] for quality in asked_for]
    assert 1 <= len(loaded) <= 3


needs_network = pytest.mark.skipif(not SHIPPED_MODEL.exists(), reason="no network is shipped in save/mobilenet_v2")


@needs_network
def test_map_and_jpeg_are_the_commands(call: Callable[..., Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    picture = SAMPLE
    assert call("msroi.generate_map", picture, "--lossless").code == 0
    found = q1net_msroi.region_map(picture)
    assert np.array_equal(found.values, np.asarray(Image.open("output/msroi_map.png")))
    assert found.classes[0][0] == "Egyptian cat"
    flags = ("-map", "output/msroi_map.png", "-jpeg_compression", "40")
    assert call("msroi.combine_images", "-image", picture, *flags, "-model", "7").code == 0
    made = q1net_msroi.encode(picture, found, jpeg_compression=40)
    assert made.content == Path("output/_compressed_chelsea.png_.jpg").read_bytes()
    assert made.plain == Path("output/_original_chelsea.png_40.jpg").read_bytes()
    assert len(made.content) <= len(made.plain)
    pixels = np.asarray(Image.open(picture))
    assert q1net_msroi.encode(pixels, found.values, jpeg_compression=40).content == made.content
    assert q1net_msroi.encode(picture, found, model=3).quality != made.quality


@needs_network
def test_a_map_lies_on_the_pixels_as_stored(tmp_path: Path, photograph: np.ndarray) -> None:
    exif = Image.Exif()
    exif[images.ORIENTATION_TAG] = 6
    Image.fromarray(photograph).save(tmp_path / "turned.png", exif=exif)
    upright = np.ascontiguousarray(np.rot90(photograph, -1))
    turned = q1net_msroi.region_map(tmp_path / "turned.png", scales="256").values
    assert np.array_equal(turned, np.rot90(q1net_msroi.region_map(upright, scales="256").values))


@needs_network
def test_an_image_is_looked_at_as_its_file(tmp_path: Path, photograph: np.ndarray) -> None:
    exif = Image.Exif()
    exif[images.ORIENTATION_TAG] = 6
    Image.fromarray(photograph).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        found = q1net_msroi.region_map(image, scales="256")
    assert np.array_equal(found.values, q1net_msroi.region_map(tmp_path / "turned.png", scales="256").values)


def test_maps_and_options_that_do_not_fit(pixels: np.ndarray) -> None:
    flat = np.zeros(pixels.shape[:2], np.uint8)
    for given in ({"strength": 1.0}, {"target_size": 3000}):
        with pytest.raises(UserError, match="is for model 7 only"):
            q1net_msroi.encode(pixels, flat, model=3, **given)
    for wrong in (None, 3, b"bytes", [1, 2]):
        with pytest.raises(UserError, match="is no picture; give a path"):
            q1net_msroi.region_map(wrong)
    with pytest.raises(UserError, match="a map of uint8, 3x4, does not fit"):
        q1net_msroi.encode(pixels, np.zeros((3, 4), np.uint8))
    with pytest.raises(UserError, match="-model 9 is unknown"):
        q1net_msroi.encode(pixels, np.zeros(pixels.shape[:2], np.uint8), model=9)
    with pytest.raises(UserError, match="no method best"):
        q1net_msroi.region_map(pixels, "best")


def test_importing_loads_nothing(run: Callable[..., Any]) -> None:
    code = (
        "import sys; before = set(sys.modules); import q1net_msroi\n"
        "new = {name for name in set(sys.modules) - before if not name.startswith('typing')}\n"
        "assert not {'numpy', 'PIL', 'q1net_msroi.api'} & new, new\n"
        "assert dir(q1net_msroi) == q1net_msroi.__all__\n"
        "assert q1net_msroi.estimate_quality.__name__ == 'estimate_quality'\n"
        "assert 'tensorflow' not in sys.modules and 'scipy' not in sys.modules\n"
    )
    done = run("-c", code)
    assert done.code == 0, done.err
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = q1net_msroi.nothing


def test_all_is_documented_and_typed() -> None:
    assert q1net_msroi.__all__ == api.__all__
    for name in q1net_msroi.__all__:
        entry = getattr(q1net_msroi, name)
        assert entry.__doc__
        if inspect.isfunction(entry):
            hints = set(inspect.get_annotations(entry))
            assert hints == {*inspect.signature(entry).parameters, "return"}


@needs_weights
def test_a_table_of_many(jpeg_file: Callable[..., Path], tmp_path: Path) -> None:
    """The rows of `--csv`, also for what cannot be read, in the order of the paths."""
    pandas = pytest.importorskip("pandas")
    first, second = jpeg_file(60, "=b.jpg"), jpeg_file(90, "a.jpg")
    (tmp_path / "text.png").write_text("text")
    frame = pandas.DataFrame(q1net_msroi.estimate_table([first, tmp_path / "text.png", str(second)]))
    assert list(frame.columns) == list(table.COLUMNS)
    assert list(frame.file) == [str(first), str(tmp_path / "text.png"), str(second)]
    assert frame.strongest[[0, 2]].tolist() == [60, 90]
    assert "is not a picture" in frame.reason[1]
    assert q1net_msroi.estimate_table([]) == []
    with pytest.raises(UserError, match="is missing"):
        q1net_msroi.estimate_table([first], save_path=str(tmp_path))


def test_a_picture_that_was_a_jpeg_is_not_coded_anew_at_its_own_size(photograph: np.ndarray) -> None:
    pixels = jpeg.compress(np.ascontiguousarray(photograph[:144, :208]), 75)
    region = np.zeros(pixels.shape[:2], np.uint8)
    region[40:100, 60:150] = 255
    made = q1net_msroi.encode(pixels, region, jpeg_compression=75)
    assert len(made.content) <= len(made.plain)
    assert made.content == made.plain or np.array_equal(jpeg.decode(made.content), pixels)
    larger = q1net_msroi.encode(pixels, region, jpeg_compression=75, source_quality=None)
    assert not np.array_equal(jpeg.decode(larger.content), pixels)
