#!/usr/bin/env python3
"""Write a standard JPEG of a photograph whose bytes go where its map is bright, beside a plain JPEG to compare with."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from q1net_msroi.msroi.encoder import folder, levels
from q1net_msroi.msroi.encoder.options import RATE_DISTORTION, EncodingOptions, parse_quality, parse_size
from q1net_msroi.msroi.encoder.rate_distortion import SizeImpossibleError
from q1net_msroi.msroi.encoder.settings import SETTINGS
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.utils import options as flags
from q1net_msroi.utils import tasks
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command, show
from q1net_msroi.utils.files import output_folder

OUTPUT = "output"


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
        "--overwrite", action="store_true", help="do pictures again that are finished and have not changed"
    )
    many.add_argument("--recursive", action="store_true", help="the subfolders too, to the same subfolders")
    many.add_argument("--workers", type=int, help="threads (default: the cores of this machine)")
    flags.scheduler(many)
    many.add_argument(
        "--source_qualities",
        metavar="FILE",
        help="a --source_quality for each: what predict_cls.py --in_path DIR --json printed, DIR as for --images",
    )

    how = parser.add_argument_group("encoding")
    add(
        how,
        "model",
        f"rule from map value to level; level l is JPEG quality 10 (l + 1). {rules}. {RATE_DISTORTION}: no "
        "rule but a rate-distortion encoder that the map steers (default: %(default)s)",
        type=int,
        default=3,
    )
    add(
        how,
        "jpeg_compression",
        "the plain JPEG's quality, 1 to 100 (default: %(default)s)",
        type=int,
        default=EncodingOptions.jpeg_compression,
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
    _add_model_7(parser)
    how.add_argument("--strip", action="store_true", help="leave EXIF data and colour profile out of both files")

    out = parser.add_argument_group("output")
    add(
        out,
        "output_directory",
        f"folder for _original_<name>_<quality>.jpg and _compressed_<name>_.jpg (default: {OUTPUT})",
        metavar="DIR",
    )
    add(out, "modifier", "with -find_best 0: what the file names begin with (default: nothing)", default="")
    add(
        out,
        "print_metrics",
        "1: print the log line that read_log.py reads: name model png_bytes jpeg_bytes our_bytes jpeg_q our_q | "
        f"{' '.join(suite.LOG_LINE).upper()} of the JPEG | the same of ours | (default: %(default)s)",
        type=int,
        choices=(0, 1),
        default=0,
    )
    out.add_argument(
        "--report",
        metavar="FILE",
        help="write a page that compares both files, all in one HTML file; for a folder: the folder for a page each",
    )
    out.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object for each written file; with -print_metrics 1 with all metrics, PSNR-S too",
    )
    return parser


def _add_model_7(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the rate-distortion encoder."""
    group = parser.add_argument_group(
        f"-model {RATE_DISTORTION}",
        "a file of the size asked for, never larger; -jpeg_compression is another name of --target_quality here, "
        "-threshold_pct has no effect and -find_best 0 is refused",
        argument_default=argparse.SUPPRESS,  # what is not given is not there, so that the level rules can refuse it
    )

    def add(name: str, metavar: str, kind: Callable[[str], object], help_text: str) -> None:
        group.add_argument(f"--{name}", metavar=metavar, type=kind, help=help_text)

    add("target_size", "SIZE", parse_size, "largest file in bytes: 120kB, 1.5MB, 64KiB, 120000 (1 kB = 1000 bytes)")
    quality = "plain JPEG (optimised, progressive) of this quality, 1 to 100"
    add("target_quality", "QUALITY", int, f"as many bytes as the {quality} (default: 50)")
    limit = f"PSNR-HVS and PSNR-HVS-M; 1: that may fall by {-SETTINGS.deepest_change:g} dB (default: 0.5)"
    half = "0.5: all for the region that leaves the whole picture as good as plain JPEG by"
    add("strength", "0..1", float, f"0: no preference, simply a good encoder; {half} {limit}")
    dark = "what the map leaves dark looks at least like plain JPEG of this quality, 1 to 100 (default: no limit)"
    add("min_background_quality", "QUALITY", int, dark)
    auto = (
        "auto: as its own header says, where it is a JPEG; for others predict_cls.py finds the number (default: auto)"
    )
    been = f"the JPEG quality that the picture has been through: no bytes are spent above it. {auto}"
    add("source_quality", "auto|QUALITY", parse_quality, been)
    group.add_argument(
        "--subsampling", choices=("4:2:0", "4:4:4"), help="chroma halved in both directions, or not (default: 4:2:0)"
    )


MODEL_7 = ("target_size", "target_quality", "strength", "min_background_quality", "source_quality", "subsampling")


def _encoding(options: argparse.Namespace) -> EncodingOptions:
    """Return what the flags ask of the encoder; those of model 7 are refused with the level rules."""
    given = [name for name in MODEL_7 if hasattr(options, name)]
    if given and options.model != RATE_DISTORTION:
        raise UserError(f"--{given[0]} is for -model {RATE_DISTORTION} only; add that or leave it out")
    if {"target_size", "target_quality"} <= set(given):
        raise UserError("--target_size and --target_quality exclude each other; give one")
    quality = getattr(options, "target_quality", options.jpeg_compression)
    return flags.settings(EncodingOptions, options, jpeg_compression=quality, find_best=bool(options.find_best))


def _say(image: Path, encoded: folder.Encoded, options: argparse.Namespace) -> None:
    """Print what is asked for about an encoded picture."""
    for notice in encoded.notices:
        note(f"{show(image)}: {notice}")
    if options.json:
        lines = [json.dumps(record) for record in encoded.records]
    elif options.print_metrics:
        lines = encoded.log
        for sentence in encoded.sentences:
            note(sentence)
    else:
        lines = encoded.sentences
    print("\n".join(lines), flush=True)


def _source_qualities(options: argparse.Namespace) -> dict[str, int]:
    """Return each picture's source quality as far as known."""
    if options.source_qualities is None:
        return {}
    if options.model != RATE_DISTORTION:
        raise UserError(f"--source_qualities is for -model {RATE_DISTORTION} only; add that or leave it out")
    return folder.read_qualities(Path(options.source_qualities), Path(options.images))


def _folder(request: folder.Request, options: argparse.Namespace) -> int:
    """Encode a folder of pictures; one bad file does not stop the rest."""
    work = folder.start(request, options.workers, options.scheduler, options.overwrite)
    for job, outcome in folder.run(request, work):
        if isinstance(outcome, folder.Encoded):
            _say(job.image, outcome, options)
    return work.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    encoding = _encoding(options)
    several = options.single == 0 or options.images is not None
    if several and (options.images is None or options.maps is None):
        raise UserError(
            "a folder needs --images DIR and --maps DIR; scripts/encode_folder.sh makes the maps on the way"
        )
    tasks.worker_count(options.workers)
    if options.use_convert:
        note("-use_convert: no outside program is needed, pictures are encoded in memory")
    output = output_folder(options.output_directory or OUTPUT)
    page = Path(options.report) if options.report else None
    if several:
        request = folder.Request(
            Path(options.images),
            Path(options.maps),
            output,
            encoding,
            options.recursive,
            bool(options.print_metrics),
            page,
            _source_qualities(options),
            beside_maps=options.output_directory is None,  # generate_map.py's default folder is the same
        )
        return _folder(request, options)
    measured = bool(options.print_metrics)
    job = folder.Job(Path(options.image), Path(options.map), output, encoding, page, metrics=measured)
    try:
        _say(job.image, folder.encode(job), options)
    except SizeImpossibleError as error:
        note(f"combine_images.py: {error}")
        return EXIT_SOME_FAILED
    return EXIT_OK


def command() -> int:
    """Run as a console script."""
    return run_command("combine_images.py", main)


if __name__ == "__main__":
    sys.exit(command())
