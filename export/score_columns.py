"""The columns of scored discs: one row per disc and model."""

from collections.abc import Mapping, Sequence
from typing import Any

from export import saved_model, table

TEXT, INTEGER, FLAG = "text", "integer", "flag"
NUMBER = "number"  # with six decimals
MEASURED = "measured"  # a float32 that is read as it was, because it is compared with others
DIGITS = {NUMBER: ".6f", MEASURED: ".9g"}
ERROR = "error"

_DISC = {
    "key": TEXT,
    "subject": TEXT,
    "scan": TEXT,
    "visit": INTEGER,
    "level": TEXT,
    "scanner": TEXT,
    "is_detected": FLAG,
    "model": TEXT,
    "model_version": TEXT,
}

Row = dict[str, Any]


def columns(infos: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Returns the columns of a table, name -> kind, in order.

    Args:
        infos: model.json of every model.
    """
    gradings = {item.name: item for info in infos for item in saved_model.gradings_of(info)}
    found = dict(_DISC)
    for name, item in gradings.items():
        found |= {f"{name}_grade": INTEGER, f"{name}_expected_grade": NUMBER}
        found |= {f"{name}_p{grade}": NUMBER for grade in item.grades}
        found |= {f"{name}_uncertain": FLAG, f"{name}_was_graded": FLAG, f"{name}_label": INTEGER}
    found |= {"distance": MEASURED, "is_outlier": FLAG}
    found |= {name: MEASURED for info in infos for name in features_of(info)}
    return found | {ERROR: TEXT}


def features_of(info: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the names of what a model watches of an input; none if it is not calibrated."""
    return tuple((info.get("reference") or {}).get("features", ()))


def cells_of(
    model: saved_model.Exported, outputs: Mapping[str, Any], number: int
) -> dict[str, Any]:
    """Returns what a model says of one disc, by column.

    Args:
        model: The model.
        outputs: Of its signature `examples`.
        number: Which disc of the batch.
    """
    found: dict[str, Any] = {}
    for grade in table.grades_of(model.gradings, outputs, number):
        name = grade.grading.name
        found[f"{name}_grade"] = grade.grade
        found[f"{name}_expected_grade"] = _rounded(grade.expected_grade)
        for published, probability in grade.probabilities.items():
            found[f"{name}_p{published}"] = _rounded(probability)
        found[f"{name}_uncertain"] = grade.uncertain
        found[f"{name}_was_graded"] = grade.was_graded
    if "distance" in outputs:
        found["distance"] = _measured(outputs["distance"][number])
        found["is_outlier"] = bool(outputs["is_outlier"][number])
        values = map(_measured, outputs["features"][number])
        found |= dict(zip(features_of(model.info), values, strict=True))
    return found


def _rounded(value: float, kind: str = NUMBER) -> float:
    return float(format(float(value), DIGITS[kind])) + 0.0  # there is no minus zero


def _measured(value: float) -> float:
    return _rounded(value, MEASURED)
