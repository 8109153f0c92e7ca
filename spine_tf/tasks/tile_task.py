"""What relative positions and jigsaw share: tiles of an image, one encoder over all, a class.

Source: Chen 2019, the comparison of section 3; methods 3.4.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.data import records, tiles
from spine_tf.losses import balanced_cross_entropy
from spine_tf.metrics import balanced_accuracy
from spine_tf.models import tile_heads
from spine_tf.tasks import image_task, task

# Balanced accuracy from which a pretext counts as learned: so many times chance, and so far above
# it that a few hundred images do not reach it by luck.
_TIMES_CHANCE, _ABOVE_CHANCE = 2.0, 0.05
_ALARM_EPOCHS = 20


@dataclasses.dataclass(frozen=True)
class TileTask(image_task.ImageTask):
    """A pretext that asks how the tiles of an image lie."""

    stays_inside = True  # padding in a tile tells that it is one of an edge (methods P11)
    least_judged = 200  # of 40 answers to 8 questions, a quarter is right by luck once in 44

    @property
    @abc.abstractmethod
    def output(self) -> str:
        """Name of the output."""

    @property
    @abc.abstractmethod
    def num_classes(self) -> int:
        """Number of answers."""

    @property
    @abc.abstractmethod
    def num_tiles(self) -> int:
        """Tiles that the network sees of an image."""

    @property
    def tile_config(self) -> tiles.TileConfig:
        """How tiles are cut: nine in the plane, through all slices."""
        return tiles.TileConfig()

    @abc.abstractmethod
    def cut(self, image: tf.Tensor, valid: tf.Tensor, seeds: tf.Tensor) -> tiles.Tiles:
        """Cuts the tiles of images [batch, slices, rows, columns, channels]."""

    def _tile_shape(self, model_config: config.ModelConfig) -> tuple[int, int, int]:
        slices, rows, columns = self.shape(model_config)[:3]
        return tiles.tile_shape((slices, rows, columns), self.tile_config)

    def encoder_shape(self, model_config: config.ModelConfig) -> tuple[int | None, ...]:
        shape, tile = self.shape(model_config), self._tile_shape(model_config)
        if self.anatomy == image_task.SLICE:
            return (None, None, shape[-1])
        return tile_heads.encoder_shape(tile, shape[0], model_config)

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training  # validation has tiles, too, always the same
        seeds = image_task.image_seeds(batch["image"], seed)
        found = self.cut(batch["image"], batch["valid"], seeds)
        shown = tiles.standardise(found.tiles, found.valid)
        if self.anatomy == image_task.SLICE:
            shown = shown[:, :, 0]
        weight = tf.ones_like(found.labels, tf.float32)
        return task.Batch({"tiles": shown}, {self.output: found.labels}, {self.output: weight})

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        tile = self._tile_shape(model_config)
        plane = tile[1:] if self.anatomy == image_task.SLICE else tile
        channels = self.shape(model_config)[-1]
        shown = keras.Input((self.num_tiles, *plane, channels), name="tiles")
        answer = tile_heads.logits(
            encoder, shown, self.num_classes, units=model_config.fc6, seed=seed
        )
        return keras.Model({"tiles": shown}, {self.output: answer}, name=self.output)

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        del statistics  # answers are drawn alike
        counts = {self.output: [1] * self.num_classes}
        return balanced_cross_entropy.per_output(counts, [self.output])

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        classes = balanced_accuracy.ClassesSeen(self.num_classes)
        return {self.output: [balanced_accuracy.BalancedAccuracy(self.num_classes), classes]}

    def alarms(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        name = f"val_{self.output}/balanced_accuracy"
        found: Any = history[-1].get(name, 1.0)
        limit = learned_from(self, history[-1].get(asked_column(self)))
        if len(history) < _ALARM_EPOCHS or found >= limit:
            return []
        return [
            f"the pretext is not learned: {name} is {found:.3f} after {len(history)} epochs, less"
            f" than {limit:.3f}"
        ]


def asked_column(made: TileTask) -> str:
    """Returns the column of metrics.csv that counts the answers asked for in validation."""
    return f"val_{made.output}/classes_seen"


def learned_from(made: TileTask, num_asked: float | None = None) -> float:
    """Returns the balanced accuracy from which a task counts as learned.

    Args:
        made: The task.
        num_asked: Answers that were true of some image, for the others are not in the mean: where
            two are asked for, always giving one of them has a half. All without.
    """
    chance = 1 / (num_asked or made.num_classes)
    return max(_TIMES_CHANCE * chance, chance + _ABOVE_CHANCE)
