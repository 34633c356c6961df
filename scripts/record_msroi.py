#!/usr/bin/env python3
"""Write the Kodak table of the MSROI paper beside our numbers as JSON, from logs of combine_images.py --json."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from q1net_msroi.msroi.encoder import log
from q1net_msroi.utils import files, results
from q1net_msroi.utils.errors import EXIT_OK, UserError, note, run_command, show

# Prakash et al., arXiv 1612.08712, Kodak at equal size: plain JPEG, theirs.
PAPER = {
    "psnrs": (33.91, 39.16),
    "psnr": (34.70, 34.82),
    "ssim": (0.969, 0.969),
    "msssim": (0.991, 0.991),
    "vifp": (0.626, 0.629),
    "psnrhvs": (34.92, 35.05),
    "psnrhvsm": (42.19, 42.33),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="record_msroi.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("log", help="log of the files that meet the size")
    parser.add_argument("mixture_log", help="log of the mixtures saved at quality 100")
    parser.add_argument("result", help="JSON file to write")
    options = parser.parse_args(arguments)
    sides = []
    for path in (options.log, options.mixture_log):
        rows, notices = log.read_log(path)
        if notices or len(log.groups(rows)) != 1:
            raise UserError(f"{show(path)} is not the log of one model at one quality; make it again")
        sides.append((log.record(rows), rows))
    (averages, rows), (mixture, _) = sides
    paper = {key: {"jpeg": plain, "ours": theirs} for key, (plain, theirs) in PAPER.items()}
    kept = ("jpeg_bytes", "our_bytes", "our_quality", "jpeg", "ours")
    pictures = [{"file": Path(row.file).name, **{key: getattr(row, key) for key in kept}} for row in rows]
    command = results.command_line("scripts/record_msroi.py", arguments)
    record = results.provenance(command, "msroi") | {
        "what": "Kodak, rule 3, at most 1 % larger than plain JPEG of quality 50, metrics on BT.601 studio-range luma",
        "averages": averages,
        "mixture_at_quality_100": mixture,
        "paper": paper,
        "pictures": pictures,
    }
    files.output_folder(Path(options.result).parent)
    files.write_json(options.result, record)
    note(f"written: {show(options.result)}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("record_msroi.py", main))
