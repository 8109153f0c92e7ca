"""The report of one graded study: JSON for programs, and HTML that needs no other file.

It holds what was seen, which series and model were used, and no attribute of the patient.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from data_prep import dicom_header, series_choice
from export import figure, saved_model, table
from spine_tf import levels

FORMAT = "spine_tf grades/1"
NOTICE = "Research only. Not a medical device: not for diagnosis or treatment."
_TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")


@dataclasses.dataclass(frozen=True)
class Disc:
    """One graded disc.

    Attributes:
        level: Its name.
        crop_png: Base64 of the middle slice that the network saw.
        grades: One per grading.
    """

    level: str
    crop_png: str = dataclasses.field(repr=False)
    grades: Sequence[table.Grade]


@dataclasses.dataclass(frozen=True)
class Content:
    """What a report says.

    Attributes:
        study_instance_uid: The study.
        series: The series that was graded.
        choice: Every series of the study, and why it was not chosen.
        notes: What a reader should know.
        info: model.json of the model.
        model_version: Its version.
        gradings: Its gradings.
        discs: The discs, head to foot.
        figure: The mid-sagittal slice.
        detected: `vertebrae/1` with its scores, if a detector found the vertebrae.
    """

    study_instance_uid: str
    series: dicom_header.SeriesFiles
    choice: series_choice.Choice
    notes: Sequence[str]
    info: Mapping[str, Any]
    model_version: str
    gradings: Sequence[saved_model.GradingInfo]
    discs: Sequence[Disc]
    figure: figure.Figure
    detected: Mapping[str, Any] | None = None


def to_csv(content: Content) -> str:
    """Returns grades.csv: one row per disc and grading; see `table` for the columns."""
    columns = [
        *("level", "grading", "grade", "expected_grade"),
        *table.probability_columns(content.gradings),
        *("was_graded", "model_version"),
    ]
    rows = (
        {"level": disc.level, "model_version": content.model_version} | table.cells(grade)
        for disc in content.discs
        for grade in disc.grades
    )
    return table.to_csv(columns, rows)


def to_json(content: Content) -> dict[str, Any]:
    """Returns the content of grades.json."""
    detected = {} if content.detected is None else {"vertebrae": content.detected}
    return detected | {
        "format": FORMAT,
        "notice": NOTICE,
        "study_instance_uid": content.study_instance_uid,
        "series_instance_uid": content.series.uid,
        "series_choice": content.choice.lines(),
        "notes": list(content.notes),
        "model": {
            "version": content.model_version,
            "weights_sha256": content.info["weights_sha256"],
            "data": content.info["data"],
            "versions": content.info["versions"],
        },
        "discs": [
            {"level": disc.level, "gradings": [_grade_to_json(grade) for grade in disc.grades]}
            for disc in content.discs
        ],
    }


def _grade_to_json(grade: table.Grade) -> dict[str, Any]:
    return {
        "grading": grade.grading.name,
        "grade": grade.grade,
        "expected_grade": round(grade.expected_grade, 6),
        "probabilities": {str(g): round(p, 6) for g, p in grade.probabilities.items()},
        "was_graded": grade.was_graded,
    }


def to_html(content: Content) -> str:
    """Returns report.html: self-contained, with pictures inside."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda p: f"{100 * p:.0f}"
    return environment.get_template("report.html").render(
        content=content,
        notice=NOTICE,
        never_graded=any(not g.was_graded for disc in content.discs for g in disc.grades),
        series=[
            {"number": number} | _series_row(verdict, content)
            for number, verdict in enumerate(content.choice.verdicts, 1)
        ],
        deciding=_deciding(content.series),
        levels={item.name: ", ".join(_by_order(item.graded_levels)) for item in content.gradings},
    )


def _by_order(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: levels.DiscLevel(name).order)


def _deciding(series: dicom_header.SeriesFiles) -> str:
    """The tags that made it the sagittal T2 series, in words."""
    first = series.first
    row_mm, column_mm = first.pixel_spacing_mm
    return (
        f"sagittal (tilt {series.tilt_deg:.0f} deg), TE {first.echo_time_ms:.4g} ms without"
        f" inversion, field of view {series.fov_mm[0]:.0f} x {series.fov_mm[1]:.0f} mm,"
        f" {len(series.slices)} slices of {row_mm:.3g} x {column_mm:.3g} mm pixels"
    )


def _series_row(verdict: series_choice.Verdict, content: Content) -> dict[str, Any]:
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
