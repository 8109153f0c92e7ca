"""Cross entropy of the pixels of an image, each with a weight of its own.

Source: methods 2.2 (the detector's classes), where what is not annotated has weight 0.
"""

import keras
import tensorflow as tf


def pack(classes: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Packs class indices and weights [..., rows, columns] into [..., rows, columns, 2] float32."""
    return tf.stack([tf.cast(classes, tf.float32), tf.cast(weight, tf.float32)], -1)


def masked_cross_entropy(label: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the weighted mean cross entropy of every image.

    Args:
        label: [batch, rows, columns, 2], see `pack`.
        logits: [batch, rows, columns, classes].

    Returns:
        [batch] float32; 0 where no pixel counts.
    """
    classes, weight = tf.cast(label[..., 0], tf.int32), label[..., 1]
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits)
    total = tf.reduce_sum(weight * entropy, [1, 2])
    return tf.math.divide_no_nan(total, tf.reduce_sum(weight, [1, 2]))


class MaskedCrossEntropy(keras.losses.Loss):
    """`masked_cross_entropy` per image, without reduction."""

    def __init__(self):
        super().__init__(reduction="none", name="masked_cross_entropy")

    def call(self, y_true, y_pred):
        return masked_cross_entropy(y_true, y_pred)
