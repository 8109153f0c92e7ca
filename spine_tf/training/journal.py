"""What a run writes down while it goes: metrics.csv, a line per epoch, a progress bar.

The line is for a person (`line`) or for a program (`json_line`). TensorBoard's files are written by
`tensorboard` and `projector`.
"""

import csv
import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import tqdm

from spine_tf import files
from spine_tf.training import tensorboard

METRICS = "metrics.csv"
# On a narrow terminal the end is cut off.
_BAR = "{desc} |{bar}| {n_fmt}/{total_fmt}{values}, left {remaining}, run {run_left}, {rates}"


# === The progress bar ===


class ProgressBar(tqdm.tqdm):
    """A bar over the steps of an epoch, with crops per second and the time left for the run.

    Attributes:
        epochs_left: Epochs after this one.
        crops: Crops of a step.
        epoch_seconds: Seconds of a whole epoch with its validation, 0 if not known.
    """

    epochs_left, crops, epoch_seconds = 0, 0, 0.0

    @property
    def format_dict(self) -> dict[str, Any]:
        """What `tqdm` fills into the text of the bar."""
        found = super().format_dict
        done = self.n - found["initial"] if found["elapsed"] else 0
        rate = found["rate"] or (done / found["elapsed"] if done else 0.0)
        values = f" {found['postfix']}" if found["postfix"] else ""
        rates = f"{self.crops * rate:.3g} crops/s, {rate:.3g} steps/s" if rate else "? steps/s"
        return found | {"values": values, "rates": rates, "run_left": self._run_left(rate)}

    def _run_left(self, rate: float) -> str:
        if not rate:
            return "?"
        seconds = run_seconds_left(
            self.total - self.n,
            self.total,
            self.epochs_left,
            rate=rate,
            epoch_seconds=self.epoch_seconds,
        )
        return self.format_interval(seconds)


def bar(
    total: int, done: int, epoch: int, epochs: int, *, crops: int = 0, epoch_seconds: float = 0.0
) -> ProgressBar:
    """Returns a progress bar over the steps of an epoch; silent where nobody looks.

    Args:
        total: Steps of an epoch.
        done: Steps of this one that were done before, where a run goes on.
        epoch: This epoch, from 0.
        epochs: Epochs of the run.
        crops: Crops of a step over all devices.
        epoch_seconds: See `epoch_seconds`.
    """
    made = ProgressBar(
        total=total,
        initial=done,
        desc=f"epoch {epoch + 1}/{epochs}",
        unit=" steps",
        bar_format=_BAR,
        dynamic_ncols=True,
        disable=None,
        leave=False,
    )
    made.epochs_left, made.crops = epochs - epoch - 1, crops
    made.epoch_seconds = epoch_seconds
    return made


def run_seconds_left(
    steps_left: int, steps: int, epochs_left: int, *, rate: float, epoch_seconds: float
) -> float:
    """Returns the seconds that a run takes to its last epoch; it may stop sooner.

    Args:
        steps_left: Steps left of this epoch.
        steps: Steps of an epoch.
        epochs_left: Epochs after this one.
        rate: Steps per second, above 0.
        epoch_seconds: Seconds of a whole epoch with its validation, 0 if not known.
    """
    training = steps / rate
    whole = max(epoch_seconds, training)
    return steps_left / rate + (whole - training) + epochs_left * whole


def epoch_seconds(model_dir: str) -> float:
    """Returns the median seconds of an epoch so far, 0 before the first."""
    seconds = [row["seconds"] for row in history(model_dir) if "seconds" in row]
    return statistics.median(seconds) if seconds else 0.0


# === metrics.csv ===


def read(model_dir: str) -> list[dict[str, str]]:
    """Returns the rows of metrics.csv, none if there is no such file."""
    path = os.path.join(model_dir, METRICS)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def history(model_dir: str) -> list[dict[str, float]]:
    """Returns the rows of metrics.csv as numbers, without what was not measured."""
    return [{name: float(text) for name, text in row.items() if text} for row in read(model_dir)]


def best_row(history: Sequence[Mapping[str, float]], min_delta: float) -> Mapping[str, float]:
    """Returns the row of the epoch whose weights a run keeps, empty of no row.

    Args:
        history: Rows of metrics.csv.
        min_delta: The least fall of the loss that is progress, `least_fall` of the run's settings.
    """
    best: Mapping[str, float] = {}
    lowest = math.inf
    for row in history:
        loss = row.get("val_loss", row["loss"])
        if loss < lowest - min_delta:
            best, lowest = row, loss
    return best


def write(model_dir: str, epoch: int, values: Mapping[str, float]) -> None:
    """Adds the row of an epoch to metrics.csv and TensorBoard; later rows are dropped.

    A column stays while a row has it; what a row was not measured in is an empty cell.

    Args:
        model_dir: The model folder.
        epoch: Epoch, from 0.
        values: Name -> number, which may be NaN.

    Raises:
        OSError: If it cannot be written, on a full disk say. metrics.csv is then as it was.
    """
    rows = [row for row in read(model_dir) if int(row["epoch"]) < epoch]
    rows.append({"epoch": str(epoch), **{name: f"{value:.6g}" for name, value in values.items()}})
    columns = list(dict.fromkeys(name for row in rows for name, text in row.items() if text))
    path = os.path.join(model_dir, METRICS)
    try:
        with files.atomic_write(path) as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        remedy = f"{error.strerror}; it is as it was. Make room and run the same command again"
        raise OSError(error.errno, remedy, path) from error
    tensorboard.write_scalars(model_dir, epoch, values)


# === The line after an epoch ===


def line(epoch: int, epochs: int, values: Mapping[str, float]) -> str:
    """Returns the line that a person reads after an epoch."""
    shown = ", ".join(
        f"{name} {value:.4g}" for name, value in values.items() if "/loss" not in name
    )
    return f"epoch {epoch + 1}/{epochs}: {shown}"


def json_line(epoch: int, epochs: int, values: Mapping[str, float]) -> str:
    """Returns the line that a program reads after an epoch: one JSON object, without line break.

    Args:
        epoch: Epoch, from 0.
        epochs: Epochs that were asked for.
        values: Name -> number, as in metrics.csv.

    Returns:
        An object with epoch (from 0) and epochs, both whole numbers, and every value by its column
        of metrics.csv: a number, or null where it is not finite. docs/training.md has the names.
    """
    numbers = {name: float(value) for name, value in values.items()}
    content = {"epoch": int(epoch), "epochs": int(epochs)} | {
        name: value if math.isfinite(value) else None for name, value in numbers.items()
    }
    return json.dumps(content, allow_nan=False)
