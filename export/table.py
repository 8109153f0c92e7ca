"""Grades as rows of a table: one row per disc and grading.

Columns p_0, p_1, ... are probabilities of the published grade 0, 1, ...; a grade that a grading
does not have is left empty. So gradings with different scales share a table.
"""

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from export import saved_model

_DIGITS = 6


@dataclasses.dataclass(frozen=True)
class Grade:
    """What a model says of one disc in one grading.

    Attributes:
        grading: The grading.
        grade: The most probable published grade.
        expected_grade: Mean grade under the probabilities.
        probabilities: Published grade -> probability.
        was_graded: Whether the training data graded this level at all.
        uncertain: Whether the probability of the grade is below the threshold of the chosen error
            rate; None if the model is not calibrated.
    """

    grading: saved_model.GradingInfo
    grade: int
    expected_grade: float
    probabilities: Mapping[int, float]
    was_graded: bool
    uncertain: bool | None = None


def grades_of(
    gradings: Sequence[saved_model.GradingInfo], outputs: Mapping[str, np.ndarray], number: int
) -> list[Grade]:
    """Returns the grades of one disc from the outputs of `examples` or `scan`."""
    found = []
    for item in gradings:
        values = {name: outputs[f"{item.name}_{name}"][number] for name in _OUTPUTS}
        probabilities = map(float, values["probabilities"])
        uncertain = outputs.get(f"{item.name}_uncertain")
        found.append(
            Grade(
                grading=item,
                grade=int(values["grade"]),
                expected_grade=float(values["expected_grade"]),
                probabilities=dict(zip(item.grades, probabilities, strict=True)),
                was_graded=bool(values["was_graded"]),
                uncertain=None if uncertain is None else bool(uncertain[number]),
            )
        )
    return found


_OUTPUTS = ("grade", "expected_grade", "probabilities", "was_graded")


def probability_columns(gradings: Iterable[saved_model.GradingInfo]) -> list[str]:
    """Returns p_0, p_1, ... for all published grades of the gradings."""
    return [f"p_{grade}" for grade in sorted({g for item in gradings for g in item.grades})]


def cells(grade: Grade) -> dict[str, str]:
    """Returns the cells of one grade by column; `uncertain` is empty if it is not known."""
    return {
        "grading": grade.grading.name,
        "grade": str(grade.grade),
        "expected_grade": f"{grade.expected_grade:.{_DIGITS}f}",
        "was_graded": str(int(grade.was_graded)),
        "uncertain": "" if grade.uncertain is None else str(int(grade.uncertain)),
        **{f"p_{g}": f"{p:.{_DIGITS}f}" for g, p in grade.probabilities.items()},
    }


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]], header: bool = True) -> str:
    """Returns CSV text of some columns; a cell that a row does not have is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
