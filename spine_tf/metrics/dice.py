"""Dice of segmented images during training, over all their pixels together.

An evaluation takes it per case instead: `evaluation.segmentation`.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf


class Dice(keras.metrics.Metric):
    """Mean Dice of regions; each is a union of classes. NaN where none of them occurs.

    Labels are those of `overlap_cross_entropy.pack`, predictions [batch, rows, columns, classes].
    """

    def __init__(self, regions: Sequence[Sequence[int]], num_classes: int, name: str = "dice"):
        """Names the regions.

        Args:
            regions: Class indices of each region.
            num_classes: Classes with the background.
            name: Name of the metric.
        """
        super().__init__(name=name)
        self._is_in = [[float(c in region) for region in regions] for c in range(num_classes)]
        self._sums = self.add_weight(name="sums", shape=(2, len(regions)), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        label = tf.cast(y_true, tf.int32)
        weight = tf.cast(label[..., 1], tf.float32)
        if sample_weight is not None:
            weight *= tf.cast(sample_weight, tf.float32)[:, None, None]
        is_in = tf.constant(self._is_in)
        true = tf.gather(is_in, label[..., 0])
        found = tf.gather(is_in, tf.argmax(y_pred, -1))
        counted = tf.stack([2 * true * found, true + found]) * weight[..., None]
        self._sums.assign_add(tf.reduce_sum(counted, [1, 2, 3]))

    def reset_state(self) -> None:
        # Keras 2 assigns a scalar, which only fits scalar weights.
        self._sums.assign(tf.zeros(self._sums.shape))

    def result(self):
        twice, total = tf.unstack(tf.convert_to_tensor(self._sums))
        occurs = tf.cast(total > 0, tf.float32)
        count = tf.reduce_sum(occurs)
        mean = tf.reduce_sum(tf.math.divide_no_nan(twice, total)) / tf.maximum(count, 1.0)
        return tf.where(count > 0, mean, float("nan"))
