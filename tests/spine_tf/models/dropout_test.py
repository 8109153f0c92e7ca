"""One device; tests/distribution_test.py has several."""

import numpy as np
import tensorflow as tf

from spine_tf.models import dropout


def _masked(draw, seed=0, training=True):
    layer = dropout.Dropout(0.25, seed)
    with dropout.drawing(tf.constant(draw, tf.int64)):
        return layer(tf.ones([64, 50]), training=training).numpy()


def test_a_share_is_dropped_and_the_rest_scaled():
    found = _masked(0)
    assert set(np.unique(found)) == {0.0, np.float32(1 / 0.75)}
    # 3200 draws: the standard deviation of the share is sqrt(0.25 * 0.75 / 3200) = 0.008.
    assert abs((found == 0).mean() - 0.25) < 0.03


def test_nothing_is_dropped_outside_training():
    np.testing.assert_array_equal(_masked(0, training=False), 1.0)


def test_the_mask_follows_from_seed_and_draw():
    np.testing.assert_array_equal(_masked(3), _masked(3))
    for other in (_masked(4), _masked(3, seed=1)):
        assert (other != _masked(3)).mean() > 0.2
    default = dropout.Dropout(0.25, 0)(tf.ones([64, 50]), training=True)
    np.testing.assert_array_equal(default, _masked(0))


def test_a_compiled_step_takes_another_draw_every_time():
    layer = dropout.Dropout(0.25, 0)

    @tf.function
    def step(draw):
        with dropout.drawing(draw):
            return layer(tf.ones([64, 50]), training=True)

    for draw in (1, 2):
        np.testing.assert_array_equal(step(tf.constant(draw, tf.int64)), _masked(draw))


def test_half_precision_stays():
    layer = dropout.Dropout(0.25, 0, dtype="mixed_bfloat16")
    assert layer(tf.ones([2, 3], tf.bfloat16), training=True).dtype == tf.bfloat16
