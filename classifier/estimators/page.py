"""The report page of many pictures: what to look at first, a histogram, a table to sort, maps on demand."""

import base64
import html
import json
import shlex
from collections.abc import Sequence

from q1net_msroi.classifier.estimators.sketch import UNLIKE
from q1net_msroi.classifier.estimators.table import Entry, Row
from q1net_msroi.utils import results
from q1net_msroi.utils.errors import show
from q1net_msroi.utils.page import data_uri, fill

TEMPLATE = "page.html"
MOST_FIRST = 8  # pictures of a kind to look at first
STRONG = 75  # compressions from here on, what most programs save at, are not listed as strong
BIN = 5  # qualities a bar
BAR_HEIGHT = 100
HEADS = {  # of the table's columns: what is said of them
    "quality": "quality of the last compression, 1 to 100",
    "strongest": "quality of the strongest compression that is known",
    "earlier": "quality of a compression before the last one",
    "codec": "",
    "software": "who saved it, as the file tells",
    "answer": "",
}


def build(entries: Sequence[Entry], comp_type: str) -> str:
    """Return the page of all pictures as HTML."""
    rows = [entry.row for entry in entries]
    known = [row["strongest"] for row in rows if row["strongest"] is not None]
    twice = sum(row["earlier"] is not None for row in rows)
    facts = (
        (len(rows), "pictures"),
        (len(known), "with an answer"),
        (sum(quality < 60 for quality in known), "once compressed below 60"),
        (twice, "compressed twice"),
    )
    return fill(
        "q1net_msroi.classifier.estimators",
        TEMPLATE,
        facts="\n".join(f"<li><b>{count:,}</b><span>{words}</span></li>" for count, words in facts),
        first=_first(entries),
        histogram=_histogram(rows),
        heads="".join(_head(name, words) for name, words in {"file": "", **HEADS}.items()),
        rows="\n".join(_row(number, entry) for number, entry in enumerate(entries)),
        details=_json([_details(entry) for entry in entries]),
        unlike=UNLIKE,
        codec=html.escape(f"{results.code_name()}, {comp_type}"),
    )


def _first(entries: Sequence[Entry]) -> str:
    """Return the lists of pictures to look at first; a kind that no picture is of has none."""
    numbered = list(enumerate(entries))
    known = sorted((entry.row["strongest"], number) for number, entry in numbered if entry.row["strongest"] is not None)
    strong = [(quality, number) for quality, number in known if quality < STRONG]
    double = sorted((entry.row["earlier"], number) for number, entry in numbered if entry.row["earlier"] is not None)
    edited = [
        (entry.sketch.changed or "a part unlike the rest", number)
        for number, entry in numbered
        if entry.sketch and (entry.sketch.changed or entry.sketch.unlike)
    ]
    kinds = (
        ("Compressed most strongly", [(f"{quality:.0f}", number) for quality, number in strong]),
        ("Compressed twice", [(f"{quality:.0f} before", number) for quality, number in double]),
        ("Perhaps changed since", edited),
    )
    lists = "\n".join(_list(title, found, entries) for title, found in kinds if found)
    return lists or f"<p>None was compressed below {STRONG} or twice, and none seems to be changed since.</p>"


def _list(title: str, found: Sequence[tuple[str, int]], entries: Sequence[Entry]) -> str:
    items = "".join(
        f'<li><button type="button" data-open="{number}"><span class="shot" data-shot="{number}"></span>'
        f'<b>{html.escape(words)}</b><span class="name">{_name(entries[number].row)}</span></button></li>'
        for words, number in found[:MOST_FIRST]
    )
    more = f" <small>{len(found):,}, the first {MOST_FIRST}</small>" if len(found) > MOST_FIRST else ""
    return f'<h3>{title}{more}</h3>\n<ul class="first">{items}</ul>'


def _name(row: Row) -> str:
    return html.escape(show(row["file"]))


def _histogram(rows: Sequence[Row]) -> str:
    """Return bars of how many pictures have which quality: last compressions beside strongest ones."""
    bars = []
    counts = {
        name: [sum(row[name] is not None and _bin(row[name]) == at for row in rows) for at in range(100 // BIN)]
        for name in ("quality", "strongest")
    }
    most = max(1, *(count for each in counts.values() for count in each))
    for index, (name, each) in enumerate(counts.items()):
        for at, count in enumerate(each):
            if count:
                low, tall = at * BIN, BAR_HEIGHT * count / most
                words = f"{count} of {name} {low + 1} to {low + BIN}"
                bars.append(
                    f'<rect class="{name}" x="{low * 6 + index * 13 + 1}" y="{BAR_HEIGHT - tall:.1f}" width="13" '
                    f'height="{tall:.1f}"><title>{words}</title></rect>'
                )
    marks = "".join(f'<text x="{6 * at}" y="{BAR_HEIGHT + 16}">{at}</text>' for at in range(0, 101, 20))
    return f'{"".join(bars)}<path d="M0 {BAR_HEIGHT}H600"/>{marks}'


def _bin(quality: float) -> int:
    return min(max(int(quality + 0.5) - 1, 0) // BIN, 100 // BIN - 1)


def _head(name: str, words: str) -> str:
    title = f' title="{html.escape(words)}"' if words else ""
    return f'<th scope="col" aria-sort="none"{title}><button type="button" data-sort>{name}</button></th>'


def _row(number: int, entry: Entry) -> str:
    """Return a picture's row of the table; `data-v` is what it is sorted by."""
    row, sketch = entry.row, entry.sketch
    shot = ""
    if sketch:
        preview = data_uri(sketch.preview, "webp")
        shot = f'<img alt="" loading="lazy" decoding="async" id="shot-{number}" src="{preview}">'
    cells = "".join(
        f'<td data-v="{"" if row[name] is None else row[name]}">{"" if row[name] is None else f"{row[name]:.0f}"}</td>'
        for name in ("quality", "strongest", "earlier")
    )
    words = "".join(f'<td class="words">{html.escape(show(row[name] or ""))}</td>' for name in ("codec", "software"))
    said = html.escape(sketch.sentence if sketch else show(row["reason"] or ""))
    return (
        f'<tr><td class="file"><button type="button" data-open="{number}">{shot}'
        f'<span class="name">{_name(row)}</span></button></td>{cells}{words}<td class="words">{said}</td></tr>'
    )


def _details(entry: Entry) -> dict[str, object]:
    """Return what is shown of a picture when it is opened."""
    sketch, name = entry.sketch, str(entry.row["file"])
    if sketch is None:
        return {"name": show(name), "lines": [show(entry.row["reason"] or "")]}
    lines = [f"{sketch.width} × {sketch.height} pixels", sketch.sentence, *sketch.evidence]
    found: dict[str, object] = {"name": show(name), "lines": lines}
    if sketch.cells is not None:
        height, width = sketch.cells.shape
        found |= {"rows": height, "columns": width, "told": sketch.told, "size": [sketch.width, sketch.height]}
        found["cells"] = base64.b64encode(sketch.cells.tobytes()).decode("ascii")
        if name.isprintable() and name != "-":
            found["command"] = f"q1net-predict {shlex.quote(name)} --map map.png"
    return found


def _json(value: Sequence[dict[str, object]]) -> str:
    """Return JSON that may stand in a script element: no text in it can end the element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
