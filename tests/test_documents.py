"""Documents say what was measured, and name only what exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "classifier" / "README.md", ROOT / "msroi" / "README.md"]


def test_tables_are_made_from_the_committed_results() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "tables.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_named_exists(document: Path) -> None:
    named = set(re.findall(r"(?:scripts|classifier|msroi)/[\w./]+\.(?:py|sh)", document.read_text()))
    assert named
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_checksums_of_what_is_shipped() -> None:
    subprocess.run([ROOT / "scripts" / "checksums.sh", "--check"], check=True)
