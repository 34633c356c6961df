"""Documents say what was measured, name only what exists, and make a site whose links all lead somewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from q1net_msroi.classifier.lattice.settings import LATTICE
from tests.printed.commands import ROOT, documents

FRONT_PAGE_WORDS = 900
POINTER_WORDS = 300
DOCUMENTS = [*documents(), ROOT / "CONTRIBUTING.md"]


def name(path: Path) -> str:
    """A document as a test's name."""
    return str(path.relative_to(ROOT))


def test_tables_are_made_from_the_committed_results() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "tables.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("document", documents(), ids=name)  # CONTRIBUTING.md names files that a reader writes
def test_every_command_named_exists(document: Path) -> None:
    named = set(re.findall(r"\b(?:scripts|classifier|msroi|tests)/[\w./]+\.(?:py|sh)", document.read_text()))
    missing = [path for path in named if not (ROOT / path).exists()]
    assert not missing


def test_every_script_is_told_of() -> None:
    """What a person may start is in some document."""
    text = "".join(document.read_text() for document in DOCUMENTS)
    made = {"scripts/common.sh", "scripts/site_pages.py"}  # sourced by scripts, called by the site's generator
    found = {name(path) for path in (ROOT / "scripts").iterdir() if path.suffix in (".py", ".sh")}
    assert not {path for path in found - made if path not in text}


def test_the_front_page_is_short_and_says_how_to_test() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.split()) < FRONT_PAGE_WORDS
    assert "scripts/test.sh" in text
    for family in ("classifier", "msroi"):
        assert len((ROOT / family / "README.md").read_text().split()) < POINTER_WORDS


def test_no_paragraph_stands_twice() -> None:
    """One place for everything; tables, blocks of results and code may repeat."""
    seen: dict[str, str] = {}
    for document in DOCUMENTS:
        text = re.sub(r"```.*?```|<!-- results.*?<!-- end -->", "", document.read_text(), flags=re.DOTALL)
        for paragraph in text.split("\n\n"):
            words = " ".join(paragraph.split())
            if len(words) > 150 and not words.startswith(("|", "![")):
                assert words not in seen, f"{name(document)} and {seen[words]}: {words[:80]}"
                seen[words] = name(document)


def test_every_picture_is_described() -> None:
    for document in DOCUMENTS:
        for told, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", document.read_text()):
            assert len(told) > 10, f"{name(document)}: {path} is not described"


def test_rules_are_stated_with_the_numbers_of_the_settings() -> None:
    text = " ".join((ROOT / "docs" / "how_it_works.md").read_text().split())
    few = f"{LATTICE.drawn_presence:g} nats and {LATTICE.drawn_points} coefficients beyond zero"
    stated = [
        f"An answer needs {LATTICE.presence:g} nats.",
        f"stand out by {LATTICE.edges_visible:g} standard errors in both directions",
        f"and {LATTICE.presence_on_edges:g} nats are enough for an answer",
        f"fewer than {LATTICE.drawn_share:.0%} of".replace("%", " %"),
        f"an answer needs {few}, or {LATTICE.drawn_clipped:g} nats where clipped",
        f"a standard deviation above {LATTICE.fit_spread:g} grey levels",
        f"Two are believed where they gain {LATTICE.pair_presence:g} nats",
        f"by {LATTICE.period_presence:g} standard errors from all other grids, or {LATTICE.period_beside:g} where",
    ]
    assert not [words for words in stated if words not in text]


def test_the_program_says_what_the_page_of_limits_quotes() -> None:
    """Every reason and error that the page explains, but for what stands in place of its dots, names and numbers."""
    page = (ROOT / "docs" / "limits.md").read_text()
    quoted = [
        phrase
        for section in ("## Reasons", "## Errors")
        for row in re.findall(r"^\| (`.*?) \|", page.partition(section)[2].partition("\n## ")[0], re.MULTILINE)
        for phrase in re.findall(r"`([^`]+)`", row)
    ]
    assert len(quoted) > 25
    folders = ("classifier", "msroi", "utils", "scripts")
    said = "".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.[ps][yh]"))
    parts = [(each, re.split(r"\.\.\.|\b[A-Z]{2,}\w*\b|\d+(?:x\d+)?", each)) for each in quoted]
    missing = [each for each, pieces in parts for piece in pieces if piece.strip(" ;:,()_.") not in said]
    assert not missing


def test_checksums_of_what_is_shipped() -> None:
    subprocess.run([ROOT / "scripts" / "checksums.sh", "--check"], check=True)


def build(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Build the site with the generator's strict checks."""
    config = ROOT / "mkdocs.yml" if not more else Path(more[0])
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_site_is_whole(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the documents' generator is not installed: pip install '.[docs]'")
    done = build(tmp_path / "site")
    assert done.returncode == 0, done.stderr
    front = (tmp_path / "site" / "index.html").read_text()
    assert 'href="curators.html"' in front
    assert "<title>Q1Net and MSROI</title>" in front
    pages = {path.name for path in (tmp_path / "site").glob("*.html")}
    assert {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")} <= pages
    for page in (tmp_path / "site").rglob("*.html"):
        assert not re.findall(
            r'(?:src|href)="(?:https?:)?//(?!squidfunk)[^"]*\.(?:js|css|woff2?)"', page.read_text()
        ), page


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["[x](nowhere.md)", "[x](results.md#nowhere)", "![a picture](nowhere.png)"])
def test_a_broken_link_ends_the_build(tmp_path: Path, broken: str) -> None:
    pytest.importorskip("material", reason="the documents' generator is not installed: pip install '.[docs]'")
    copied = {"docs", "scripts", "mkdocs.yml"}
    for path in ROOT.iterdir():
        if path.name not in copied:
            (tmp_path / path.name).symlink_to(path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "scripts").mkdir()
    for name_ in ("mkdocs.yml", "scripts/site_pages.py"):
        shutil.copy(ROOT / name_, tmp_path / name_)
    assert build(tmp_path / "site", str(tmp_path / "mkdocs.yml")).returncode == 0
    with (tmp_path / "docs" / "data.md").open("a") as page:
        page.write(f"\n{broken}\n")
    done = build(tmp_path / "site", str(tmp_path / "mkdocs.yml"))
    assert done.returncode != 0
    assert "nowhere" in done.stderr
