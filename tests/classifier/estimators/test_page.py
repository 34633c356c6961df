"""The report page: names as text, nothing fetched, sorted and opened in a browser, quick with 500 pictures."""

import html.parser
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.classifier.estimators import page, table
from q1net_msroi.classifier.estimators.auto import AutoEvidence
from q1net_msroi.classifier.estimators.result import Estimate
from q1net_msroi.classifier.estimators.sketch import Sketch
from q1net_msroi.utils.page import saved
from tests import browser
from tests.classifier.estimators.test_result import HEADER

HOSTILE = ("<script>alert('x')</script>.png", 'a"b\nc.png', "</script><img src=x onerror=alert(1)>.jpg", "=cmd.png")
needs_browser = pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.ABSENT)


def sketched(pixels: np.ndarray, quality: int, marked: bool = False) -> Sketch:
    cells = np.full((19, 28), quality, np.uint8)
    cells[:4, :5] = 0
    cells[8:12, 9:14] += 128 * marked
    preview = saved(Image.fromarray(pixels), format="WEBP", quality=50)
    return Sketch(preview, 900, 600, f"saved at {quality}", ("header: <b>bold</b>",), cells=cells, told="main part")


@pytest.fixture(scope="module")
def entries(photograph: np.ndarray) -> list[table.Entry]:
    """Twelve pictures: hostile names, an unreadable one, one of two compressions, one with a pasted part."""
    found = []
    for number in range(12):
        quality = 30 + 7 * number % 65
        name = HOSTILE[number] if number < len(HOSTILE) else f"photos/{number}.jpg"
        estimate = Estimate(float(quality), evidence=replace(HEADER, quality=quality))
        if number == 6:
            estimate = Estimate(95.0, evidence=AutoEvidence(HEADER, 22.0))
        row = table.make_row(name, estimate, "JPEG", "<i>Software</i>" if number == 7 else "")
        found.append(table.Entry(row, sketched(photograph[number * 10 :, :320], quality, marked=number == 8)))
    found[5] = table.Entry(table.failed_row("photos/5.jpg", "photos/5.jpg is <damaged>"))
    return found


class Reader(html.parser.HTMLParser):
    """Keeps tags and addresses; refuses what is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "link", "img", "input", "br", "rect", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "path"):
            assert self.open.pop() == tag


def test_names_are_text_and_nothing_is_fetched(entries: list[table.Entry]) -> None:
    made = page.build(entries, "auto")
    read = Reader(made)
    assert read.tags.count("script") == 2
    assert not {"i", "b"} & set(re.findall(r"<(\w+)>(?:Software|bold)", made))
    assert all(address.startswith("data:") for address in read.addresses)
    assert "default-src 'none'" in made
    assert "https://" not in made
    assert "http://" not in made
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;.png" in made
    assert "a&quot;b\\nc.png" in made
    (block,) = re.findall(r'<script type="application/json" id="details">(.*?)</script>', made, re.DOTALL)
    details = json.loads(block)
    assert [each["name"] for each in details[:3]] == [HOSTILE[0], 'a"b\\nc.png', HOSTILE[2]]
    assert details[2]["command"] == "q1net-predict '</script><img src=x onerror=alert(1)>.jpg' --map map.png"
    assert "command" not in details[1]  # a name with a line break cannot be pasted into a shell


def test_what_to_look_at_first(entries: list[table.Entry]) -> None:
    made = page.build(entries, "auto")
    lists = dict(re.findall(r'<h3>([^<]*).*?</h3>\n<ul class="first">(.*?)</ul>', made))
    opened = {title.strip(): list(map(int, re.findall(r'data-open="(\d+)"', items))) for title, items in lists.items()}
    strong = opened["Compressed most strongly"]
    qualities = [entries[number].row["strongest"] for number in strong]
    assert qualities == sorted(qualities)
    assert strong[0] == 6
    assert max(qualities) < page.STRONG
    assert len(strong) <= page.MOST_FIRST
    assert opened["Compressed twice"] == [6]
    assert opened["Perhaps changed since"] == [8]
    nothing = page.build([table.Entry(table.make_row("x", Estimate(90.0)))], "auto")
    assert "None was compressed below 75" in nothing


def test_the_histogram_counts_every_picture(entries: list[table.Entry]) -> None:
    made = page.build(entries, "auto")
    for name in ("quality", "strongest"):
        counted = sum(int(count) for count in re.findall(rf"<title>(\d+) of {name} ", made))
        assert counted == sum(entry.row[name] is not None for entry in entries)
    for quality, words in ((1.0, "1 to 5"), (5.4, "1 to 5"), (5.5, "6 to 10"), (100.0, "96 to 100")):
        assert f"1 of quality {words}<" in page.build([table.Entry(table.make_row("x", Estimate(quality)))], "auto")


@needs_browser
def test_in_a_browser(entries: list[table.Entry], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page.build(entries, "auto"), encoding="utf-8")
    with browser.Browser(tmp_path / "profile") as seen:
        seen.open(path.as_uri())
        seen.wait("document.readyState === 'complete'")
        names = "Array.from(document.querySelectorAll('tbody .name'), x => x.textContent)"
        assert seen.run(names)[:3] == [HOSTILE[0], 'a"b\\nc.png', HOSTILE[2]]
        column = "Array.from(document.querySelectorAll('tbody tr'), row => row.cells[2].textContent)"
        head = "document.querySelectorAll('thead button')[2]"
        seen.run(f"{head}.click()")
        shown = seen.run(column)
        assert shown[-1] == ""  # what is unknown comes last, both ways
        assert list(map(int, shown[:-1])) == sorted(map(int, shown[:-1]))
        seen.run(f"{head}.click()")
        assert [*map(int, seen.run(column)[:-1])] == sorted(map(int, shown[:-1]), reverse=True)
        seen.run("document.querySelector('tbody [data-open=\"8\"]').click()")
        assert seen.run("document.getElementById('dialog').open && document.getElementById('name').textContent") == (
            "photos/8.jpg"
        )
        pixel = "Array.from(document.getElementById('canvas').getContext('2d').getImageData({}, {}, 1, 1).data)"
        assert seen.run(pixel.format(5, 5)) == [128, 128, 128, 255]  # unknown
        assert seen.run(pixel.format(9 * 20 + 1, 8 * 20 + 1)) == [255, 60, 80, 255]  # the outline of what is unlike
        assert seen.run("document.querySelector('#lines li:last-child').textContent") == "header: <b>bold</b>"
        seen.run("document.getElementById('dialog').close()")
        seen.run("document.querySelector('tbody [data-open=\"5\"]').click()")
        assert seen.run("document.getElementById('map').hidden && !document.querySelector('#sheet img')")
        seen.run("document.getElementById('dialog').close()")
        seen.run(
            "{ const s = document.getElementById('search'); s.value = '<SCRIPT'; s.dispatchEvent(new Event('input')); }"
        )
        assert seen.run("document.getElementById('count').textContent") == "1 of 12"
        assert seen.problems == []
        assert {address for address in seen.requests if not address.startswith("data:")} == {path.as_uri()}


@pytest.mark.slow
@needs_browser
def test_500_pictures(entries: list[table.Entry], photograph: np.ndarray, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    many = []
    for number in range(500):
        top, left = random.integers(80), random.integers(120)
        pixels = photograph[top : top + 213, left : left + 320]
        row = table.make_row(f"folder/{number}.jpg", Estimate(float(random.integers(20, 99))))
        many.append(table.Entry(row, sketched(pixels, int(random.integers(20, 99)))))
    path = tmp_path / "report.html"
    path.write_text(page.build(many, "auto"), encoding="utf-8")
    assert path.stat().st_size < 15_000_000
    with browser.Browser(tmp_path / "profile") as seen:
        took = []
        for _ in range(3):  # other work on this machine is not the page's
            seen.open(path.as_uri())
            seen.wait("document.readyState === 'complete'")
            took.append(seen.run("performance.getEntriesByType('navigation')[0].domComplete"))
        assert min(took) < 2000
        assert seen.run("document.querySelectorAll('tbody tr').length") == 500
