"""The report of one graded study as tables for programs; `report_page` makes the page for people.

It holds what was seen, which series and model were used, and no attribute of the patient.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from data_prep import dicom_header, series_choice
from export import figure, results_table, saved_model, table

FORMAT = "spine_tf grades/1"
NOTICE = "Research only. Not a medical device: not for diagnosis or treatment."
_DIGITS = 6


@dataclasses.dataclass(frozen=True)
class Disc:
    """One graded disc.

    Attributes:
        level: Its name.
        crop_png: Base64 of the middle slice that the network saw.
        grades: One per grading.
        distance: How far the crop is from the training data, 1 is the limit; None if the model is
            not calibrated.
        is_outlier: Whether it is beyond the limit.
        overlays: Grading -> saliency, if it was asked for.
    """

    level: str
    crop_png: str = dataclasses.field(repr=False)
    grades: Sequence[table.Grade]
    distance: float | None = None
    is_outlier: bool | None = None
    overlays: Mapping[str, figure.Overlay] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Check:
    """Whether both studies are of one person.

    Attributes:
        verdict: same, uncertain, different, impossible, or unchecked.
        text: What a reader should know of it.
        result: Content of the file of `spine-tf verify`, if the check was made.
    """

    verdict: str
    text: str
    result: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A study beside an earlier one.

    Attributes:
        check: Whether they are of one person.
        earlier: The earlier study; None if the check forbids to compare.
        days: Between the studies by the dates in their headers, or None.
        notes: What weakens the comparison.
    """

    check: Check
    earlier: "Content | None" = None
    days: int | None = None
    notes: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Content:
    """What a report says.

    Attributes:
        study_instance_uid: The study.
        series: The series that was graded.
        choice: Every series of the study, and why it was not chosen.
        vertebrae_from: Where the vertebrae come from, in words.
        notes: What a reader should know.
        info: model.json of the model.
        model_version: Its version.
        gradings: Its gradings.
        discs: The discs, head to foot.
        figure: The mid-sagittal slice.
        detected: `vertebrae/1` with its scores, if a detector found the vertebrae.
        card: What the model card says, in rows of name and text.
        results: What was measured of the model, per grading.
        comparison: With an earlier study, if one was given.
    """

    study_instance_uid: str
    series: dicom_header.SeriesFiles
    choice: series_choice.Choice
    vertebrae_from: str
    notes: Sequence[str]
    info: Mapping[str, Any]
    model_version: str
    gradings: Sequence[saved_model.GradingInfo]
    discs: Sequence[Disc]
    figure: figure.Figure
    detected: Mapping[str, Any] | None = None
    card: Sequence[tuple[str, str]] = ()
    results: Sequence[results_table.Table] = ()
    comparison: Comparison | None = None

    @property
    def earlier(self) -> "Content | None":
        """The earlier study that it is compared with, or None."""
        return None if self.comparison is None else self.comparison.earlier

    @property
    def is_calibrated(self) -> bool:
        """Whether the model says where it is uncertain."""
        grades = [grade for disc in self.discs for grade in disc.grades]
        return bool(grades) and all(grade.uncertain is not None for grade in grades)


@dataclasses.dataclass(frozen=True)
class Change:
    """One disc in one grading, then and now."""

    level: str
    earlier: table.Grade
    now: table.Grade

    @property
    def grades(self) -> int:
        """By how many grades the most probable grade is higher now."""
        return self.now.grade - self.earlier.grade

    @property
    def expected(self) -> float:
        """By how much the expected grade is higher now."""
        return self.now.expected_grade - self.earlier.expected_grade

    @property
    def uncertain(self) -> bool | None:
        """Whether one of both grades is uncertain; None if the model is not calibrated."""
        found = (self.earlier.uncertain, self.now.uncertain)
        return None if None in found else any(found)


def changes(content: Content) -> list[Change]:
    """Returns the changes of the discs that both studies have, head to foot."""
    if content.earlier is None:
        return []
    earlier = {disc.level: disc for disc in content.earlier.discs}
    return [
        Change(disc.level, *pair)
        for disc in content.discs
        if disc.level in earlier
        for pair in zip(earlier[disc.level].grades, disc.grades, strict=True)
    ]


def signed(value: float) -> str:
    """Returns a change with its sign and one decimal; what rounds to nothing is +0.0."""
    return f"{round(value, 1) + 0.0:+.1f}"


def to_csv(content: Content) -> str:
    """Returns grades.csv: one row per disc and grading; see `table` for the columns."""
    columns = [
        *("level", "grading", "grade", "expected_grade"),
        *table.probability_columns(content.gradings),
        *("was_graded", "uncertain", "distance", "is_outlier", "model_version"),
    ]
    rows = (
        {"level": disc.level, "model_version": content.model_version}
        | ({} if disc.distance is None else {"distance": f"{disc.distance:.{_DIGITS}f}"})
        | ({} if disc.is_outlier is None else {"is_outlier": str(int(disc.is_outlier))})
        | table.cells(grade)
        for disc in content.discs
        for grade in disc.grades
    )
    return table.to_csv(columns, rows)


def to_json(content: Content) -> dict[str, Any]:
    """Returns the content of grades.json."""
    found = {
        "format": FORMAT,
        "notice": NOTICE,
        "study_instance_uid": content.study_instance_uid,
        "series_instance_uid": content.series.uid,
        "series_choice": content.choice.lines(),
        "vertebrae_from": content.vertebrae_from,
        "notes": list(content.notes),
        "model": {
            "version": content.model_version,
            "is_calibrated": content.is_calibrated,
            "weights_sha256": content.info["weights_sha256"],
            "data": content.info["data"],
            "versions": content.info["versions"],
        },
        "discs": [_disc_to_json(disc) for disc in content.discs],
    }
    if content.detected is not None:
        found["vertebrae"] = content.detected
    if content.comparison is not None:
        found["comparison"] = _comparison_to_json(content.comparison, changes(content))
    return found


def _disc_to_json(disc: Disc) -> dict[str, Any]:
    grades = [_grade_to_json(grade) for grade in disc.grades]
    found: dict[str, Any] = {"level": disc.level, "gradings": grades}
    if disc.distance is not None:
        found |= {"distance": round(disc.distance, _DIGITS), "is_outlier": disc.is_outlier}
    return found


def _grade_to_json(grade: table.Grade) -> dict[str, Any]:
    found = {
        "grading": grade.grading.name,
        "grade": grade.grade,
        "expected_grade": round(grade.expected_grade, _DIGITS),
        "probabilities": {str(g): round(p, _DIGITS) for g, p in grade.probabilities.items()},
        "was_graded": grade.was_graded,
    }
    return found if grade.uncertain is None else found | {"uncertain": grade.uncertain}


def _comparison_to_json(comparison: Comparison, changed: Sequence[Change]) -> dict[str, Any]:
    earlier = comparison.earlier
    return {
        "same_person_check": dataclasses.asdict(comparison.check),
        "notes": list(comparison.notes),
        "days_apart": comparison.days,
        "earlier": None if earlier is None else to_json(earlier),
        "changes": [
            {
                "level": change.level,
                "grading": change.now.grading.name,
                "grade_earlier": change.earlier.grade,
                "grade": change.now.grade,
                "change": change.grades,
                "expected_change": round(change.expected, _DIGITS),
                "uncertain": change.uncertain,
            }
            for change in changed
        ],
    }
