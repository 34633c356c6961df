#!/usr/bin/env python3
"""Run a command that prints JSON and keep what it printed, with what made it: command, code, weights, codecs, machine.

Folders under $Q1NET_DATA are written as such, so that the kept command works elsewhere.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from q1net_msroi.classifier.lattice.settings import LATTICE
from q1net_msroi.msroi.encoder.settings import SETTINGS as ENCODER
from q1net_msroi.utils import files, results
from q1net_msroi.utils.errors import UserError, run_command
from q1net_msroi.utils.settings import fingerprint

MODELS = {"classifier": "jpeg_paper", "msroi": "mobilenet_v2"}  # a family's folder of save/ where no other is named


SETTINGS: dict[str, dict[str, Any]] = {"classifier": {"lattice": LATTICE}, "msroi": {"encoder": ENCODER}}


def weights(command: Sequence[str]) -> list[Path]:
    """Return the files of the models that a command asks."""
    family = Path(command[0]).parent.name
    named = [word for word in command if word in {path.name for path in (files.REPOSITORY / "save").iterdir()}]
    folder = files.REPOSITORY / "save" / (named[0] if named else MODELS[family])
    heads = [Path(word) for word in command if word.endswith(".npz") and Path(word).is_file()]
    return [*sorted(folder.glob("*.tflite")), *heads]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and write the record only when the command succeeded."""
    parser = argparse.ArgumentParser(prog="record.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--once", action="store_true", help="not where RESULT is of this command, code and weights")
    parser.add_argument("result", type=Path, help="JSON file to write")
    parser.add_argument("command", help="Python file of a family, from the repository's root")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    options = parser.parse_args(arguments)
    words = [options.command, *options.arguments]
    family = Path(options.command).parent.name
    if family not in MODELS:
        raise UserError(f"{options.command} is no command of a family: classifier/NAME.py or msroi/NAME.py")
    used = {name: fingerprint(settings) for name, settings in SETTINGS[family].items()}
    made = results.provenance(f"python3 {results.portable(words)}", family, settings=used, weights=weights(words))
    if options.once and options.result.exists():
        kept = files.read_json(options.result)
        if all(kept.get(key) == made[key] for key in ("command", "code", "codecs", "weights")):
            return 0
    done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(f"{shlex.join(words)} ended with {done.returncode}; nothing recorded")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    results.record(options.result, made, lines[0] if len(lines) == 1 else lines)
    print(done.stdout, end="")
    return 0


if __name__ == "__main__":
    sys.exit(run_command("record.py", main))
