"""Pages in one file: pictures inside them, one style, HTML for names."""

import base64
import io

import numpy as np
from PIL import Image

from q1net_msroi.utils import page


def test_a_picture_inside_a_page() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    address = page.data_uri(page.saved(Image.fromarray(pixels), format="PNG"), "png")
    kind, _, content = address.partition(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), pixels)


def test_every_template_takes_the_one_style() -> None:
    values = dict.fromkeys(["facts", "first", "histogram", "heads", "rows", "details", "unlike", "codec"], "X")
    made = page.fill("q1net_msroi.classifier.estimators", "page.html", **values)
    assert "--accent" in made
    assert "$" not in made
