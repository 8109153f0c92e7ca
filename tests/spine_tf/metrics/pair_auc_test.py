import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from spine_tf.metrics import pair_auc


def _area(labels, distance, weight=None, margin=1.0):
    metric = pair_auc.PairAuc(margin)
    metric.update_state(tf.constant(labels, tf.float32), tf.constant(distance, tf.float32), weight)
    return float(metric.result())


def test_close_pairs_of_one_subject_give_one():
    assert _area([1, 1, 0, 0], [0.1, 0.2, 5.0, 9.0]) == pytest.approx(1, abs=1e-6)
    assert _area([0, 0, 1, 1], [0.1, 0.2, 5.0, 9.0]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1000.0])
def test_near_scikit_learn_at_any_scale(scale):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    distance = scale * rng.gamma(2.0, 1.0 - 0.4 * labels)
    expected = metrics.roc_auc_score(labels, -distance)
    assert _area(labels, distance, margin=2 * scale) == pytest.approx(expected, abs=0.01)


def test_weight_zero_does_not_count():
    weight = tf.constant([1.0, 1, 0])
    assert _area([1, 0, 0], [1.0, 2.0, 0.5], weight) == pytest.approx(1, abs=1e-6)


def test_near_pairs_are_told_apart_too():
    """Every distance has a closeness of its own below 1."""
    assert _area([1, 0], [0.1, 0.5]) == pytest.approx(1, abs=1e-6)
    assert _area([0, 1], [0.1, 0.5]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], []])
def test_one_kind_of_pair_has_no_area(labels):
    assert np.isnan(_area(labels, [0.5] * len(labels)))
