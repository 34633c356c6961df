"""The tables of the MSROI family, made from its committed results."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from typing import Any

from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.msroi.encoder.settings import SETTINGS
from q1net_msroi.utils import files, results

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
    kept = results.committed("msroi/results/kodak_rule3.json")
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
        for method, s in results.committed(f"msroi/results/maps_{name}.json")["result"]["scores"].items()
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
            results.committed(f"msroi/results/maps_{name}{record}.json")["result"]["scores"][rule]
            for name in ("things", "fixations")
        )
        cells = [things["auc"], things["max_f_dataset"], things["pointing"], gaze["auc_judd"], gaze["nss"]]
        rows.append([label, *(f"{cell['mean']:.3f}" for cell in cells)])
    header = ["map", "pixel AUC", "maximum F", "pointing game", "AUC-Judd (gaze)", "NSS (gaze)"]
    return results.table(header, rows)


def msroi_caltech() -> str:
    """The trained head: after its last epoch, as it is shipped, and at its best epoch."""
    kept = results.committed("msroi/results/caltech101.json")
    with (files.REPOSITORY / "msroi/results/caltech101_history.csv").open(newline="", encoding="utf-8") as handle:
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


def encoder_rows(record: str, area: str, quality: int) -> list[dict[str, Any]]:
    """The rows of a record of record_encoder.py: means over one group of photographs at one size."""
    found = results.committed(f"msroi/results/{record}.json")["result"]["areas"][area]["summary"]
    return [row for row in found if row["quality"] == quality]


def encoder_source(record: str, pictures: int) -> str:
    """On what, when and how a record of record_encoder.py was made."""
    kept = results.committed(f"msroi/results/{record}.json")
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
    for ending, ramp in {"wide": comparison.RAMPS["wide"], "": SETTINGS, **comparison.RAMPS}.items():
        right, wrong = (f"{name}_{ending}" if ending else name for name in ("ours", "shuffled"))
        right = right if ending else "ours_50"
        gains = [found[name]["change"]["inside"] for name in (right, wrong)]
        cells = [*(signed("inside", gain) for gain in gains), f"{gains[1] / gains[0]:.0%}"]
        cells += [signed(key, row[right]["change"][key]) for row in (found, others) for key in ("ssim", "psnrhvsm")]
        cells.append(signed("psnrs", others[right]["change"]["psnrs"]))
        rows.append([f"{ramp.ramp_low:g} to {ramp.ramp_high:g}" + ("" if ending else " (default)"), *cells])
    header = ["ramp, in the map's mean", "inside", "with another map", "share", "SSIM", "PSNR-HVS-M"]
    return results.table([*header, "Kodak: SSIM", "PSNR-HVS-M", "PSNR-S"], rows)


def encoder_rates(record: str, area: str) -> str:
    """Bjontegaard's rates of a record with several qualities: more or fewer bytes than plain JPEG needs."""
    rates = results.committed(f"msroi/results/{record}.json")["result"]["areas"][area]["bd_rate"]
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
    some = results.committed(f"msroi/results/{record}.json")["result"]["areas"][area]["summary"]
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
    "msroi-kodak": msroi_kodak,
    "msroi-things": lambda: msroi_maps("things", THINGS),
    "msroi-fixations": lambda: msroi_maps("fixations", FIXATIONS),
    "msroi-parts": msroi_parts,
    "msroi-caltech": msroi_caltech,
    "encoder-things": lambda: encoders("encoder_things", "5-35 %", 50),
    "encoder-things-75": lambda: encoders("encoder_things", "5-35 %", 75),
    "encoder-maps": lambda: encoders("encoder_things_maps", "all", 50),
    "encoder-ramps": lambda: encoder_ramps("encoder_things_maps", "encoder_kodak", 50),
    "encoder-kodak": lambda: encoders("encoder_kodak", "all", 50, tuple(METRICS)),
    "encoder-mozjpeg": lambda: against_mozjpeg("encoder_things", "5-35 %", (50, 75)),
    "encoder-large": lambda: encoders("encoder_things", "35-70 %", 50),
    "encoder-rates": lambda: encoder_rates("encoder_things_rates", "all"),
}
