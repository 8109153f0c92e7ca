"""The tasks by name. A new task is one file and one line here."""

import json

from spine_tf import json_fields
from spine_tf.tasks import task
from spine_tf.tasks.downstream import (
    classification,
    detection,
    grading,
    localisation,
    segmentation,
)
from spine_tf.tasks.pretext import (
    autoencoder,
    context_prediction,
    context_restoration,
    jigsaw,
    longitudinal,
    relative_positions,
    strong,
)

PRETEXT: dict[str, type[task.Task]] = {
    "longitudinal": longitudinal.Longitudinal,
    "strong": strong.Strong,
    "context_restoration": context_restoration.ContextRestoration,
    "autoencoder": autoencoder.Autoencoder,
    "relative_positions": relative_positions.RelativePositions,
    "jigsaw": jigsaw.Jigsaw,
    "context_prediction": context_prediction.ContextPrediction,
}
DOWNSTREAM: dict[str, type[task.Task]] = {
    "grading": grading.Grading,
    "segmentation": segmentation.Segmentation,
    "classification": classification.Classification,
    "localisation": localisation.Localisation,
    "detection": detection.Detection,
}
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
    return json_fields.make(TASKS[name], values, "task_options")


def name_of(made: task.Task) -> str:
    """Returns the name of a task."""
    return next(name for name, kind in TASKS.items() if kind is type(made))
