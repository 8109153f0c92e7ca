"""Grading of discs: one fully connected head per grading over a shared encoder.

Source: Jamaludin 2017, sections 3.2 and 4.2 (class-balanced softmax loss, FC6 to FC8 new); methods
1.8 for several gradings at once. Labels that are missing count for nothing.
"""

import dataclasses
from typing import ClassVar

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
        if isinstance(self.gradings, str):
            raise ValueError(f"`gradings` must be a list of names, got {self.gradings!r}.")
        object.__setattr__(self, "gradings", tuple(self.gradings))
        for name in self.gradings:
            gradings.from_name(name)

    def configure(self, index: records.Index) -> "Grading":
        found = {name for row in index.rows for name in row["grades"]}
        names = self.gradings or tuple(name for name in gradings.GRADINGS if name in found)
        missing = [name for name in names if name not in found]
        if missing or not names:
            raise ValueError(
                f"`gradings` must be among those of the training records, {sorted(found)}, got"
                f" {missing or 'none'}. Convert with --gradings."
            )
        return dataclasses.replace(self, gradings=names)

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        counts = {}
        for name in self.gradings:
            grades = [row["grades"].get(name, gradings.NOT_GRADED) for row in index.rows]
            counts[name] = [grades.count(grade) for grade in gradings.GRADINGS[name].grades]
        return counts

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
        image = augmentation.network_input(
            example["image"],
            example["slice_is_valid"],
            example["pixel_is_valid"],
            self.crop_kind,
            inputs,
            seed,
        )
        if inputs.augment:
            flip = tf.random.stateless_uniform([1], seed + 2) < 0.5
            image = augmentation.reflect(image[None], flip)[0]
        labels = {name: schema.class_index(example, name) for name in self.gradings}
        return {"crop": image[..., None], **labels}

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training, seed  # reflection is drawn per crop, in `preprocess`
        labels = {name: batch[name] for name in self.gradings}
        weights = {name: tf.cast(label >= 0, tf.float32) for name, label in labels.items()}
        return task.Batch({"crop": batch["crop"]}, labels, weights)

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        crop = keras.Input(encoder.input_shape[1:], name="crop")
        conv5 = encoder(crop)["conv5"]
        outputs = {}
        for number, name in enumerate(self.gradings):
            options = {"prefix": f"{name}_", "seed": seed + 100 * number}
            embedded = heads.embedding(conv5, model_config, **options)
            num_classes = gradings.GRADINGS[name].num_classes
            outputs[name] = heads.logits(embedded, num_classes, model_config, **options)
        return keras.Model({"crop": crop}, outputs, name="grading")

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        return {
            name: balanced_cross_entropy.BalancedCrossEntropy(statistics.class_counts[name])
            for name in self.gradings
        }

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        return {
            name: [balanced_accuracy.BalancedAccuracy(gradings.GRADINGS[name].num_classes)]
            for name in self.gradings
        }
