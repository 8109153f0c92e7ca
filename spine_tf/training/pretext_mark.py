"""Whether a pretext was learned, and the mark that goes with every model started from it.

    MODEL_DIR/start.json   {"task": ..., "weights_sha256": ..., "pretext_learned": true or false}

says what a model's first weights were taken from. A pretext that was not learned stops nothing, but
what is told of it, and of every model that began with it, is told with the mark.

Source: Chen 2019 names no criterion; methods 3.2 (restoration ratio) and P10.
"""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from spine_tf import files, tasks
from spine_tf.metrics import restoration_ratio
from spine_tf.tasks import restoration_task, task, tile_task
from spine_tf.training import model_folder

START = "start.json"
FORMAT = "spine_tf start/1"
MARK = "pretext not learned"


@dataclasses.dataclass(frozen=True)
class Rule:
    """When a pretext counts as learned.

    Attributes:
        measure: Name of the measure.
        limit: Its worst value of a learned pretext.
        is_error: Whether small is good.
        column: Its column in metrics.csv.
    """

    measure: str
    limit: float
    is_error: bool
    column: str

    def holds(self, value: float | None) -> bool | None:
        """Says whether a value is that of a learned pretext; None where there is no value."""
        if value is None or not math.isfinite(value):
            return None
        return value <= self.limit if self.is_error else value >= self.limit


def rule(made: task.Task, num_asked: float | None = None) -> Rule | None:
    """Returns the rule of a task; None of a task that has none.

    Args:
        made: The task.
        num_asked: Of a task over tiles, see `tile_task.learned_from`.
    """
    if isinstance(made, tile_task.TileTask):
        column = f"val_{made.output}/balanced_accuracy"
        return Rule("balanced_accuracy", tile_task.learned_from(made, num_asked), False, column)
    if isinstance(made, restoration_task.RestorationTask):
        column = restoration_task.judged_column(made)
        return Rule(made.judged_by, restoration_ratio.NOT_LEARNED, True, column)
    return None


def learned(model_dir: str) -> bool | None:
    """Says whether the pretext of a model folder was learned, from its metrics.csv.

    The row is that of the epoch whose weights are kept and taken over.

    Returns:
        True or False; None where nobody can tell: the task is no such pretext, or no epoch was
        validated.

    Raises:
        FileNotFoundError: If it is not a model folder.
    """
    found, row = _judged(model_folder.load(model_dir))
    return found.holds(row.get(found.column)) if found else None


def _judged(folder: model_folder.ModelFolder) -> tuple[Rule | None, Mapping[str, float]]:
    """The rule of the task by what the kept epoch was asked in validation, and its row."""
    made, row = folder.task, folder.kept_epoch()
    is_tiles = isinstance(made, tile_task.TileTask)
    return rule(made, row.get(tile_task.asked_column(made)) if is_tiles else None), row


def of_runs(learned: Sequence[bool]) -> str:
    """Returns "" if the pretexts of all runs were learned, else the mark and of how many not."""
    missed = len(learned) - sum(learned)
    return f"{MARK}, {missed} of {len(learned)}" if missed else ""


def verdict(model_dir: str) -> bool | None:
    """Says whether a model's pretext was learned: its own or, of another task, that of its start.

    Returns:
        As `learned`.
    """
    if rule(model_folder.load(model_dir).task):
        return learned(model_dir)
    return start(model_dir).get("pretext_learned")


def mark(model_dir: str) -> str:
    """Returns `MARK` where the verdict on a model folder is that it was not, else ""."""
    return MARK if verdict(model_dir) is False else ""


def explained(model_dir: str) -> str:
    """Returns the mark with the value that it stands for; "" where there is no mark.

    Args:
        model_dir: The model folder.
    """
    if not mark(model_dir):
        return ""
    folder = model_folder.load(model_dir)
    found, row = _judged(folder)
    if found is None:
        return f"{MARK} ({start(model_dir)['task']}, from which it was started)"
    value = row[found.column]
    side = "at most" if found.is_error else "at least"
    return f"{MARK} ({found.column} {value:.3f}, {side} {found.limit:g} is needed)"


def save(model_dir: str, init_from: str) -> None:
    """Notes where the first weights of a model come from.

    Args:
        model_dir: The model folder.
        init_from: Model folder whose weights are taken; "" notes nothing.
    """
    if init_from:
        content = {
            "format": FORMAT,
            "task": tasks.name_of(model_folder.load(init_from).task),
            "weights_sha256": model_folder.weights_sha256(init_from),
            "pretext_learned": verdict(init_from),
        }
        files.write_json(os.path.join(model_dir, START), content)


def start(model_dir: str) -> dict[str, Any]:
    """Returns what start.json of a model folder says, empty where there is none.

    Raises:
        ValueError: If the file is not what it should be.
    """
    path = os.path.join(model_dir, START)
    if not os.path.exists(path):
        return {}
    content = files.read_json(path, FORMAT)
    return {name: content[name] for name in ("task", "weights_sha256", "pretext_learned")}
