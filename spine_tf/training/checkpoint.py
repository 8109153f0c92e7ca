"""Where a run stands, and how it goes on from there.

The random state needs no place of its own: order, pairs and augmentation are functions of seed,
epoch and step. Source of the schedule: Jamaludin 2017, section 4 (rate / 10 at a plateau of the
validation loss, stop at the next); methods 1.7.
"""

import dataclasses
import glob
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

FOLDER = "checkpoints"
_INDEX = ".index"
# What TensorFlow raises for a damaged checkpoint; the reader's own errors are plain ones.
_DAMAGED = (tf.errors.OpError, IndexError, RuntimeError)
# What TensorFlow raises when another worker is gone.
LOST_WORKER = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


class RunState(tf.Module):
    """Counters of a run as variables, so that a checkpoint holds them."""

    def __init__(self):
        super().__init__()
        self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)  # within the epoch
        self.best = tf.Variable(float("inf"), dtype=tf.float64, trainable=False)
        self.waited = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.drops = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.stopped = tf.Variable(False, trainable=False)
        self.loss_sums: dict[str, tf.Variable] = {}

    def add_losses(self, losses: dict[str, float]) -> None:
        """Adds the losses of one step to the epoch's sums."""
        for name, value in losses.items():
            self.loss_sums[name].assign_add(float(value))

    def mean_losses(self) -> dict[str, float]:
        """Returns the mean losses of the epoch so far."""
        steps = max(int(self.step), 1)
        return {name: float(value) / steps for name, value in self.loss_sums.items()}

    def next_epoch(self) -> None:
        """Goes on to the next epoch."""
        self.epoch.assign_add(1)
        self.step.assign(0)
        for value in self.loss_sums.values():
            value.assign(0.0)


@dataclasses.dataclass(frozen=True)
class Plateau:
    """What a new monitored loss means."""

    is_best: bool
    drop: bool
    stop: bool


def watch(
    state: RunState, loss: float, *, patience: int, min_delta: float, max_drops: int
) -> Plateau:
    """Takes the monitored loss of an epoch into the state.

    Args:
        state: The run's counters; changed.
        loss: Validation loss of the epoch.
        patience: Epochs without progress that make a plateau.
        min_delta: The least fall that is progress.
        max_drops: Plateaus that lower the rate; the next one stops the run.

    Returns:
        Whether this is the best epoch, the rate must drop, the run must stop.
    """
    if loss < float(state.best) - min_delta:
        state.best.assign(loss)
        state.waited.assign(0)
        return Plateau(is_best=True, drop=False, stop=False)
    state.waited.assign_add(1)
    if int(state.waited) < patience:
        return Plateau(is_best=False, drop=False, stop=False)
    state.waited.assign(0)
    if int(state.drops) < max_drops:
        state.drops.assign_add(1)
        return Plateau(is_best=False, drop=True, stop=False)
    state.stopped.assign(True)
    return Plateau(is_best=False, drop=False, stop=True)


class Checkpoints:
    """The checkpoints of a run: the last few, whole ones only.

    A checkpoint is a file of tensors and, written after it, an index with their checksums; both are
    renamed into place, so one with an index is whole unless the disk damaged it.
    """

    def __init__(self, model_dir: str, model: keras.Model, optimizer: Any, state: RunState):
        """Names what is kept.

        Args:
            model_dir: Model folder.
            model: The model whose weights are trained.
            optimizer: The optimizer, its slots made.
            state: Counters.
        """
        self._folder = os.path.join(model_dir, FOLDER)
        self._state = state
        self._whole = tf.train.Checkpoint(model=model, optimizer=optimizer, state=state)

    def save(self, keep: int, is_chief: bool = True) -> None:
        """Writes a checkpoint and removes the oldest.

        Args:
            keep: Checkpoints that stay.
            is_chief: Whether this worker's are kept. All must write, because variables that are
                kept apart per device are added up by all.

        Raises:
            OSError: If it cannot be written; the older ones stay.
        """
        if not is_chief:
            with tempfile.TemporaryDirectory() as folder:
                self._write(os.path.join(folder, "other"))
            return
        os.makedirs(self._folder, exist_ok=True)
        written = os.path.join(self._folder, _name(self._state))
        self._write(written)
        paths = saved(self._folder)
        number = paths.index(written)  # newer ones are damaged: the run did not go on from them
        for path in paths[:number] + paths[number + keep :]:
            os.remove(path + _INDEX)  # first, so that a half removed one is none
            for part in glob.glob(glob.escape(path) + ".data-*"):
                os.remove(part)

    def _write(self, path: str) -> None:
        try:
            self._whole.write(path)
        except tf.errors.OpError as error:
            if isinstance(error, LOST_WORKER):
                raise
            raise OSError(
                f"{path}: the checkpoint could not be written ({error.message}). The ones before it"
                " stay; make room and give the same command again."
            ) from error

    def restore(self, say: Callable[[str], None], is_chief: bool = True) -> bool:
        """Goes back to the newest checkpoint that can be read.

        Args:
            say: Takes a warning for each that cannot.
            is_chief: Whether this worker removes what was left half written.

        Returns:
            Whether there was one.

        Raises:
            ValueError: If one is of another model, or there are some and none can be read.
        """
        if is_chief:
            _remove_parts(self._folder)
        paths = saved(self._folder)
        for path in paths:
            try:
                self._whole.read(path).assert_existing_objects_matched()
                return True
            except _DAMAGED as error:
                say(f"warning: {path}: skipped, it is damaged ({type(error).__name__}).")
            except (ValueError, AssertionError) as error:
                raise ValueError(
                    f"{path}: is a checkpoint of another model or optimizer. Choose another"
                    " --model_dir."
                ) from error
        if paths:
            raise ValueError(
                f"{self._folder}: has no checkpoint that can be read. Choose another --model_dir,"
                " or remove the folder to begin again."
            )
        return False


def saved(folder: str) -> list[str]:
    """Returns the paths of the checkpoints in a folder, without ending, the newest first."""
    found = glob.glob(os.path.join(glob.escape(folder), "epoch*" + _INDEX))
    return sorted((path[: -len(_INDEX)] for path in found), reverse=True)


def _name(state: RunState) -> str:
    return f"epoch{int(state.epoch):06d}-step{int(state.step):08d}"


def _remove_parts(folder: str) -> None:
    """Removes what a run that was killed while it wrote has left."""
    whole = saved(folder)
    for path in glob.glob(os.path.join(glob.escape(folder), "*")):
        if not any(path.startswith(prefix + ".") for prefix in whole) or "tempstate" in path:
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
