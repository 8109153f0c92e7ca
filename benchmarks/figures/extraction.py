"""Fig. 1: from a scan to the crops of seven vertebral bodies and six discs."""

import base64
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib import axes as mpl_axes
from matplotlib import figure

from benchmarks.figures import scans, sheet
from export import figure as outlines
from spine_tf import levels
from spine_tf.data import crops
from spine_tf.phantom import cohort

_TOP, _SIDE, _GAP, _MARGIN = 0.95, 1.0, 0.08, 0.15
_STEP = _SIDE + _GAP


def draw(config: cohort.CohortConfig, index: int = 0) -> figure.Figure:
    """Draws the mid-slice of a subject's first scan, and the mid-slices of its crops.

    Source: Jamaludin 2017, Fig. 1.
    """
    found = scans.render(config, index, 0)
    shown = outlines.draw(found.volume, found.annotation, levels.LUMBAR_DISCS)
    height = len(levels.LUMBAR_VERTEBRAE) * _STEP - _GAP
    width = height * shown.width_mm / shown.height_mm
    page = sheet.Sheet(width + 5.1, _TOP + height + _MARGIN, "Extraction of VBs and IVDs")
    _draw_scan(page, shown, (_MARGIN, _TOP, width, height))
    middle = _TOP + height / 2
    page.arrow((width + 0.25, middle), (width + 0.7, middle), sheet.GREY)
    bodies_left = width + 1.2
    _draw_bodies(page, found, bodies_left)
    _draw_discs(page, found, bodies_left + _SIDE + 0.7)
    return page.figure


def _draw_scan(page: sheet.Sheet, shown: outlines.Figure, box: Sequence[float]) -> None:
    left, top, width, _ = box
    words = f"T2 slice {shown.slice_number} of {shown.num_slices}"
    page.text(left + width / 2, top - 0.22, words)
    axes = draw_slice(page, shown, box)
    for item in shown.bodies:
        outline(axes, item, sheet.BODY_EDGE)
        axes.text(*item.label, item.name, color=sheet.BODY, fontsize=10, ha="center", va="center")
    for item in shown.discs:
        outline(axes, item, sheet.DISC_EDGE)
        x, y = item.label
        axes.text(x - 2, y, item.name, color=sheet.DISC, fontsize=9, ha="right", va="center")


def draw_slice(page: sheet.Sheet, shown: outlines.Figure, box: Sequence[float]) -> mpl_axes.Axes:
    """Shows the slice in a box (left, top, width, height); returns axes in mm, to draw on."""
    plane = tf.io.decode_png(base64.b64decode(shown.png), 1).numpy()[..., 0]
    extent_mm = (0, shown.width_mm, shown.height_mm, 0)
    return page.picture(box, plane, white=255, extent=extent_mm)


def outline(axes: mpl_axes.Axes, item: outlines.Outline, edge: dict) -> None:
    """Draws the outline of a body or disc; `edge` is of matplotlib's `fill`."""
    x, y = np.array([point.split(",") for point in item.points.split()], float).T
    axes.fill(x, y, facecolor="none", **edge)


def _draw_bodies(page: sheet.Sheet, found: scans.Scan, left: float) -> None:
    _heading(page, left + _SIDE / 2, len(levels.LUMBAR_VERTEBRAE), "VBs", crops.VERTEBRA)
    for row, level in enumerate(levels.LUMBAR_VERTEBRAE):
        top = _TOP + row * _STEP
        page.picture((left, top, _SIDE, _SIDE), found.bodies[level], frame=sheet.BODY)
        page.text(left - 0.08, top + _SIDE / 2, level.value, ha="right")


def _draw_discs(page: sheet.Sheet, found: scans.Scan, left: float) -> None:
    """Each disc between the two bodies it lies between, and twice as large."""
    _heading(page, left + _SIDE, len(levels.LUMBAR_DISCS), "IVDs", crops.DISC)
    for row, disc in enumerate(levels.LUMBAR_DISCS):
        top = _TOP + (row + 0.5) * _STEP
        page.picture((left, top, 2 * _SIDE, _SIDE), found.discs[disc], frame=sheet.DISC)
        page.text(left - 0.08, top + _SIDE / 2, disc.value, ha="right")


def _heading(page: sheet.Sheet, x: float, count: int, what: str, kind: crops.CropKind) -> None:
    slices, rows, columns = kind.network_shape(1.0)
    page.text(x, _TOP - 0.3, f"{count} {what}\n{slices}×{rows}×{columns}")
