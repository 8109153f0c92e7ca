"""The search space: which settings take which values.

A space is a JSON object from settings to values:

    {"train.learning_rate": {"log": [1e-5, 1e-2]},
     "train.optimizer": ["sgd", "adam"],
     "model.width": [0.125, 0.25],
     "task.margin": {"linear": [1, 20]}}

A list holds the choices; `linear` and `log` hold the lowest and the highest value. `train` is a
field of TrainConfig, `model` of ModelConfig, `task` of the task.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import keras_tuner

from spine_tf import json_fields, run_config
from spine_tf.training import optimizers

CHOICES, LINEAR, LOG = "choices", "linear", "log"
_SECTIONS = {"train": "train_config", "model": "model_config", "task": "task"}
_AUGMENT, _STRENGTH = "train.augment", "train.augment_strength"
_DIGITS = 4  # of a value drawn from a range


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One setting that is searched.

    Attributes:
        name: SECTION.FIELD.
        kind: choices, linear or log.
        values: The choices, or the lowest and the highest value.
    """

    name: str
    kind: str
    values: tuple[Any, ...]

    def value(self, drawn: Any) -> Any:
        """Returns the setting for what Keras Tuner drew, which knows no booleans among choices."""
        if self.kind == CHOICES:
            return next(choice for choice in self.values if choice == drawn)
        if isinstance(self.values[0], int):
            return int(drawn)
        return min(max(float(f"{drawn:.{_DIGITS}g}"), self.values[0]), self.values[1])

    def text(self) -> str:
        """Returns what a person reads."""
        if self.kind == CHOICES:
            return f"{self.name}: {', '.join(map(str, self.values))}"
        return f"{self.name}: {self.values[0]:g} to {self.values[1]:g}, {self.kind}"


@dataclasses.dataclass(frozen=True)
class Space:
    """All settings that are searched."""

    dimensions: tuple[Dimension, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON object."""
        return {
            found.name: list(found.values)
            if found.kind == CHOICES
            else {found.kind: list(found.values)}
            for found in self.dimensions
        }

    def hyperparameters(self) -> keras_tuner.HyperParameters:
        """Returns the space as Keras Tuner takes it."""
        made = keras_tuner.HyperParameters()
        for found in self.dimensions:
            if found.kind == CHOICES:
                made.Choice(found.name, list(found.values))
            else:
                add = made.Int if isinstance(found.values[0], int) else made.Float
                add(found.name, *found.values, sampling=found.kind)
        return made

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Returns setting -> value, from what Keras Tuner drew.

        Without augmentation its strength counts for nothing and is left out. (A condition of Keras
        Tuner would do that too, but prints itself whenever it goes from process to process.)
        """
        values = {found.name: found.value(drawn[found.name]) for found in self.dimensions}
        if not values.get(_AUGMENT, True):
            values.pop(_STRENGTH, None)
        return values

    def num_combinations(self) -> int | None:
        """Returns how many combinations there are; None where a range is searched."""
        if any(found.kind != CHOICES for found in self.dimensions):
            return None
        return math.prod(len(found.values) for found in self.dimensions)


def apply(base: run_config.RunConfig, values: Mapping[str, Any]) -> run_config.RunConfig:
    """Returns the settings with some of them replaced.

    Raises:
        ValueError: If the combination cannot be.
    """
    parts: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, field = name.split(".", 1)
        parts.setdefault(_SECTIONS[section], {})[field] = value
    changed = {
        part: dataclasses.replace(getattr(base, part), **fields) for part, fields in parts.items()
    }
    return dataclasses.replace(base, **changed)


def default(base: run_config.RunConfig, has_encoder: bool = False) -> Space:
    """Returns the space of a task for which none is given.

    Args:
        base: The settings around which is searched.
        has_encoder: Whether the encoder is given, so that its width is.
    """
    width = base.model_config.width
    content: dict[str, Any] = {
        "train.learning_rate": {LOG: [1e-5, 1e-2]},
        "train.optimizer": ["sgd", "adam"],
        _AUGMENT: [True, False],
        _STRENGTH: {LINEAR: [0.25, 1.0]},
    }
    if not has_encoder:
        content["model.width"] = [width / 2, width, width * 2]
    if any(field.name == "margin" for field in dataclasses.fields(base.task)):
        content["task.margin"] = [0.5, 1.25, 2.0, 4.0]  # times the median distance
    return parse(content, base)


def read(path: str, base: run_config.RunConfig) -> Space:
    """Reads a search space.

    Raises:
        ValueError: If it is no JSON object of this form, or a value cannot be.
    """
    with open(path, encoding="utf-8") as file:
        try:
            return parse(json.load(file), base)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def parse(content: Any, base: run_config.RunConfig) -> Space:
    """Makes a space from a JSON object.

    Args:
        content: What JSON gave.
        base: The settings that are not searched.

    Raises:
        ValueError: If it is no object of this form, or a value cannot be, alone and with `base`.
    """
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"the search space must be a JSON object of settings, got {content!r}.")
    made = Space(tuple(_dimension(name, given, base) for name, given in content.items()))
    for found in made.dimensions:
        for value in found.values:
            changed = apply(base, {found.name: value}).train_config
            optimizers.make(changed.optimizer, changed.learning_rate)
    return made


def _dimension(name: str, given: Any, base: run_config.RunConfig) -> Dimension:
    field = _field(name, base)
    if isinstance(given, list) and given:
        kind, values = CHOICES, given
    elif isinstance(given, Mapping) and list(given) in ([LINEAR], [LOG]):
        kind = next(iter(given))
        values = _range(name, kind, given[kind], type(field.default))
    else:
        raise ValueError(
            f'`{name}` must be a list of choices, {{"linear": [lowest, highest]}} or'
            f' {{"log": [lowest, highest]}}, got {given!r}.'
        )
    for value in values:
        json_fields.check(field, value)
    values = tuple(map(type(field.default), values))
    if len(set(values)) != len(values):
        raise ValueError(f"`{name}` must hold different values, got {given!r}.")
    return Dimension(name, kind, values)


def _field(name: str, base: run_config.RunConfig) -> dataclasses.Field:
    """The field of a setting that can be searched."""
    known = {
        f"{section}.{field.name}": field
        for section, part in _SECTIONS.items()
        for field in dataclasses.fields(getattr(base, part))
        if type(field.default) in (bool, int, float, str)
    }
    if name not in known:
        raise ValueError(
            f"the search space must name settings among {', '.join(known)}, got {name!r}."
        )
    return known[name]


def _range(name: str, kind: str, given: Any, of: type) -> list:
    """Lowest and highest value of a range, checked."""
    if of not in (int, float):
        raise ValueError(f"`{name}` must be a list of choices, got {kind} of no number.")
    numbers = isinstance(given, list) and all(type(value) in (int, float) for value in given)
    if not numbers or len(given) != 2 or not given[0] < given[1]:
        raise ValueError(f"`{name}` must have a lowest and a highest {kind} value, got {given!r}.")
    if kind == LOG and not given[0] > 0:
        raise ValueError(f"`{name}` must be positive on a log scale, got {given!r}.")
    return given
