"""Pictures that programs draw, not cameras: logos, icons, sprites, charts, pages of text, screenshots, gradients.

Each is drawn from its number alone. Every second one is drawn two to four times as large and reduced, as browsers and
editors smooth edges; the others have hard edges.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
TEXT = "the of and a to in quality picture table block step grid value light noise page chart user file name"
SEED = 20  # of all drawings
_matplotlib = threading.Lock()  # its text is drawn by one thread at a time


class Canvas:
    """A picture to draw on in its own pixels, whatever the `scale` at which it is drawn."""

    def __init__(self, random: np.random.Generator, width: int, height: int, scale: int) -> None:
        """Begin with a plain background."""
        self.random, self.width, self.height, self.scale = random, width, height, scale
        self.background = (255, 255, 255) if random.random() < 0.5 else self.colour()
        self.image = Image.new("RGB", (width * scale, height * scale), self.background)
        self.pen = ImageDraw.Draw(self.image)

    def colour(self) -> Colour:
        """Return any colour."""
        red, green, blue = (int(value) for value in self.random.integers(0, 256, 3))
        return red, green, blue

    def number(self, low: float, high: float) -> int:
        """Return a whole number from `low` to below `high`, at least `low`."""
        return int(self.random.integers(int(low), max(int(low) + 1, int(high))))

    def place(self) -> tuple[int, int]:
        """Return any place (x, y)."""
        return self.number(0, self.width), self.number(0, self.height)

    def box(self, x: float, y: float, width: float, height: float, fill: Colour | None, **more: int) -> None:
        """Draw a rectangle, with `radius` a rounded one."""
        s, right, bottom = self.scale, x + max(1, width), y + max(1, height)
        radius = s * more.get("radius", 0)
        self.pen.rounded_rectangle((s * x, s * y, s * right - 1, s * bottom - 1), radius, fill)

    def ellipse(self, x: float, y: float, width: float, height: float, fill: Colour) -> None:
        """Draw an ellipse into a rectangle."""
        s = self.scale
        self.pen.ellipse((s * x, s * y, s * (x + max(1, width)), s * (y + max(1, height))), fill)

    def lines(self, points: list[tuple[int, int]], fill: Colour, thick: int = 1) -> None:
        """Draw a line through points (x, y)."""
        self.pen.line([(self.scale * x, self.scale * y) for x, y in points], fill, thick * self.scale)

    def area(self, points: list[tuple[int, int]], fill: Colour) -> None:
        """Draw the polygon of points (x, y)."""
        self.pen.polygon([(self.scale * x, self.scale * y) for x, y in points], fill)

    def text(self, x: float, y: float, words: str, size: float, fill: Colour) -> None:
        """Write a line of text."""
        font = ImageFont.load_default(max(6, int(size)) * self.scale)
        self.pen.text((self.scale * x, self.scale * y), words, fill, font)

    def words(self, count: int) -> str:
        """Return some words."""
        return " ".join(self.random.choice(TEXT.split(), max(1, count)))

    def pixels(self) -> Pixels:
        """Return the picture at its own size."""
        if self.scale == 1:
            return np.array(self.image)
        how = (Image.Resampling.LANCZOS, Image.Resampling.BOX)[self.number(0, 2)]
        return np.array(self.image.resize((self.width, self.height), how))


def _logo(c: Canvas) -> None:
    side = min(c.width, c.height)
    for _ in range(c.number(1, 5)):
        (x, y), size = c.place(), c.number(side / 4, side)
        left, top = x - size / 2, y - size / 2
        shape = c.number(0, 3)
        if shape == 0:
            c.ellipse(left, top, size, size, c.colour())
        elif shape == 1:
            c.box(left, top, size, size, c.colour(), radius=size // 6)
        else:
            c.area([c.place() for _ in range(c.number(3, 7))], c.colour())
    c.text(c.width * 0.1, c.height * 0.6, c.words(1).upper(), side / 5, c.colour())


def _icon(c: Canvas) -> None:
    side = min(c.width, c.height)
    c.box(0, 0, c.width, c.height, c.colour(), radius=side // 5)
    for _ in range(c.number(1, 4)):
        c.ellipse(c.number(0, c.width / 2), c.number(0, c.height / 2), side / 2, side / 3, c.colour())
    c.lines([c.place() for _ in range(3)], c.colour(), max(1, side // 12))


def _sprite(c: Canvas) -> None:
    """Draw a figure of large pixels, mirrored, in few colours, repeated."""
    side, cells = c.number(2, 6), c.number(6, 13)
    colours = [c.colour() for _ in range(c.number(2, 6))]
    half = c.random.integers(-1, len(colours), (cells, (cells + 1) // 2))
    for top in range(0, c.height, side * (cells + 2)):
        for left in range(0, c.width, side * (cells + 2)):
            for (row, column), colour in np.ndenumerate(half):
                for across in {column, cells - 1 - column} if colour >= 0 else ():
                    c.box(left + side * across, top + side * row, side, side, colours[colour])


def _text(c: Canvas) -> None:
    """Write a page."""
    size, ink = c.number(8, 22), c.colour() if c.random.random() < 0.3 else (0, 0, 0)
    c.background = (255, 255, 255) if c.random.random() < 0.7 else c.background
    c.box(0, 0, c.width, c.height, c.background)
    for y in range(size, c.height - size, int(size * 1.5)):
        if c.random.random() < 0.9:
            c.text(size, y, c.words(c.number(2, max(3, c.width // (4 * size)))), size, ink)


def _chart(c: Canvas) -> None:
    """Draw bars, a grid and a curve."""
    left, bottom = c.width // 8, c.height * 7 // 8
    for step in range(1, 8):
        c.lines([(left, bottom * step // 8), (c.width, bottom * step // 8)], (200, 200, 200))
    bars = c.number(3, 12)
    wide = (c.width - left) / bars
    for bar in range(bars):
        high = c.number(1, bottom)
        c.box(left + bar * wide + wide * 0.1, bottom - high, wide * 0.8, high, c.colour())
    xs = np.linspace(left, c.width, 20)
    ys = bottom / 2 + bottom / 3 * np.sin(xs / c.number(5, 40))
    c.lines([(int(x), int(y)) for x, y in zip(xs, ys, strict=True)], c.colour(), 2)
    c.lines([(left, 0), (left, bottom), (c.width, bottom)], (0, 0, 0))
    c.text(left, c.height * 0.9, c.words(3), c.height / 20, (0, 0, 0))


def _screenshot(c: Canvas) -> None:
    """Draw a window with a title, a side bar, rows and buttons."""
    gray = c.number(225, 250)
    c.box(0, 0, c.width, c.height, (gray, gray, gray))
    c.box(0, 0, c.width, 28, c.colour())
    c.text(8, 6, c.words(3), 14, (255, 255, 255))
    side = c.width // 4
    c.box(0, 28, side, c.height - 28, (gray - 20, gray - 20, gray - 12))
    for y in range(36, c.height - 20, 22):
        c.text(8, y, c.words(2), 12, (40, 40, 40))
        if y // 22 % 2:
            c.box(side, y - 4, c.width - side, 22, (255, 255, 255))
        c.text(side + 10, y, c.words(c.number(2, 9)), 12, (0, 0, 0))
    for button in range(c.number(1, 4)):
        x = c.width - 90 * (button + 1)
        c.box(x, c.height - 34, 78, 24, c.colour(), radius=4)
        c.text(x + 12, c.height - 30, c.words(1), 12, (255, 255, 255))


def _map(c: Canvas) -> None:
    """Draw areas, streets and names."""
    for _ in range(c.number(4, 14)):
        c.area([c.place() for _ in range(c.number(3, 8))], c.colour())
    for _ in range(c.number(3, 10)):
        points, thick = [c.place() for _ in range(3)], c.number(2, 6)
        c.lines(points, (90, 90, 90), thick + 2)
        c.lines(points, (250, 240, 180), thick)
    for _ in range(c.number(2, 9)):
        c.text(*c.place(), c.words(1), 12, (0, 0, 0))


def _diagram(c: Canvas) -> None:
    """Draw boxes with names, joined by lines."""
    centres = [c.place() for _ in range(c.number(3, 9))]
    c.lines(centres, (0, 0, 0), c.number(1, 3))
    for x, y in centres:
        c.box(x - 42, y - 17, 84, 34, (0, 0, 0), radius=6)
        c.box(x - 40, y - 15, 80, 30, c.colour(), radius=5)
        c.text(x - 34, y - 8, c.words(1), 13, (0, 0, 0))


def _gradient(c: Canvas) -> None:
    """Draw a smooth surface, sometimes in steps, with noise or with something on it."""
    size = (c.height * c.scale, c.width * c.scale)
    y, x = np.mgrid[: size[0], : size[1]] / max(size)
    angle = c.random.random() * 2 * np.pi
    ramp = np.hypot(x - 0.5, y - 0.5) if c.random.random() < 0.4 else x * np.cos(angle) + y * np.sin(angle)
    share = ((ramp - ramp.min()) / max(float(np.ptp(ramp)), 1e-9))[..., None]
    if c.random.random() < 0.25:
        share = np.floor(share * 16) / 16
    surface = np.array(c.colour()) * share + np.array(c.colour()) * (1 - share)
    if c.random.random() < 0.4:
        surface += c.random.normal(0, c.random.choice([0.5, 1, 2]), surface.shape)
    c.image.paste(Image.fromarray(np.rint(surface).clip(0, 255).astype(np.uint8)))
    if c.random.random() < 0.4:
        c.text(c.width / 8, c.height / 3, c.words(2), min(c.width, c.height) / 8, c.colour())


def _plot(random: np.random.Generator, width: int, height: int) -> Pixels:
    """Return a chart of matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _matplotlib:
        figure = Figure(figsize=(width / 100, height / 100), dpi=100)
        canvas: Any = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        kind, values = random.integers(0, 4), random.normal(size=(60, 3)).cumsum(0)
        if kind == 0:
            axes.plot(values, label=["first", "second", "third"])
            axes.legend()
        elif kind == 1:
            axes.scatter(values[:, 0], values[:, 1], c=values[:, 2])
        elif kind == 2:
            axes.hist(values, bins=12)
        else:
            axes.imshow(random.random((8, 12)), cmap="viridis")
        axes.set(title="a chart", xlabel="time", ylabel="value")
        axes.grid(bool(random.integers(0, 2)))
        canvas.draw()
        return np.array(canvas.buffer_rgba())[..., :3].copy()


Draw = Callable[[Canvas], None]
# What is drawn, and between which sides in pixels.
KINDS: dict[str, tuple[Draw | None, tuple[int, int]]] = {
    "logo": (_logo, (48, 640)),
    "icon": (_icon, (16, 257)),
    "sprite": (_sprite, (24, 400)),
    "text": (_text, (200, 1000)),
    "chart": (_chart, (160, 900)),
    "screenshot": (_screenshot, (320, 1024)),
    "map": (_map, (128, 800)),
    "diagram": (_diagram, (200, 800)),
    "gradient": (_gradient, (32, 800)),
    "plot": (None, (240, 800)),
}


def kind(number: int) -> str:
    """Return what drawing `number` shows."""
    return list(KINDS)[number % len(KINDS)]


def draw(number: int) -> Pixels:
    """Return drawing `number`, (height, width, 3) uint8 RGB, 16x16 to 1024x768; the same at every call."""
    paint, (low, high) = KINDS[kind(number)]
    random = np.random.default_rng([SEED, number])
    width = int(random.integers(low, high + 1))
    height = min(768, max(16, int(width * random.choice([0.5, 0.625, 0.75, 1.0, 1.25]))))
    if paint is None:
        return _plot(random, width, max(height, 200))
    scale = int(random.choice([2, 3, 4])) if number // len(KINDS) % 2 else 1
    canvas = Canvas(random, width, height, scale)
    paint(canvas)
    return canvas.pixels()
