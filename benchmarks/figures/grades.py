"""Fig. 5: discs of each grade of degeneration."""

from matplotlib import figure

from benchmarks.figures import scans, sheet
from spine_tf import gradings, levels
from spine_tf.phantom import cohort

_TOP, _LEFT, _WIDTH, _GAP = 0.95, 0.9, 2.2, 0.08
_HEIGHT = _WIDTH / 2
_LEVELS = tuple(levels.DiscLevel(name) for name in ("L2-L3", "L3-L4", "L4-L5"))
_GRADING = gradings.GRADINGS["disc_degeneration"]


def draw(
    config: cohort.CohortConfig, discs: tuple[levels.DiscLevel, ...] = _LEVELS
) -> figure.Figure:
    """Draws, per level, a typical disc of every grade.

    Source: Jamaludin 2017, Fig. 5.
    """
    width = _LEFT + _GRADING.num_classes * (_WIDTH + _GAP) + 0.1
    page = sheet.Sheet(width, _TOP + len(discs) * (_HEIGHT + _GAP) + 0.1, _GRADING.title)
    for column, grade in enumerate(_GRADING.grades):
        left = _LEFT + column * (_WIDTH + _GAP)
        page.text(left + _WIDTH / 2, _TOP - 0.2, f"grade {grade}", size=12)
        for row, disc in enumerate(discs):
            case = scans.typical(config, disc, grade)
            box = (left, _TOP + row * (_HEIGHT + _GAP), _WIDTH, _HEIGHT)
            page.picture(box, scans.render(config, case.index, 0).discs[disc])
    for row, disc in enumerate(discs):
        page.text(
            _LEFT - 0.12,
            _TOP + row * (_HEIGHT + _GAP) + _HEIGHT / 2,
            disc.value,
            size=11,
            ha="right",
        )
    return page.figure
