"""What distances of pairs say of a Siamese training: how far apart, how active, how spread.

Labels are 1 for a pair of one subject; weights say which entries are pairs. Source: methods 1.5
and P13 (logged each epoch; small values of the last two are alarms).
"""

import keras
import tensorflow as tf


class _OfPairs(keras.metrics.Mean):
    """Mean over the pairs of one label, NaN where there is none."""

    def __init__(self, name: str, is_same: bool):
        super().__init__(name=name)
        self._is_same = is_same

    def _values(self, distance: tf.Tensor) -> tf.Tensor:
        return distance

    def update_state(self, y_true, y_pred, sample_weight=None):
        chosen = tf.equal(tf.cast(y_true, tf.float32), float(self._is_same))
        if sample_weight is not None:
            chosen &= tf.cast(sample_weight, tf.float32) > 0
        values = self._values(tf.cast(y_pred, tf.float32))
        return super().update_state(values, tf.cast(chosen, tf.float32))

    def result(self):
        count = tf.convert_to_tensor(self.count)
        return tf.where(count > 0, super().result(), float("nan"))


class MeanDistance(_OfPairs):
    """Mean distance of pairs of one subject, or of two."""

    def __init__(self, is_same: bool):
        super().__init__("mean_positive" if is_same else "mean_negative", is_same)


class ActiveNegatives(_OfPairs):
    """Share of negatives that are closer than the margin, and so still teach."""

    def __init__(self, margin: float):
        super().__init__("active_negatives", False)
        self._margin = margin

    def _values(self, distance: tf.Tensor) -> tf.Tensor:
        return tf.cast(distance < self._margin, tf.float32)


class EmbeddingSpread(_OfPairs):
    """Length of the standard deviation of the embedding between subjects.

    Two independent draws differ by twice the variance in the mean of squares, so it is the root of
    half the mean squared distance of negatives.
    """

    def __init__(self):
        super().__init__("embedding_spread", False)

    def _values(self, distance: tf.Tensor) -> tf.Tensor:
        return tf.square(distance) / 2.0

    def result(self):
        return tf.sqrt(super().result())
