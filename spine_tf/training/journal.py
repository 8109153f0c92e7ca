"""What a run writes down while it goes: metrics.csv, TensorBoard, a progress bar."""

import csv
import functools
import os
from collections.abc import Mapping

import tensorflow as tf
import tqdm

from spine_tf import files

METRICS = "metrics.csv"


def bar(total: int, done: int, epoch: int, epochs: int) -> tqdm.tqdm:
    """Returns a progress bar over the steps of an epoch; silent where nobody looks."""
    title = f"epoch {epoch + 1}/{epochs}"
    return tqdm.tqdm(
        total=total, initial=done, desc=title, unit=" steps", disable=None, leave=False
    )


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


def write(model_dir: str, epoch: int, values: Mapping[str, float]) -> None:
    """Adds the row of an epoch to metrics.csv and TensorBoard; later rows are dropped."""
    rows = [row for row in read(model_dir) if int(row["epoch"]) < epoch]
    rows.append({"epoch": epoch, **{name: f"{value:.6g}" for name, value in values.items()}})
    with files.atomic_write(os.path.join(model_dir, METRICS)) as file:
        writer = csv.DictWriter(file, list(rows[-1]), lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    logs = _logs(model_dir)
    with logs.as_default(step=epoch):
        for name, value in values.items():
            tf.summary.scalar(name, value)
    logs.flush()


@functools.cache
def _logs(model_dir: str) -> tf.summary.SummaryWriter:
    """The TensorBoard file of a run: one per process."""
    return tf.summary.create_file_writer(os.path.join(model_dir, "logs"))


def line(epoch: int, epochs: int, values: Mapping[str, float]) -> str:
    """Returns the line that a person reads after an epoch."""
    shown = ", ".join(
        f"{name} {value:.4g}" for name, value in values.items() if "/loss" not in name
    )
    return f"epoch {epoch + 1}/{epochs}: {shown}"
