"""What a search makes large: a validation metric, never a loss, never the test split."""

import math
from collections.abc import Mapping, Sequence

from spine_tf.tasks import task

MEAN = "val_balanced_accuracy"  # over the outputs
_ACCURACY = "/balanced_accuracy"
_LARGE_IS_GOOD = ("/auc", _ACCURACY)


def columns(made: task.Task) -> tuple[str, ...]:
    """Returns the columns of metrics.csv that can be an objective.

    Args:
        made: The task, configured.
    """
    found = [
        f"val_{output}/{metric.name}"
        for output, metrics in made.metrics().items()
        for metric in metrics
    ]
    good = [name for name in found if name.endswith(_LARGE_IS_GOOD)]
    return (*good, *([MEAN] if any(name.endswith(_ACCURACY) for name in good) else []))


def choose(asked: str, made: task.Task) -> str:
    """Returns the objective.

    Args:
        asked: Column of metrics.csv, or "" for the first AUC, else the mean balanced accuracy.
        made: The task that is validated, configured.

    Raises:
        ValueError: If it is a loss, or no metric of which more is better.
    """
    found = columns(made)
    if not found:
        raise ValueError(
            "`objective` must be a metric of which more is better, and this task has none. Give a"
            " --probe."
        )
    if not asked:
        return next((name for name in found if name.endswith("/auc")), MEAN)
    if asked in found:
        return asked
    if asked in ("loss", "val_loss", *made.metrics()) or asked.endswith("/loss"):
        raise ValueError(
            f"`objective` must not be a loss, got {asked!r}: margin and weights change what a loss"
            f" counts, so a lower one is no better model. Choose {' or '.join(found)}, or a"
            " --probe."
        )
    raise ValueError(f"`objective` must be one of {', '.join(found)}, got {asked!r}.")


def best(
    history: Sequence[Mapping[str, float]], name: str, keeps_last: bool = False
) -> tuple[float, int]:
    """Returns the best value of an objective and its epoch, from 1 on.

    Args:
        history: Rows of metrics.csv.
        name: The objective.
        keeps_last: Whether the run keeps its last epoch, whatever it is worth: then that one.

    Raises:
        ValueError: If no epoch has a number.
    """
    rows = history[-1:] if keeps_last else history
    found = [(_value(row, name), -int(row["epoch"])) for row in rows]
    found = [pair for pair in found if math.isfinite(pair[0])]
    if not found:
        raise ValueError(f"{name} must be a number in some epoch, got none in {len(history)}.")
    value, epoch = max(found)
    return value, 1 - epoch


def _value(row: Mapping[str, float], name: str) -> float:
    if name != MEAN:
        return row.get(name, math.nan)
    found = [
        value for key, value in row.items() if key.startswith("val_") and key.endswith(_ACCURACY)
    ]
    return sum(found) / len(found) if found else math.nan
