"""Sigmoid log loss of several labels at once, positives and negatives of each counting alike.

Source: methods 3.6 ("positives:negatives 1:1 per organ"), as weights and not as sampling: a slice
shows several organs, so no choice of slices balances all of them.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from spine_tf.losses import balanced_cross_entropy


def balanced_sigmoid(labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns the weighted log loss of every example, a mean over its labels.

    Args:
        labels: [batch, labels], 1 where a label is present, else 0.
        logits: [batch, labels] float32.
        weights: [labels, 2] weight of absent and of present.

    Returns:
        [batch] float32.
    """
    is_present = tf.cast(labels, tf.float32)
    loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=is_present, logits=logits)
    weight = tf.where(is_present > 0, weights[:, 1], weights[:, 0])
    return tf.reduce_mean(weight * loss, -1)


class BalancedSigmoid(keras.losses.Loss):
    """`balanced_sigmoid` per example, without reduction; weights from counts per label."""

    def __init__(self, counts: Sequence[Sequence[int]]):
        """Makes the weights.

        Args:
            counts: Per label, how many training examples lack it and how many show it.
        """
        super().__init__(reduction="none", name="balanced_sigmoid")
        self.weights = np.stack([balanced_cross_entropy.class_weights(pair) for pair in counts])

    def call(self, y_true, y_pred):
        return balanced_sigmoid(y_true, y_pred, tf.constant(self.weights))
