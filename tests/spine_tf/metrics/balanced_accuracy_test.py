import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from spine_tf.metrics import balanced_accuracy


def test_by_hand():
    # Recalls 3/4 and 1/2; the third class does not occur.
    confusion = tf.constant([[3.0, 1, 0], [1, 1, 0], [0, 0, 0]])
    assert float(balanced_accuracy.balanced_accuracy(confusion)) == pytest.approx(0.625)


def test_nothing_is_zero():
    assert float(balanced_accuracy.balanced_accuracy(tf.zeros((2, 2)))) == 0


def test_equal_to_scikit_learn_over_several_batches():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 4, 60), rng.normal(size=(60, 4))
    metric = balanced_accuracy.BalancedAccuracy(4)
    for part in np.split(np.arange(60), 3):
        metric.update_state(tf.constant(labels[part]), tf.constant(logits[part], tf.float32))
    expected = metrics.balanced_accuracy_score(labels, logits.argmax(1))
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_missing_labels_and_weight_zero_do_not_count():
    metric = balanced_accuracy.BalancedAccuracy(2)
    logits = tf.constant([[1.0, 0], [0, 1], [1, 0], [1, 0]])
    weight = tf.constant([1.0, 1, 1, 0])
    metric.update_state(tf.constant([0, 1, -1, 1]), logits, weight)
    assert float(metric.result()) == 1.0
    np.testing.assert_array_equal(metric.confusion.numpy(), np.eye(2))


def test_reset():
    metric = balanced_accuracy.BalancedAccuracy(2)
    metric.update_state(tf.constant([0]), tf.constant([[1.0, 0]]))
    metric.reset_state()
    assert float(metric.result()) == 0


def test_classes_seen_over_batches_without_missing_labels_and_weight_zero():
    metric = balanced_accuracy.ClassesSeen(5)
    metric.update_state(tf.constant([4, 4, -1]), tf.zeros((3, 5)), tf.ones(3))
    metric.update_state(tf.constant([1, 0, 4]), tf.zeros((3, 5)), tf.constant([1.0, 0, 1]))
    assert float(metric.result()) == 2  # 1 and 4
    metric.update_state(tf.constant([0]), tf.zeros((1, 5)))
    assert float(metric.result()) == 3
    metric.reset_state()
    assert float(metric.result()) == 0
