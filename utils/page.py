"""Pages that people look at: one HTML file that holds everything and asks for nothing from anywhere."""

import base64
import importlib.resources
import io
import string
from typing import Any

from PIL import Image

STYLE = "page.css"


def data_uri(content: bytes, kind: str) -> str:
    """Return a picture's bytes, of a `kind` as `png`, as the address of a picture that lies in the page itself."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def saved(image: Image.Image, **options: Any) -> bytes:
    """Return a picture's file as Pillow's `save` writes it with `options`."""
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def fill(package: str, template: str, **values: Any) -> str:
    """Return the page of a `template`, a file of `package`, with HTML for its `$names`; `$style` is every page's."""
    style = (importlib.resources.files("q1net_msroi.utils") / STYLE).read_text(encoding="utf-8")
    page = (importlib.resources.files(package) / template).read_text(encoding="utf-8")
    return string.Template(page).substitute(values, style=style.rstrip())
