"""The picture of the README: an archive of two visits, pairs, the Siamese network, grades."""

import itertools

import numpy as np
from matplotlib import figure, patches

from benchmarks.figures import extraction, scans, sheet
from export import figure as outlines
from spine_tf import levels
from spine_tf.phantom import cohort

_BODY = levels.VertebraLevel.L3
_DISCS = levels.LUMBAR_DISCS[1:]  # T12-L1 is not graded
_GRADING = "disc_degeneration"
_WIDTH, _HEIGHT, _TOP, _TALL = 12.6, 4.75, 1.0, 3.3
_CROP = 1.15
_COLORS = ("#3c9d5f", "#c9b72c", "#e08427", "#c0392b")  # of grade 1 to 4


def draw(config: cohort.CohortConfig) -> figure.Figure:
    """Draws the way from follow-up scans to grades, with the first two families that come again.

    The grades are those of the phantom's reader, of a third subject.
    """
    page = sheet.Sheet(_WIDTH, _HEIGHT, "From follow-up scans to grades", sheet.PHANTOM)
    first, second = scans.followed(config, 2)
    _draw_archive(page, config, first)
    _draw_pairs(page, config, (first, second))
    _draw_network(page)
    graded = max(scans.followed(config, 12), key=lambda index: _spread(config, index))
    _draw_grades(page, config, graded)
    for start, end in ((2.95, 3.35), (6.45, 6.9), (9.15, 9.6)):
        page.arrow((start, _TOP + _TALL / 2), (end, _TOP + _TALL / 2), sheet.GREY)
    return page.figure


def _heading(page: sheet.Sheet, x: float, words: str, below: str) -> None:
    page.text(x, _TOP - 0.3, words, size=12, weight="bold")
    page.text(x, _TOP + _TALL + 0.25, below, size=9, color=sheet.GREY)


def _shown(config: cohort.CohortConfig, index: int, visit: int) -> outlines.Figure:
    found = scans.render(config, index, visit)
    return outlines.draw(found.volume, found.annotation, levels.LUMBAR_DISCS)


def _draw_archive(page: sheet.Sheet, config: cohort.CohortConfig, index: int) -> None:
    """Two visits of one subject, with the outlines that crops are cut by."""
    width = 1.3
    for visit, words in enumerate(("t₀", "t₀ + τ")):
        shown = _shown(config, index, visit)
        left = 0.15 + visit * (width + 0.1)
        box = (left, _TOP, width, width * shown.height_mm / shown.width_mm)
        box = (left, _TOP + (_TALL - box[3]) / 2, *box[2:])
        axes = extraction.draw_slice(page, shown, box)
        for item in shown.bodies:
            extraction.outline(axes, item, sheet.BODY_EDGE | {"linewidth": 0.8})
        page.text(left + width / 2, box[1] - 0.13, words)
    _heading(page, 1.5, "An archive", "DICOM, two visits of a person")


def _draw_pairs(page: sheet.Sheet, config: cohort.CohortConfig, subjects: tuple[int, int]) -> None:
    """One body of two subjects at two visits, with its pairs."""
    tops = (_TOP + 0.25, _TOP + _TALL - 0.25 - _CROP)
    lefts = (3.5, 5.2)
    for (top, index), (visit, left) in itertools.product(
        zip(tops, subjects, strict=True), enumerate(lefts)
    ):
        plane = scans.render(config, index, visit).bodies[_BODY]
        page.picture((left, top, _CROP, _CROP), plane)
    middles = [top + _CROP / 2 for top in tops]
    start, end = lefts[0] + _CROP + 0.04, lefts[1] - 0.04
    for one, other in itertools.product((0, 1), (0, 1)):
        shift = 0.35 * _CROP * (other - one)
        color = sheet.POSITIVE if one == other else sheet.NEGATIVE
        ends = (start, middles[one] + shift), (end, middles[other] - shift)
        page.arrow(*ends, color, "<|-|>")
    page.text(4.925, tops[0] - 0.15, "one person", color=sheet.POSITIVE)
    page.text(4.925, tops[1] + _CROP + 0.15, "two persons", color=sheet.NEGATIVE)
    _heading(page, 4.925, "Pairs", f"crops of {_BODY.value}; nobody labels anything")


def _draw_network(page: sheet.Sheet) -> None:
    """Two towers that share their weights, and the loss between them."""
    tops = (_TOP + 0.5, _TOP + _TALL - 1.3)
    for top in tops:
        for number, size in enumerate((0.8, 0.6, 0.42, 0.28)):
            left = 7.0 + 0.42 * number
            box = (left, top + 0.4 - size / 2, 0.22, size)
            page.box(box, facecolor="#8cbde0", edgecolor="white")
        page.box((8.75, top + 0.1, 0.1, 0.6), facecolor="#ecb35e", edgecolor="white")
    middle = _TOP + _TALL / 2
    for top in (tops[0] + 0.75, tops[1] + 0.05):
        page.arrow((8.8, top), (8.8, middle + np.sign(top - middle) * 0.24), sheet.GREY)
    page.lines(8.55, middle, ["contrastive loss"], size=9)
    page.text(7.45, middle, "same weights", size=9, style="italic")
    _heading(page, 8.0, "Siamese network", "which crops are of one person?")


def _grades(config: cohort.CohortConfig, index: int) -> list[int]:
    return [scans.grades(config, scans.Case(index, disc), _GRADING)[0] for disc in _DISCS]


def _spread(config: cohort.CohortConfig, index: int) -> int:
    """How many different grades the discs of a subject have."""
    return len(set(_grades(config, index)))


def _draw_grades(page: sheet.Sheet, config: cohort.CohortConfig, index: int) -> None:
    """One subject with the grade of every disc."""
    shown = _shown(config, index, 0)
    width = _TALL * shown.width_mm / shown.height_mm
    axes = extraction.draw_slice(page, shown, (9.75, _TOP, width, _TALL))
    grades = dict(zip((disc.value for disc in _DISCS), _grades(config, index), strict=True))
    for item in shown.discs:
        if item.name not in grades:
            continue
        color = _COLORS[grades[item.name] - 1]
        extraction.outline(axes, item, {"edgecolor": color, "linewidth": 1.8})
        x, y = item.label
        label = f"{item.name}: {grades[item.name]}"
        axes.text(x - 2, y, label, color=color, fontsize=8, ha="right", va="center", weight="bold")
    left = 9.75 + width
    page.text(left + 0.2, _TOP + 0.02, "grade", size=8)
    for number, color in enumerate(_COLORS):
        y = _TOP + 0.24 + 0.22 * number
        page.canvas.add_patch(patches.Circle((left + 0.12, y), 0.06, color=color))
        page.text(left + 0.25, y, str(number + 1), ha="left", size=8)
    _heading(page, 9.75 + width / 2, "Grades", "the same convolutions, few labels")
