"""A page to look at: plain and semantic JPEG of a picture in one HTML file that needs nothing else."""

import html
import io
import json
import math
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from q1net_msroi.msroi.encoder.differences import Place, find_places
from q1net_msroi.msroi.metrics import pixel, suite
from q1net_msroi.msroi.metrics.metric import Metric, Pixels
from q1net_msroi.msroi.roi import overlay
from q1net_msroi.utils import files, images, jpeg, results
from q1net_msroi.utils.errors import show
from q1net_msroi.utils.page import data_uri, fill, saved

TEMPLATE, INDEX = "page.html", "index.html"
OVERLAY_SIDE = 1200  # pixels of the overlay's long side at most
OVERLAY_QUALITY = 85
FACTS = {"psnrs": "inside the region", "outside": "outside it", "psnrhvsm": "PSNR-HVS-M, whole picture"}  # on top
EQUAL = 0.005  # sizes within this share are called equal

Values = dict[str, float | None]  # metrics by key


def _number(value: float | None, digits: int) -> str:
    if value is None or math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def _change(metric: Metric, plain: Values, ours: Values, unit: str = "") -> str:
    """Return the signed difference as HTML, coloured where it shows at this precision."""
    before, after = plain.get(metric.key), ours.get(metric.key)
    if before is None or after is None or not math.isfinite(before) or not math.isfinite(after):
        return "–"
    difference = round(after - before, metric.digits)
    if not difference:
        return f"{0:.{metric.digits}f}{unit}"
    text = f"{metric.signed(difference)}{unit}".replace("-", "−")
    return f'<span class="{"better" if metric.gain(before, after) > 0 else "worse"}">{text}</span>'


def _metric_rows(plain: Values, ours: Values) -> str:
    return "\n".join(
        f'<tr><th scope="row">{metric.label}<small class="soft">{metric.explanation}</small></th>'
        f"<td>{_number(plain[metric.key], metric.digits)}</td><td>{_number(ours[metric.key], metric.digits)}</td>"
        f"<td>{_change(metric, plain, ours)}</td></tr>"
        for metric in suite.shown()
        if metric.key in plain and not (metric.on_request and plain[metric.key] is None)
    )


def _crop_heading(inside: bool, gain: float) -> str:
    """Return what the squares of a kind show, whose first has this gain in gray levels."""
    place, moves, other = ("Inside", "gains", "loses") if inside else ("Outside", "loses", "gains")
    if (gain > 0) == inside:
        words = f"Where the semantic file {moves} most"
    else:
        words = f"The semantic file {moves} nowhere: where it {other} least"
    return f"<h2>{place} the region</h2>\n<p>{words}, against the plain one.</p>"


def _crops(places: list[Place], pictures: list[Pixels], profile: bytes) -> str:
    """Return the zoomed squares, original, plain and semantic beside each other."""
    parts = []
    for inside in (True, False):
        chosen = [place for place in places if place.inside == inside]
        if not chosen:
            continue
        parts.append(_crop_heading(inside, chosen[0].plain - chosen[0].ours))
        for place in chosen:
            images = []
            for name, picture in zip(("original", "plain", "semantic"), pictures, strict=True):
                part = picture[place.top : place.top + place.height, place.left : place.left + place.width]
                source = data_uri(saved(Image.fromarray(part), format="PNG", icc_profile=profile or None), "png")
                images.append(f'<div><img alt="{name}" src="{source}"><span>{name}</span></div>')
            moved = place.plain - place.ours
            word = "less" if moved > 0 else "more"
            parts.append(
                f'<figure class="crop"><div class="three">{"".join(images)}</div><figcaption>At {place.left}, '
                f"{place.top}: error {place.plain:.1f} in the plain file, {place.ours:.1f} in the semantic one, "
                f"{abs(moved):.1f} gray levels {word} (root mean square). "
                f'<button type="button" class="link" data-x="{place.left + place.width / 2:g}" '
                f'data-y="{place.top + place.height / 2:g}">Show in the picture</button></figcaption></figure>'
            )
    return "\n".join(parts)


def _size_words(plain: int, ours: int) -> str:
    share = ours / plain - 1
    if abs(share) <= EQUAL:
        return f"Both files have the same size within {100 * EQUAL:.1f} %"
    return f"The semantic file is {100 * abs(share):.1f} % {'larger' if share > 0 else 'smaller'} than the plain one"


def _facts(record: dict[str, Any], plain: Values, ours: Values) -> str:
    difference = f"{100 * (record['bytes'] / record['plain_bytes'] - 1):+.2f} %".replace("-", "−")
    facts = [(files.human_bytes(record["bytes"]), f"semantic file, {difference} against plain")]
    facts += [(_change(suite.METRICS[key], plain, ours, " dB"), words) for key, words in FACTS.items()]
    return "\n".join(f"<li><b>{value}</b><span>{words}</span></li>" for value, words in facts)


def _file_rows(record: dict[str, Any], pixels: int) -> str:
    """Return a row of the table of files for each JPEG: name, bytes, bits a pixel."""
    return "\n".join(
        f'<tr><th scope="row"><span class="name">{html.escape(record[path])}</span>'
        f'<small class="soft">{words}</small></th><td>{record[count]:,}</td>'
        f"<td>{8 * record[count] / pixels:.3f}</td></tr>"
        for path, count, words in (
            ("plain", "plain_bytes", f"plain JPEG, quality {record['plain_quality']}"),
            ("output", "bytes", f"semantic JPEG, model {record['model']}, quality {record['quality']}"),
        )
    )


def build_page(pixels: Pixels, plain: bytes, semantic: bytes, saliency: Pixels, record: dict[str, Any]) -> str:
    """Return the page as HTML: both JPEGs byte for byte, crops where they differ most, the map, metrics, sizes.

    `pixels` (height, width, 3) and `saliency` (height, width) are uint8 as stored, before any EXIF orientation;
    `record` is one of `report.records`, measured.
    """
    # A page may be passed on: it names files, not the folders of the machine it was made on.
    names = {key: show((record[key] or "plain.jpg").rpartition("/")[2]) for key in ("file", "output", "plain")}
    record = {**record, **names}
    decoded = [jpeg.decode(plain), jpeg.decode(semantic)]
    reference, outside = suite.Reference(pixels, saliency), suite.METRICS["outside"]
    before, after = (
        {**record["metrics"][side], outside.key: outside.function(suite.pair_of(reference, other))}
        for other, side in zip(decoded, ("plain", "ours"), strict=True)
    )
    with Image.open(io.BytesIO(plain)) as opened:
        orientation, profile = images.orientation(opened), opened.info.get("icc_profile", b"")
    pictures = [images.upright(picture, orientation) for picture in (pixels, *decoded)]
    original, shown_plain, shown_ours = pictures
    upright_map = images.upright(saliency, orientation)
    places = find_places(original, shown_plain, shown_ours, pixel.salient_region(upright_map))

    height, width = upright_map.shape
    scale = min(1.0, OVERLAY_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small, small_map = (np.asarray(Image.fromarray(values).resize(size)) for values in (original, upright_map))
    drawn = overlay.draw(small, small_map, ())

    return fill(
        "q1net_msroi.msroi.encoder",
        TEMPLATE,
        title=html.escape(names["file"]),
        lead=f"{_size_words(record['plain_bytes'], record['bytes'])}. {width} × {height} pixels, plain JPEG of quality "
        f"{record['plain_quality']} beside a semantic one, whose bytes go where the map says.",
        facts=_facts(record, before, after),
        width=width,
        height=height,
        plain=data_uri(plain, "jpeg"),
        ours=data_uri(semantic, "jpeg"),
        overlay=data_uri(saved(drawn, format="JPEG", quality=OVERLAY_QUALITY, icc_profile=profile or None), "jpeg"),
        share=f"{100 * pixel.salient_region(saliency).mean():.0f} %",
        crops=_crops(places, pictures, profile),
        metrics=_metric_rows(before, after),
        files=_file_rows(record, width * height),
        record=html.escape(json.dumps(record, indent=2, ensure_ascii=False)),
        codec=html.escape(f"{jpeg.codec_identity()}, {results.code_name()}"),
    )


def build_index(pages: list[tuple[str, str, int, int]]) -> str:
    """Return a page of links to pages: each the picture's name, the page's place, the bytes of the picture and ours."""
    rows = [
        f'<tr><th scope="row"><a href="{html.escape(quote(place))}">{html.escape(show(name))}</a></th>'
        f"<td>{before:,}</td><td>{after:,}</td><td>{100 * (after / before - 1):+.0f} %</td></tr>"
        for name, place, before, after in pages
    ]
    number = "1 photograph" if len(rows) == 1 else f"{len(rows)} photographs"
    return fill("q1net_msroi.msroi.encoder", INDEX, title=f"{number}, smaller", rows="\n".join(rows))
