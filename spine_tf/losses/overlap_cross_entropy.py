"""Cross entropy plus soft Dice of a segmented image, over the pixels that are no padding.

Source: methods 3.7 (Chen 2019 gives no loss of its U-Net).
"""

import keras
import tensorflow as tf

_SMOOTH = 1.0  # pixels; a class that is absent and not predicted has Dice 1


def pack(classes: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Packs class indices and validity [batch, rows, columns] into [..., 2] int32."""
    return tf.stack([tf.cast(classes, tf.int32), tf.cast(valid, tf.int32)], -1)


def overlap_cross_entropy(label: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the loss of every image: mean cross entropy, plus 1 less the mean soft Dice.

    The Dice is of the classes from 1 on, each over the image; 0 is the background.

    Args:
        label: [batch, rows, columns, 2], see `pack`.
        logits: [batch, rows, columns, classes].

    Returns:
        [batch] float32.
    """
    label = tf.cast(label, tf.int32)  # Keras 3 hands a loss its labels as floats
    classes, valid = label[..., 0], tf.cast(label[..., 1], tf.float32)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=classes, logits=logits)
    mean = tf.math.divide_no_nan(
        tf.reduce_sum(valid * entropy, [1, 2]), tf.reduce_sum(valid, [1, 2])
    )
    found = tf.nn.softmax(logits)[..., 1:] * valid[..., None]
    true = tf.one_hot(classes, logits.shape[-1])[..., 1:] * valid[..., None]
    both = tf.reduce_sum(found * true, [1, 2])
    dice = (2 * both + _SMOOTH) / (tf.reduce_sum(found + true, [1, 2]) + _SMOOTH)
    return mean + 1.0 - tf.reduce_mean(dice, -1)


class OverlapCrossEntropy(keras.losses.Loss):
    """`overlap_cross_entropy` per image, without reduction."""

    def __init__(self):
        super().__init__(reduction="none", name="overlap_cross_entropy")

    def call(self, y_true, y_pred):
        return overlap_cross_entropy(y_true, y_pred)
