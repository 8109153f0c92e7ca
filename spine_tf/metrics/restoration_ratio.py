"""How much nearer to the image a network's output is than what the network was given.

1 is no help, as of a network that copies its input; above 0.6 a restoration pretext has not been
learned. Source: methods 3.2.
"""

import keras
import tensorflow as tf

from spine_tf.losses import masked_squared_error

NOT_LEARNED = 0.6
EVERYWHERE, CHANGED = "restoration_ratio", "restoration_ratio_changed"


class RestorationRatio(keras.metrics.Metric):
    """MSE(restored) / MSE(given) over many images, everywhere or inside the changed voxels.

    NaN where the given images are as they were. Labels are those of `masked_squared_error.pack`.
    """

    def __init__(self, name: str):
        if name not in (EVERYWHERE, CHANGED):
            raise ValueError(f"`name` must be {EVERYWHERE} or {CHANGED}, got {name!r}.")
        super().__init__(name=name)
        self._inside_alone = name == CHANGED
        self._restored = self.add_weight(name="restored", initializer="zeros")
        self._given = self.add_weight(name="given", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        target, weight, given, changed = masked_squared_error.unpack(tf.cast(y_true, tf.float32))
        if self._inside_alone:
            weight = weight * changed
        if sample_weight is not None:
            shape = [-1] + [1] * (len(weight.shape) - 1)
            weight = weight * tf.reshape(tf.cast(sample_weight, tf.float32), shape)
        for variable, image in ((self._restored, y_pred), (self._given, given)):
            error = tf.reduce_mean(tf.square(tf.cast(image, tf.float32) - target), -1)
            variable.assign(variable + tf.reduce_sum(weight * error))

    def result(self):
        restored, given = (tf.convert_to_tensor(v) for v in (self._restored, self._given))
        return tf.where(given > 0, restored / given, float("nan"))


class ChangedShare(keras.metrics.Mean):
    """Mean share of voxels that count and are not as they were."""

    def __init__(self):
        super().__init__(name="changed_share")

    def update_state(self, y_true, y_pred, sample_weight=None):
        _, weight, _, changed = masked_squared_error.unpack(tf.cast(y_true, tf.float32))
        axes = list(range(1, len(weight.shape)))
        share = tf.reduce_sum(weight * changed, axes) / tf.reduce_sum(weight, axes)
        return super().update_state(share, sample_weight)
