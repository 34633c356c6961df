#!/usr/bin/env python3
"""Write a standard JPEG of a photograph whose bytes go where its map is bright, beside a plain JPEG to compare with."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from msroi.encoder import combine, folder, levels
from utils import tasks
from utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command, show
from utils.files import output_folder


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser; the originals' flags with one dash and ours with two are the same."""
    rules = "; ".join(f"{rule.number}: {rule.description}" for rule in levels.RULES.values())
    parser = argparse.ArgumentParser(prog="combine_images.py", description=__doc__, allow_abbrev=False)

    def add(group: argparse._ArgumentGroup, name: str, help_text: str, **how: object) -> None:
        group.add_argument(f"-{name}", f"--{name}", help=help_text, **how)  # type: ignore[arg-type]

    one = parser.add_argument_group("one picture")
    add(one, "image", "the picture (default: %(default)s)", default="image.png")
    add(
        one,
        "map",
        "its map, gray, bright where it matters, of the same shape (default: %(default)s)",
        default="output/msroi_map.jpg",
    )

    many = parser.add_argument_group("a folder (-single 0)")
    add(many, "single", "1: one picture; 0: a folder (default: %(default)s)", type=int, choices=(0, 1), default=1)
    add(many, "images", "the pictures; implies -single 0", metavar="DIR")
    add(many, "maps", "map_<file name>.jpg or .png for each, as generate_map.py DIR writes them", metavar="DIR")
    add(
        many,
        "dataset",
        "accepted as in the original; --images and --maps name the folders here (default: %(default)s)",
        default="kodak",
    )
    many.add_argument(
        "--overwrite",
        action="store_true",
        help="do pictures again whose files are newer than picture, map and settings",
    )

    how = parser.add_argument_group("encoding")
    add(
        how,
        "model",
        f"rule from map value to level; level l is JPEG quality 10 (l + 1). {rules} (default: %(default)s)",
        type=int,
        default=3,
    )
    add(
        how,
        "jpeg_compression",
        "the plain JPEG's quality, 1 to 100 (default: %(default)s)",
        type=int,
        default=50,
        metavar="QUALITY",
    )
    add(
        how,
        "threshold_pct",
        "how much larger than the plain JPEG the file may be, in per cent; 0: never larger (default: %(default)g)",
        type=float,
        default=20.0,
        metavar="PERCENT",
    )
    add(
        how,
        "find_best",
        "1: the largest quality within that size; 0: save at qualities 100, 85, 65, 45 (default: %(default)s)",
        type=int,
        choices=(0, 1),
        default=1,
    )
    add(how, "use_convert", "accepted as in the original; no outside program is needed", type=int, default=0)
    how.add_argument("--strip", action="store_true", help="leave EXIF data and colour profile out of both files")

    out = parser.add_argument_group("output")
    add(
        out,
        "output_directory",
        "folder for _original_<name>_<quality>.jpg and _compressed_<name>_.jpg (default: %(default)s)",
        default="output",
        metavar="DIR",
    )
    add(out, "modifier", "with -find_best 0: what the file names begin with (default: nothing)", default="")
    add(
        out,
        "print_metrics",
        "1: print the log line that read_log.py reads: name model png_bytes jpeg_bytes our_bytes jpeg_q our_q | PSNR "
        "SSIM MSSSIM VIFP PSNRHVS PSNRHVSM of the JPEG | the same of ours | (default: %(default)s)",
        type=int,
        choices=(0, 1),
        default=0,
    )
    out.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object for each written file; with -print_metrics 1 with all metrics, PSNR-S too",
    )
    return parser


def _one(
    image: Path, saliency_map: Path, output: Path, settings: combine.Settings, options: argparse.Namespace
) -> None:
    """Encode one picture and print what is asked for."""
    outcome = combine.combine(image, saliency_map, output, settings)
    for notice in outcome.notices:
        note(f"{show(image)}: {notice}")
    from msroi.encoder import report

    measured = report.measure(outcome) if options.print_metrics else None
    if options.json:
        lines = [json.dumps(record) for record in report.records(outcome, measured)]
    elif measured:
        lines = report.log_lines(outcome, measured)
        for sentence in report.sentences(outcome):
            note(sentence)
    else:
        lines = report.sentences(outcome)
    print("\n".join(lines), flush=True)


def _folder(output: Path, settings: combine.Settings, options: argparse.Namespace) -> int:
    """Encode a folder of pictures; one bad file does not stop the rest."""
    jobs = folder.plan(options.images, options.maps, output, settings, options.overwrite)
    failed = 0
    for job in tasks.progress(jobs, unit="picture"):
        try:
            if job.finished:
                continue
            if job.map is None:
                name = f"map_{show(job.image.name)}.jpg or .png"
                raise UserError(f"{show(job.image)} has no map: {name} is not in {show(options.maps)}")
            _one(job.image, job.map, output, settings, options)
        except UserError as error:
            failed += 1
            note(f"combine_images.py: {error}")
    finished = sum(job.finished for job in jobs)
    if finished:
        note(f"{finished} of {len(jobs)} pictures were finished before; --overwrite does them again")
    if failed:
        note(f"combine_images.py: {failed} of {len(jobs)} pictures failed, the rest is done")
    return EXIT_SOME_FAILED if failed else EXIT_OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    settings = combine.Settings(
        model=options.model,
        jpeg_compression=options.jpeg_compression,
        threshold_pct=options.threshold_pct,
        find_best=bool(options.find_best),
        modifier=options.modifier,
        strip=options.strip,
    )
    several = options.single == 0 or options.images is not None
    if several and (options.images is None or options.maps is None):
        raise UserError(
            "a folder needs --images DIR and --maps DIR; scripts/encode_folder.sh makes the maps on the way"
        )
    if options.use_convert:
        note("-use_convert: no outside program is needed, pictures are encoded in memory")
    output = output_folder(options.output_directory)
    if several:
        return _folder(output, settings, options)
    _one(Path(options.image), Path(options.map), output, settings, options)
    return EXIT_OK


def command() -> int:
    """Run as a console script."""
    return run_command("combine_images.py", main)


if __name__ == "__main__":
    sys.exit(command())
