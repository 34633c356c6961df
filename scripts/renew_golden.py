#!/usr/bin/env python3
"""Recompute the golden results of tests/golden/ and print what changed; --accept keeps them."""

import argparse
import sys
from collections.abc import Sequence

from q1net_msroi.utils import files
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command

sys.path.insert(0, str(files.REPOSITORY))  # the tests are no part of what is installed


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and write what is accepted."""
    from tests.golden import answers

    parser = argparse.ArgumentParser(prog="renew_golden.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--accept", action="store_true", help="write the new results; the printed changes are wanted")
    parser.add_argument("family", nargs="*", help=f"of {', '.join(answers.FAMILIES)} (default: all)")
    options = parser.parse_args(arguments)
    unknown = [family for family in options.family if family not in answers.FAMILIES]
    if unknown:
        raise UserError(f"{unknown[0]} is no family; known are {', '.join(answers.FAMILIES)}")
    count = 0
    for family in options.family or answers.FAMILIES:
        old, new = answers.read(family), answers.compute(family)
        changed = answers.differences(family, old, new)
        count += len(changed)
        for line in changed:
            print(line, flush=True)
        if options.accept and (changed or not old):  # within the tolerances the record stays as it is
            answers.write(family, new)
    if count and not options.accept:
        note(f"renew_golden.py: {count} differences; --accept keeps the new results")
        return EXIT_SOME_FAILED
    note(f"renew_golden.py: {count} differences{', written' if count else ''}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("renew_golden.py", main))
