"""What shall be trained, as a file: `spine-tf train --config=FILE` takes it, a search writes it.

    {"format": "spine_tf config/1",
     "task": "longitudinal", "task_options": {"mode": "all"},
     "model_config": {"width": 0.25, ...}, "train_config": {"learning_rate": 0.001, ...}}

Fields that are left out keep their defaults. No data and no folders: those are flags.
"""

import dataclasses
import json
from typing import Any

from spine_tf import config, files, json_fields, tasks
from spine_tf.tasks import task

FORMAT = "spine_tf config/1"


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The settings of a run.

    Attributes:
        task: The task, not yet configured.
        model_config: Sizes of the network.
        train_config: How it is trained.
    """

    task: task.Task
    model_config: config.ModelConfig
    train_config: config.TrainConfig

    def flag_values(self) -> dict[str, Any]:
        """Returns flag of `train` -> value, for everything but the sizes of the network."""
        named = {"task": tasks.name_of(self.task), "task_options": json.dumps(options(self.task))}
        return named | dataclasses.asdict(self.train_config)


def options(made: task.Task) -> dict[str, Any]:
    """Returns the fields of a task that differ from their defaults, as JSON holds them."""
    default, found = type(made)(), dataclasses.asdict(made)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in found.items()
        if value != getattr(default, name)
    }


def read(path: str) -> RunConfig:
    """Reads a file of this form.

    Raises:
        ValueError: If it is of another form, a field is unknown, or a value cannot be.
    """
    content = files.read_json(path, FORMAT)
    known = {"format", "task", "task_options", "model_config", "train_config"}
    unknown = sorted(set(content) - known)
    if unknown or "task" not in content:
        raise ValueError(
            f"{path}: must hold task and may hold {', '.join(sorted(known - {'format', 'task'}))};"
            f" got {', '.join(sorted(content))}."
        )
    try:
        return RunConfig(
            tasks.make(content["task"], json.dumps(content.get("task_options", {}))),
            *(
                json_fields.make(cls, content.get(name, {}), name)
                for name, cls in (
                    ("model_config", config.ModelConfig),
                    ("train_config", config.TrainConfig),
                )
            ),
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write(path: str, run: RunConfig) -> None:
    """Writes a file of this form, whole or not at all."""
    content = {
        "format": FORMAT,
        "task": tasks.name_of(run.task),
        "task_options": options(run.task),
        "model_config": dataclasses.asdict(run.model_config),
        "train_config": dataclasses.asdict(run.train_config),
    }
    files.write_json(path, content)
