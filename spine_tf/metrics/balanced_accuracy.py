"""Average class accuracy: the mean over true classes of the share that is recognised.

Source: Jamaludin 2017, section 4.2; equal to scikit-learn's `balanced_accuracy_score`.
"""

from collections.abc import Mapping

import keras
import tensorflow as tf


def balanced_accuracy(confusion: tf.Tensor) -> tf.Tensor:
    """Returns the scalar of a confusion matrix [true, predicted]; empty classes are left out."""
    per_class = tf.reduce_sum(confusion, 1)
    recall = tf.math.divide_no_nan(tf.linalg.diag_part(confusion), per_class)
    occurs = tf.cast(per_class > 0, confusion.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(recall), tf.reduce_sum(occurs))


class BalancedAccuracy(keras.metrics.Metric):
    """`balanced_accuracy` of everything seen. Labels [batch], below 0 is missing; logits."""

    def __init__(self, num_classes: int, name: str = "balanced_accuracy"):
        super().__init__(name=name)
        self.num_classes = num_classes
        self.confusion = self.add_weight(
            name="confusion", shape=(num_classes, num_classes), initializer="zeros"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        weights = tf.cast(y_true >= 0, tf.float32)
        if sample_weight is not None:
            weights *= tf.cast(sample_weight > 0, tf.float32)
        self.confusion.assign_add(
            tf.math.confusion_matrix(
                tf.maximum(y_true, 0),
                tf.argmax(y_pred, -1, tf.int32),
                self.num_classes,
                weights,
                tf.float32,
            )
        )

    def reset_state(self) -> None:
        # Keras 2 assigns a scalar, which only fits scalar weights.
        self.confusion.assign(tf.zeros((self.num_classes, self.num_classes)))

    def result(self):
        return balanced_accuracy(tf.convert_to_tensor(self.confusion))


class ClassesSeen(BalancedAccuracy):
    """How many classes were true of something: chance is 1 of that. Labels and logits as above."""

    def __init__(self, num_classes: int, name: str = "classes_seen"):
        super().__init__(num_classes, name)

    def result(self):
        per_class = tf.reduce_sum(tf.convert_to_tensor(self.confusion), 1)
        return tf.reduce_sum(tf.cast(per_class > 0, tf.float32))


def per_output(num_classes: Mapping[str, int]) -> dict[str, list[keras.metrics.Metric]]:
    """Returns output -> [its metric], from output -> number of classes."""
    return {name: [BalancedAccuracy(classes)] for name, classes in num_classes.items()}
