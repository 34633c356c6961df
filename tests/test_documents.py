"""Documents say what was measured, and name only what exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from q1net_msroi.classifier.lattice.settings import LATTICE

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


def test_rules_are_stated_with_the_numbers_of_the_settings() -> None:
    text = " ".join((ROOT / "classifier" / "README.md").read_text().split())
    few = f"{LATTICE.drawn_presence:g} nats and {LATTICE.drawn_points} coefficients beyond zero"
    stated = [
        f"do so by {LATTICE.edges_visible:g}, the grid",
        f"{LATTICE.presence_on_edges:g} nats are enough for an answer",
        f"fewer than {LATTICE.drawn_share:.0%} of".replace("%", " %"),
        f"an answer needs {few}, or {LATTICE.drawn_clipped:g} nats where clipped",
        f"a standard deviation above {LATTICE.fit_spread:g} grey levels",
        f"two are believed where they gain {LATTICE.pair_presence:g} nats",
        f"by {LATTICE.period_presence:g} standard errors ({LATTICE.period_beside:g} where the grids share a side)",
    ]
    assert not [words for words in stated if words not in text]


def test_checksums_of_what_is_shipped() -> None:
    subprocess.run([ROOT / "scripts" / "checksums.sh", "--check"], check=True)
