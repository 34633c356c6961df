#!/usr/bin/env python3
"""Write a standard JPEG of a photograph whose bytes go where its map is bright, beside a plain JPEG to compare with."""

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from q1net_msroi.msroi.encoder import combine, folder, levels
from q1net_msroi.msroi.encoder.options import (
    MODEL_7,
    RATE_DISTORTION,
    SUBSAMPLINGS,
    EncodingOptions,
    parse_quality,
    parse_size,
)
from q1net_msroi.msroi.encoder.rate_distortion import SizeImpossibleError
from q1net_msroi.msroi.encoder.settings import SETTINGS
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.utils import options as flags
from q1net_msroi.utils import tasks
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command, show
from q1net_msroi.utils.files import output_folder

OUTPUT, MAP = "output", "output/msroi_map.jpg"


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser; the originals' flags with one dash and ours with two are the same."""
    parser = argparse.ArgumentParser(prog="combine_images.py", description=__doc__, allow_abbrev=False)
    _add_pictures(parser)
    _add_encoding(parser.add_argument_group("encoding"))
    _add_model_7(parser)
    _add_output(parser.add_argument_group("output"))
    return parser


def _add(group: argparse._ArgumentGroup, name: str, what: str, default: Any = None, **more: Any) -> None:
    """Add a flag that may be given with one dash or two; its type is that of its default."""
    said = what if default in (None, "") else f"{what} (default: %(default)s)"
    kind = str if default is None else type(default)
    group.add_argument(f"-{name}", f"--{name}", type=kind, default=default, help=said, **more)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    one = parser.add_argument_group("one picture")
    _add(one, "image", "the picture", "image.png")
    _add(one, "map", "its map, gray, bright where it matters, of the same shape", MAP)
    many = parser.add_argument_group("a folder (-single 0)")
    _add(many, "single", "1: one picture; 0: a folder", 1, choices=(0, 1))
    _add(many, "images", "the pictures; implies -single 0", metavar="DIR")
    made = "map_<file name>.jpg or .png for each, as generate_map.py DIR writes them"
    away = "without it they are made on the way, and the only file written of photo.png is photo.jpg"
    _add(many, "maps", f"{made}; {away}", metavar="DIR")
    _add(many, "dataset", "accepted as in the original; --images and --maps name the folders here", "kodak")
    many.add_argument("--overwrite", action="store_true", help="do pictures again that are finished and unchanged")
    flags.recursive(many, "the subfolders too, to the same subfolders")
    flags.workers(many)
    flags.scheduler(many)
    each = "a --source_quality for each: what predict_cls.py --in_path DIR --json printed, DIR as for --images"
    many.add_argument("--source_qualities", metavar="FILE", help=each)


def _add_encoding(group: argparse._ArgumentGroup) -> None:
    rules = "; ".join(f"{rule.number}: {rule.description}" for rule in levels.RULES.values())
    levelled = f"rule from map value to level; level l is JPEG quality 10 (l + 1). {rules}"
    steered = f"{RATE_DISTORTION}: no rule but a rate-distortion encoder that the map steers"
    most = f"{levelled}. {steered} (default: 3; of a folder without --maps {RATE_DISTORTION})"
    group.add_argument("-model", "--model", type=int, help=most)
    plain = EncodingOptions.jpeg_compression
    _add(group, "jpeg_compression", "the plain JPEG's quality, 1 to 100", plain, metavar="QUALITY")
    larger = "how much larger than the plain JPEG the file may be, in per cent; 0: never larger"
    _add(group, "threshold_pct", larger, 20.0, metavar="PERCENT")
    best = "1: the largest quality within that size; 0: save at qualities 100, 85, 65, 45"
    _add(group, "find_best", best, 1, choices=(0, 1))
    _add(group, "use_convert", "accepted as in the original; no outside program is needed", 0)
    group.add_argument("--strip", action="store_true", help="leave EXIF data and colour profile out of both files")


def _add_model_7(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the rate-distortion encoder."""
    add = parser.add_argument_group(
        f"-model {RATE_DISTORTION}",
        "a file of the size asked for, never larger; -jpeg_compression is another name of --target_quality here, "
        "-threshold_pct has no effect and -find_best 0 is refused",
        argument_default=argparse.SUPPRESS,  # what is not given is not there, so that the level rules can refuse it
    ).add_argument
    size = "largest file in bytes: 120kB, 1.5MB, 64KiB, 120000 (1 kB = 1000 bytes)"
    add("--target_size", metavar="SIZE", type=parse_size, help=size)
    quality = "as many bytes as the plain JPEG (optimised, progressive) of this quality, 1 to 100 (default: 50)"
    add("--target_quality", metavar="QUALITY", type=int, help=quality)
    limit = f"by PSNR-HVS-M; 1: both may fall {-SETTINGS.deepest_change:g} dB under plain JPEG (default: 0.5)"
    half = f"0.5: for the region half of what the whole gains over plain JPEG, never under that {limit}"
    add("--strength", metavar="0..1", type=float, help=f"0: no preference, simply a good encoder; {half}")
    dark = "PSNR-HVS-M where the map is dark: at least plain JPEG's of this quality, 1 to 100 (default: no limit)"
    add("--min_background_quality", metavar="QUALITY", type=int, help=dark)
    been = "the JPEG quality that the picture has been through: no bytes are spent above it"
    auto = "auto: as a JPEG's own header says; for others predict_cls.py finds the number (default: auto)"
    add("--source_quality", metavar="auto|QUALITY", type=parse_quality, help=f"{been}. {auto}")
    was = (
        "the JPEG that the picture was, kept where its bytes suffice; of a folder the folder that recover_jpeg.py wrote"
    )
    add("--recovered", metavar="FILE|DIR", help=was)
    chroma = "chroma halved in both directions, or not, or what costs less at this size (default: 4:2:0)"
    add("--subsampling", choices=SUBSAMPLINGS, help=chroma)


def _add_output(group: argparse._ArgumentGroup) -> None:
    names = "_original_<name>_<quality>.jpg and _compressed_<name>_.jpg"
    _add(group, "output_directory", f"folder for {names} (default: {OUTPUT})", metavar="DIR")
    _add(group, "modifier", "with -find_best 0: what the file names begin with (default: nothing)", "")
    columns = "name model png_bytes jpeg_bytes our_bytes jpeg_q our_q"
    metrics = " ".join(suite.LOG_LINE).upper()
    line = f"1: print the log line that read_log.py reads: {columns} | {metrics} of the JPEG | the same of ours |"
    _add(group, "print_metrics", line, 0, choices=(0, 1))
    page = "write a page that compares both files, all in one HTML file; for a folder: the folder for a page each"
    group.add_argument("--report", metavar="FILE", help=page)
    flags.as_json(group, "one JSON object for each written file; with -print_metrics 1 with all metrics, PSNR-S too")


def _encoding(options: argparse.Namespace) -> EncodingOptions:
    """Return what the flags ask of the encoder; those of model 7 are refused with the level rules."""
    given = [name for name in (*sorted(MODEL_7), "target_quality") if hasattr(options, name)]
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
    if options.print_metrics and not options.json:
        for sentence in encoded.sentences:
            note(sentence)
    lines = encoded.log if options.print_metrics else encoded.sentences
    print("\n".join(map(json.dumps, encoded.records) if options.json else lines), flush=True)


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
    before, after = folder.sizes(work)
    if not request.maps and before:
        share, change = abs(100 * (1 - after / before)), "smaller" if after <= before else "larger"
        note(f"{share:.0f} % {change} than your files: {after:,} bytes instead of {before:,}")
    return work.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    several = options.single == 0 or options.images is not None
    if several and options.images is None:
        raise UserError("a folder needs --images DIR")
    if options.model is None:
        options.model = RATE_DISTORTION if several and options.maps is None else EncodingOptions.model
    encoding = _encoding(options)
    if several and options.maps is None and not encoding.find_best:
        raise UserError("-find_best 0 writes four files of a picture, which cannot have its name; give --maps DIR")
    tasks.worker_count(options.workers)
    if options.use_convert:
        note("-use_convert: no outside program is needed, pictures are encoded in memory")
    output = output_folder(options.output_directory or OUTPUT)
    page, measured = Path(options.report) if options.report else None, bool(options.print_metrics)
    if several:
        maps = None if options.maps is None else Path(options.maps)
        pictures, qualities = Path(options.images), _source_qualities(options)
        beside_maps = options.output_directory is None  # generate_map.py's default folder is the same
        request = folder.Request(
            pictures, maps, output, encoding, options.recursive, measured, page, qualities, beside_maps
        )
        return _folder(request, options)
    image, saliency = Path(options.image), Path(options.map)
    if options.map == MAP:  # nobody looked which one lies there
        combine.refuse_strange_map(image, saliency)
    job = folder.Job(image, saliency, output, encoding, page, metrics=measured)
    try:
        made = folder.encode(job)
        _say(image, made, options)
        for path in combine.leftovers(made.outputs[0], image):
            note(f"{show(path)} is left from an earlier run")
    except SizeImpossibleError as error:
        note(f"combine_images.py: {error}")
        return EXIT_SOME_FAILED
    return EXIT_OK


command = functools.partial(run_command, "combine_images.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
