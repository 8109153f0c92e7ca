"""Cross entropy of the pixels of an image that count, with a weight for each class.

Source: methods 2.2 (the detector's classes), where what is not annotated does not count.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf


def masked_cross_entropy(
    label: tf.Tensor, logits: tf.Tensor, class_weights: Sequence[float]
) -> tf.Tensor:
    """Returns the weighted mean cross entropy of every image.

    Args:
        label: [batch, rows, columns, 2], see `overlap_cross_entropy.pack`.
        logits: [batch, rows, columns, classes].
        class_weights: [classes] how much a pixel of each class counts.

    Returns:
        [batch] float32; 0 where no pixel counts.
    """
    label = tf.cast(label, tf.int32)  # Keras 3 hands a loss its labels as floats
    classes = label[..., 0]
    weight = tf.cast(label[..., 1], tf.float32) * tf.gather(list(class_weights), classes)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits)
    total = tf.reduce_sum(weight * entropy, [1, 2])
    return tf.math.divide_no_nan(total, tf.reduce_sum(weight, [1, 2]))


class MaskedCrossEntropy(keras.losses.Loss):
    """`masked_cross_entropy` per image, without reduction."""

    def __init__(self, class_weights: Sequence[float]):
        super().__init__(reduction="none", name="masked_cross_entropy")
        self._class_weights = tuple(class_weights)

    def call(self, y_true, y_pred):
        return masked_cross_entropy(y_true, y_pred, self._class_weights)
