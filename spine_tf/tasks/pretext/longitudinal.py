"""Longitudinal pretext: are two vertebral bodies of one person? And which level is it?

Source: Jamaludin 2017, sections 3.1 and 4.1; methods 1.4 to 1.6.
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from spine_tf import config, levels
from spine_tf.data import augmentation, pairs, records, schema, splits
from spine_tf.losses import balanced_cross_entropy, contrastive
from spine_tf.metrics import balanced_accuracy, pair_auc
from spine_tf.models import heads
from spine_tf.tasks import task

LEVEL_NAMES = tuple(level.value for level in levels.LUMBAR_VERTEBRAE)
_CALIBRATION_BATCHES = 4


class PairDistance(keras.layers.Layer):
    """Distance [batch] of embeddings stacked as [first; second], [2 * batch, units]."""

    def call(self, inputs):
        return contrastive.pair_distance(*tf.split(tf.cast(inputs, tf.float32), 2))

    def compute_output_shape(self, input_shape):
        return input_shape[:1]


class HalfBatch(keras.layers.Layer):
    """The first or the second half of a stacked batch."""

    def __init__(self, half: int, **kwargs):
        super().__init__(**kwargs)
        self.half = half

    def call(self, inputs):
        return tf.split(inputs, 2)[self.half]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"half": self.half}


@dataclasses.dataclass(frozen=True)
class Longitudinal(task.Task):
    """Siamese training on vertebral bodies of one subject at two times.

    Attributes:
        margin: Margin of the contrastive loss; 0 sets it once to 1.25 times the median distance of
            negatives before training, because FC7 has no scale of its own.
        min_interval_days: Visits closer than this are no positive pair.
        contrastive_weight: Share of the contrastive loss.
        level_weight: Share of the level loss.
    """

    record_kind: ClassVar[str] = schema.VERTEBRA_PAIRS
    protocol: ClassVar[str] = splits.LONGITUDINAL

    margin: float = 0.0
    min_interval_days: int = pairs.DEFAULT_MIN_INTERVAL_DAYS
    contrastive_weight: float = 1.0
    level_weight: float = 1.0

    def __post_init__(self):
        for name in ("margin", "min_interval_days", "contrastive_weight", "level_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)!r}.")

    def calibrate(self, model: keras.Model, batch: Callable[[int], task.Batch]) -> "Longitudinal":
        if self.margin:
            return self
        distances = []
        for number in range(_CALIBRATION_BATCHES):
            inputs, labels, _ = batch(number)
            distance = model(inputs, training=True)["same_subject"].numpy()
            distances.append(distance[labels["same_subject"].numpy() == 0])
        return dataclasses.replace(
            self, margin=round(1.25 * float(np.median(np.concatenate(distances))), 4)
        )

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        found = index.column("level")
        return {"level": [found.count(name) for name in LEVEL_NAMES]}

    def plan(self, index: records.Index, batch_size: int, seed: int) -> np.ndarray:
        if batch_size < 4 or batch_size % 2:
            raise ValueError(f"`batch_size` must be even and at least 4, got {batch_size!r}.")
        found = pairs.positives(index, self.min_interval_days)
        codes = np.array([LEVEL_NAMES.index(name) for name in index.column("level")])
        return pairs.plan(found, codes[found[:, 0]], batch_size // 2, seed)

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        def member(side: int) -> tf.Tensor:
            visit = example["item"][side]
            return augmentation.network_input(
                example["image"][visit],
                example["slice_is_valid"][visit],
                example["pixel_is_valid"][visit],
                self.crop_kind,
                inputs,
                seed + 10 * side,
            )

        return {
            "first": member(0),
            "second": member(1),
            "level": tf.argmax(tf.constant(LEVEL_NAMES) == example["level"], 0, tf.int32),
            "family": example["family"],
            "second_field_t": example["field_strength_t"][example["item"][1]],
        }

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        level = batch["level"]
        partner, exists = pairs.negative_partners(
            level, batch["family"], batch["second_field_t"], seed
        )
        first, second = batch["first"], batch["second"]
        if training:
            # One draw per level: else positives always agree in reflection and negatives do not.
            draws = tf.random.stateless_uniform([len(LEVEL_NAMES)], seed + 1)
            flip = tf.gather(draws < 0.5, level)
            first, second = augmentation.reflect(first, flip), augmentation.reflect(second, flip)
        ones = tf.ones_like(level, tf.float32)
        weight = tf.concat([ones, tf.cast(exists, tf.float32)], 0)
        both = tf.tile(level, [2])
        labels = {
            "same_subject": tf.concat([ones, tf.zeros_like(ones)], 0),
            "level_first": both,
            "level_second": both,
        }
        inputs = {
            "first": tf.tile(first, [2, 1, 1, 1])[..., None],
            "second": tf.concat([second, tf.gather(second, partner)], 0)[..., None],
        }
        return task.Batch(inputs, labels, {name: weight for name in labels})

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        tower = self._tower(encoder, model_config, seed)
        first = keras.Input(encoder.input_shape[1:], name="first")
        second = keras.Input(encoder.input_shape[1:], name="second")
        # Both branches in one batch, so that batch norm sees both scanners at once.
        stacked = keras.layers.Concatenate(axis=0, name="stack")([first, second])
        found = tower(stacked)
        outputs = {
            "same_subject": PairDistance(name="distance", dtype="float32")(found["embedding"]),
            "level_first": HalfBatch(0, name="level_first")(found["level"]),
            "level_second": HalfBatch(1, name="level_second")(found["level"]),
        }
        return keras.Model({"first": first, "second": second}, outputs, name="longitudinal")

    def _tower(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        crop = keras.Input(encoder.input_shape[1:], name="crop")
        embedded = heads.embedding(encoder(crop)["conv5"], model_config, seed=seed)
        level = heads.logits(embedded, len(LEVEL_NAMES), model_config, seed=seed)
        return keras.Model(crop, {"embedding": embedded, "level": level}, name="tower")

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        level = balanced_cross_entropy.BalancedCrossEntropy(statistics.class_counts["level"])
        # Before `calibrate` a margin of 1 only serves to build the loss.
        same = contrastive.ContrastiveLoss(self.margin or 1.0)
        return {"same_subject": same, "level_first": level, "level_second": level}

    def loss_weights(self) -> dict[str, float]:
        level = self.level_weight / 2
        return {
            "same_subject": self.contrastive_weight,
            "level_first": level,
            "level_second": level,
        }

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        return {
            "same_subject": [pair_auc.PairAuc()],
            "level_first": [balanced_accuracy.BalancedAccuracy(len(LEVEL_NAMES))],
            "level_second": [balanced_accuracy.BalancedAccuracy(len(LEVEL_NAMES))],
        }
