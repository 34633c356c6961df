"""The page in the browser: its arithmetic is Python's (by Node.js), and so are its answers (in headless Chromium)."""

import base64
import csv
import hashlib
import io
import itertools
import json
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from q1net_msroi.classifier.estimators import local
from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.q1net import correction, fusion, intervals, patches
from q1net_msroi.utils import files, images, jpeg
from scripts.serve_folder import make_server
from tests.browser import ABSENT, CHROMIUM, Browser

ROOT = files.REPOSITORY
WEB = ROOT / "web"
SETTINGS = json.loads((ROOT / "save" / "jpeg_paper" / "phone.json").read_text())
MODEL = SETTINGS["models"]["float32"]
TOLERANCE = 0.05  # qualities

node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
HARNESS = """
let text = "";
for await (const part of process.stdin) text += part;
const { module, name, calls } = JSON.parse(text);
const { [name]: call } = await import(module);
const plain = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
process.stdout.write(JSON.stringify(calls.map((given) => call(...given)), plain));
"""


def javascript(module: str, name: str, *calls: list[Any], code: str = HARNESS) -> list[Any]:
    """Call a function of a module of the page with each list of arguments; return what it gave."""
    given = json.dumps({"module": (WEB / module).as_uri(), "name": name, "calls": calls})
    command = ["node", "--input-type=module", "--eval", code]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=60)
    found: list[Any] = json.loads(done.stdout)
    return found


@node
def test_places_of_patches() -> None:
    lengths = [24, 25, 31, 32, 100, 151, 152, 159, 160, 161, 427, 640, 4032, 65500]
    found = javascript("patches.js", "gridStarts", *([length, SETTINGS] for length in lengths))
    assert found == [patches.grid_starts(length).tolist() for length in lengths]


@node
def test_patches_of_a_band(textured: Any) -> None:
    pixels = textured(16, 90)
    pixels[:, 40:60] = pixels[0, 40]
    pixels[3, 41, 2] ^= 1
    alpha = np.full((16, 90, 1), 255, np.uint8)
    alpha[15, 89] = 254
    columns = [4, 20, 41, 42, 74]
    band = np.concatenate([pixels, alpha], axis=2).ravel().tolist()
    [found] = javascript("patches.js", "cutBand", [band, 90, columns, SETTINGS])
    expected = patches.to_channel_order(patches.cut(pixels, np.array([0]), np.array(columns)), "BGR")
    assert found["input"] == expected.ravel().tolist()
    assert [part["flat"] for part in found["usable"]] == [False, False, False, True, False]
    assert [part["opaque"] for part in found["usable"]] == [True, True, True, True, False]


def python_answer(said: np.ndarray, flat: np.ndarray) -> tuple[Any, Any, int]:
    """What Python makes of patches: corrected quality, interval, confident patches."""
    fused = fusion.fuse(np.where(flat[:, None], np.float32(0), said), MODEL["threshold"])
    corrected = correction.from_record(MODEL["correction"]).apply(fused)
    around = intervals.from_record(MODEL["interval"]).around(corrected)
    if fused.confident < SETTINGS["least_share"] * (len(said) - flat.sum()):
        return None, None, fused.confident
    if not intervals.from_record(MODEL["interval"]).hold(fused):
        return None, None, fused.confident
    return corrected.quality, around, fused.confident


@node
def test_answers() -> None:
    random, calls, expected = np.random.default_rng(3), [], []
    for number in range(60):
        count = int(random.integers(1, 257))
        middle, spread = random.uniform(0, 100), random.choice([0.1, 1.0, 10.0])
        quality = np.clip(random.normal(middle, spread, count), 0, 100)
        confidence = np.clip(random.normal(random.choice([80, 97.5, 99]), 1, count), 0, 100)
        said = np.stack([confidence, quality], axis=1).astype(np.float32)
        flat = random.random(count) < 0.3 * (number % 2)
        usable = [{"flat": bool(each), "opaque": True} for each in flat]
        calls.append([said.astype(float).tolist(), usable, MODEL, SETTINGS["least_share"]])
        expected.append(python_answer(said, flat))
    found = javascript("answer.js", "answer", *calls)
    assert 10 < sum(quality is None for quality, _, _ in expected) < 40
    for got, (quality, around, confident) in zip(found, expected, strict=True):
        assert got["confident"] == confident
        assert (got["quality"] is None) == (quality is None)
        assert (got["reason"] is None) == (quality is not None)
        if quality is not None:
            assert got["quality"] == pytest.approx(quality, abs=1e-4)
            assert [got["low"], got["high"]] == pytest.approx(around, abs=0.011)


@node
def test_what_is_transparent_or_flat_says_nothing() -> None:
    sure = [[99.9, 50.0]] * 4
    kinds = [{"flat": True, "opaque": True}, {"flat": False, "opaque": False}]
    cases = [[kinds[0]] * 4, [kinds[1]] * 4, [{"flat": False, "opaque": True}] + [kinds[1]] * 3]
    flat, clear, one = javascript("answer.js", "answer", *([sure, case, MODEL, 0.1] for case in cases))
    assert (flat["quality"], flat["reason"]) == (None, "the picture is flat all over")
    assert (clear["quality"], clear["reason"]) == (None, "the picture is transparent all over")
    assert one["confident"] == 1
    assert one["quality"] == pytest.approx(correction.from_record(MODEL["correction"]).quality(50), abs=1e-6)


@pytest.mark.fast(2)
@node
@pytest.mark.parametrize("size", [(24, 24), (97, 300), (430, 640), (1200, 1600)])
def test_maps(size: tuple[int, int]) -> None:
    random, parts = np.random.default_rng(5), []

    def predict(rgb: np.ndarray) -> np.ndarray:
        said = random.uniform([70, 20], [100, 60], (len(rgb), 2)).astype(np.float32)
        parts.append(said)
        return said

    network: Any = SimpleNamespace(threshold=MODEL["threshold"], predict_patches=predict)
    expected = local.network_regions(random.integers(0, 256, (*size, 3), np.uint8), network)
    [places] = javascript("patches.js", "mapStarts", [size[1], size[0], SETTINGS])
    said = np.concatenate(parts).astype(float).tolist()
    [found] = javascript("map.js", "regions", [said, places, MODEL, SETTINGS])
    assert (found["rows"], found["columns"]) == (expected.rows.tolist(), expected.columns.tolist())
    assert found["side"] == expected.side
    assert found["main"] == pytest.approx(expected.main, abs=1e-4)
    quality = np.array(found["quality"], float)  # null becomes NaN
    assert np.allclose(quality, expected.quality, atol=1e-4, equal_nan=True)
    [marked] = javascript("map.js", "unlike", [found, SETTINGS["map"]["difference"]])
    rows, columns = (
        javascript("map.js", "nearest", [starts, found["side"], length, length])[0]
        for starts, length in zip((found["rows"], found["columns"]), size, strict=True)
    )
    assert np.array_equal(np.array(marked)[np.ix_(rows, columns)], expected.unlike(*size))


@node
def test_tables_of_answers() -> None:
    rows = [
        {
            "file": '=a,"b".png',
            "quality": 49.8,
            "low": 49,
            "high": 50.4,
            "confident": 3,
            "patches": 256,
            "reason": None,
        },
        {"file": "line\nbreak.png", "reason": "it has 3x3 pixels"},
    ]
    [text] = javascript("csv.js", "toCsv", [rows])
    first, second = csv.DictReader(io.StringIO(text))
    assert first["file"] == "'" + '=a,"b".png'
    assert (first["quality"], first["low"], first["reason"]) == ("49.800", "49", "")
    assert (second["file"], second["quality"], second["reason"]) == ("line\nbreak.png", "", "it has 3x3 pixels")


def test_the_page_allows_its_own_import_map_alone() -> None:
    text = (WEB / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script(?![^>]*src=)[^>]*>(.*?)</script>", text, re.DOTALL)
    assert len(inline) == 1
    digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in text
    assert "connect-src 'self'" in text
    assert not re.findall(r"https?://", text)


@node
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [None, 1, 6, 8])
def test_metadata_that_changes_pixels_is_taken_out(photograph: np.ndarray, kind: str, orientation: int | None) -> None:
    picture, exif = Image.fromarray(photograph[:40, :60]), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    made, bare = io.BytesIO(), io.BytesIO()
    picture.save(made, kind, exif=exif.tobytes(), icc_profile=profile)
    picture.save(bare, kind)
    code = HARNESS.replace("call(...given)", "call(new Uint8Array(...given))")
    [found] = javascript("metadata.js", "withoutMetadata", [list(made.getvalue())], code=code)
    assert found["orientation"] == (orientation or 1)
    assert bytes(itertools.chain.from_iterable(found["kept"])) == bare.getvalue()
    cut = made.getvalue()[:60]
    [found] = javascript("metadata.js", "withoutMetadata", [list(cut)], code=code)  # damaged, but no error
    assert sum(map(len, found["kept"])) <= len(cut)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page, built and served on this machine."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("page") / "web"
    built = subprocess.run([ROOT / "scripts" / "build_web.sh", folder], capture_output=True, text=True, check=False)
    if "could not get the runtime" in built.stderr:
        pytest.skip(built.stderr)
    assert built.returncode == 0, built.stderr
    own = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.parent.name != "runtime")
    assert own < 3_000_000
    with make_server(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def texts(browser: Browser, selector: str) -> list[str]:
    found: list[str] = browser.run(f"[...document.querySelectorAll({selector!r})].map((one) => one.textContent.trim())")
    return found


def wait_for(browser: Browser, count: int) -> float:
    """Wait until the page says that so many pictures are done; return the seconds."""
    word = "picture" if count == 1 else "pictures"
    return browser.wait(f"document.querySelector('#status').textContent === '{count} {word} done'", 60)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=ABSENT)
def test_answers_in_the_browser(address: str, tmp_path: Path, photograph: np.ndarray) -> None:
    samples = sorted((ROOT / "sample_image").glob("*.png"))
    file = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photograph).save(file, quality=40, exif=exif.tobytes())
    clear = np.dstack([photograph, np.full(photograph.shape[:2], 255, np.uint8)])
    clear[:150, :, 3] = 0
    Image.fromarray(clear).save(tmp_path / "clear.png")
    (tmp_path / "no picture.png").write_text("none")
    Image.fromarray(photograph[:20, :20]).save(tmp_path / "small.png")
    paths = [*samples, file, *(tmp_path / name for name in ("clear.png", "no picture.png", "small.png"))]
    estimator = NetworkEstimator(Asked())
    with Browser(tmp_path / "profile") as browser:
        browser.open(address)
        browser.wait("document.querySelector('#status')?.textContent === 'Ready.'")
        unplugged = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        browser.send("Network.emulateNetworkConditions", offline=True, **unplugged)
        browser.choose("#files", *paths)
        wait_for(browser, len(paths))
        assert texts(browser, ".card h2") == [path.name for path in paths]
        rows = list(csv.DictReader(io.StringIO(browser.run(SAVED))))
        for path, row in zip(paths[:5], rows, strict=False):
            expected = estimator.estimate(images.read_rgb(path).pixels)
            assert float(row["quality"]) == pytest.approx(expected.quality, abs=TOLERANCE), path
            assert [float(row["low"]), float(row["high"])] == pytest.approx(expected.interval, abs=2 * TOLERANCE)
            assert int(row["confident"]) == expected.evidence.used
        opaque = estimator.estimate(np.ascontiguousarray(photograph[152:]))
        assert float(rows[5]["quality"]) == pytest.approx(opaque.quality, abs=2)
        sizes = browser.run("[...document.querySelectorAll('.card canvas')].map((one) => [one.width, one.height])")
        assert sizes[4] == [300, 451]  # shown upright, read as stored
        assert "cannot read it as a picture" in rows[6]["reason"]
        assert rows[7]["reason"] == "it has 20x20 pixels; at least 24x24 pixels are needed"
        assert texts(browser, ".card .quality b")[6:] == ["unknown", "unknown"]
        browser.run("document.querySelector('.card button').click()")  # the astronaut's: black parts say nothing
        browser.wait("document.querySelector('.card button').textContent === 'Hide the map'")
        assert texts(browser, ".told")[0] == "The main part: 50. No region is unlike it. Gray: unknown."
        assert all(request.startswith((address, "data:", "blob:")) for request in browser.requests)
        assert browser.problems == []


SAVED = """new Promise((resolve) => {
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => (blob.text().then(resolve), make(blob));
  document.querySelector("#save").click();
})"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=ABSENT)
@pytest.mark.parametrize("width", [1100, 360])
def test_a_pasted_part_on_the_map(address: str, tmp_path: Path, photograph: np.ndarray, width: int) -> None:
    pixels = jpeg.compress(photograph, 85).copy()
    pixels[96:224, 160:320] = jpeg.compress(photograph, 30)[96:224, 160:320]
    Image.fromarray(pixels).save(tmp_path / "pasted.png")
    expected = local.network_regions(pixels, NetworkEstimator(Asked()))
    with Browser(tmp_path / "profile", width) as browser:
        browser.open(address)
        browser.wait("document.querySelector('#files')")
        browser.choose("#files", tmp_path / "pasted.png")  # before the network is there
        wait_for(browser, 1)
        before = browser.run("document.querySelector('.card canvas').toDataURL()")
        browser.run("document.querySelector('.card button').click()")
        browser.wait("document.querySelector('.card button').textContent === 'Hide the map'")
        assert texts(browser, ".told") == [
            f"The main part: {expected.main:.0f}. Outlined: what is unlike it. Gray: unknown."
        ]
        drawn = base64.b64decode(browser.run("document.querySelector('.card canvas').toDataURL()").partition(",")[2])
        colours = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")).astype(int)
        line = np.abs(colours - [255, 77, 109]).max(axis=2) < 40
        y, x = np.nonzero(line)
        assert 80 < y.min() < 130
        assert 190 < y.max() < 240
        assert 140 < x.min() < 195
        assert 285 < x.max() < 340
        assert browser.run("document.documentElement.scrollWidth") <= width  # nothing sticks out at the side of a phone
        browser.run("document.querySelector('.card button').click()")
        browser.wait("document.querySelector('.card button').textContent === 'Show the map'")
        assert browser.run("document.querySelector('.card canvas').toDataURL()") == before
        assert browser.problems == []
        sent = "fetch('http://localhost:9/x').then(() => 'sent', () => 'refused')"
        assert browser.run(sent) == "refused"
        assert "Content Security Policy" in browser.problems[0]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=ABSENT)
def test_an_older_browser_gets_the_other_runtime(address: str, tmp_path: Path) -> None:
    """Without relaxed SIMD, which the runtime finds out by a module of 36 bytes."""
    older = """const make = WebAssembly.instantiate;
    WebAssembly.instantiate = (code, ...rest) =>
      code.byteLength === 36 ? Promise.reject(new Error("not known")) : make(code, ...rest);"""
    sample = ROOT / "sample_image" / "rocket_jpeg_q80.png"
    with Browser(tmp_path / "profile") as browser:
        browser.send("Page.addScriptToEvaluateOnNewDocument", source=older)
        browser.open(address)
        browser.wait("document.querySelector('#status')?.textContent === 'Ready.'")
        browser.choose("#files", sample)
        wait_for(browser, 1)
        assert any("compat" in request for request in browser.requests)
        [row] = csv.DictReader(io.StringIO(browser.run(SAVED)))
    expected = NetworkEstimator(Asked()).estimate(images.read_rgb(sample).pixels)
    assert float(row["quality"]) == pytest.approx(expected.quality, abs=TOLERANCE)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=ABSENT)
def test_a_browser_that_hides_pixels_gets_no_answers(address: str, tmp_path: Path) -> None:
    lie = """const get = OffscreenCanvasRenderingContext2D.prototype.getImageData;
    OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...given) {
      const found = get.apply(this, given);
      found.data[40] ^= 1;
      return found;
    };"""
    with Browser(tmp_path / "profile") as browser:
        browser.send("Page.addScriptToEvaluateOnNewDocument", source=lie)
        browser.open(address)
        browser.wait("document.querySelector('#status')?.className === 'problem'")
        assert "changes the pixels" in texts(browser, "#status")[0]
        assert browser.run("document.querySelector('#files').disabled") is True


@pytest.mark.slow
def test_serving_prints_the_address(address: str) -> None:
    """Depends on `address`, which skips where the page cannot be built."""
    command = [ROOT / "scripts" / "serve_web.sh", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        served = process.stdout.readline().strip()
        with urllib.request.urlopen(served) as page, urllib.request.urlopen(address) as expected:
            assert page.read() == expected.read()
        process.terminate()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=ABSENT)
def test_how_long_it_takes(address: str, tmp_path: Path) -> None:
    """The first answer, from opening the page on, within 3 s; then 0.3 s a picture. Three times that may pass here."""
    sample = ROOT / "sample_image" / "coffee_jpeg_q20.png"
    with Browser(tmp_path / "profile") as browser:
        browser.open(address)
        waited = browser.wait("document.querySelector('#files')")
        browser.choose("#files", sample)
        first = waited + wait_for(browser, 1)
        each = []
        for done in range(2, 12):
            browser.choose("#files", sample)
            each.append(wait_for(browser, done))
    print(f"first answer {first:.2f} s, then {np.median(each):.3f} s a picture, {min(each):.3f} at best")
    assert first < 9
    assert min(each) < 0.9  # other processes may have the cores meanwhile
