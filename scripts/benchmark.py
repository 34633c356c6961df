#!/usr/bin/env python3
"""Measure the suite on this machine: medians of repeated runs, as a table and as JSON."""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from q1net_msroi.classifier.estimators.lattice import LatticeEstimator
from q1net_msroi.classifier.estimators.network import NetworkEstimator
from q1net_msroi.classifier.estimators.options import Asked
from q1net_msroi.classifier.q1net import mosaic
from q1net_msroi.classifier.q1net.configs import get_config
from q1net_msroi.classifier.q1net.patches import to_channel_order
from q1net_msroi.utils import files, images, jpeg, results
from q1net_msroi.utils.errors import run_command

SAMPLES = files.REPOSITORY / "sample_image"
COFFEE = SAMPLES / "coffee_jpeg_q20.png"
CONFIG = get_config("jpeg_paper")
RULES = 6  # the models that choose levels by a rule


def median(function: Callable[[], Any], runs: int, warm: int = 1) -> float:
    """Return the median seconds of `runs` calls after `warm` uncounted ones."""
    times = []
    for number in range(warm + runs):
        started = time.perf_counter()
        function()
        if number >= warm:
            times.append(time.perf_counter() - started)
    return float(np.median(times))


def command(*arguments: str) -> tuple[float, float, float, str]:
    """Run a command as a whole process; return its seconds, CPU seconds, largest MiB and what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(files.REPOSITORY)}
    started = time.perf_counter()
    call = [sys.executable, *arguments]
    with tempfile.TemporaryFile("w+") as printed:
        with subprocess.Popen(call, cwd=files.REPOSITORY, env=environment, stdout=printed) as process:
            _, status, usage = os.wait4(process.pid, 0)
            seconds, process.returncode = time.perf_counter() - started, os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, call)
        printed.seek(0)
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, printed.read()


def costs(what: str, runs: int, *arguments: str, pictures: int = 0) -> Iterator[tuple[str, float, str]]:
    """Yield what a command costs as a whole process, or for each of its pictures: medians after an uncounted run."""
    found = np.array([command(*arguments)[:3] for _ in range(1 + runs)][1:])
    seconds, cpu = np.median(found[:, :2], axis=0) / max(pictures, 1)
    yield what, float(seconds), "s"
    yield "the same, on all its cores", float(cpu), "CPU s"
    if not pictures:
        yield "the same, largest memory", float(found[:, 2].max()), "MiB"


def mosaic_photograph(width: int, height: int, pixels: NDArray[np.uint8] | None = None) -> Image.Image:
    """Return a photograph and its mirror images side by side: as large as asked, as detailed as a camera's.

    `pixels` (height, width, 3) uint8 RGB; None: a sample that was a JPEG before.
    """
    pixels = images.read_rgb(COFFEE).pixels if pixels is None else pixels
    beyond = ((0, max(0, height - pixels.shape[0])), (0, max(0, width - pixels.shape[1])), (0, 0))
    return Image.fromarray(np.pad(pixels, beyond, "symmetric")[:height, :width])


def cold_start(runs: int) -> Iterator[tuple[str, float, str]]:
    """Whole process, from typing to answer."""
    call = partial(command, "classifier/predict_cls.py", "--in_path", str(COFFEE))
    yield "predict_cls.py, one 600x400 PNG, whole process", median(call, runs), "s"
    yield "the same, --comp_type auto", median(partial(call, "--comp_type", "auto"), runs), "s"


def lattice(runs: int) -> Iterator[tuple[str, float, str]]:
    """One warm answer of jpeg_lattice on a photograph compressed once."""
    # Made larger, the sample has no grid of its own.
    cat = Image.open(SAMPLES / "chelsea.png").convert("RGB").resize((768, 512), Image.Resampling.LANCZOS)
    small, large = (mosaic_photograph(*size, np.asarray(cat)) for size in ((768, 512), (4032, 3024)))
    estimator = LatticeEstimator()
    for what, picture, cut in (
        ("768x512, uncropped", small, slice(0, None)),
        ("768x512, first 3 rows and columns cut off", small, slice(3, None)),
        ("4032x3024, uncropped", large, slice(0, None)),
    ):
        pixels = np.ascontiguousarray(jpeg.compress(np.asarray(picture), 75)[cut, cut])
        yield f"jpeg_lattice, {what}", median(partial(estimator.estimate, pixels), 2 * runs) * 1e3, "ms"


def warm_estimate(runs: int) -> Iterator[tuple[str, float, str]]:
    """One estimate with a loaded model."""
    pixels = images.read_rgb(COFFEE).pixels
    for backend, threads in itertools.product(("float32", "int8"), (1, 2)):
        estimator = NetworkEstimator(Asked(CONFIG.comp_type, backend=backend, threads=threads))
        seconds = median(partial(estimator.estimate, pixels), 5 * runs, 3)
        yield f"one estimate, 256 patches, {backend}, {threads} thread(s)", seconds * 1e3, "ms"


def folder_throughput(runs: int) -> Iterator[tuple[str, float, str]]:
    """Many pictures in one process."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(40):
            (Path(folder) / f"{number:02d}.png").symlink_to(COFFEE)
        seconds = median(lambda: command("classifier/predict_cls.py", "--in_path", folder), runs, 0)
    yield "predict_cls.py, folder of 40 PNGs 600x400", 40 / seconds, "pictures/s"


def generation(runs: int) -> Iterator[tuple[str, float, str]]:
    """gen_data with all 64 perturbations, as a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ("--in_path", str(SAMPLES), "--out_path", folder, "--hdf5_name", "b.hdf5", "--num_samples", "120")
        found = [command("classifier/gen_data.py", *flags) for _ in range(1 + runs)]
    size = int(found[-1][3].split()[-2].replace(",", ""))
    seconds = float(np.median([each[0] for each in found[1:]]))
    yield "gen_data.py, 64 perturbations, whole process", size / seconds, "patches/s"


def training_rate(runs: int) -> Iterator[tuple[str, float, str]]:
    """Training steps of 256 patches: bare on data in memory, from HDF5, from photographs; taken in turn."""
    from q1net_msroi.classifier.q1net.architecture import build
    from q1net_msroi.classifier.q1net.dataset import FileSource, PatchFile
    from q1net_msroi.classifier.q1net.generation import Plan, Request, generate
    from q1net_msroi.classifier.q1net.photographs import PatchSource, load_photographs
    from q1net_msroi.classifier.q1net.training import CHANNEL_ORDER, Source, loss, patch_signature
    from q1net_msroi.utils.training import keras, make_step, pipeline, tf

    batch, steps = 256, 40

    def dataset(source: Source, epoch: int, start: int, stop: int) -> Any:
        made = ((to_channel_order(x, CHANNEL_ORDER), y) for x, y in source.batches(epoch, start, stop))
        return pipeline(lambda: made, patch_signature(batch), 8)

    model = build(CONFIG.width)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    step = make_step(tf.distribute.get_strategy(), model, optimizer, loss)
    found = images.find_images(SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b.hdf5"
        generate(Plan(Request("jpeg_paper", 8), tuple(found)), path)
        sources: dict[str, Source] = {
            "HDF5": FileSource(PatchFile(path), batch),
            "photographs": PatchSource(load_photographs(found), batch),
        }
        in_memory = [next(iter(dataset(sources["HDF5"], 0, 0, 1)))] * steps

        def rate(batches: Iterable[Any]) -> float:
            started = time.perf_counter()
            for arrays in batches:
                float(step(*arrays))
            return batch * steps / (time.perf_counter() - started)

        def fed(source: Source, epoch: int) -> float:
            # The first batches fill the pipeline; what counts is the rate it can hold.
            data = iter(dataset(source, epoch, 0, steps + 3))
            rate(itertools.islice(data, 3))
            return rate(data)

        rate(in_memory)
        rounds = [(rate(in_memory), *(fed(each, number) for each in sources.values())) for number in range(runs)]
    bare, *others = np.array(rounds).T
    yield "training, bare step on data in memory", float(np.median(bare)), "patches/s"
    for name, rates in zip(sources, others, strict=True):
        yield f"training from {name}", float(np.median(rates)), "patches/s"
        yield f"training from {name}, of the bare step's rate", float(np.median(rates / bare)), "ratio"


def evaluation_rate(runs: int) -> Iterator[tuple[str, float, str]]:
    """evaluate_cls on pictures of DIV2K's size, 100 qualities."""
    pixels = images.read_rgb(COFFEE).pixels
    large = np.asarray(Image.fromarray(pixels).resize((2040, 1356), Image.Resampling.BICUBIC))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in").mkdir()
        for number in range(2):
            Image.fromarray(large).save(Path(folder) / "in" / f"{number}.png")
        call = ["classifier/evaluate_cls.py", "--in_path", f"{folder}/in", "--out_path", f"{folder}/out"]
        seconds = median(lambda: command(*call), max(1, runs // 2), 0) / 2
    yield "evaluate_cls.py, 2040x1356, 100 qualities, a picture", seconds, "s"
    yield "evaluate_cls.py, predictions", 100 / seconds, "predictions/s"
    seconds = median(partial(mosaic.picture_mosaic(large).compressed_patches, 75), 10)
    yield "compressing the windows of one 2040x1356 picture", seconds * 1e3, "ms"


def maps(runs: int) -> Iterator[tuple[str, float, str]]:
    """generate_map on one picture and on a folder."""
    count, program = 20, "msroi/generate_map.py"
    with tempfile.TemporaryDirectory() as folder:
        picture, output = Path(folder) / "photo.png", ("--output_directory", f"{folder}/out")
        mosaic_photograph(768, 512).save(picture)
        yield from costs("generate_map.py, one 768x512 PNG, whole process", runs, program, str(picture), *output)
        (Path(folder) / "in").mkdir()
        for number in range(count):
            (Path(folder) / "in" / f"{number:02d}.png").symlink_to(picture)
        call, what = (program, f"{folder}/in", *output, "--overwrite"), f"generate_map.py, folder of {count}, a picture"
        yield from costs(what, max(1, runs // 2), *call, pictures=count)


def combine(runs: int, model: int, width: int, height: int) -> Iterator[tuple[str, float, str]]:
    """combine_images on a JPEG (rule 3) or a PNG (model 7), with a ready map."""
    name = "photo.jpg" if model <= RULES else "photo.png"
    with tempfile.TemporaryDirectory() as folder:
        mosaic_photograph(width, height).save(f"{folder}/{name}", quality=95, compress_level=1)
        command("msroi/generate_map.py", f"{folder}/{name}", "--output_directory", folder)
        call = ("-image", f"{folder}/{name}", "-map", f"{folder}/msroi_map.jpg", "-output_directory", folder)
        what = f"combine_images.py, {width}x{height}, {'rule' if model <= RULES else 'model'} {model}, whole process"
        yield from costs(what, runs, "msroi/combine_images.py", *call, "-model", str(model))


def semantic_jpeg(runs: int) -> Iterator[tuple[str, float, str]]:
    """Rule 3 on a 12-megapixel photograph."""
    yield from combine(max(1, runs // 2), 3, 4032, 3024)


def model_7(runs: int) -> Iterator[tuple[str, float, str]]:
    """Model 7 with its search for size and strength."""
    yield from combine(runs, 7, 768, 512)
    yield from combine(max(1, runs // 2), 7, 4032, 3024)


# Memory is measured first: a new process begins with the largest that this one had, and TensorFlow makes it large.
PARTS = {part.__name__: part for part in (maps, semantic_jpeg, model_7, cold_start, warm_estimate, lattice)}
PARTS |= {"folder": folder_throughput, "gen_data": generation, "training": training_rate, "evaluation": evaluation_rate}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen parts and print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="benchmark.py", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="default: all")
    parser.add_argument("--runs", type=int, default=5, help="counted runs (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", help="also write the JSON to this file")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for part in (name for name in PARTS if name in options.parts):
        for what, value, unit in PARTS[part](options.runs):
            rows.append({"what": what, "value": float(f"{value:.4g}"), "unit": unit})
            if not options.json:
                print(f"{what:58s} {rows[-1]['value']:>12,g} {unit}", flush=True)
    record = {
        **results.provenance(results.command_line("scripts/benchmark.py", arguments), "classifier", "msroi"),
        "runs": options.runs,
        "largest_child_mib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "measurements": rows,
    }
    if options.json:
        print(json.dumps(record))
    if options.out:
        files.output_folder(Path(options.out).parent)
        files.write_json(options.out, record)
    return 0


if __name__ == "__main__":
    sys.exit(run_command("benchmark.py", main))
