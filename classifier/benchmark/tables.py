"""The tables of the classifier family, made from its committed results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import CONFIGS
from q1net_msroi.utils import files, results

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
    "kodak_k12_offset": "Kodak, random misaligned crop, `jpeg_paper_k12`",
    "kodak_k12_int8": "Kodak, uncropped, `jpeg_paper_k12`, int8",
    "kodak_lattice": "Kodak, uncropped, `jpeg_lattice`",
    "kodak_lattice_offset": "Kodak, random misaligned crop, `jpeg_lattice`",
    "pristine_val": "validation photographs, uncropped (their errors made the correction)",
}

SCORES = ("MAE", "bias", "exact", "within 1", "within 2", "worst 1 %")


def scores(r: dict[str, Any], emphasis: str = "") -> list[str]:
    """The cells under `SCORES` of what evaluate_cls.py summed up."""
    shares = (results.percent(r[key]) for key in ("exact", "within_1", "within_2"))
    return [f"{emphasis}{r['mae']:.2f}{emphasis}", f"{r['bias']:+.2f}", *shares, f"{r['worst_1_percent']:.1f}"]


def accuracy() -> str:
    """One row a condition that was measured."""
    rows = []
    for name, label in CONDITIONS.items():
        path = f"classifier/results/{name}.json"
        if not (files.REPOSITORY / path).exists():
            continue
        r = results.committed(path)["result"]
        rows.append([label, str(r["predictions"]), results.percent(r["answered"] / r["predictions"]), *scores(r, "**")])
    return results.table(["pictures", "answers", "answered", *SCORES], rows)


def accuracy_commands() -> str:
    """The commands behind the accuracy table."""
    kept = [f"classifier/results/{name}.json" for name in CONDITIONS]
    commands = [results.committed(path)["command"] for path in kept if (files.REPOSITORY / path).exists()]
    return "```sh\n" + "\n".join(commands) + "\n```\n"


def headline() -> str:
    """The sentence with the two figures that matter most."""
    r = results.committed("classifier/results/kodak.json")["result"]
    return (
        f"On the 24 Kodak photographs at all 100 qualities the shipped network is off by **{r['mae']:.2f}** on average "
        f"and within 2 for **{results.percent(r['within_2'])}**; it never saw them.\n"
    )


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


ORIGINAL_LOSSES = {"jpeg_paper": 4.969, "jpeg_paper_k12": 3.885}  # of the paper's weights on their own photographs


def _patch_steps(run: dict[str, Any]) -> int:
    """How many patches a recorded run saw up to the weights that were kept."""
    epochs = run.get("epoch") or run.get("stopped_after_epoch")
    return int(run.get("steps") or epochs * run["steps_per_epoch"]) * int(run["batch_size"])


def _last_run(run: dict[str, Any]) -> str:
    """How the last run was made: by `train_torch.py`, which counts minutes, or by `train.py`, which counts epochs."""
    if "minutes" in run:
        made = f"from {run['fresh_patches'] / 1e6:.0f} million made for it"
        return f"{run['optimizer']}, {run['minutes']:g} minutes on one {run['machine']}, patches drawn {made}"
    return f"epoch {run['epoch']} of {run['epochs']}, {run.get('optimizer', 'adam')}"


def card(comp_type: str) -> str:
    """What is recorded beside the weights of a variant."""
    config = CONFIGS[comp_type]
    kept = weights.read_card(weights.model_folder(config))
    trained, calibration = kept["trained"], kept["calibration"]["float32"]
    earlier = kept.get("earlier_runs", [])
    seen = sum(_patch_steps(run) for run in (trained, *earlier))
    rows = [
        ["parameters", f"{config.parameters:,}"],
        ["input", f"16x16x3 pixels 0..255, {kept['channel_order']}"],
        ["validation loss, all 64 offsets", f"{kept['val_loss']:.3f}"],
        ["the original's, on its own photographs", f"{ORIGINAL_LOSSES[comp_type]:.3f}"],
        ["trained on", f"{trained['data']}: {seen / 1e6:.0f} million patch steps in {1 + len(earlier)} run(s)"],
        ["last run", _last_run(trained)],
        ["started from", str(trained["base_weights"] or "scratch")],
        ["confidence threshold", f"{calibration['threshold']:g}"],
        ["threshold chosen on", f"{calibration['data']} ({calibration['pictures']} pictures)"],
    ]
    return results.table(["", comp_type], rows)


def conditions(*wanted: str) -> str:
    """Estimators in every condition: exact / within 2 / MAE, and how many were answered where not all."""
    kept = results.committed("classifier/results/conditions.json")
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
            cells.append(f"{results.percent(r['exact'])} / {results.percent(r['within_2'])} / {mae}{answered}")
        rows.append([condition, *cells])
    table = results.table(["condition", *(f"`{name}`" for name in names)], rows)
    count = kept["result"][0]["predictions"]
    told = (
        f"\nExact / within 2 / MAE of {count} pictures a row (never compressed: one each; no answer is best) on "
        f"{kept['machine']}, {kept['date']}:\n\n"
    )
    return table + told + f"```sh\n{kept['command']}\n```\n"


def lattice_conditions() -> str:
    """Small crops and second compressions in detail: what the lattice and auto say."""
    kept = results.committed("classifier/results/conditions_lattice.json")
    rows = []
    for r in kept["result"]:
        shares = (r["exact"], r["within_2"], r["tie_set_holds"], r["called_twice"], r.get("both_exact"))
        cells = ["-" if share is None else results.percent(share) for share in shares]
        rows.append([r["condition"], f"`{r['estimator']}`", results.percent(r["answered"] / r["predictions"]), *cells])
        rows[-1] += ["-" if r["mae"] is None else f"{r['mae']:.2f}", f"{r['milliseconds']:.0f}"]
    header = ["condition", "estimator", "answered", "exact", "within 2", "tie set holds the truth", "called twice"]
    count = kept["result"][0]["predictions"]
    told = f"\n{count} pictures a row on {kept['machine']}, {kept['date']}, beside other work:\n\n"
    table = results.table([*header, "both exact", "MAE", "ms"], rows)
    return table + told + f"```sh\n{kept['command']}\n```\n"


def figure4() -> str:
    """The numbers of the four confusion matrices."""
    kept = results.committed("classifier/results/figure4_kodak.json")
    found = [record["result"] for record in kept]
    rows = [[f"`{r['comp_type']}`", f"{r['predictions']:,}", *scores(r)] for r in found]
    return results.table(["estimator", "answers", *SCORES], rows) + f"\nOn {kept[0]['machine']}, {kept[0]['date']}.\n"


def fusion_search() -> str:
    """Patches and fusion rules at their best thresholds, on the validation photographs."""
    kept = results.committed("classifier/results/fusion_search.json")
    rows = [
        [
            r["patches"],
            r["fusion"],
            f"{r['threshold']:g}",
            f"{r['uncorrected_mae']:.2f}",
            f"**{r['mae']:.2f}**" if r["best"] else f"{r['mae']:.2f}",
            results.percent(r["within_2"]),
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
    kept = results.committed("classifier/results/training_comparisons.json")
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
    kept = results.committed("classifier/results/maps.json")
    found = {(r["case"], r["method"]): r for r in kept["result"]}
    rows = [
        [case, *(f"{found[case, method][key]:.3f}" for method in ("lattice", "network") for key in ("auc", "least"))]
        for case in dict.fromkeys(r["case"] for r in kept["result"])
    ]
    header = ["composite", "lattice", "least", "network", "least"]
    return results.table(header, rows) + f"\n```sh\n{kept['command']}\n```\n"


BLOCKS: dict[str, Callable[[], str]] = {
    "headline": headline,
    "accuracy": accuracy,
    "accuracy-commands": accuracy_commands,
    "models": models,
    "conditions": lambda: conditions("jpeg_paper", "jpeg_lattice", "auto"),
    "conditions-others": lambda: conditions("jpeg_paper_k12", "block_corners", "mobilenet_v2", "identify"),
    "lattice-conditions": lattice_conditions,
    "figure4": figure4,
    "fusion-search": fusion_search,
    "quality-maps": quality_maps,
    "training-comparisons": training_comparisons,
    "card-jpeg_paper": lambda: card("jpeg_paper"),
    "card-jpeg_paper_k12": lambda: card("jpeg_paper_k12"),
}
