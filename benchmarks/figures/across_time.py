"""Fig. 2: the same vertebral body and the same disc at two visits."""

from matplotlib import figure

from benchmarks.figures import scans, sheet
from spine_tf.phantom import cohort

_TOP, _SIDE, _GAP, _BETWEEN = 1.0, 1.4, 0.08, 0.3
_LEFT = 1.7
_BODY_LEFTS = (_LEFT, _LEFT + _SIDE + _GAP)
_DISC_LEFTS = tuple(_BODY_LEFTS[1] + _SIDE + _BETWEEN + i * (2 * _SIDE + _GAP) for i in (0, 1))
_VISITS = ("t₀", "t₀ + τ")
_SHOWN = {"disc_degeneration": "degeneration", "spondylolisthesis": "slip"}


def draw(config: cohort.CohortConfig, num_ageing: int = 3) -> figure.Figure:
    """Draws discs that degenerate, then one above which the vertebra slips, with the body above.

    Source: Jamaludin 2017, Fig. 2.
    """
    slip = scans.slipping(config)
    others = scans.degenerating(config, num_ageing + 1)
    cases = [case for case in others if case.index != slip.index][:num_ageing] + [slip]
    height = _TOP + len(cases) * (_SIDE + _GAP) + 0.1
    page = sheet.Sheet(_DISC_LEFTS[1] + 2 * _SIDE + 0.15, height, "VB and IVD across time")
    _draw_headings(page)
    for row, case in enumerate(cases):
        _draw_case(page, config, case, _TOP + row * (_SIDE + _GAP), case is slip)
    return page.figure


def _draw_headings(page: sheet.Sheet) -> None:
    for what, lefts, width in (("VB", _BODY_LEFTS, _SIDE), ("IVD", _DISC_LEFTS, 2 * _SIDE)):
        page.text((lefts[0] + lefts[1] + width) / 2, _TOP - 0.42, what, size=12, weight="bold")
        for left, visit in zip(lefts, _VISITS, strict=True):
            page.text(left + width / 2, _TOP - 0.15, visit, size=11)


def _draw_case(
    page: sheet.Sheet, config: cohort.CohortConfig, case: scans.Case, top: float, outlined: bool
) -> None:
    page.lines(_LEFT - 0.12, top + _SIDE / 2, _words(config, case), ha="right")
    for visit in range(len(_VISITS)):
        found = scans.render(config, case.index, visit)
        page.picture((_BODY_LEFTS[visit], top, _SIDE, _SIDE), found.bodies[case.disc.upper])
        axes = page.picture((_DISC_LEFTS[visit], top, 2 * _SIDE, _SIDE), found.discs[case.disc])
        if outlined:
            axes.fill(*found.disc_outline(case.disc).T, facecolor="none", **sheet.DISC_EDGE)


def _words(config: cohort.CohortConfig, case: scans.Case) -> list[str]:
    """Who and where, and the grades that changed."""
    lines = [
        f"subject {case.index}",
        f"{case.disc.upper.value} and {case.disc.value}",
        f"τ = {scans.years_between(config, case.index):.0f} years",
    ]
    for name, word in _SHOWN.items():
        before, after = scans.grades(config, case, name)[:2]
        if before != after:
            lines.append(f"{word} {before} → {after}")
    return lines
