"""The front page's picture says what is so: the pasted part is found where it is, and ours takes no more bytes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scripts import draw_hero


def test_only_the_pasted_part_differs() -> None:
    changed = (draw_hero.forgery() != draw_hero.sample("rocket_jpeg_q80")).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert draw_hero.ROCKET[0].start <= rows.min()
    assert rows.max() < draw_hero.ROCKET[0].stop
    assert draw_hero.BESIDE.start <= columns.min()
    assert columns.max() < draw_hero.BESIDE.stop


@pytest.mark.slow
def test_the_picture(call: Callable[..., Any], tmp_path: Path) -> None:
    done = call("scripts.draw_hero", "--out", tmp_path / "hero.png")
    assert done.code == 0, done.err
    assert Image.open(tmp_path / "hero.png").width > 900
    assert "main part 80, 1 region unlike it (about 40)" in done.err
    found = [int(word) for word in re.findall(r"\d+", done.err.partition("at x ")[2])]
    left, right, top, bottom = found
    assert abs(left - draw_hero.BESIDE.start) <= 32
    assert abs(right - draw_hero.BESIDE.stop) <= 32
    assert abs(top - draw_hero.ROCKET[0].start) <= 32
    assert abs(bottom - draw_hero.ROCKET[0].stop) <= 32
    (plain, plain_bytes), (ours, our_bytes) = draw_hero.encoded()
    eye = draw_hero.sample("chelsea")[draw_hero.EYE].astype(float)
    assert our_bytes <= plain_bytes
    assert ((ours - eye) ** 2).mean() < 0.8 * ((plain - eye) ** 2).mean()
