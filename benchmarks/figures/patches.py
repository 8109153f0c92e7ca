"""Fig. 1 of Chen 2019: the tiles of relative positions and jigsaw, the region of prediction."""

import numpy as np
from matplotlib import axes, figure, patches

from benchmarks.figures import real_images, sheet
from spine_tf.data import masking, slice_schema, tiles

_HEIGHT, _TOP, _GAP = 2.5, 0.55, 0.12
_CELL, _SHOWN = "#39c0ed", "#ff2d2d"
_WORD = {
    "color": "white",
    "fontsize": 10,
    "bbox": {"facecolor": _SHOWN, "linewidth": 0, "pad": 1.5},
}
_NUM_PERMUTATIONS = 100


def draw(data_dir: str, seed: int) -> figure.Figure:
    """Draws the original and what three pretexts take of it.

    Args:
        data_dir: Folder of the real data.
        seed: Of the draws of the pretexts.

    Source: Chen 2019, Fig. 1, with the jigsaw that its text describes.
    """
    plane = real_images.brain(data_dir, slice_schema.CORONAL)
    rows, columns = plane.image.shape
    width = _HEIGHT * columns / rows
    titles = ["original", "relative positions", "jigsaw", "context prediction"]
    page = sheet.Sheet(
        0.15 + len(titles) * (width + _GAP),
        _TOP + _HEIGHT + 0.5,
        "What the other pretexts take of an image",
        f"{plane.name}, coronal",
    )
    lefts = [0.15 + number * (width + _GAP) for number in range(len(titles))]
    image, valid, _ = real_images.batch(plane)
    seeds = np.array([[seed, 0]], np.int32)
    masked = masking.remove_region(image, valid, seeds)
    shown = [plane.image] * 3 + [masked.image.numpy()[0, 0, ..., 0]]
    made = [
        page.picture((left, _TOP, width, _HEIGHT), part, white=1.0)
        for left, part in zip(lefts, shown, strict=True)
    ]
    for left, title in zip(lefts, titles, strict=True):
        page.text(left + width / 2, _TOP + _HEIGHT + 0.18, title)
    pair = tiles.relative_positions(image, valid, seeds)
    _draw_grid(made[1], plane.image.shape)
    for corner, word in zip(pair.corner.numpy()[0], ("middle", "other"), strict=True):
        _draw_tile(made[1], corner, pair.tiles.shape[3:5], word)
    nine = tiles.jigsaw(image, valid, seeds, tiles.permutation_set(_NUM_PERMUTATIONS))
    _draw_grid(made[2], plane.image.shape)
    for number, corner in enumerate(nine.corner.numpy()[0], 1):
        _draw_tile(made[2], corner, nine.tiles.shape[3:5], str(number))
    _draw_region(made[3], masked.mask.numpy()[0, 0])
    return page.figure


def _draw_grid(on: axes.Axes, shape: tuple[int, int]) -> None:
    """The nine cells."""
    rows, columns = (side // 3 for side in shape)
    first = [
        (side - 3 * cell) // 2 - 0.5 for side, cell in zip(shape, (rows, columns), strict=True)
    ]
    for number in range(4):
        y, x = first[0] + number * rows, first[1] + number * columns
        on.plot((first[1], first[1] + 3 * columns), (y, y), color=_CELL, linewidth=0.8)
        on.plot((x, x), (first[0], first[0] + 3 * rows), color=_CELL, linewidth=0.8)


def _draw_tile(on: axes.Axes, corner: np.ndarray, size: tuple[int, int], word: str) -> None:
    _, row, column = corner
    _draw_box(on, row, column, size)
    on.text(column + size[1] / 2, row + size[0] / 2, word, ha="center", va="center", **_WORD)


def _draw_region(on: axes.Axes, mask: np.ndarray) -> None:
    places = np.argwhere(mask)
    row, column = places.min(0)
    _draw_box(on, row, column, places.max(0) - places.min(0) + 1)


def _draw_box(on: axes.Axes, row: int, column: int, size) -> None:
    """The outline of pixels from (row, column) on."""
    corner = (column - 0.5, row - 0.5)
    on.add_patch(
        patches.Rectangle(corner, size[1], size[0], fill=False, edgecolor=_SHOWN, linewidth=1.6)
    )
