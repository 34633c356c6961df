#!/usr/bin/env python3
"""Average the metrics that combine_images.py -print_metrics 1 printed, and draw what each picture gained or lost."""

import argparse
import functools
import json
import sys
from collections.abc import Sequence

from q1net_msroi.msroi.encoder import log
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.utils import options as flags
from q1net_msroi.utils.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, note, run_command
from q1net_msroi.utils.files import output_folder


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    known = (metric for metric in suite.METRICS.values() if not metric.on_request)
    epilog = "metrics: " + "; ".join(f"{metric.label}: {metric.explanation}" for metric in known)
    parser = argparse.ArgumentParser(prog="read_log.py", description=__doc__, epilog=epilog, allow_abbrev=False)
    add = parser.add_argument
    add("log", help="the log: lines of -print_metrics 1, also the originals', or of --json")
    written = "folder for plot_<dataset>_<metric>.png, _summary.png, log_<dataset>.csv (default: %(default)s)"
    add("--output_directory", "-output_directory", default="output", metavar="DIR", help=written)
    add("--dataset", "-dataset", default="kodak", help="what the files are named after (default: %(default)s)")
    add("--no_plots", action="store_true", help="averages and CSV only")
    flags.as_json(parser, "one JSON object for each model and JPEG quality")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    if "/" in options.dataset or "\0" in options.dataset:
        raise UserError("--dataset is a part of file names; folders go to --output_directory")
    rows, notices = log.read_log(options.log)
    for notice in notices:
        note(f"read_log.py: {notice}")
    folder = output_folder(options.output_directory)
    for index, group in enumerate(log.groups(rows).values()):
        table = "\n" * (index > 0) + "\n".join(log.table(group))
        print(json.dumps(log.record(group)) if options.json else table, flush=True)
    log.write_csv(rows, folder / f"log_{options.dataset}.csv")
    if not options.no_plots:
        from q1net_msroi.msroi.encoder import log_plots

        for metric in log.metrics_of(rows):
            log_plots.plot_metric(rows, metric, folder / f"plot_{options.dataset}_{metric.key}.png")
        log_plots.plot_summary(rows, folder / f"plot_{options.dataset}_summary.png")
    return EXIT_SOME_FAILED if notices else EXIT_OK


command = functools.partial(run_command, "read_log.py", main)  # the console script

if __name__ == "__main__":
    sys.exit(command())
