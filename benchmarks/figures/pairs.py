"""Fig. 3: which vertebral bodies make positive and which negative pairs."""

import itertools

from matplotlib import figure

from benchmarks.figures import scans, sheet
from spine_tf import levels
from spine_tf.phantom import cohort

_LEVEL = levels.VertebraLevel.L3
_TOP, _LEFT, _SIDE = 1.05, 1.2, 2.1
_STEP_X, _STEP_Y = 4.6, 3.0
_VISITS = ("t₀", "t₀ + τ")
_AIR = 0.1


def draw(config: cohort.CohortConfig) -> figure.Figure:
    """Draws one level of two subjects at two visits, and the pairs they make.

    A positive pair is one subject at both visits; a negative one takes the first visit of one
    subject and the second of the other. Source: Jamaludin 2017, Fig. 3.
    """
    width, height = _LEFT + _STEP_X + _SIDE + 0.3, _TOP + _STEP_Y + _SIDE + 0.65
    page = sheet.Sheet(width, height, f"Positive and negative pairs of {_LEVEL.value}")
    for column, visit in enumerate(_VISITS):
        page.text(_LEFT + column * _STEP_X + _SIDE / 2, _TOP - 0.2, visit, size=13)
    for row, index in enumerate(scans.followed(config, 2)):
        _draw_subject(page, config, index, row)
    _draw_arrows(page)
    _draw_key(page, _TOP + _STEP_Y + _SIDE + 0.35)
    return page.figure


def _draw_subject(page: sheet.Sheet, config: cohort.CohortConfig, index: int, row: int) -> None:
    top = _TOP + row * _STEP_Y
    years = scans.years_between(config, index)
    words = [f"subject {index}", f"τ = {years:.0f} years"]
    page.lines(_LEFT - 0.12, top + _SIDE / 2, words, ha="right")
    for column in range(len(_VISITS)):
        plane = scans.render(config, index, column).bodies[_LEVEL]
        page.picture((_LEFT + column * _STEP_X, top, _SIDE, _SIDE), plane)


def _draw_arrows(page: sheet.Sheet) -> None:
    """From every first visit to every second one."""
    start, end = _LEFT + _SIDE + _AIR, _LEFT + _STEP_X - _AIR
    for row, other in itertools.product((0, 1), (0, 1)):
        # Negatives leave and arrive nearer to the other subject than positives.
        shift = 0.35 * _SIDE * (other - row)
        y = [_TOP + number * _STEP_Y + _SIDE / 2 for number in (row, other)]
        color = sheet.POSITIVE if row == other else sheet.NEGATIVE
        page.arrow((start, y[0] + shift), (end, y[1] - shift), color, "<|-|>")


def _draw_key(page: sheet.Sheet, y: float) -> None:
    for x, color, words in (
        (_LEFT, sheet.POSITIVE, "positive: one subject"),
        (_LEFT + _STEP_X - 0.3, sheet.NEGATIVE, "negative: two subjects"),
    ):
        page.arrow((x, y), (x + 0.5, y), color, "<|-|>")
        page.text(x + 0.6, y, words, ha="left")
