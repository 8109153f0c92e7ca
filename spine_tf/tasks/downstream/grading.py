"""Grading of discs: one fully connected head per grading over a shared encoder.

Source: Jamaludin 2017, sections 3.2 and 4.2 (class-balanced softmax loss, FC6 to FC8 new); methods
1.8 for several gradings at once. Labels that are missing count for nothing.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from spine_tf import config, gradings
from spine_tf.data import augmentation, records, schema, splits
from spine_tf.losses import balanced_cross_entropy
from spine_tf.metrics import balanced_accuracy
from spine_tf.models import heads
from spine_tf.tasks import task


@dataclasses.dataclass(frozen=True)
class Grading(task.Task):
    """Grades one disc.

    Attributes:
        gradings: Names of the gradings; empty means all that the training records hold.
    """

    record_kind: ClassVar[str] = schema.DISC
    protocol: ClassVar[str] = splits.GRADING

    gradings: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "gradings", gradings.parse_names(self.gradings))

    def configure(self, index: records.Index) -> "Grading":
        found = {name for row in index.rows for name in row["grades"]}
        names = self.gradings or tuple(name for name in gradings.GRADINGS if name in found)
        records.check_graded(index, names)
        return dataclasses.replace(self, gradings=names)

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        return records.grade_counts(index, self.gradings)

    def plan(self, index: records.Index, batch_size: int, seed: int) -> np.ndarray:
        graded = [
            number
            for number, row in enumerate(index.rows)
            if any(name in row["grades"] for name in self.gradings)
        ]
        if not graded:
            return np.zeros((0, batch_size, 1), np.int32)
        return np.asarray(graded, np.int32)[task.shuffled_plan(len(graded), batch_size, seed)]

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        image = augmentation.record_input(example, None, self.crop_kind, inputs, seed)
        image = augmentation.reflect_one(image, inputs, seed)
        labels = {name: schema.class_index(example, name) for name in self.gradings}
        return {"crop": image[..., None], **labels}

    def row_labels(self, row: Mapping[str, Any]) -> dict[str, int]:
        grades = row["grades"]
        return {
            name: gradings.from_name(name).class_index(grades.get(name, gradings.NOT_GRADED))
            for name in self.gradings
        }

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training, seed  # reflection is drawn per crop, in `preprocess`
        return task.labelled_batch(batch, self.gradings)

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        classes = gradings.num_classes(self.gradings)
        return heads.classifier(encoder, classes, model_config, seed=seed, name="grading")

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        return balanced_cross_entropy.per_output(statistics.class_counts, self.gradings)

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        return balanced_accuracy.per_output(gradings.num_classes(self.gradings))
