"""A picture of segmented slices: contours of the truth and of the prediction, side by side."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import figure, lines

_COLORS = ("#39c0ed", "#ffb000", "#e5446d", "#7bd389", "#b388eb", "#f27f3d")
_HEIGHT, _DARK, _BRIGHT = 3.2, 1, 99  # inches of a slice; percentiles that are black and white


@dataclasses.dataclass(frozen=True)
class Shown:
    """One slice.

    Attributes:
        image: [rows, columns] float.
        truth: [rows, columns] labels.
        prediction: [rows, columns] labels.
        spacing_mm: Distance between rows and between columns.
    """

    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    spacing_mm: tuple[float, float]


def fullest_slice(truth: np.ndarray, positions: np.ndarray) -> int:
    """Returns which of some slices has the most labelled pixels; the first of equals.

    Args:
        truth: [slices, rows, columns] labels.
        positions: [some] slices to choose from.

    Returns:
        A number into `positions`.
    """
    return int(np.argmax((truth[positions] > 0).sum((1, 2))))


def draw(
    slices: Mapping[str, Shown], regions: Mapping[str, Sequence[int]], title: str
) -> figure.Figure:
    """Draws a row per slice: the reference on the left, the prediction on the right.

    Args:
        slices: What stands beside it -> slice.
        regions: Name -> labels; each has its colour.
        title: Title.
    """
    sizes = [_size_mm(one) for one in slices.values()]
    width = max(columns / rows for rows, columns in sizes) * _HEIGHT
    made = figure.Figure((2 * width + 0.6, _HEIGHT * len(slices) + 1.1), layout="constrained")
    grid = made.subplots(len(slices), 2, squeeze=False)
    for (words, one), (left, right) in zip(slices.items(), grid, strict=True):
        for axes, labels in ((left, one.truth), (right, one.prediction)):
            _draw_slice(axes, one, labels, regions)
        left.set_ylabel(words, fontsize=9)
    for axes, words in zip(grid[0], ("reference", "prediction"), strict=True):
        axes.set_title(words, fontsize=10)
    keys = [lines.Line2D([], [], color=_color(i), label=name) for i, name in enumerate(regions)]
    made.legend(handles=keys, loc="outside lower center", ncols=min(4, len(keys)), frameon=False)
    made.suptitle(title, fontsize=10)
    return made


def _size_mm(one: Shown) -> tuple[float, float]:
    rows, columns = one.image.shape
    return rows * one.spacing_mm[0], columns * one.spacing_mm[1]


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]


def _draw_slice(axes: Any, one: Shown, labels: np.ndarray, regions) -> None:
    dark, bright = np.percentile(one.image, [_DARK, _BRIGHT])
    aspect = one.spacing_mm[0] / one.spacing_mm[1]
    axes.imshow(one.image, cmap="gray", vmin=dark, vmax=bright, aspect=aspect)
    for number, wanted in enumerate(regions.values()):
        mask = np.isin(labels, wanted)
        if mask.any() and not mask.all():
            axes.contour(mask, [0.5], colors=_color(number), linewidths=1.1)
    axes.set(xticks=[], yticks=[])
