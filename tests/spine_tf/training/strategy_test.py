"""One device; runs_on_two_devices.py has two."""

import pytest
import tensorflow as tf

from spine_tf.training import strategy


def test_names():
    assert strategy.make("one").num_replicas_in_sync == 1
    assert strategy.make("mirrored").num_replicas_in_sync >= 1
    with pytest.raises(ValueError, match="`strategy` must be one or mirrored, got 'two'"):
        strategy.make("two")


def test_one_device_takes_the_whole_batch():
    one = strategy.make("one")
    batch = {"x": tf.constant([1.0, 2.0, 3.0])}
    assert strategy.split(one, batch) is batch
    sums = one.run(lambda part: tf.reduce_sum(part["x"]), (batch,))
    assert float(strategy.total(one, {"sum": sums})["sum"]) == 6.0
    assert strategy.joined(one, batch)["x"].numpy().tolist() == [1.0, 2.0, 3.0]
