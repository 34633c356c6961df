"""Flags that several commands share, each declared once, and the frozen settings that a command's flags make.

Commands call it `flags`: `from q1net_msroi.utils import options as flags`.
"""

import argparse
import dataclasses
from typing import Any, TypeVar

Settings = TypeVar("Settings")


def settings(kind: type[Settings], options: argparse.Namespace, **given: Any) -> Settings:
    """Return the dataclass `kind` whose fields are the flags of the same names, `given` ones first, else defaults."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # any dataclass, no base class
    return kind(**{name: getattr(options, name) for name in names if hasattr(options, name)} | given)


def flag(parser: argparse._ActionsContainer, name: str, default: str | float, what: str, **more: Any) -> None:
    """Add a flag of its default's type; `what` and the default are its help, `more` (choices) goes to argparse."""
    parser.add_argument(name, type=type(default), default=default, help=f"{what} (default: %(default)s)", **more)


def in_path(parser: argparse._ActionsContainer, what: str, required: bool = True, **more: Any) -> None:
    """Add --in_path; `what` says what it names, `more` (a default) goes to argparse."""
    parser.add_argument("--in_path", required=required, help=what, **more)


def out_path(parser: argparse._ActionsContainer, what: str, default: str = "out") -> None:
    """Add --out_path, the folder for `what`."""
    flag(parser, "--out_path", default, f"folder for {what}")


def recursive(parser: argparse._ActionsContainer, what: str = "look into the subfolders too") -> None:
    """Add --recursive."""
    parser.add_argument("--recursive", action="store_true", help=what)


def workers(parser: argparse._ActionsContainer, what: str = "threads") -> None:
    """Add --workers, the number of `what`; `tasks.worker_count` checks it."""
    parser.add_argument("--workers", type=int, help=f"{what} (default: the cores of this machine)")


def scheduler(parser: argparse._ActionsContainer) -> None:
    """Add --scheduler to a command that takes a folder."""
    where = "run a folder on a Dask cluster instead of this machine's cores, e.g. tcp://host:8786; its workers need "
    files = "this project and see the same files at the same paths (requirements-cluster.txt)"
    parser.add_argument("--scheduler", metavar="ADDRESS", help=where + files)


def as_json(parser: argparse._ActionsContainer, what: str = "one JSON object") -> None:
    """Add --json, which prints `what`."""
    parser.add_argument("--json", action="store_true", help=f"print {what}")


def version(parser: argparse._ActionsContainer) -> None:
    """Add --version."""
    parser.add_argument("--version", action="store_true", help="print the version and stop; of every command")


def seed(parser: argparse._ActionsContainer, what: str = "") -> None:
    """Add --seed, a whole number that decides everything random (`what`: of what)."""
    flag(parser, "--seed", 0, what)


def qualities(parser: argparse._ActionsContainer, default: str) -> None:
    """Add --qualities, a list that `parse_qualities` of the evaluation reads."""
    flag(parser, "--qualities", default, "10,20,30 or 5-95:10")
