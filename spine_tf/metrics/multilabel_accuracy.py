"""Balanced accuracy of several labels at once: its mean over the labels.

Source: methods 3.6; of one label it is `balanced_accuracy`, the mean of sensitivity and
specificity.
"""

import keras
import tensorflow as tf

from spine_tf.metrics import balanced_accuracy


class MultilabelAccuracy(keras.metrics.Metric):
    """Mean over labels of everything seen. Labels [batch, labels] of 0 and 1; logits."""

    def __init__(self, num_labels: int, name: str = "balanced_accuracy"):
        super().__init__(name=name)
        self.confusion = self.add_weight(
            name="confusion", shape=(num_labels, 2, 2), initializer="zeros"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        true = tf.one_hot(tf.cast(y_true, tf.int32), 2)
        found = tf.one_hot(tf.cast(y_pred > 0, tf.int32), 2)
        if sample_weight is not None:
            true *= tf.cast(sample_weight > 0, tf.float32)[:, None, None]
        self.confusion.assign_add(tf.einsum("blt,blp->ltp", true, found))

    def reset_state(self) -> None:
        # Keras 2 assigns a scalar, which only fits scalar weights.
        self.confusion.assign(tf.zeros(self.confusion.shape))

    def result(self):
        of_labels = tf.unstack(tf.convert_to_tensor(self.confusion))
        return tf.reduce_mean([balanced_accuracy.balanced_accuracy(one) for one in of_labels])
