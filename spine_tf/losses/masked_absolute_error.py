"""Absolute error of what an image says of its pixels, over the pixels that count.

Source: methods 2.2 (the detector's offsets of corners, which only pixels of bodies have).
"""

import keras
import tensorflow as tf


def masked_absolute_error(label: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """Returns the weighted mean absolute error of every image.

    Args:
        label: [batch, rows, columns, channels + 1]; the last is the weight of the pixel.
        found: [batch, rows, columns, channels].

    Returns:
        [batch] float32; 0 where no pixel counts.
    """
    target, weight = label[..., :-1], label[..., -1]
    error = tf.reduce_mean(tf.abs(found - target), -1)
    total = tf.reduce_sum(weight * error, [1, 2])
    return tf.math.divide_no_nan(total, tf.reduce_sum(weight, [1, 2]))


class MaskedAbsoluteError(keras.losses.Loss):
    """`masked_absolute_error` per image, without reduction."""

    def __init__(self):
        super().__init__(reduction="none", name="masked_absolute_error")

    def call(self, y_true, y_pred):
        return masked_absolute_error(y_true, y_pred)
