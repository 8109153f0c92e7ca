"""Softmax log loss weighted by class, for labels of which some are missing.

Source: Jamaludin 2017, section 3.2 ("class-balanced"); the weights are methods 1.5.
"""

from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf


def class_weights(counts: Sequence[int]) -> np.ndarray:
    """Returns inverse-frequency weights [classes] float32, of mean 1 over the training labels.

    alpha_c = N / (C N_c), C the number of classes that occur; 0 for a class that does not.
    """
    counts = np.asarray(counts, np.float64)
    occurs = counts > 0
    weights = np.zeros_like(counts)
    weights[occurs] = counts.sum() / (occurs.sum() * counts[occurs])
    return weights.astype(np.float32)


def balanced_cross_entropy(labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns the weighted log loss of every example.

    Args:
        labels: [batch] class indices; below 0 is missing.
        logits: [batch, classes].
        weights: [classes] weight of each class.

    Returns:
        [batch] float32, 0 where the label is missing.
    """
    labels = tf.cast(labels, tf.int32)  # Keras 3 hands a loss its labels as floats
    present = labels >= 0
    labels = tf.where(present, labels, tf.zeros_like(labels))
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.where(present, loss * tf.gather(weights, labels), 0.0)


class BalancedCrossEntropy(keras.losses.Loss):
    """`balanced_cross_entropy` per example, without reduction; weights from class counts."""

    def __init__(self, counts: Sequence[int]):
        super().__init__(reduction="none", name="balanced_cross_entropy")
        self.weights = class_weights(counts)

    def call(self, y_true, y_pred):
        return balanced_cross_entropy(y_true, y_pred, tf.constant(self.weights))


def per_output(
    class_counts: Mapping[str, Sequence[int]], names: Iterable[str]
) -> dict[str, BalancedCrossEntropy]:
    """Returns output -> its loss, from output -> training labels per class."""
    return {name: BalancedCrossEntropy(class_counts[name]) for name in names}
