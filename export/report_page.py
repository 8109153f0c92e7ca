"""The report of one graded study as one HTML page that needs no other file and no JavaScript."""

from collections.abc import Sequence
from typing import Any

from data_prep import dicom_header, page_template, series_choice
from export import report, results_table, saliency
from spine_tf import levels

_DAYS_PER_YEAR = 365.25


def to_html(content: report.Content) -> str:
    """Returns report.html: self-contained, with pictures inside."""
    template = page_template.load(
        __file__, "report.html", percent=lambda p: f"{100 * p:.0f}", signed=report.signed
    )
    comparison = content.comparison
    return template.render(
        content=content,
        result_columns=results_table.COLUMNS.values(),
        notice=report.NOTICE,
        never_graded=any(not g.was_graded for disc in content.discs for g in disc.grades),
        has_uncertain=any(g.uncertain for disc in _all_discs(content) for g in disc.grades),
        has_outlier=any(disc.is_outlier for disc in _all_discs(content)),
        series=[
            {"number": number} | _series_row(verdict, content)
            for number, verdict in enumerate(content.choice.verdicts, 1)
        ],
        deciding=_deciding(content.series),
        levels={item.name: ", ".join(_by_order(item.graded_levels)) for item in content.gradings},
        saliency=_saliency(content),
        interval=_interval(comparison.days) if comparison else "",
        compared=_compared(content),
    )


def _all_discs(content: report.Content) -> list[report.Disc]:
    """Its own and those of the earlier study."""
    earlier = content.comparison.earlier if content.comparison else None
    return [*content.discs, *(earlier.discs if earlier else [])]


def _saliency(content: report.Content) -> dict[str, Any] | None:
    """What a reader must know of the coloured places; None where there are none."""
    overlays = content.discs[0].overlays if content.discs else {}
    if not overlays:
        return None
    titles = {item.name: item.title for item in content.gradings}
    scales = (f"{100 * each.scale:.0f} points ({titles[name]})" for name, each in overlays.items())
    rows, columns = content.info["crop"]["shape"][1:3]
    side = saliency.patch_pixels(columns)
    return {
        "patch": f"{side} x {side} of {rows} x {columns} pixels",
        "cover": saliency.COVER,
        "scales": ", ".join(scales),
    }


def _interval(days: int | None) -> str:
    if days is None:
        return "at an unknown distance from the earlier one: the headers have no dates"
    length = f"{abs(days)} days"
    if abs(days) >= _DAYS_PER_YEAR:
        length = f"{abs(days) / _DAYS_PER_YEAR:.1f} years"
    side = "before the one given as earlier" if days < 0 else "after the earlier one"
    return f"{length} {side}, by the dates in the headers"


def _compared(content: report.Content) -> list[dict[str, Any]]:
    """Discs that both studies have, with both pictures and the changes."""
    found, earlier = report.changes(content), content.earlier
    if earlier is None or not found:
        return []
    before = {disc.level: disc for disc in earlier.discs}
    return [
        {
            "level": disc.level,
            "earlier_png": before[disc.level].crop_png,
            "now_png": disc.crop_png,
            "is_outlier": disc.is_outlier or before[disc.level].is_outlier,
            "changes": [change for change in found if change.level == disc.level],
        }
        for disc in content.discs
        if disc.level in before
    ]


def _by_order(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: levels.DiscLevel(name).order)


def _deciding(series: dicom_header.SeriesFiles) -> str:
    """The tags that made it the sagittal T2 series, in words."""
    first = series.first
    row_mm, column_mm = first.pixel_spacing_mm
    times = "no echo time" if first.echo_time_ms is None else f"TE {first.echo_time_ms:.4g} ms"
    return (
        f"sagittal (tilt {series.tilt_deg:.0f} deg), {times} without"
        f" inversion, field of view {series.fov_mm[0]:.0f} x {series.fov_mm[1]:.0f} mm,"
        f" {len(series.slices)} slices of {row_mm:.3g} x {column_mm:.3g} mm pixels"
    )


def _series_row(verdict: series_choice.Verdict, content: report.Content) -> dict[str, Any]:
    """The tags that decide, as a row of a table."""
    first = verdict.series.first
    is_used = verdict.series.uid == content.series.uid
    return {
        "is_used": is_used,
        "num_slices": len(verdict.series.slices),
        "matrix": f"{first.rows} x {first.columns}",
        "pixel_mm": " x ".join(f"{mm:.3g}" for mm in first.pixel_spacing_mm),
        "fov_mm": " x ".join(f"{mm:.0f}" for mm in verdict.series.fov_mm),
        "tilt_deg": f"{verdict.series.tilt_deg:.0f}",
        "times_ms": " / ".join(
            "-" if ms is None else f"{ms:.4g}"
            for ms in (first.echo_time_ms, first.repetition_time_ms, first.inversion_time_ms)
        ),
        "verdict": "used" if is_used else verdict.reason or "sagittal T2, another was preferred",
    }
