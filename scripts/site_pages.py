"""A hook of mkdocs: the pages and pictures that documents outside docs/ hold, without a second copy of any.

README.md becomes the first page; what a page links to (`../CONTRIBUTING.md`, `../msroi/results/x.png`) joins the site
under its path in the repository, and links are rewritten to where it lies there.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "LICENSE")
LINK = re.compile(r"(?P<before>\[(?P<text>[^\]]*)\]\()(?P<path>[^)#:\s]+)(?P<after>(?:#[^)]*)?\))")
PICTURES = (".png", ".svg", ".jpg", ".webp")


def outside() -> list[Path]:
    """Return the documents that lie outside docs/, from the repository's root."""
    return [*map(Path, DOCUMENTS), *sorted(path.relative_to(ROOT) for path in ROOT.glob("save/*/README.md"))]


def site_path(path: PurePosixPath) -> PurePosixPath:
    """Return where a file of the repository lies on the site."""
    if path.parts[0] == "docs":
        return path.relative_to("docs")
    return path.with_suffix(".md") if path.name == "LICENSE" else path


def linked(text: str, place: PurePosixPath) -> dict[str, PurePosixPath]:
    """Return what a document at `place` of the repository links to: as written, and from the root."""
    found = {match["path"] for match in LINK.finditer(text)}
    return {path: PurePosixPath(os.path.normpath(place.parent / path)) for path in found}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add documents from outside docs/ and the pictures that any document shows."""
    places = [*outside(), *(path.relative_to(ROOT) for path in ROOT.glob("docs/*.md"))]
    known = {file.src_uri for file in files}

    def add(path: PurePosixPath) -> None:
        name = str(site_path(path))
        if name not in known and (ROOT / path).is_file():
            known.add(name)
            files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))

    for place in places:
        add(PurePosixPath(place))
        for path in linked((ROOT / place).read_text(encoding="utf-8"), PurePosixPath(place)).values():
            if path.suffix in PICTURES:
                add(path)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite a page's links to where files lie on the site; of a link to another file, the text remains."""
    name = page.file.src_uri
    place = next((PurePosixPath(path) for path in outside() if str(site_path(PurePosixPath(path))) == name), None)
    place = place or PurePosixPath("docs") / name
    targets = linked(markdown, place)

    def rewrite(match: re.Match[str]) -> str:
        target = site_path(targets[match["path"]])
        if files.get_file_from_path(str(target)) is None and (ROOT / targets[match["path"]]).exists():
            return match["text"]
        there = os.path.relpath(target, PurePosixPath(name).parent)
        return match["before"] + there + match["after"]

    return LINK.sub(rewrite, markdown)
