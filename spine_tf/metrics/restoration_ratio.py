"""How near to the image a network's output is: beside what it was given, and beside a mean.

The restoration ratio is 1 of a network that copies its input, the missed variance 1 of one that
gives the mean of every image; above 0.6 a pretext has not been learned. A voxel counts where its
weight is above 0, whatever the weight. Source: methods 3.2.
"""

import keras
import tensorflow as tf

from spine_tf.losses import masked_squared_error

NOT_LEARNED = 0.6
EVERYWHERE, CHANGED = "restoration_ratio", "restoration_ratio_changed"
MISSED_VARIANCE = "missed_variance"


class _Ratio(keras.metrics.Metric):
    """A sum over another one, both over all images; NaN where the lower one is 0."""

    def __init__(self, name: str):
        super().__init__(name=name)
        self._upper = self.add_weight(name="upper", initializer="zeros")
        self._lower = self.add_weight(name="lower", initializer="zeros")

    def _accumulate(self, counts, upper, lower, sample_weight):
        """Adds squared errors [batch, ..., channels] where `counts` [batch, ...]."""
        if sample_weight is not None:
            shape = [-1] + [1] * (len(counts.shape) - 1)
            counts = counts * tf.reshape(tf.cast(sample_weight, tf.float32), shape)
        for variable, error in ((self._upper, upper), (self._lower, lower)):
            variable.assign(variable + tf.reduce_sum(counts * tf.reduce_mean(error, -1)))

    def result(self):
        upper, lower = (tf.convert_to_tensor(v) for v in (self._upper, self._lower))
        return tf.where(lower > 0, upper / lower, float("nan"))


class RestorationRatio(_Ratio):
    """MSE(restored) / MSE(given) over many images, everywhere or inside the changed voxels.

    NaN where the given images are as they were. Labels are those of `masked_squared_error.pack`.
    """

    def __init__(self, name: str):
        if name not in (EVERYWHERE, CHANGED):
            raise ValueError(f"`name` must be {EVERYWHERE} or {CHANGED}, got {name!r}.")
        super().__init__(name=name)
        self._inside_alone = name == CHANGED

    def update_state(self, y_true, y_pred, sample_weight=None):
        target, weight, given, changed = masked_squared_error.unpack(tf.cast(y_true, tf.float32))
        counts = tf.cast(weight > 0, tf.float32) * (changed if self._inside_alone else 1.0)
        restored = tf.square(tf.cast(y_pred, tf.float32) - target)
        self._accumulate(counts, restored, tf.square(given - target), sample_weight)


class MissedVariance(_Ratio):
    """Squared error over that of the mean of every image and channel, where voxels count.

    NaN where every image is of one value. Labels are those of `masked_squared_error.pack`.
    """

    def __init__(self):
        super().__init__(name=MISSED_VARIANCE)

    def update_state(self, y_true, y_pred, sample_weight=None):
        target, weight, _, _ = masked_squared_error.unpack(tf.cast(y_true, tf.float32))
        counts = tf.cast(weight > 0, tf.float32)
        mean = masked_mean(target, counts)
        restored = tf.square(tf.cast(y_pred, tf.float32) - target)
        self._accumulate(counts, restored, tf.square(mean - target), sample_weight)


def masked_mean(image: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """Returns the mean [batch, 1, ..., channels] of images where `counts` [batch, ...] is 1."""
    axes = list(range(1, len(counts.shape)))
    number = tf.reduce_sum(counts, axes, keepdims=True)[..., None]
    return tf.math.divide_no_nan(
        tf.reduce_sum(counts[..., None] * image, axes, keepdims=True), number
    )


class ChangedShare(keras.metrics.Mean):
    """Mean share of voxels that count and are not as they were."""

    def __init__(self):
        super().__init__(name="changed_share")

    def update_state(self, y_true, y_pred, sample_weight=None):
        _, weight, _, changed = masked_squared_error.unpack(tf.cast(y_true, tf.float32))
        counts = tf.cast(weight > 0, tf.float32)
        axes = list(range(1, len(weight.shape)))
        share = tf.math.divide_no_nan(
            tf.reduce_sum(counts * changed, axes), tf.reduce_sum(counts, axes)
        )
        return super().update_state(share, sample_weight)
