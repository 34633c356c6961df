"""Every command that the documents print is run, and prints what they say. scripts/renew_outputs.py writes it anew."""

import argparse
import importlib
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.printed import commands, inputs
from tests.printed.commands import ROOT, Block

DOCUMENTS = commands.documents()
FAST = {ROOT / "README.md"}
COMMAND = re.compile(r"^\s*(?:\$ )?(?:python3? |q1net-|msroi-|scripts/|(?:classifier|msroi)/\S+\.(?:py|sh)|pip )")


def of_page(document: Path) -> object:
    """A page as a test's parameter; slow unless it is one of the few fast ones."""
    name = str(document.relative_to(ROOT))
    return pytest.param(document, id=name, marks=[] if document in FAST else pytest.mark.slow)


@pytest.mark.parametrize(
    "document", [of_page(page) for page in DOCUMENTS if any(b.runs for b in commands.blocks(page))]
)
@pytest.mark.timeout(3600)  # some pages train networks
def test_commands_print_what_the_page_says(document: Path, tmp_path: Path) -> None:
    programs = commands.make_programs(tmp_path / "programs")
    folder = tmp_path / "here"
    inputs.make(folder, programs, commands.needs_clone(document))
    for block, code, got in commands.perform(document, folder, programs):
        assert code == block.exit_code, f"{block.place}: exit {code}\n{block.code}{got}"
        if block.printed is not None:
            wrong = commands.differences(block.printed, got)
            assert not wrong, "\n".join([f"{block.place}: {block.code}", *wrong])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_command_hides(document: Path) -> None:
    """A command stands in a block that is run, or the page says who tests it or why it cannot be run."""
    for block in commands.blocks(document):
        if block.language not in commands.RUN:
            hidden = [line for line in block.code.splitlines() if COMMAND.match(line)]
            assert not hidden, f"{block.place}: in a block of {block.language or 'no language'}"
        if block.note == "tested by":
            assert (ROOT / block.said).is_file(), f"{block.place}: there is no {block.said}"
    assert not re.search(r"^[ \t]+```(?:sh|python)", document.read_text(encoding="utf-8"), re.MULTILINE)


def command_lines(block: Block) -> list[list[str]]:
    """Return the words of a block's Python commands, the file or module's name first."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    lexer = shlex.shlex(block.code.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("();<>|&"):
            found.append([])
        else:
            found[-1].append(word)
    commands_ = [words[1:] if words[0] == "python3" else words for words in found if words]
    named = [[scripts[words[0]].partition(":")[0], *words[1:]] for words in commands_ if words[0] in scripts]
    return named + [words for words in commands_ if words[0].endswith(".py")]


class AcceptedError(Exception):
    """The flags of a command were understood."""


def understands(name: str, words: list[str]) -> bool:
    """Whether a command takes these words, its `parse_args` stopping it behind that."""
    module = name.removesuffix(".py").replace("/", ".")
    module = module if module.startswith(("scripts.", "q1net_msroi.")) else f"q1net_msroi.{module}"
    if words in (["--help"], ["--version"]):  # answered before the flags are read
        return True
    try:
        importlib.import_module(module).main(words)
    except AcceptedError:
        return True
    except SystemExit:
        return False
    except ModuleNotFoundError as error:
        return error.name == "torch"  # nothing that the tests need
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_flag_printed_is_known(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of what only another test runs."""
    parse = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, *given: Any) -> None:
        parse(parser, *given)
        raise AcceptedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    for block in (block for block in commands.blocks(document) if block.language == "sh"):
        for name, *words in command_lines(block):
            assert understands(name, words), f"{block.place}: {name} {' '.join(words)}"


def test_blocks_and_what_they_print(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n```sh\necho 1\n```\nprints\n```text\n1\n```\n## Two\n<!-- exit: 2 -->\n```sh\nexit 2\n```\n"
        "## Three\n```text\nno output\n```\n<!-- not run: needs a phone -->\n```sh\nadb\n```\n"
    )
    found = commands.blocks(page)
    assert [(b.language, b.printed, b.note, b.runs, b.exit_code) for b in found] == [
        ("sh", "1\n", "", True, 0),
        ("sh", None, "exit", True, 2),
        ("text", None, "", False, 0),
        ("sh", None, "not run", False, 0),
    ]
    ran = [commands.run(block, tmp_path, tmp_path) for block in found[:2]]
    assert ran == [(0, "1\n"), (2, "")]


@pytest.mark.parametrize(
    ("wanted", "got", "alike"),
    [
        ("quality 20.00, in 0.163 seconds", "quality 20.01, in 2 seconds", True),
        ("quality 20.00", "quality 21.00", False),
        ("16,524 bytes", "16,530 bytes", True),
        ("16,524 bytes", "17,524 bytes", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("a\n...", "a\nb\nc", True),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
        ("3 files", "4 files", False),
        ("3 files ... of 5", "3 files in 2 folders of 5", True),
        ("3 files ... of 5", "3 files in 2 folders of 6", False),
    ],
)
def test_what_counts_as_alike(wanted: str, got: str, alike: bool) -> None:
    assert (not commands.differences(wanted, got)) == alike


def test_an_output_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```sh\na\n```\n\n```text\n1\n```\n\n```sh\nb\n```\n\n```text\n1\n```\n")
    second = commands.blocks(page)[1]
    assert second == Block(page, 9, "sh", "b\n", printed="1\n", start=second.start)
    assert commands.renewed(page, {second.place: "2\n"}) == page.read_text()[:-6] + "2\n```\n"
    page.write_text("```sh\na\n```\n\n```text\n...\nfound 3 files\n```\n")
    renewed = commands.renewed(page, {commands.blocks(page)[0].place: "began\nmore\nfound 4 files\n"})
    assert renewed == page.read_text().replace("3", "4")
