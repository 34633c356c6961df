#!/usr/bin/env python3
"""Make the tables in the documents anew from the committed results; --check only says whether they are up to date.

tables.toml beside this file describes the tables; here is what makes their rows.
"""

import argparse
import csv
import re
import string
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from q1net_msroi.classifier.q1net import weights
from q1net_msroi.classifier.q1net.configs import CONFIGS
from q1net_msroi.msroi.benchmark import comparison
from q1net_msroi.msroi.encoder.settings import SETTINGS
from q1net_msroi.msroi.metrics import suite
from q1net_msroi.utils import files, results
from q1net_msroi.utils.errors import UserError, note, run_command, show

ROOT = files.REPOSITORY
BLOCK = re.compile(r"(<!-- results: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Row = Mapping[str, Any]
Rows = list[dict[str, Any]]


def kept(name: str) -> Any:
    """Return a committed record, FAMILY/NAME."""
    family, _, record = name.partition("/")
    return files.read_json(ROOT / family / "results" / f"{record}.json")


class Cells(string.Formatter):
    """Format cells; what has no value is `-`, and some formats have names."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return a value by its path; None where it is not there."""
        try:
            return super().get_field(field_name, args, kwargs)
        except (KeyError, TypeError):
            return None, field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a value as text: `share` as per cent, `mean` with its 95 % interval, ` %` behind a number."""
        if value is None:
            return "-"
        if format_spec == "share":
            return results.percent(value)
        if format_spec == "answered":
            return "" if value == 1 else f" ({value:.0%} answered)"
        if format_spec == "mean":
            return "{mean:.3f} [{low:.3f}, {high:.3f}]".format(**value)
        plain = format_spec.removesuffix(" %")
        return format(value, plain) + format_spec[len(plain) :]


def said(template: str, values: Row) -> str:
    """Return a format string filled in."""
    return Cells().vformat(template, (), values)


def table(columns: Iterable[str], rows: Iterable[Row], more: Row) -> str:
    """Return a Markdown table of `header = cell` columns over rows; `more` is known to the headers too."""
    headers, cells = zip(*(column.split(" = ", 1) for column in columns), strict=True)
    lines = [[said(each, more) for each in headers], ["---"] * len(headers)]
    lines += [[said(cell, row) for cell in cells] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def shell(*commands: str) -> str:
    """Return commands as a block of code."""
    return "```sh\n" + "\n".join(commands) + "\n```\n"


# --- rows ---


def listed(record: Any) -> Rows:
    """Return the rows that a record holds, those of scores with the share that was answered."""
    rows: Rows = record["measurements"] if "measurements" in record else record["result"]
    for row in rows:
        if "predictions" in row:
            row["answered_share"] = row["answered"] / row["predictions"]
    return rows


def accuracy(_: Any, **labels: str) -> Rows:
    """One row a condition of evaluate_cls.py."""
    found = [kept(f"classifier/{name}")["result"] for name in labels]
    return [{**row, "label": label} for row, label in zip(listed({"result": found}), labels.values(), strict=True)]


def figure4(records: Any) -> Rows:
    """One row a confusion matrix."""
    return [record["result"] for record in records]


def by_estimator(records: Any) -> Rows:
    """One row of the confusion matrices' scores, by estimator."""
    return [{record["result"]["comp_type"]: record["result"] for record in records}]


def pivot(record: Any, row: str, column: str) -> Rows:
    """The record's rows of one value of `row` beside each other, by their values of `column`."""
    rows: dict[str, dict[str, Any]] = {}
    for each in listed(record):
        rows.setdefault(each[row], {row: each[row]})[each[column]] = each
    return list(rows.values())


def of_the_world(record: Any) -> Rows:
    """The whole sets of measure_wild.py, those of many groups also by the kind of the files' tables."""
    rows = record["result"]["rows"]
    parted = {row["set"] for row in rows if row["group"] == "all"}
    return [row for row in rows if row["set"] not in parted or row["group"] == "all" or "tables: " in row["group"]]


def best_marked(record: Any) -> Rows:
    """The record's rows, the best one's figure in bold."""
    return [{**row, "mark": "**" if row["best"] else ""} for row in listed(record)]


def against_first(record: Any, keys: Sequence[str]) -> Rows:
    """The record's rows and by how much they differ from the first one."""
    rows = listed(record)
    return [{**row, "change": {key: row[key] - rows[0][key] for key in keys}} for row in rows]


def models(_: Any) -> Rows:
    """The `.tflite` files with their comparison to the Keras model."""
    return [
        {"comp_type": comp_type, "name": name, **entry["comparison"]}
        for comp_type, config in CONFIGS.items()
        for name, entry in weights.read_card(weights.model_folder(config)).get("tflite", {}).items()
    ]


def _patch_steps(run: Row) -> int:
    """How many patches a recorded run saw up to the weights that were kept."""
    epochs = run.get("epoch") or run.get("stopped_after_epoch") or 0
    return int((run.get("steps") or epochs * run["steps_per_epoch"]) * run["batch_size"])


def _last_run(run: Row) -> str:
    """How the last run was made: by `train_torch.py`, which counts minutes, or by `train.py`, which counts epochs."""
    if "minutes" in run:
        made = f"from {run['fresh_patches'] / 1e6:.0f} million made for it"
        return f"{run['optimizer']}, {run['minutes']:g} minutes on one {run['machine']}, patches drawn {made}"
    return f"epoch {run['epoch']} of {run['epochs']}, {run.get('optimizer', 'adam')}"


def card(_: Any, comp_type: str, original_loss: float) -> Rows:
    """What is recorded beside the weights of a variant."""
    config = CONFIGS[comp_type]
    found = weights.read_card(weights.model_folder(config))
    trained, calibration = found["trained"], found["calibration"]["float32"]
    earlier = found.get("earlier_runs", [])
    seen = sum(_patch_steps(run) for run in (trained, *earlier))
    values = {
        "parameters": f"{config.parameters:,}",
        "input": f"16x16x3 pixels 0..255, {found['channel_order']}",
        "validation loss, all 64 offsets": f"{found['val_loss']:.3f}",
        "the original's, on its own photographs": f"{original_loss:.3f}",
        "trained on": f"{trained['data']}: {seen / 1e6:.0f} million patch steps in {1 + len(earlier)} run(s)",
        "last run": _last_run(trained),
        "started from": trained["base_weights"] or "scratch",
        "confidence threshold": f"{calibration['threshold']:g}",
        "threshold chosen on": f"{calibration['data']} ({calibration['pictures']} pictures)",
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def paper_kodak(record: Any) -> Rows:
    """The paper's Kodak table with our numbers beside: values of five files."""
    ours, mixture, paper = record["averages"], record["mixture_at_quality_100"], record["paper"]
    sizes = [ours["jpeg_bytes"], ours["our_bytes"], mixture["our_bytes"]]
    rows: Rows = [{"label": "bytes", "values": ["", "", *(f"{size:,.0f}" for size in sizes)]}]
    for metric in (metric for metric in suite.shown() if metric.key in paper):
        theirs, own, mixed = (each[metric.key] for each in (paper, ours["metrics"], mixture["metrics"]))
        values = [theirs["jpeg"], theirs["ours"], own["jpeg"], own["ours"], mixed["ours"]]
        digits = min(metric.digits, 3)  # as many as the paper has
        rows.append({"label": metric.title, "values": [f"{value:.{digits}f}" for value in values]})
    return rows


def map_scores(record: Any) -> Rows:
    """The scores of the map rules and baselines."""
    return [{"rule": rule, **scores} for rule, scores in record["result"]["scores"].items()]


def map_parts(_: Any, **parts: tuple[str, str]) -> Rows:
    """What the class matrix, the rule and the scales bring, on photographs with masks and with gaze."""

    def scores(kind: str, part: str, rule: str) -> Any:
        return kept(f"msroi/maps_{kind}{part}")["result"]["scores"][rule]

    return [
        {"label": label, "things": scores("things", *which), "gaze": scores("fixations", *which)}
        for label, which in parts.items()
    ]


def caltech(record: Any) -> Rows:
    """The trained head: as it is shipped, after its last epoch, and at its best epoch."""
    with (ROOT / "msroi/results/caltech101_history.csv").open(newline="", encoding="utf-8") as handle:
        epochs = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(handle)]
    shipped, last, best = record["result"], epochs[-1], max(epochs, key=lambda row: row["top_1"])
    total = {"epochs": len(epochs), "total": sum(row["seconds"] for row in epochs), "val_loss": shipped["loss"]}
    return [
        {**shipped, **total, "label": "**as shipped**: last epoch, kernels as int8"},
        {**last, "label": f"last epoch ({last['epoch']:g})"},
        {**best, "label": f"best epoch ({best['epoch']:g}; chosen on the test split, so too good)"},
    ]


def encoders(record: Any, area: str, quality: int) -> Rows:
    """Encoders on the same bytes: means over one group of photographs and their changes against plain JPEG."""
    rows = []
    for row in (row for row in record["result"]["areas"][area]["summary"] if row["quality"] == quality):
        name = row["encoder"]
        better = "" if name == comparison.REFERENCE else said("{inside_better:.0%}", row)
        rows.append({**row, "title": comparison.TITLES.get(name, name), "better": better})
    return rows


def gains(_: Any, quality: int, **records: tuple[str, str]) -> Rows:
    """What model 7 gains at its default strength, by name; each stands for a record and an area of photographs."""
    found = {}
    for name, (record, area) in records.items():
        (row,) = [row for row in encoders(kept(record), area, quality) if row["encoder"] == "ours_50"]
        found[name] = row["change"]
    return [found]


def against_mozjpeg(record: Any, area: str, qualities: Sequence[int]) -> Rows:
    """Model 7 against mozjpeg at its defaults on the same bytes and photographs."""
    rows = []
    for quality in qualities:
        found = {row["encoder"]: row for row in encoders(record, area, quality)}
        moz = found["mozjpeg"]
        for own in (found[name] for name in ("flat", "ours_25", "ours_50", "ours_75")):
            change = {key: own[key] - moz[key] for key in suite.METRICS if own.get(key) is not None}
            rows.append({**own, "change": change})
    return rows


def rates(record: Any) -> Rows:
    """Bjontegaard's rates of a record with several qualities: more or fewer bytes than plain JPEG needs."""
    area = record["result"]["areas"]["all"]
    pictures = area["summary"][0]["pictures"]
    return [
        {"title": comparison.TITLES.get(name, name), "change": own, "pictures": pictures}
        for name, own in area["bd_rate"].items()
        if name != comparison.REFERENCE
    ]


def ramps(record: Any, others: str, quality: int) -> Rows:
    """What the ramp from map to weight decides: gains with the right map and with another picture's."""
    found, kodak = (
        {row["encoder"]: row["change"] for row in encoders(each, "all", quality)} for each in (record, kept(others))
    )
    ramps = {"_wide": comparison.RAMPS["wide"], "": SETTINGS, "_narrow": comparison.RAMPS["narrow"]}
    rows = []
    for ending, ramp in ramps.items():
        name = f"ours{ending or '_50'}"
        right, wrong = found[name], found[f"shuffled{ending}"]
        label = f"{ramp.ramp_low:g} to {ramp.ramp_high:g}" + ("" if ending else " (default)")
        share = wrong["inside"] / right["inside"]
        rows.append({"ramp": label, "right": right, "wrong": wrong, "share": share, "kodak": kodak[name]})
    return rows


MAKERS: tuple[Callable[..., Rows], ...] = (
    *(listed, accuracy, figure4, by_estimator, pivot, best_marked, against_first, of_the_world, models, card),
    *(paper_kodak, map_scores, map_parts, caltech, encoders, gains, against_mozjpeg, rates, ramps),
)
ROWS = {maker.__name__: maker for maker in MAKERS}

# --- blocks ---


def expanded(spec: Row, rows: Rows) -> list[str]:
    """Return the columns of a block, `METRICS` replaced by a column a metric that the rows have a change of."""
    there = {metric.key: metric for metric in suite.shown() if rows[0].get("change", {}).get(metric.key) is not None}
    chosen = [there[key] for key in spec.get("metrics") or there if key in there]
    own = [f"{metric.title} = {spec.get('metric', '').format(**vars(metric))}" for metric in chosen]
    return [column for each in spec["columns"] for column in (own if each == "METRICS" else [each])]


def block(specs: Mapping[str, Row], name: str) -> str:
    """Return what stands in the block `name`."""
    spec = specs[name]
    spec = {**specs[spec["like"]], **spec} if "like" in spec else spec
    note = f"<!-- tested by: {spec['tested_by']} -->\n" if "tested_by" in spec else ""
    if "commands_of" in spec:
        return note + shell(*(kept(f"classifier/{each}")["command"] for each in specs[spec["commands_of"]]["with"]))
    record = kept(spec["record"]) if "record" in spec else {}
    if "text" in spec and "rows" not in spec:
        return said(spec["text"], record["result"]) + "\n"
    rows = ROWS[spec.get("rows", "listed")](record, **spec.get("with", {}))
    if "text" in spec:
        return said(spec["text"], rows[0]) + "\n"
    made = record[0] if isinstance(record, list) else record
    known = {**made, **rows[0]} | ({"made": results.made_by(made)} if "told" in spec else {})
    told = f"\n{said(spec['told'], known)}\n" if "told" in spec else ""
    command = f"\n{note}{shell(record['command'])}" if "command" in spec else ""
    return table(expanded(spec, rows), rows, known) + told + command


def fill(path: Path, specs: Mapping[str, Row]) -> str:
    """Return a document's text with every block of results made anew; raise `UserError` for one that nobody makes."""

    def make(match: re.Match[str]) -> str:
        if match["name"] not in specs:
            raise UserError(f"{show(path)} has a block {match['name']} that tables.toml does not describe")
        return match[1] + block(specs, match["name"]) + match[3]

    return BLOCK.sub(make, path.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents, or only compare."""
    parser = argparse.ArgumentParser(prog="tables.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when a document is out of date; write nothing")
    options = parser.parse_args(arguments)
    specs = tomllib.loads((ROOT / "scripts" / "tables.toml").read_text(encoding="utf-8"))
    documents = sorted(path for pattern in ("*.md", "docs/*.md", "save/*/*.md") for path in ROOT.glob(pattern))
    made = {path: fill(path, specs) for path in documents}
    stale = [path for path, text in made.items() if text != path.read_text(encoding="utf-8")]
    for path in stale:
        if not options.check:
            files.write_text(path, made[path])
        note(f"{path.relative_to(ROOT)} {'is out of date; run scripts/tables.py' if options.check else 'was renewed'}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(run_command("tables.py", main))
