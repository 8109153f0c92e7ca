"""Strongly supervised pre-training: the eight gradings of discs, and the levels of bodies.

One encoder sees discs and vertebral bodies in one batch, with one fully connected head per grading
and one for the level; the loss is the sum of their class-balanced losses. Of a body the network
sees the middle of its crop in the shape of a disc's: the weights of a convolution do not depend on
the size of its input (docs/transfer.md).

It stands among the pretext tasks because its model only serves as a source of an encoder. Source:
Jamaludin 2017, section 4.2, baseline of transfer from strong labels; methods 1.8 c.
"""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from spine_tf import config, gradings, levels
from spine_tf.data import augmentation, records, schema, splits
from spine_tf.losses import balanced_cross_entropy
from spine_tf.metrics import balanced_accuracy
from spine_tf.models import heads
from spine_tf.tasks import task

LEVEL = "level"
LEVEL_NAMES = tuple(level.value for level in levels.LUMBAR_VERTEBRAE)


@dataclasses.dataclass(frozen=True)
class Strong(task.Task):
    """Grades discs and names the levels of bodies, to train an encoder.

    Attributes:
        gradings: Names of the gradings; all must be in the training records.
        level_weight: Share of the level loss; that of every grading is 1.
    """

    record_kind: ClassVar[str] = schema.DISC_OR_BODY
    protocol: ClassVar[str] = splits.GRADING

    gradings: tuple[str, ...] = gradings.SPINENET_GRADINGS
    level_weight: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "gradings", gradings.parse_names(self.gradings))
        if not self.gradings:
            raise ValueError("`gradings` must be a list of names, got none.")
        if not self.level_weight > 0:
            raise ValueError(f"`level_weight` must be positive, got {self.level_weight!r}.")

    @property
    def test_kind(self) -> str:
        return schema.DISC

    @property
    def num_classes(self) -> dict[str, int]:
        """Output -> number of classes."""
        return gradings.num_classes(self.gradings) | {LEVEL: len(LEVEL_NAMES)}

    def configure(self, index: records.Index) -> "Strong":
        records.check_graded(index, self.gradings)
        return self

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        found = [row["level"] for row in index.rows for _ in row["visit"]]
        levels_seen = {LEVEL: [found.count(name) for name in LEVEL_NAMES]}
        return records.grade_counts(index, self.gradings) | levels_seen

    def plan(self, index: records.Index, batch_size: int, seed: int) -> np.ndarray:
        items = [
            (number, visit)
            for number, row in enumerate(index.rows)
            if row["level"] in LEVEL_NAMES or any(name in row["grades"] for name in self.gradings)
            for visit in range(len(row["visit"]))
        ]
        if not items:
            return np.zeros((0, batch_size, 2), np.int32)
        order = task.shuffled_plan(len(items), batch_size, seed)
        return np.asarray(items, np.int32)[order[..., 0]]

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        visit = example["item"][0]
        image = augmentation.record_input(example, visit, self.crop_kind, inputs, seed)
        labels = {name: schema.class_index(example, name) for name in self.gradings}
        is_level = tf.constant(LEVEL_NAMES) == example["level"]
        level = tf.where(tf.reduce_any(is_level), tf.argmax(is_level, 0, tf.int32), -1)
        crop = augmentation.reflect_one(image, inputs, seed)
        return {"crop": crop[..., None], LEVEL: level, **labels}

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training, seed  # reflection is drawn per crop, in `preprocess`
        return task.labelled_batch(batch, list(self.num_classes))

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        return heads.classifier(encoder, self.num_classes, model_config, seed=seed, name="strong")

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        return balanced_cross_entropy.per_output(statistics.class_counts, list(self.num_classes))

    def loss_weights(self) -> dict[str, float]:
        return {LEVEL: self.level_weight}

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        return balanced_accuracy.per_output(self.num_classes)
