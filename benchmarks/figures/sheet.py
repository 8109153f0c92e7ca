"""A sheet of paper measured in inches, on which pictures, words and arrows are placed."""

import io
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib import axes, figure, patches
from matplotlib.backends import backend_agg
from PIL import Image

from spine_tf import files
from spine_tf.evaluation import plots

PHANTOM = "synthetic phantom"
POSITIVE, NEGATIVE, GREY = "#1b6ca8", "#c0392b", "#555555"
BODY, DISC = "#39c0ed", "#ffb000"
BODY_EDGE = {"edgecolor": BODY, "linewidth": 1.4}
# The long edges of a disc are the bodies' edges.
DISC_EDGE = {"edgecolor": DISC, "linewidth": 1.4, "linestyle": (0, (3, 2))}
_CROP_WHITE = 1.25  # crop intensity that becomes white; the median of the bodies is 0.5
_LINE = 0.2
_DPI = 100  # a figure of 10 inches fills a page of 1000 pixels
_STEP = 5  # grey levels that become one, which keeps noise from filling the file


class Sheet:
    """A matplotlib figure with one axes of its size; inches from the top left, y to the foot."""

    def __init__(self, width: float, height: float, title: str, note: str = PHANTOM):
        self.figure = figure.Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
        self.width, self.height = width, height
        self.canvas = self.figure.add_axes((0, 0, 1, 1))
        self.canvas.set(xlim=(0, width), ylim=(height, 0))
        self.canvas.set_axis_off()
        self.text(0.15, 0.24, title, size=13, weight="bold", ha="left")
        self.text(width - 0.15, 0.24, note, size=11, color=GREY, ha="right", style="italic")

    def text(self, x: float, y: float, words: str, *, size: float = 10, **options) -> None:
        """Writes words, centred on (x, y) unless `options` of matplotlib's `text` differ."""
        options = {"ha": "center", "va": "center"} | options
        self.canvas.text(x, y, words, fontsize=size, **options)

    def lines(self, x: float, y: float, words: Sequence[str], **options) -> None:
        """Writes lines of equal distance, centred on y together."""
        for number, line in enumerate(words):
            self.text(x, y + (number - (len(words) - 1) / 2) * _LINE, line, **options)

    def picture(
        self,
        box: tuple[float, float, float, float],
        plane: np.ndarray,
        *,
        white: float = _CROP_WHITE,
        frame: str = GREY,
        extent: tuple[float, float, float, float] | None = None,
    ) -> axes.Axes:
        """Shows a plane in grey.

        Args:
            box: Where: left, top, width, height.
            plane: [rows, columns], 0 is black.
            white: Value that becomes white.
            frame: Colour of the frame.
            extent: Left, right, bottom and top of the plane in the unit of what is drawn on it.

        Returns:
            The axes, to draw on.
        """
        left, top, width, height = box
        bottom = self.height - top - height
        size = np.array([self.width, self.height] * 2)
        made = self.figure.add_axes(np.array([left, bottom, width, height]) / size)
        made.imshow(plane, cmap="gray", vmin=0, vmax=white, aspect="auto", extent=extent)
        made.set(xticks=[], yticks=[], autoscale_on=False)
        made.spines[:].set(color=frame, linewidth=1.2)
        return made

    def insert(self, other: figure.Figure, left: float, top: float) -> None:
        """Puts a whole figure on the sheet, pixel by pixel."""
        other.set_dpi(_DPI)
        drawn = backend_agg.FigureCanvasAgg(other)
        drawn.draw()
        pixels = np.asarray(drawn.buffer_rgba())
        bottom = round(self.height * _DPI) - round(top * _DPI) - pixels.shape[0]
        self.figure.figimage(pixels, round(left * _DPI), bottom, zorder=1)

    def box(self, box: tuple[float, float, float, float], **options) -> None:
        """Draws a rectangle (left, top, width, height); `options` of matplotlib's `Rectangle`."""
        left, top, width, height = box
        self.canvas.add_patch(patches.Rectangle((left, top), width, height, **options))

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], color: str, style: str = "-|>"
    ) -> None:
        """Draws an arrow; `style` as matplotlib names it."""
        self.canvas.add_patch(
            patches.FancyArrowPatch(
                start, end, arrowstyle=style, mutation_scale=13, linewidth=1.8, color=color
            )
        )

    def words(self) -> list[str]:
        """Returns every text on the sheet, on one line each."""
        return [text.get_text().replace("\n", " ") for text in self.canvas.texts]


def save_all(makers: Mapping[str, Callable[[], figure.Figure]], folder: str) -> None:
    """Draws and writes FOLDER/NAME.png of every name, and prints their paths."""
    os.makedirs(folder, exist_ok=True)
    for name, draw in makers.items():
        path = os.path.join(folder, f"{name}.png")
        save(draw(), path)
        print(path)


def save(made: figure.Figure, path: str) -> None:
    """Writes a figure as a PNG of few colours; equal figures are equal bytes."""
    buffer = io.BytesIO()
    made.savefig(buffer, **plots.save_options() | {"dpi": _DPI})
    pixels = np.asarray(Image.open(buffer).convert("RGB"))
    few = Image.fromarray(pixels // _STEP * _STEP).quantize(dither=Image.Dither.NONE)
    with files.atomic_write(path, "wb") as file:
        few.save(file, format="PNG", optimize=True)
