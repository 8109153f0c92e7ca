"""Squared error of a restored image over the voxels that count.

Source: Chen 2019, section 2 (L2 loss of the restored image); methods 3.2 and 3.4 (mean over the
voxels that are no padding; of context prediction over the missing region alone).
"""

import keras
import tensorflow as tf


def pack(target: tf.Tensor, weight: tf.Tensor, given: tf.Tensor, changed: tf.Tensor) -> tf.Tensor:
    """Packs what is asked of a restored image into one label.

    Args:
        target: [batch, ..., channels] the image as it was.
        weight: [batch, ...] how much each voxel counts.
        given: [batch, ..., channels] the image as the network sees it.
        changed: [batch, ...] bool, which voxels of it are not as they were.

    Returns:
        [batch, ..., 2 * channels + 2] float32: target, given, weight, changed.
    """
    masks = [tf.cast(mask, tf.float32)[..., None] for mask in (weight, changed)]
    return tf.concat([target, given, *masks], -1)


def unpack(label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns target, weight, given, changed (float32) of `pack`."""
    channels = (label.shape[-1] - 2) // 2
    target, given = label[..., :channels], label[..., channels : 2 * channels]
    return target, label[..., -2], given, label[..., -1]


def masked_squared_error(label: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """Returns the weighted mean squared error of every image.

    Args:
        label: [batch, ..., 2 * channels + 2], see `pack`.
        restored: [batch, ..., channels].

    Returns:
        [batch] float32; 0 where no voxel counts.
    """
    target, weight, _, _ = unpack(label)
    error = tf.reduce_mean(tf.square(restored - target), -1)
    axes = list(range(1, len(error.shape)))
    return tf.math.divide_no_nan(tf.reduce_sum(weight * error, axes), tf.reduce_sum(weight, axes))


class MaskedSquaredError(keras.losses.Loss):
    """`masked_squared_error` per image, without reduction."""

    def __init__(self):
        super().__init__(reduction="none", name="masked_squared_error")

    def call(self, y_true, y_pred):
        return masked_squared_error(y_true, y_pred)
