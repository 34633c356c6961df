#!/usr/bin/env python3
"""Make the tables in the documents anew from the committed results; --check only says whether they are up to date."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from classifier.q1net import weights
from classifier.q1net.configs import CONFIGS
from msroi.encoder import comparison
from msroi.encoder.scene import RAMP
from utils import files, results
from utils.errors import note, run_command

ROOT = files.REPOSITORY
CONDITIONS = {
    "kodak": "Kodak, uncropped",
    "kodak_uncorrected": "Kodak, uncropped, `--uncorrected`",
    "kodak_offset": "Kodak, random misaligned crop",
    "kodak_5_95": "Kodak, qualities 5, 15 .. 95",
    "kodak_3_5": "the same, cropped by (3, 5)",
    "kodak_int8": "Kodak, uncropped, int8",
    "kodak_weighted": "Kodak, uncropped, `--fusion weighted_median`",
    "kodak_weighted_offset": "Kodak, random misaligned crop, the same",
    "kodak_k12": "Kodak, uncropped, `jpeg_paper_k12`",
    "kodak_lattice": "Kodak, uncropped, `jpeg_lattice`",
    "kodak_lattice_offset": "Kodak, random misaligned crop, `jpeg_lattice`",
    "pristine_val": "validation photographs, uncropped (their errors made the correction)",
}


def load(path: str) -> dict[str, Any]:
    """Return a committed record."""
    return files.read_json(ROOT / path)


SCORES = ("MAE", "bias", "exact", "within 1", "within 2", "worst 1 %")


def scores(r: dict[str, Any], emphasis: str = "") -> list[str]:
    """The cells under `SCORES` of what evaluate_cls.py summed up."""
    shares = (f"{r[key]:.1%}" for key in ("exact", "within_1", "within_2"))
    return [f"{emphasis}{r['mae']:.2f}{emphasis}", f"{r['bias']:+.2f}", *shares, f"{r['worst_1_percent']:.1f}"]


def accuracy() -> str:
    """One row a condition that was measured."""
    rows = []
    for name, label in CONDITIONS.items():
        path = f"classifier/results/{name}.json"
        if not (ROOT / path).exists():
            continue
        r = load(path)["result"]
        rows.append([label, str(r["predictions"]), f"{r['answered'] / r['predictions']:.1%}", *scores(r, "**")])
    return results.table(["pictures", "answers", "answered", *SCORES], rows)


def accuracy_commands() -> str:
    """The commands behind the accuracy table."""
    kept = [f"classifier/results/{name}.json" for name in CONDITIONS]
    commands = [load(path)["command"] for path in kept if (ROOT / path).exists()]
    return "```sh\n" + "\n".join(commands) + "\n```\n"


def headline() -> str:
    """The sentence with the two figures that matter most."""
    r = load("classifier/results/kodak.json")["result"]
    return (
        f"On the 24 Kodak photographs at all 100 qualities the shipped network is off by **{r['mae']:.2f}** on average "
        f"and within 2 for **{r['within_2']:.1%}**; it never saw them.\n"
    )


def benchmark(family: str) -> str:
    """The table of scripts/benchmark.py."""
    kept = load(f"{family}/results/benchmark.json")
    rows = [[m["what"], f"{m['value']:,g}", m["unit"]] for m in kept["measurements"]]
    return results.table(["what", "median", "unit"], rows) + f"\nOn {kept['machine']}, {kept['date']}.\n"


def models() -> str:
    """The `.tflite` files with their comparison to the Keras model."""
    rows = []
    for comp_type, config in CONFIGS.items():
        for name, entry in weights.read_card(weights.model_folder(config)).get("tflite", {}).items():
            c = entry["comparison"]
            rows.append(
                [
                    f"`save/{comp_type}/{name}`",
                    c["kind"],
                    f"{c['bytes']:,}",
                    f"{c['largest_patch_difference']:.4f}",
                    f"{c['mean_picture_difference']:.4f}",
                    f"{c['milliseconds_per_batch_1_thread']:.1f} / {c['milliseconds_per_batch_2_threads']:.1f}",
                ]
            )
    header = [
        "file",
        "kind",
        "bytes",
        "largest difference at a patch",
        "mean at a picture",
        "ms a batch, 1 / 2 threads",
    ]
    return results.table(header, rows)


def card(comp_type: str) -> str:
    """What is recorded beside the weights of a variant."""
    config = CONFIGS[comp_type]
    kept = weights.read_card(weights.model_folder(config))
    trained, calibration = kept["trained"], kept["calibration"]["float32"]
    rows = [
        ["parameters", f"{config.parameters:,}"],
        ["input", f"16x16x3 pixels 0..255, {kept['channel_order']}"],
        ["validation loss, all 64 offsets", f"{kept['val_loss']:.3f}"],
        [
            "trained on",
            f"{trained['data']}, {trained['epoch']} of {trained['epochs']} epochs of "
            f"{trained['steps_per_epoch']} steps of {trained['batch_size']} patches",
        ],
        ["started from", str(trained["base_weights"] or "scratch")],
        ["confidence threshold", f"{calibration['threshold']:g}"],
        ["threshold chosen on", f"{calibration['data']} ({calibration['pictures']} pictures)"],
    ]
    return results.table(["", comp_type], rows)


def output(*names: str) -> str:
    """Kept commands with what they printed."""
    texts = [(ROOT / "classifier" / "results" / f"{name}.txt").read_text(encoding="utf-8") for name in names]
    return "```text\n" + "".join(texts) + "```\n"


METRICS = {
    "psnrs": "PSNR-S",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "msssim": "MS-SSIM",
    "vifp": "VIFP",
    "psnrhvs": "PSNR-HVS",
    "psnrhvsm": "PSNR-HVS-M",
}


def msroi_kodak() -> str:
    """The paper's Kodak table with our numbers beside."""
    kept = load("msroi/results/kodak_rule3.json")
    ours, mixture, paper = kept["averages"], kept["mixture_at_quality_100"], kept["paper"]
    rows = [["bytes", "", "", *(f"{n:,.0f}" for n in (ours["jpeg_bytes"], ours["our_bytes"], mixture["our_bytes"]))]]
    for name, label in METRICS.items():
        digits = 3 if ours["metrics"][name]["jpeg"] < 1 else 2
        values = [
            paper[name]["jpeg"],
            paper[name]["ours"],
            ours["metrics"][name]["jpeg"],
            ours["metrics"][name]["ours"],
            mixture["metrics"][name]["ours"],
        ]
        rows.append([label, *(f"{value:.{digits}f}" for value in values)])
    header = ["mean of 24", "paper: JPEG", "paper: theirs", "plain JPEG", "ours, same size", "the mixture before that"]
    return results.table(header, rows)


def msroi_maps(name: str, labels: dict[str, str]) -> str:
    """The scores of the map rules and baselines, mean and 95 % interval."""
    rows = [
        [method, *(f"{s[key]['mean']:.3f} [{s[key]['low']:.3f}, {s[key]['high']:.3f}]" for key in labels)]
        for method, s in load(f"msroi/results/maps_{name}.json")["result"]["scores"].items()
    ]
    return results.table(["map", *labels.values()], rows)


# What is scored, the record it is in, its name there.
MAP_PARTS = (
    ("centre prior, no network", "", "centre prior"),
    ("released rule, Caltech-101 head trained here", "_head", "topk"),
    ("paper's rule, Caltech-101 head trained here", "_head", "threshold"),
    ("released rule, ImageNet's classes, centre square as in the original", "_crop", "topk"),
    ("released rule, ImageNet's classes, whole picture", "", "topk"),
    ("paper's rule, ImageNet's classes, whole picture", "", "threshold"),
    ("energy, one scale: 448", "_scale1", "energy"),
    ("energy, three scales: 192, 448, 768", "_scale3", "energy"),
    ("**energy, four scales, two of them turned (default)**", "", "energy"),
)


def msroi_parts() -> str:
    """What the class matrix, the rule and the scales bring, on both sets of photographs."""
    rows = []
    for label, record, rule in MAP_PARTS:
        things, gaze = (
            load(f"msroi/results/maps_{name}{record}.json")["result"]["scores"][rule]
            for name in ("things", "fixations")
        )
        cells = [things["auc"], things["max_f_dataset"], things["pointing"], gaze["auc_judd"], gaze["nss"]]
        rows.append([label, *(f"{cell['mean']:.3f}" for cell in cells)])
    header = ["map", "pixel AUC", "maximum F", "pointing game", "AUC-Judd (gaze)", "NSS (gaze)"]
    return results.table(header, rows)


def msroi_caltech() -> str:
    """The trained head: after its last epoch, as it is shipped, and at its best epoch."""
    kept = load("msroi/results/caltech101.json")
    with (ROOT / "msroi/results/caltech101_history.csv").open(newline="", encoding="utf-8") as handle:
        epochs = list(csv.DictReader(handle))
    shipped = kept["result"]
    best = max(epochs, key=lambda row: float(row["top_1"]))
    rows = [
        [label, f"{float(row['top_1']):.1%}", f"{float(row['top_k']):.1%}", f"{float(row[loss]):.3f}"]
        for label, row, loss in (
            ("**as shipped**: last epoch, kernels as int8", shipped, "loss"),
            (f"last epoch ({epochs[-1]['epoch']})", epochs[-1], "val_loss"),
            (f"best epoch ({best['epoch']}; chosen on the test split, so too good)", best, "val_loss"),
        )
    ]
    seconds = sum(float(row["seconds"]) for row in epochs)
    told = (
        f"\n{shipped['classes']} classes, {shipped['train']:,} pictures to train on, {shipped['test']} to test on; "
        f"{len(epochs)} epochs in {seconds:.0f} s on {kept['machine']}, features not counted. "
        "Made by `scripts/train_caltech101.sh`; the first row:\n\n"
    )
    table = results.table(["head", "top 1", f"top {shipped['k']}", "loss"], rows)
    return table + told + f"```sh\n{kept['command']}\n```\n"


def conditions(*wanted: str) -> str:
    """Estimators in every condition: exact / within 2 / MAE, and how many were answered where not all."""
    kept = load("classifier/results/conditions.json")
    measured = dict.fromkeys(row["estimator"] for row in kept["result"])
    names = [name for name in wanted if name in measured]
    rows = []
    for condition in dict.fromkeys(row["condition"] for row in kept["result"]):
        cells = []
        for name in names:
            r = next(x for x in kept["result"] if (x["condition"], x["estimator"]) == (condition, name))
            mae = "-" if r["mae"] is None else f"{r['mae']:.2f}"
            share = r["answered"] / r["predictions"]
            answered = "" if share == 1 else f" ({share:.0%} answered)"
            cells.append(f"{r['exact']:.1%} / {r['within_2']:.1%} / {mae}{answered}")
        rows.append([condition, *cells])
    table = results.table(["condition", *(f"`{name}`" for name in names)], rows)
    count = kept["result"][0]["predictions"]
    told = (
        f"\nExact / within 2 / MAE of {count} pictures a row (never compressed: one each; no answer is best) on "
        f"{kept['machine']}, {kept['date']}:\n\n"
    )
    return table + told + f"```sh\n{kept['command']}\n```\n"


def figure4() -> str:
    """The numbers of the four confusion matrices."""
    kept = files.read_json(ROOT / "classifier" / "results" / "figure4_kodak.json")
    found = [record["result"] for record in kept]
    rows = [[f"`{r['comp_type']}`", f"{r['predictions']:,}", *scores(r)] for r in found]
    return results.table(["estimator", "answers", *SCORES], rows) + f"\nOn {kept[0]['machine']}, {kept[0]['date']}.\n"


def fusion_search() -> str:
    """Patches and fusion rules at their best thresholds, on the validation photographs."""
    kept = load("classifier/results/fusion_search.json")
    rows = [
        [
            r["patches"],
            r["fusion"],
            f"{r['threshold']:g}",
            f"{r['uncorrected_mae']:.2f}",
            f"**{r['mae']:.2f}**" if r["best"] else f"{r['mae']:.2f}",
            f"{r['within_2']:.1%}",
            f"{r['coverage']['whole']:.1%}",
            f"{r['coverage']['crops']:.1%}",
        ]
        for r in kept["result"]
    ]
    intervals = ("intervals that hold: whole pictures", "crops")
    header = ["patches", "fusion", "best threshold", "MAE uncorrected", "MAE", "within 2", *intervals]
    return results.table(header, rows) + f"\n```sh\n{kept['command']}\n```\n"


def training_comparisons() -> str:
    """Short trainings that differ in one thing each: losses, and how much better or worse than the reference."""
    kept = load("classifier/results/training_comparisons.json")
    reference = kept["result"][0]
    rows = [
        [
            r["name"],
            *(f"{r[key]:.2f} ({r[key] - reference[key]:+.2f})" for key in ("loss", "aligned_loss")),
            *(f"{r[key]:.2f}" for key in ("mae", "aligned_mae")),
        ]
        for r in kept["result"]
    ]
    header = ["one thing changed", "loss, all offsets", "loss, on the grid", "MAE, all offsets", "MAE, on the grid"]
    told = f"\n{reference['patch_steps']:,} patch steps each, on {kept['machine']}, {kept['date']}:\n\n"
    return results.table(header, rows) + told + f"```sh\n{kept['command']}\n```\n"


def quality_maps() -> str:
    """How well a pasted part stands out in the maps of predict_cls.py --map."""
    kept = load("classifier/results/maps.json")
    found = {(r["case"], r["method"]): r for r in kept["result"]}
    rows = [
        [case, *(f"{found[case, method][key]:.3f}" for method in ("lattice", "network") for key in ("auc", "least"))]
        for case in dict.fromkeys(r["case"] for r in kept["result"])
    ]
    header = ["composite", "lattice", "least", "network", "least"]
    return results.table(header, rows) + f"\n```sh\n{kept['command']}\n```\n"


def encoder_rows(record: str, area: str, quality: int) -> list[dict[str, Any]]:
    """The rows of a record of record_encoder.py: means over one group of photographs at one size."""
    found = load(f"msroi/results/{record}.json")["result"]["areas"][area]["summary"]
    return [row for row in found if row["quality"] == quality]


def encoder_source(record: str, pictures: int) -> str:
    """On what, when and how a record of record_encoder.py was made."""
    kept = load(f"msroi/results/{record}.json")
    told = f"\nMeans of {pictures} photographs on {kept['machine']}, {kept['date']}:\n\n"
    return told + f"```sh\n{kept['command']}\n```\n"


def signed(key: str, value: float) -> str:
    """A change of a metric, with as many digits as it deserves."""
    return f"{value:+.{4 if key in ('ssim', 'msssim', 'vifp') else 2}f}"


ENCODER_METRICS = ("psnr", "psnrs", "ssim", "psnrhvsm")


def encoders(record: str, area: str, quality: int, metrics: Sequence[str] = ENCODER_METRICS) -> str:
    """Encoders on the same bytes: changes against plain JPEG."""
    found = encoder_rows(record, area, quality)
    keys = {"inside": "inside the masks"} | {key: METRICS[key] for key in metrics} | {"ssimulacra2": "SSIMULACRA 2"}
    keys = {key: label for key, label in keys.items() if found[0].get(key) is not None}
    rows = []
    for row in found:
        cells = [f"{row['size_ratio']:.3f}", *(signed(key, row["change"][key]) for key in keys)]
        if "inside" in keys:
            cells.append("" if row["encoder"] == comparison.REFERENCE else f"{row['inside_better']:.0%}")
        label = comparison.TITLES.get(row["encoder"], row["encoder"])
        rows.append([label, *cells, f"{row['worst_psnrhvsm']:+.2f}", f"{row['seconds']:.2f}"])
    better = ["inside better in"] if "inside" in keys else []
    header = ["encoder", "bytes", *keys.values(), *better, "worst PSNR-HVS-M", "s"]
    return results.table(header, rows) + encoder_source(record, found[0]["pictures"])


def against_mozjpeg(record: str, area: str, qualities: Sequence[int]) -> str:
    """Model 7 against mozjpeg at its defaults on the same bytes and photographs."""
    keys = {"inside": "inside the masks", "psnr": "PSNR", "psnrs": "PSNR-S", "ssim": "SSIM", "psnrhvsm": "PSNR-HVS-M"}
    rows = []
    for quality in qualities:
        found = {row["encoder"]: row for row in encoder_rows(record, area, quality)}
        for name in ("flat", "ours_25", "ours_50", "ours_75"):
            differences = {key: found[name][key] - found["mozjpeg"][key] for key in keys}
            cells = [signed(key, value) for key, value in differences.items()]
            rows.append([str(quality), comparison.TITLES[name], *cells])
    return results.table(["bytes of quality", "encoder", *keys.values()], rows)


def encoder_ramps(things: str, kodak: str, quality: int) -> str:
    """What the ramp from map to weight decides: gains with the right map and with another picture's."""
    found, others = ({row["encoder"]: row for row in encoder_rows(name, "all", quality)} for name in (things, kodak))
    rows = []
    for ending, ramp in {"wide": comparison.RAMPS["wide"], "": RAMP, **comparison.RAMPS}.items():
        right, wrong = (f"{name}_{ending}" if ending else name for name in ("ours", "shuffled"))
        right = right if ending else "ours_50"
        gains = [found[name]["change"]["inside"] for name in (right, wrong)]
        cells = [*(signed("inside", gain) for gain in gains), f"{gains[1] / gains[0]:.0%}"]
        cells += [signed(key, row[right]["change"][key]) for row in (found, others) for key in ("ssim", "psnrhvsm")]
        cells.append(signed("psnrs", others[right]["change"]["psnrs"]))
        rows.append([f"{ramp.low:g} to {ramp.high:g}" + ("" if ending else " (default)"), *cells])
    header = ["ramp, in the map's mean", "inside", "with another map", "share", "SSIM", "PSNR-HVS-M"]
    return results.table([*header, "Kodak: SSIM", "PSNR-HVS-M", "PSNR-S"], rows)


def encoder_rates(record: str, area: str) -> str:
    """Bjontegaard's rates of a record with several qualities: more or fewer bytes than plain JPEG needs."""
    rates = load(f"msroi/results/{record}.json")["result"]["areas"][area]["bd_rate"]
    labels = {"inside": "inside the masks"} | METRICS | {"ssimulacra2": "SSIMULACRA 2"}
    keys = [key for key in labels if rates[comparison.REFERENCE].get(key) is not None]
    rows = [
        [
            comparison.TITLES.get(name, name),
            *("-" if own[key] is None else f"{own[key]:+.1f} %" for key in keys),
        ]
        for name, own in rates.items()
        if name != comparison.REFERENCE
    ]
    some = load(f"msroi/results/{record}.json")["result"]["areas"][area]["summary"]
    table = results.table(["encoder", *(labels[key] for key in keys)], rows)
    return table + encoder_source(record, some[0]["pictures"])


THINGS = {
    "auc": "pixel AUC",
    "max_f_dataset": "maximum F",
    "max_f": "maximum F, each picture's own",
    "mae": "MAE",
    "pointing": "pointing game",
}
FIXATIONS = {"auc_judd": "AUC-Judd", "nss": "NSS", "cc": "CC"}

BLOCKS: dict[str, Callable[[], str]] = {
    "headline": headline,
    "accuracy": accuracy,
    "accuracy-commands": accuracy_commands,
    "benchmark": lambda: benchmark("classifier"),
    "msroi-benchmark": lambda: benchmark("msroi"),
    "demo": lambda: output("demo"),
    "predict": lambda: output("predict", "predict_json"),
    "models": models,
    "msroi-kodak": msroi_kodak,
    "msroi-things": lambda: msroi_maps("things", THINGS),
    "msroi-fixations": lambda: msroi_maps("fixations", FIXATIONS),
    "msroi-parts": msroi_parts,
    "msroi-caltech": msroi_caltech,
    "conditions": lambda: conditions("jpeg_paper", "jpeg_lattice", "auto"),
    "conditions-others": lambda: conditions("jpeg_paper_k12", "block_corners", "mobilenet_v2", "identify"),
    "figure4": figure4,
    "fusion-search": fusion_search,
    "quality-maps": quality_maps,
    "training-comparisons": training_comparisons,
    "auto": lambda: output("auto"),
    "encoder-things": lambda: encoders("encoder_things", "5-35 %", 50),
    "encoder-things-75": lambda: encoders("encoder_things", "5-35 %", 75),
    "encoder-maps": lambda: encoders("encoder_things_maps", "all", 50),
    "encoder-ramps": lambda: encoder_ramps("encoder_things_maps", "encoder_kodak", 50),
    "encoder-kodak": lambda: encoders("encoder_kodak", "all", 50, tuple(METRICS)),
    "encoder-mozjpeg": lambda: against_mozjpeg("encoder_things", "5-35 %", (50, 75)),
    "encoder-large": lambda: encoders("encoder_things", "35-70 %", 50),
    "encoder-rates": lambda: encoder_rates("encoder_things_rates", "all"),
    "card-jpeg_paper": lambda: card("jpeg_paper"),
    "card-jpeg_paper_k12": lambda: card("jpeg_paper_k12"),
}


def documents() -> list[Path]:
    """Return the documents that show results."""
    return [
        ROOT / "README.md",
        ROOT / "classifier" / "README.md",
        ROOT / "msroi" / "README.md",
        *sorted((ROOT / "save").glob("*/README.md")),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents, or only compare."""
    parser = argparse.ArgumentParser(prog="tables.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when a document is out of date; write nothing")
    options = parser.parse_args(arguments)
    stale = []
    for path in documents():
        text = results.fill(path, BLOCKS)
        if text != path.read_text(encoding="utf-8"):
            stale.append(path)
            if not options.check:
                files.write_text(path, text)
    for path in stale:
        note(f"{path.relative_to(ROOT)} {'is out of date; run scripts/tables.py' if options.check else 'was renewed'}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(run_command("tables.py", main))
