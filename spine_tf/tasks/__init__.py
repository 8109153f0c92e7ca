"""The tasks by name. A new task is one file and one line here."""

import dataclasses
import json
import math
from typing import Any

from spine_tf.tasks import task
from spine_tf.tasks.downstream import grading
from spine_tf.tasks.pretext import longitudinal, strong

PRETEXT: dict[str, type[task.Task]] = {
    "longitudinal": longitudinal.Longitudinal,
    "strong": strong.Strong,
}
DOWNSTREAM: dict[str, type[task.Task]] = {"grading": grading.Grading}
TASKS: dict[str, type[task.Task]] = PRETEXT | DOWNSTREAM


def make(name: str, options: str = "{}") -> task.Task:
    """Makes a task from its name and a JSON object of its fields.

    Raises:
        ValueError: If there is no such task or field, or a value cannot be.
    """
    if name not in TASKS:
        raise ValueError(f"`task` must be one of {', '.join(TASKS)}, got {name!r}.")
    try:
        values = json.loads(options)
    except ValueError as error:
        raise ValueError(f"`task_options` must be JSON, got {options!r} ({error}).") from error
    fields = [field.name for field in dataclasses.fields(TASKS[name])]
    if not isinstance(values, dict) or set(values) - set(fields):
        raise ValueError(
            f"`task_options` must be a JSON object with keys among {fields}, got {options!r}."
        )
    for field in dataclasses.fields(TASKS[name]):
        if field.name in values:
            _check_type(field, values[field.name])
    return TASKS[name](**values)


_TYPES = {bool: "true or false", str: "a text", tuple: "a list", int: "a whole number"}


def _check_type(field: dataclasses.Field, value: Any) -> None:
    """Checks that a value from JSON is of the type of the field's default."""
    kind = type(field.default)
    if kind is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = fits and math.isfinite(value)
    else:
        fits = type(value) is (list if kind is tuple else kind)
    if not fits:
        wanted = _TYPES.get(kind, "a finite number")
        raise ValueError(f"`{field.name}` must be {wanted}, got {value!r}.")


def name_of(made: task.Task) -> str:
    """Returns the name of a task."""
    return next(name for name, kind in TASKS.items() if kind is type(made))
