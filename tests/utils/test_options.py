"""Shared flags: declared once, and built into settings by name."""

import argparse
from dataclasses import dataclass

import pytest

from q1net_msroi.utils import options


@dataclass(frozen=True)
class Wanted:
    in_path: str
    workers: int | None = None
    seed: int = 7
    threads: int = 1


def test_settings_are_made_of_flags_by_name() -> None:
    parser = argparse.ArgumentParser()
    options.in_path(parser, "a picture")
    options.workers(parser)
    given = parser.parse_args(["--in_path", "a.png", "--workers", "3"])
    assert options.settings(Wanted, given, threads=2) == Wanted("a.png", 3, seed=7, threads=2)
    assert options.settings(Wanted, given, workers=None).workers is None, "what is given counts more than the flag"
    given.other = "not a field"
    assert options.settings(Wanted, given).threads == 1


def test_every_flag_has_its_name_and_default() -> None:
    parser = argparse.ArgumentParser()
    options.in_path(parser, "pictures", required=False, default=".")
    options.out_path(parser, "tables", "output")
    options.seed(parser, "of the split")
    options.qualities(parser, "5-95:10")
    for add in (options.recursive, options.workers, options.scheduler, options.as_json):
        add(parser)
    defaults = {"in_path": ".", "out_path": "output", "seed": 0, "qualities": "5-95:10", "recursive": False,
                "workers": None, "scheduler": None, "json": False}  # fmt: skip
    assert vars(parser.parse_args([])) == defaults
    text = " ".join(parser.format_help().split())
    for part in ("folder for tables (default: output)", "of the split (default: 0)", "default: the cores"):
        assert part in text


def test_in_path_is_required_unless_said(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    options.in_path(parser, "a picture")
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "--in_path" in capsys.readouterr().err
