"""Dropout whose masks are a function of seed and draw, so that a run goes on with the same ones.

Keras's own keeps a state that no checkpoint holds and draws apart on every device.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

_draws: list[tf.Tensor] = []  # the last one counts


@contextlib.contextmanager
def drawing(draw: tf.Tensor) -> Iterator[None]:
    """Gives the layers that are called in its block the number of the draw.

    Args:
        draw: int64 scalar; another number is another mask. Where there is none it is 0.
    """
    _draws.append(draw)
    try:
        yield
    finally:
        _draws.pop()


class Dropout(keras.layers.Layer):
    """Sets a share of [batch, units] to 0 in training and scales the rest by 1 / (1 - share).

    The mask is drawn for the whole batch, of which each device takes its part: it does not depend
    on the number of devices.
    """

    def __init__(self, rate: float, seed: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed

    def call(self, inputs, training=False):
        if not training:
            return inputs
        context = tf.distribute.get_replica_context()
        size, replica = tf.shape(inputs)[0], context.replica_id_in_sync_group
        shape = [size * context.num_replicas_in_sync, *inputs.shape[1:]]
        draw = _draws[-1] if _draws else tf.constant(0, tf.int64)
        seed = tf.stack([tf.constant(self.seed, tf.int64), draw])
        uniform = tf.random.stateless_uniform(shape, seed, alg="philox")  # XLA's own is another
        kept = uniform[replica * size : (replica + 1) * size] >= self.rate
        return tf.where(kept, inputs / (1 - self.rate), tf.zeros_like(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
