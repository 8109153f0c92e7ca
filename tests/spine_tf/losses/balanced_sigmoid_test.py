import numpy as np
import pytest
import tensorflow as tf

from spine_tf.losses import balanced_cross_entropy, balanced_sigmoid


def test_loss_by_hand():
    # Sigmoid of ln 3 is 3/4. Weights 2 and 0.5 of the first label, 1 and 4 of the second.
    logits = tf.constant([[np.log(3.0), 0.0], [np.log(3.0), np.log(3.0)]], tf.float32)
    weights = tf.constant([[2.0, 0.5], [1.0, 4.0]])
    found = balanced_sigmoid.balanced_sigmoid(tf.constant([[1, 0], [0, 1]]), logits, weights)
    expected = [
        (0.5 * -np.log(0.75) + 1.0 * np.log(2)) / 2,
        (2.0 * -np.log(0.25) + 4.0 * -np.log(0.75)) / 2,
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_mean_is_over_labels():
    # Even logits cost ln 2 times the weight of what is absent: 1, 2 and 6.
    weights = tf.constant([[1.0, 0], [2, 0], [6, 0]])
    found = balanced_sigmoid.balanced_sigmoid(tf.zeros((2, 3)), tf.zeros((2, 3)), weights)
    np.testing.assert_allclose(found, [3 * np.log(2)] * 2, rtol=1e-6)


def test_positives_and_negatives_count_alike():
    # Label 0 is shown by 2 of 10, label 1 by 5 of 10; even logits cost ln 2 each.
    labels = np.zeros((10, 2), np.int32)
    labels[:2, 0] = labels[:5, 1] = 1
    loss = balanced_sigmoid.BalancedSigmoid([[8, 2], [5, 5]])
    found = 2 * loss(tf.constant(labels), tf.zeros((10, 2))).numpy() / np.log(2)
    of_first = found - 1  # the other label's weights are 1
    assert of_first[:2].sum() == pytest.approx(of_first[2:].sum()) == pytest.approx(5)


def test_one_label_is_the_balanced_loss_of_two_classes():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=12).astype(np.float32), rng.integers(0, 2, 12)
    found = balanced_sigmoid.BalancedSigmoid([[9, 3]])(labels[:, None], logits[:, None])
    other = balanced_cross_entropy.BalancedCrossEntropy([9, 3])
    expected = other(labels, np.stack([np.zeros(12, np.float32), logits], 1))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_label_that_all_show_counts_as_it_is():
    loss = balanced_sigmoid.BalancedSigmoid([[0, 4]])
    np.testing.assert_allclose(loss([[1], [1]], tf.zeros((2, 1))), [np.log(2)] * 2, rtol=1e-6)
