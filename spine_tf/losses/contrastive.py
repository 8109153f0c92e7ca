"""Contrastive loss of a pair: y d^2 + (1 - y) max(0, m - d)^2.

Source: Jamaludin 2017, section 3.1; Hadsell et al. 2006. Equal to tensorflow-addons'
`contrastive_loss`.
"""

import keras
import tensorflow as tf

_SMALLEST_SQUARE = 1e-12


def pair_distance(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the Euclidean distance [batch] of two [batch, units] embeddings.

    Its gradient is 0, not NaN, where both are the same.
    """
    square = tf.reduce_sum(tf.square(first - second), -1)
    return tf.sqrt(tf.maximum(square, _SMALLEST_SQUARE))


def contrastive_loss(is_same: tf.Tensor, distance: tf.Tensor, margin: float) -> tf.Tensor:
    """Returns the loss of every pair.

    Args:
        is_same: [batch] 1 for a pair of one subject, 0 for two subjects.
        distance: [batch] distance of the embeddings, not negative.
        margin: Distance beyond which two subjects cost nothing.

    Returns:
        [batch] float32.
    """
    is_same = tf.cast(is_same, distance.dtype)
    apart = tf.maximum(margin - distance, 0.0)
    return is_same * tf.square(distance) + (1.0 - is_same) * tf.square(apart)


class ContrastiveLoss(keras.losses.Loss):
    """`contrastive_loss` per pair, without reduction."""

    def __init__(self, margin: float):
        if not margin > 0:
            raise ValueError(f"`margin` must be positive, got {margin!r}.")
        super().__init__(reduction="none", name="contrastive")
        self.margin = margin

    def call(self, y_true, y_pred):
        return contrastive_loss(y_true, y_pred, self.margin)
