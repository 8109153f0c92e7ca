"""Where a run stands, and how it goes on from there.

The random state needs no place of its own: order, pairs and augmentation are functions of seed,
epoch and step. Source of the schedule: Jamaludin 2017, section 4 (rate / 10 at a plateau of the
validation loss, stop at the next); methods 1.7.
"""

import dataclasses
import os
from typing import Any

import keras
import tensorflow as tf


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


def manager(
    model_dir: str, model: keras.Model, optimizer: Any, state: RunState, keep: int
) -> tf.train.CheckpointManager:
    """Returns the manager of the run's checkpoints; it keeps the last `keep`."""
    whole = tf.train.Checkpoint(model=model, optimizer=optimizer, state=state)
    return tf.train.CheckpointManager(whole, os.path.join(model_dir, "checkpoints"), keep)
