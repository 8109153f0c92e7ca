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


class PairDistances(keras.layers.Layer):
    """Distances of a positive and of the negative made from it.

    From embeddings stacked as [first; second], [2 * batch, units], and the place of each
    negative's second member relative to the positive's own, [batch], to [batch, 2].
    """

    def call(self, inputs):
        stacked, offset = inputs
        first, second = tf.split(tf.cast(stacked, tf.float32), 2)
        other = tf.gather(second, tf.range(tf.shape(offset)[0]) + offset)
        same = contrastive.pair_distance(first, second)
        return tf.stack([same, contrastive.pair_distance(first, other)], 1)

    def compute_output_shape(self, input_shape):
        return (input_shape[1][0], 2)


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
            negatives before training, because FC7 has no scale of its own. The share of the loss
            is then divided by the margin's square, so that it starts as large as the level loss.
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
        margin = round(1.25 * float(np.median(np.concatenate(distances))), 4)
        weight = self.contrastive_weight / margin**2
        return dataclasses.replace(self, margin=margin, contrastive_weight=weight)

    def unit(self, num_items: int) -> int:
        return pairs.group_size(num_items)

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        found = index.column("level")
        return {"level": [found.count(name) for name in LEVEL_NAMES]}

    def plan(self, index: records.Index, batch_size: int, seed: int) -> np.ndarray:
        if batch_size % 4:
            raise ValueError(f"`batch_size` must be a multiple of 4 pairs, got {batch_size!r}.")
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
        labels = {
            "same_subject": tf.stack([ones, tf.zeros_like(ones)], 1),
            "level_first": level,
            "level_second": level,
        }
        weights = {
            "same_subject": tf.stack([ones, tf.cast(exists, tf.float32)], 1),
            "level_first": ones,
            "level_second": ones,
        }
        offset = tf.where(exists, partner - tf.range(level.shape[0]), 0)
        inputs = {"first": first[..., None], "second": second[..., None], "offset": offset}
        return task.Batch(inputs, labels, weights)

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        tower = self._tower(encoder, model_config, seed)
        first = keras.Input(encoder.input_shape[1:], name="first")
        second = keras.Input(encoder.input_shape[1:], name="second")
        offset = keras.Input((), name="offset", dtype="int32")
        # Both branches in one batch, so that batch norm sees both scanners at once.
        stacked = keras.layers.Concatenate(axis=0, name="stack")([first, second])
        found = tower(stacked)
        outputs = {
            "same_subject": PairDistances(name="distances")([found["embedding"], offset]),
            "level_first": HalfBatch(0, name="level_first")(found["level"]),
            "level_second": HalfBatch(1, name="level_second")(found["level"]),
        }
        inputs = {"first": first, "second": second, "offset": offset}
        return keras.Model(inputs, outputs, name="longitudinal")

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
