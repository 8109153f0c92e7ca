"""JSON objects: a frozen dataclass from one, and what two of them differ in."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

_KINDS = {bool: "true or false", str: "a text", tuple: "a list", int: "a whole number"}


def make(cls: type, values: Any, what: str) -> Any:
    """Makes a `cls` from a JSON object of its fields; what is left out keeps its default.

    Args:
        cls: A dataclass whose fields have defaults of the type that they hold.
        values: What JSON gave.
        what: What a message calls the object.

    Raises:
        ValueError: If it is no object, a field is unknown, or a value cannot be.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    if not isinstance(values, Mapping) or set(values) - set(fields):
        raise ValueError(
            f"`{what}` must be a JSON object with keys among {list(fields)}, got {values!r}."
        )
    for name, value in values.items():
        check(fields[name], value)
    return cls(**values)


def check(field: dataclasses.Field, value: Any) -> None:
    """Raises ValueError if a value from JSON is not of the type of the field's default."""
    kind = type(field.default)
    if kind is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = fits and math.isfinite(value)
    else:
        fits = type(value) is (list if kind is tuple else kind)
    if not fits:
        wanted = _KINDS.get(kind, "a finite number")
        raise ValueError(f"`{field.name}` must be {wanted}, got {value!r}.")


def differences(there: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Returns the fields that two JSON objects differ in, each with both values.

    Args:
        there: The one that is there.
        now: The one that is asked for.
        prefix: What stands before the names.
    """
    found = []
    for name in sorted({*there, *now}):
        one, other = there.get(name), now.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differences(one, other, f"{prefix}{name}.")
        elif one != other:
            found.append(f"{prefix}{name} ({one!r} there, {other!r} now)")
    return found
