"""Pictures of results are whole PNG files."""

from contextlib import nullcontext
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from q1net_msroi.utils import figures


def test_figure_writes_a_png_of_the_size_asked_for(tmp_path: Path) -> None:
    with figures.figure(tmp_path / "a.png", 4, 3) as drawing:
        drawing.add_subplot().plot([1, 2], [3, 4])
    image = Image.open(tmp_path / "a.png")
    assert image.size == (440, 330)
    assert len(np.unique(np.asarray(image.convert("L")))) > 5
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_figures_stand_on_light_and_dark_pages(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    with figures.figure(tmp_path / "a.png", 4, 3) as drawing:
        axes = drawing.add_subplot(xlabel="what", ylabel="how much", title="title")
        axes.plot([1, 2], [3, 4], label="a line")
        axes.legend()
    assert dict(matplotlib.rcParams) == before
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGBA")).astype(int)
    ground = pixels[..., 3] == 0
    assert ground[0].all()  # the page shows through
    assert ground[:, 0].all()
    assert not ground[100:200, 200:400].any()  # the plot is on a panel of its own
    words = (pixels[..., :3][pixels[..., 3] == 255] == [int(figures.GRAY[i : i + 2], 16) for i in (1, 3, 5)]).all(
        axis=1
    )
    assert words.sum() > 100
    contrasts = [contrast(figures.GRAY, page) for page in ("#ffffff", "#0d1117")]
    assert min(contrasts) > 4.2
    assert all(contrast(colour, figures.PANEL) > 3 for colour in figures.COLOURS)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours by WCAG 2.2."""

    def luminance(colour: str) -> float:
        shares = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_an_error_while_drawing_writes_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with figures.figure(tmp_path / "a.png", 4, 3):
            raise ValueError("no data")

    with pytest.raises(ValueError, match="no data"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_loss_curves_take_the_rows_of_the_history(tmp_path: Path) -> None:
    rows = [{"epoch": str(n), "train_loss": f"{20 / n}", "val_loss": 18 / n} for n in range(1, 6)]
    figures.loss_curves(rows, tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").size == (770, 495)


def test_one_epoch_has_whole_ticks_and_a_range_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = Figure()
    monkeypatch.setattr(figures, "figure", lambda *size: nullcontext(drawing))
    figures.loss_curves([{"epoch": 1, "train_loss": 1.0, "val_loss": 0.99}], tmp_path / "a.png")
    (axes,) = drawing.axes
    low, high = axes.get_ylim()
    assert low < 0.9
    assert high > 1.1
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
