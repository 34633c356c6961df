#!/usr/bin/env python3
"""Run a command that prints JSON and keep what it printed, with the command, the machine and the date.

usage: record.py RESULT.json COMMAND [ARGUMENT ...]

Folders under $Q1NET_DATA are written as such, so that the kept command works elsewhere.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.utils import results
from q1net_msroi.utils.errors import UserError, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and write the record only when the command succeeded."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) < 2:
        raise UserError("usage: record.py RESULT.json COMMAND [ARGUMENT ...]")
    path, command = Path(words[0]), words[1:]
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(f"{shlex.join(command)} ended with {done.returncode}; nothing recorded")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    family = Path(command[0]).parent.name
    made = results.provenance(f"python3 {results.portable(command)}", family)
    results.record(path, made, lines[0] if len(lines) == 1 else lines)
    print(done.stdout, end="")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("record.py", main))
