"""The evaluation of a grading model as one small table per grading, for its card and reports."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from spine_tf.evaluation import bootstrap

COLUMNS = {
    "balanced_accuracy": "Balanced accuracy",
    "quadratic_kappa": "Quadratic kappa",
    "off_by_more_than_one": "Off by more than one",
}
_ROWS = {"model": "model", "ordinal_ridge": "ordinal ridge", "majority_grade": "majority grade"}
_NOT_BETTER = (
    "Here the model is not shown to be better than always answering the most frequent grade: the"
    " interval of its balanced accuracy reaches down to that of the majority grade."
)


@dataclasses.dataclass(frozen=True)
class Table:
    """What was measured of one grading.

    Attributes:
        caption: What it is of.
        rows: Name of who graded, and a cell for each of `COLUMNS`.
        verdict: A sentence where the model is not shown to be better than the majority grade.
    """

    caption: str
    rows: Sequence[tuple[str, Sequence[str]]]
    verdict: str = ""


def tables(evaluation: Mapping[str, Any], titles: Mapping[str, str]) -> list[Table]:
    """Returns a table per grading; none of a model of another task.

    Args:
        evaluation: Content of evaluation.json.
        titles: Grading -> title.
    """
    where = split(evaluation)
    return [
        Table(_caption(titles.get(name, name), where, found), _rows(found), _verdict(found))
        for name, found in evaluation["results"].get("gradings", {}).items()
    ]


def split(evaluation: Mapping[str, Any]) -> str:
    """Returns what was evaluated, in words."""
    name = evaluation["split"]
    return "all records of another data set" if name == "all records" else f"the {name} split"


def _caption(title: str, where: str, found: Mapping[str, Any]) -> str:
    count = f", {found['discs']} discs" if "discs" in found else ""
    return f"{title}, {where}{count}"


def _rows(found: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Those that were evaluated."""
    return [
        (title, [_cell(found[name], column) for column in COLUMNS])
        for name, title in _ROWS.items()
        if name in found and "reason" not in found[name]
    ]


def _cell(found: Mapping[str, Any], column: str) -> str:
    return bootstrap.text(found[column]) if column in found else "-"


def _verdict(found: Mapping[str, Any]) -> str:
    model, majority = (
        found.get(name, {}).get("balanced_accuracy", {}) for name in ("model", "majority_grade")
    )
    low, other = model.get("low"), majority.get("value")
    return _NOT_BETTER if None not in (low, other) and low <= other else ""
