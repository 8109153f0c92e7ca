"""Fig. 3 of Chen 2019: analysis and reconstruction part, drawn from the models."""

import math

from matplotlib import figure, patches

from benchmarks.figures import real_images, restoration_models, sheet
from spine_tf.data import slice_schema

_COLORS = {
    restoration_models.CONVOLUTION: "#5b8db8",
    restoration_models.DOWN: "#7bb662",
    restoration_models.UP: "#f3a04b",
}
_LEFT, _STEP, _WIDE, _IMAGE = 1.75, 0.3, 0.16, 1.3
_HEIGHT = 1.5  # of the tallest layer
_ROW = 3.75
_TOP = 1.5
_ARC = "arc3,rad=-0.06"


def draw(data_dir: str, seed: int) -> figure.Figure:
    """Draws the networks with the disordered image they are given and the one they are asked for.

    Args:
        data_dir: Folder of the real data.
        seed: Of the disordering.

    Source: Chen 2019, Fig. 3.
    """
    brain = real_images.brain(data_dir, slice_schema.AXIAL)
    rows = (
        ("before segmentation: U-Net", "unet-64", (64, 64, 3), _patch(brain, 64)),
        (
            "before classification: SonoNet and a transposed convolution per pooling",
            "sononet-64",
            (224, 288, 1),
            real_images.ultrasound(data_dir),
        ),
        (
            "before localisation: the same with six blocks",
            "sononet-6-64",
            (96, 96, 1),
            _patch(real_images.ct(data_dir), 96),
        ),
    )
    networks = [restoration_models.restoration(preset, shape) for _, preset, shape, _ in rows]
    longest = max(len(one.analysis) + len(one.reconstruction) for one in networks)
    width = _LEFT + (longest + 1) * _STEP + _IMAGE + 0.35
    page = sheet.Sheet(
        width, 0.62 + len(rows) * _ROW, "Networks of context restoration", "read from the models"
    )
    _draw_key(page)
    for number, ((title, preset, _, plane), network) in enumerate(zip(rows, networks, strict=True)):
        top = _TOP + number * _ROW
        words = f"{title} ({preset}, {network.num_weights / 1e6:.1f} million weights)"
        page.text(0.15, top - 0.7, words, size=11, ha="left", weight="bold")
        _draw_network(page, network, plane, top, seed)
    return page.figure


def _patch(whole: real_images.Plane, side: int) -> real_images.Plane:
    """The middle of an image."""
    row, column = ((length - side) // 2 for length in whole.image.shape)
    box = slice(row, row + side), slice(column, column + side)
    return real_images.Plane(whole.name, whole.image[box], whole.foreground[box])


def _draw_key(page: sheet.Sheet) -> None:
    for number, (kind, color) in enumerate(_COLORS.items()):
        left = 0.2 + 1.45 * number
        page.box((left, 0.44, 0.16, 0.16), facecolor=color)
        page.text(left + 0.24, 0.52, kind, size=9, ha="left")


def _draw_network(page: sheet.Sheet, network, plane, top: float, seed: int) -> None:
    middle = top + _HEIGHT / 2
    given = real_images.disordered(plane, seed).image.numpy()[0, 0, ..., 0]
    strips = [*network.analysis, *network.reconstruction]
    end = _x(len(strips)) + 0.1
    for left, image, words in ((0.15, given, "given"), (end, plane.image, "asked for")):
        height = _IMAGE * image.shape[0] / image.shape[1]
        page.picture((left, middle - height / 2, _IMAGE, height), image, white=1.0)
        page.text(left + _IMAGE / 2, middle + height / 2 + 0.14, words, size=9)
    page.arrow((0.17 + _IMAGE, middle), (_LEFT - 0.02, middle), sheet.GREY)
    page.arrow((_x(len(strips) - 1) + 0.12, middle), (end - 0.02, middle), sheet.GREY)
    largest = max(network.input_shape[:2])
    for number, strip in enumerate(strips):
        _draw_strip(page, strip, _x(number), middle, largest)
    for source, target in network.joins:
        _draw_join(
            page, _x(source), _x(len(network.analysis) + target), middle, strips[source], largest
        )
    _draw_parts(page, network, top)


def _x(number: int) -> float:
    """The middle of a layer."""
    return _LEFT + (number + 0.5) * _STEP


def _tall(strip: restoration_models.Strip, largest: int) -> float:
    """Height of a layer in inches: the square root of its side."""
    return _HEIGHT * math.sqrt(max(strip.output[:2]) / largest)


def _draw_strip(page: sheet.Sheet, strip, x: float, middle: float, largest: int) -> None:
    tall = _tall(strip, largest)
    box = (x - _WIDE / 2, middle - tall / 2, _WIDE, tall)
    page.box(box, facecolor=_COLORS[strip.kind], edgecolor="white", linewidth=0.6)
    name = strip.name.removeprefix("decoder_")
    words = f"{name}  {'×'.join(map(str, strip.output))}"
    page.text(x, middle + _HEIGHT / 2 + 0.1, words, size=7.5, rotation=90, va="top")


def _draw_join(page: sheet.Sheet, start: float, end: float, middle: float, strip, largest) -> None:
    """An arc over the layers between."""
    y = middle - _tall(strip, largest) / 2
    page.canvas.add_patch(
        patches.FancyArrowPatch(
            (start, y),
            (end, y),
            connectionstyle=_ARC,
            arrowstyle="-|>",
            mutation_scale=8,
            linewidth=1.0,
            color=sheet.GREY,
            zorder=0,
        )
    )


def _draw_parts(page: sheet.Sheet, network, top: float) -> None:
    """Names of the two parts, over a bar each."""
    count = len(network.analysis)
    spans = (
        ("analysis part", 0, count - 1),
        ("reconstruction part", count, count + len(network.reconstruction) - 1),
    )
    y = top - 0.45
    for words, first, last in spans:
        left, right = _x(first) - _WIDE / 2, _x(last) + _WIDE / 2
        page.box((left, y + 0.09, right - left, 0.03), facecolor=sheet.GREY)
        page.text((left + right) / 2, y, words, size=9)
