#!/usr/bin/env python3
"""Run the commands that the documents print and show what they print otherwise; --accept writes it there."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command

sys.path.insert(0, str(files.REPOSITORY))  # the tests are no part of what is installed


def renew(document: Path, accept: bool) -> int:
    """Run one page; print and perhaps write what differs; return how many blocks do."""
    from tests.printed import commands, inputs

    outputs: dict[str, str] = {}
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "here"
        programs = commands.make_programs(Path(name) / "programs")
        inputs.make(folder, programs, commands.needs_clone(document))
        for block, code, got in commands.perform(document, folder, programs):
            note(f"{block.place}: {block.code.splitlines()[0]}")
            if code != block.exit_code:
                print(f"{block.place}: exit {code} in place of {block.exit_code}\n{block.code}{got}", flush=True)
                failed += 1
            elif block.printed is not None and (wrong := commands.differences(block.printed, got)):
                print("\n".join([block.place, *wrong]), flush=True)
                outputs[block.place] = got
    if accept and outputs:
        files.write_text(document, commands.renewed(document, outputs))
    return failed if accept else failed + len(outputs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, compare, and write what is accepted."""
    from tests.printed import commands

    parser = argparse.ArgumentParser(prog="renew_outputs.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--accept", action="store_true", help="write the new outputs; the changes shown are wanted")
    parser.add_argument("document", nargs="*", type=Path, help="pages (default: all)")
    options = parser.parse_args(arguments)
    known = commands.documents()
    pages = [path.resolve() for path in options.document] or known
    if unknown := [path for path in pages if path not in known]:
        raise UserError(
            f"{unknown[0]} is no page; known are {', '.join(str(p.relative_to(commands.ROOT)) for p in known)}"
        )
    left = sum(renew(page, options.accept) for page in pages)
    note(f"renew_outputs.py: {left} blocks fail or print something else")
    return EXIT_SOME_FAILED if left else EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("renew_outputs.py", main))
