"""The page: well-formed, the files in it byte for byte, nothing fetched; and used in a browser, where there is one."""

import base64
import html
import html.parser
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi.encoder import combine, page, report
from q1net_msroi.msroi.encoder.options import EncodingOptions
from q1net_msroi.utils import jpeg, results

VOID = {"meta", "link", "img", "input", "br", "hr"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def saliency(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (255 * np.exp(-9 * ((y / height - 0.5) ** 2 + (x / width - 0.4) ** 2))).astype(np.uint8)


@pytest.fixture
def encoded(tmp_path: Path, photograph: np.ndarray) -> Callable[..., tuple[combine.Outcome, dict[str, Any]]]:
    """Encode a picture; return what `combine` did and its measured record."""

    def make(
        pixels: np.ndarray = photograph[40:232, 60:348], name: str = "cat.png", model: int = 3, **options: Any
    ) -> tuple[Any, dict[str, Any]]:
        image, gray = tmp_path / name, tmp_path / "map.png"
        Image.fromarray(pixels).save(image, **options)
        Image.fromarray(saliency(*pixels.shape[:2])).save(gray)
        outcome = combine.combine(image, gray, tmp_path, EncodingOptions(model=model))
        return outcome, report.records(outcome, report.measure(outcome))[0]

    return make


def write(outcome: combine.Outcome, record: dict[str, Any], path: Path) -> str:
    """Write the page of an outcome and return its text."""
    plain, ours = (written.path.read_bytes() for written in (outcome.plain, outcome.ours[0]))
    text = page.build_page(outcome.pixels, plain, ours, outcome.saliency, record)
    path.write_text(text, encoding="utf-8")
    return text


class Reader(html.parser.HTMLParser):
    """Reads a page, refuses tags that are not closed in order, and keeps elements and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len(dict(attributes)) == len(attributes), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + text

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def picture(self, identity: str) -> bytes:
        (source,) = [image["src"] for image in self.all("img") if image.get("id") == identity]
        assert source is not None
        return base64.b64decode(source.partition(",")[2], validate=True)


def test_the_page_holds_the_files_as_written_and_fetches_nothing(encoded: Any, tmp_path: Path) -> None:
    outcome, record = encoded()
    text = write(outcome, record, tmp_path / "report.html")
    read = Reader(text)
    assert read.picture("plain") == outcome.plain.path.read_bytes()
    assert read.picture("ours") == outcome.ours[0].path.read_bytes()
    sources = [image["src"] or "" for image in read.all("img")]
    assert all(source.startswith(("data:image/jpeg;base64,", "data:image/png;base64,")) for source in sources)
    for source in sources:
        Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).load()
    assert all(image["alt"] for image in read.all("img"))
    assert [link["href"] for link in read.all("link")] == ["data:,"]
    assert all("src" not in script for script in read.all("script"))
    without_data = re.sub(r"data:[^\"]*", "", text)
    assert not re.search(r"https?:|//\w|url\(|@import|fetch\(|XMLHttp", without_data)
    policy = next(meta["content"] for meta in read.all("meta") if meta.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    identities = [each["id"] for _, each in read.elements if "id" in each]
    assert len(identities) == len(set(identities))
    names = {"file": "cat.png", "output": "_compressed_cat.png_.jpg", "plain": "_original_cat.png_50.jpg"}
    assert json.loads(read.text["pre"]) == {**record, **names}
    assert str(tmp_path) not in text
    assert results.code_name() in read.text["footer"]


def test_figures_on_the_page(encoded: Any, tmp_path: Path) -> None:
    outcome, record = encoded()
    text = write(outcome, record, tmp_path / "report.html")
    plain, ours = record["metrics"]["plain"], record["metrics"]["ours"]
    difference = f"{ours['psnrs'] - plain['psnrs']:+.2f}".replace("-", "−")
    assert text.count(difference) >= 2  # on top and in the table
    assert f"{plain['ssim']:.4f}" in text
    assert f"{record['plain_bytes']:,}" in text
    assert f"{record['bytes']:,}" in text
    region = outcome.saliency > outcome.saliency.mean()
    luma = [np.rint(p @ np.array([65.481, 128.553, 24.966]) / 255 + 16)
            for p in (outcome.pixels, jpeg.decode(outcome.ours[0].path.read_bytes()))]  # fmt: skip
    outside = 10 * np.log10(255**2 / np.mean((luma[0] - luma[1])[~region] ** 2))
    assert f"<td>{outside:.2f}</td>" in text


def test_crops_are_the_pixels_of_the_three_pictures(encoded: Any, tmp_path: Path) -> None:
    outcome, record = encoded()
    read = Reader(write(outcome, record, tmp_path / "report.html"))
    decoded = [jpeg.decode(written.path.read_bytes()) for written in (outcome.plain, outcome.ours[0])]
    places = page.find_places(outcome.pixels, *decoded, outcome.saliency > outcome.saliency.mean())
    assert len(places) == 4
    for name, picture in zip(("original", "plain", "semantic"), (outcome.pixels, *decoded), strict=True):
        crops = [image["src"] or "" for image in read.all("img") if image["alt"] == name]
        for place, source in zip(places, crops, strict=True):
            pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))
            expected = picture[place.top : place.top + place.height, place.left : place.left + place.width]
            assert (pixels == expected).all()


@pytest.mark.parametrize(
    "name", ["<b>&\"'.png", "two\nlines.png", "$title ${x}.png", "</pre><script>x.png".replace("/", "")]
)
def test_odd_names(encoded: Any, tmp_path: Path, name: str) -> None:
    outcome, record = encoded(name=name)
    read = Reader(write(outcome, record, tmp_path / "report.html"))
    assert len(read.all("script")) == 1
    assert read.text["title"] == name.replace("\n", "\\n")
    assert json.loads(read.text["pre"])["file"] == name.replace("\n", "\\n")


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_picture_is_shown_upright(encoded: Any, tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    outcome, record = encoded(name="turned.png", exif=exif)
    read = Reader(write(outcome, record, tmp_path / "report.html"))
    height, width = outcome.pixels.shape[:2]
    shown = (height, width) if orientation == 6 else (width, height)
    styles = [each["style"] for _, each in read.elements if each.get("id") == "compare"]
    assert styles == [f"--w: {shown[0]}; --h: {shown[1]}"]
    (whole,) = [image["src"] or "" for image in read.all("img") if image.get("class") == "whole"]
    assert Image.open(io.BytesIO(base64.b64decode(whole.partition(",")[2]))).size == shown
    crop = next(image["src"] or "" for image in read.all("img") if image["alt"] == "original")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(crop.partition(",")[2]))))
    upright = np.rot90(outcome.pixels, -1 if orientation == 6 else 2)
    (top, left) = map(int, re.search(r"At (\d+), (\d+)", "".join(read.text["figcaption"])).groups()[::-1])  # type: ignore[union-attr]
    assert (pixels == upright[top : top + pixels.shape[0], left : left + pixels.shape[1]]).all()


@pytest.mark.parametrize("size", [(1, 1), (24, 23), (9, 400)])
def test_odd_sizes_and_what_has_no_value(encoded: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    outcome, record = encoded(np.full((*size, 3), 128, np.uint8))
    read = Reader(write(outcome, record, tmp_path / "report.html"))
    assert "–" in read.text["td"]  # equal pictures have no finite PSNR


BROWSER_TEST = """
window.addEventListener("load", function () {
  var range = document.getElementById("range"), sheet = document.getElementById("sheet");
  var cut = function () { return getComputedStyle(document.getElementById("ours")).clipPath; };
  var say = {before: cut()};
  range.value = 200; range.dispatchEvent(new Event("input")); say.moved = cut();
  document.querySelector("[data-show='1000']").click(); say.plain = cut();
  document.querySelector("[data-show='0']").click(); say.semantic = cut();
  var stage = document.getElementById("stage"), box = stage.getBoundingClientRect();
  stage.setPointerCapture = function () {};
  var at = {clientX: box.left + box.width / 4, clientY: box.top + 9, button: 0, pointerId: 1};
  stage.dispatchEvent(new PointerEvent("pointerdown", at));
  say.dragged = Number(range.value);
  document.querySelector("[data-zoom='3']").click();
  say.zoomed = sheet.clientWidth * devicePixelRatio / document.getElementById("plain").naturalWidth;
  var link = document.querySelector("[data-x]"), factor = 3 / devicePixelRatio;
  link.click();
  var x = factor * link.dataset.x - stage.scrollLeft, y = factor * link.dataset.y - stage.scrollTop;
  say.seen = x > 0 && x < stage.clientWidth && y > 0 && y < stage.clientHeight;
  document.querySelector("[data-zoom='0']").click();
  say.pictures = Array.from(document.images, function (image) { return image.naturalWidth; });
  say.shown = document.getElementById("plain").getBoundingClientRect().width;
  say.page = [document.documentElement.scrollWidth, innerWidth];
  say.fetched = performance.getEntriesByType("resource").map(function (entry) { return entry.name; })
    .filter(function (name) { return !name.startsWith("data:"); });
  var said = document.createElement("output");
  said.id = "said"; said.textContent = JSON.stringify(say); document.body.append(said);
});
"""


def in_browser(path: Path, profile: Path, width: int) -> dict[str, Any]:
    """Open a page in headless Chromium with a script that uses it; return what the script saw."""
    assert CHROMIUM
    text = path.read_text(encoding="utf-8").replace("</body>", f"<script>{BROWSER_TEST}</script></body>")
    used = path.with_name("used.html")
    used.write_text(text, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", f"--window-size={width},800"]
    done = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", used.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    found = re.search(r'<output id="said">(.*?)</output>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(html.unescape(found[1]))
    return said


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")
@pytest.mark.parametrize(("width", "model"), [(1100, 3), (500, 7)])
def test_in_a_browser(encoded: Any, tmp_path: Path, width: int, model: int) -> None:
    outcome, record = encoded(model=model)
    path = tmp_path / "report.html"
    write(outcome, record, path)
    said = in_browser(path, tmp_path / "profile", width)
    assert said["before"] == "inset(0px 0px 0px 50%)"
    assert said["moved"] == "inset(0px 0px 0px 20%)"
    assert said["plain"] == "inset(0px 0px 0px 100%)"
    assert said["semantic"] in ("inset(0px 0px 0px 0%)", "inset(0px)")
    assert said["dragged"] == pytest.approx(250, abs=3)
    assert said["zoomed"] == pytest.approx(3, abs=0.01)
    assert said["seen"] is True
    assert len(said["pictures"]) == 15
    assert said["pictures"][:2] == [outcome.pixels.shape[1]] * 2
    assert min(said["pictures"]) > 0
    assert said["shown"] > 300
    assert said["page"][0] <= said["page"][1]  # nothing sticks out at the side of a phone
    assert said["fetched"] == []
