import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from spine_tf.metrics import multilabel_accuracy


def test_by_hand():
    # First label: 1 of 2 shown is found, 2 of 2 absent are; second: 3 of 3, and 0 of 1.
    labels = tf.constant([[1, 1], [1, 1], [0, 1], [0, 0]])
    logits = tf.constant([[2.0, 1], [-1, 1], [-1, 1], [-1, 1]])
    metric = multilabel_accuracy.MultilabelAccuracy(2)
    metric.update_state(labels, logits)
    assert float(metric.result()) == pytest.approx((0.75 + 0.5) / 2)


def test_a_logit_of_zero_says_absent():
    metric = multilabel_accuracy.MultilabelAccuracy(1)
    metric.update_state(tf.constant([[1], [0]]), tf.constant([[1.0], [0.0]]))
    assert float(metric.result()) == 1


def test_equal_to_scikit_learn_over_several_batches():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 2, (60, 3)), rng.normal(size=(60, 3))
    metric = multilabel_accuracy.MultilabelAccuracy(3)
    for part in np.split(np.arange(60), 3):
        metric.update_state(tf.constant(labels[part]), tf.constant(logits[part], tf.float32))
    pairs = zip(labels.T, logits.T > 0, strict=True)
    expected = np.mean([metrics.balanced_accuracy_score(*pair) for pair in pairs])
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_weight_zero_does_not_count_and_reset():
    metric = multilabel_accuracy.MultilabelAccuracy(1)
    metric.update_state(
        tf.constant([[1], [0], [0]]), tf.constant([[1.0], [-1], [1]]), tf.constant([1.0, 1, 0])
    )
    assert float(metric.result()) == 1
    metric.reset_state()
    assert float(metric.result()) == 0
