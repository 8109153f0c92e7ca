"""Detection of vertebral bodies in sagittal slices by a U-Net.

Source: methods 2.2, with a segmentation and offsets of corners in place of heat maps, see
docs/detection.md.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, records, schema, slice_augmentation, splits
from spine_tf.detection import augment, network, targets
from spine_tf.losses import (
    masked_absolute_error,
    masked_cross_entropy,
    overlap_cross_entropy,
)
from spine_tf.metrics import dice
from spine_tf.tasks import task

CLASSES, CORNERS = network.CLASSES, network.CORNERS
_CLASS_WEIGHTS = (1.0, 2.0, 4.0, *(2.0 for _ in targets.BODY_LEVELS))  # discs are small


@dataclasses.dataclass(frozen=True)
class Detection(task.Task):
    """Gives every pixel its class and, on a body, where the corners of that body are.

    Attributes:
        rows: Rows of the part of a slice that it is trained on, a multiple of 16.
        columns: Its columns, a multiple of 16.
        corner_share: Share of the error of the corners in the loss.
    """

    record_kind = schema.SLICE
    protocol = splits.SUBJECTS

    rows: int = 160
    columns: int = 112
    corner_share: float = 1.0

    def __post_init__(self):
        for name in ("rows", "columns"):
            value = getattr(self, name)
            if value < 16 or value % 16:
                raise ValueError(f"`{name}` must be a positive multiple of 16, got {value!r}.")

    def encoder_shape(self, model_config: config.ModelConfig) -> tuple[int | None, ...]:
        if model_config.network != config.UNET:
            raise ValueError(
                f"`preset` must be a U-Net for detection, unet-16 say, got {model_config.network}."
            )
        return (None, None, 1)

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        """Pixels of every class."""
        maps = [row["label_pixels"] or {} for row in index.rows]
        numbers = range(len(targets.CLASSES))
        return {CLASSES: [sum(found.get(str(n), 0) for found in maps) for n in numbers]}

    def plan(self, index: records.Index, batch_size: int, seed: int) -> np.ndarray:
        """Every slice with a label map once."""
        usable = [n for n, row in enumerate(index.rows) if row["label_pixels"]]
        if not usable:
            return np.zeros((0, batch_size, 1), np.int32)
        return np.asarray(usable, np.int32)[task.shuffled_plan(len(usable), batch_size, seed)]

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        """Returns image [rows, columns, 1], classes [..., 2] and corners [..., 9], all packed."""
        is_augmented, ranges = inputs.augment is not None, augment.Ranges()
        size = (self.rows, self.columns)
        shape = tf.shape(example["label_map"])
        if is_augmented:
            transform = augment.random_window(size, shape, _middle(example), ranges, seed)
        else:
            transform = augment.window(size, shape)
        low, high = example["low"], example["high"]
        unit = tf.math.divide_no_nan(example["image"] - low, high - low)[..., 0]
        image = slice_augmentation.projected(unit, transform, size)
        classes = slice_augmentation.projected(example["label_map"], transform, size)
        if is_augmented:
            cut = augment.cut_off(size, ranges, seed + 1)
            hidden = augment.hidden(size, ranges, seed + 2) | cut
            image = tf.where(hidden, 0.0, augment.appearance(image, ranges, seed + 3))
            classes = tf.where(cut, targets.BACKGROUND, classes)
        corners = augment.moved(example["quads"], transform)
        return {
            "image": image[..., None],
            CLASSES: _class_label(classes),
            CORNERS: targets.corner_offsets(classes, example["quad_labels"], corners),
        }

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training, seed
        labels = {name: batch[name] for name in (CLASSES, CORNERS)}
        weights = {
            name: tf.ones_like(label[:, 0, 0, 0], tf.float32) for name, label in labels.items()
        }
        return task.Batch({"image": batch["image"]}, labels, weights)

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        return network.build(encoder, model_config, seed)

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        del statistics
        return {
            CLASSES: masked_cross_entropy.MaskedCrossEntropy(_CLASS_WEIGHTS),
            CORNERS: masked_absolute_error.MaskedAbsoluteError(),
        }

    def loss_weights(self) -> dict[str, float]:
        return {CORNERS: self.corner_share}

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        num_classes = len(targets.CLASSES)
        bodies = list(range(targets.FIRST_BODY, num_classes))
        regions = {"body_dice": bodies, "disc_dice": [targets.DISC], "s1_dice": [bodies[-2]]}
        found = [dice.Dice([region], num_classes, name) for name, region in regions.items()]
        return {CLASSES: found, CORNERS: []}


def _middle(example: task.Tensors) -> tf.Tensor:
    """[2] row and column of the middle of all quads, or of the slice where there are none."""
    quads = example["quads"]
    whole = (tf.cast(tf.shape(example["label_map"]), tf.float32) - 1) / 2
    return tf.where(tf.size(quads) > 0, tf.reduce_mean(quads, [0, 1]), whole)


def _class_label(classes: tf.Tensor) -> tf.Tensor:
    """[rows, columns, 2] classes, and where they are known."""
    is_known = classes != targets.UNKNOWN
    return overlap_cross_entropy.pack(tf.where(is_known, classes, targets.BACKGROUND), is_known)
