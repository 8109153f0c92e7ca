"""One flag per field of a frozen dataclass, and the dataclass of those flags."""

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from spine_tf import cli

_TYPE_NAMES = {bool: "BOOL", int: "INT", float: "FLOAT", str: "TEXT"}


def define(cls: type, skip: Sequence[str] = ()) -> None:
    """Defines one flag per field of a frozen dataclass.

    A field may be bool, int, float, str, an Enum (its values are the choices), a tuple of int,
    float or str (given as a,b,c), or one of these `| None`. A field without default is required.

    Args:
        cls: The dataclass. Field metadata: "help" is the text, "choices" the values allowed.
        skip: Fields that get no flag.

    Raises:
        ValueError: If a flag of that name exists.
        TypeError: If a field's type cannot be a flag.
    """
    types_by_name = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.name in skip or not field.init:
            continue
        if field.name in flags.FLAGS:
            raise ValueError(
                f"`{cls.__name__}.{field.name}` must not be the name of an existing flag; use"
                " `skip`, or `cli.call` to run several scripts in one process."
            )
        _define_flag(field, types_by_name[field.name], _default(field))


def _define_flag(field: dataclasses.Field, annotation: Any, default: Any) -> None:
    text = field.metadata.get("help", "")
    kind = _without_none(annotation)
    choices = field.metadata.get("choices")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        choices = [member.value for member in kind]
        default = default.value if isinstance(default, enum.Enum) else default
    if choices:
        flags.DEFINE_enum(field.name, default, list(choices), text)
    elif typing.get_origin(kind) is tuple:
        parser = _TupleParser(typing.get_args(kind)[0])
        flags.DEFINE(parser, field.name, default, text, serializer=flags.ListSerializer(","))
    elif kind in _DEFINE:
        _DEFINE[kind](field.name, default, text)
    else:
        raise TypeError(f"`{field.name}` must have a type that can be a flag, got {annotation!r}.")
    if _has_no_default(field):
        cli.required(field.name)


_DEFINE: dict[Any, Callable[..., Any]] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


class _TupleParser(flags.ArgumentParser):
    """Parses a,b,c to a tuple."""

    syntactic_help = "values separated by commas"

    def __init__(self, kind: type):
        self.kind = kind

    def parse(self, argument):
        if not isinstance(argument, str):
            return tuple(argument)
        try:
            return tuple(self.kind(part.strip()) for part in argument.split(",") if part.strip())
        except ValueError:
            name = _TYPE_NAMES[self.kind]
            raise ValueError(f"value should be {name} values separated by commas") from None

    def flag_type(self):
        return f"list of {self.kind.__name__}"


def make(cls: type, skip: Sequence[str] = (), **values: Any) -> Any:
    """Makes a `cls` from the flags that `define(cls, skip)` defined.

    Args:
        cls: The dataclass.
        skip: Fields that have no flag; they keep their default.
        **values: Fields that are given here and not by a flag.

    Returns:
        A `cls`.

    Raises:
        UsageError: If `cls` refuses a value.
    """
    types_by_name = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.init and field.name not in skip and field.name not in values:
            values[field.name] = _value(field.name, types_by_name[field.name])
    try:
        return cls(**values)
    except ValueError as error:
        raise cli.UsageError(str(error)) from error


def _value(name: str, annotation: Any) -> Any:
    value = flags.FLAGS[name].value
    kind = _without_none(annotation)
    if isinstance(kind, type) and issubclass(kind, enum.Enum) and value is not None:
        return kind(value)
    return value


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 else annotation


def _has_no_default(field: dataclasses.Field) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _default(field: dataclasses.Field) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None
