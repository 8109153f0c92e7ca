import numpy as np
import pytest
import tensorflow as tf

from spine_tf.losses import balanced_cross_entropy


def test_weights_by_hand():
    # N = 10, C = 2: 10 / (2 * 8) and 10 / (2 * 2).
    found = balanced_cross_entropy.class_weights([8, 2])
    np.testing.assert_allclose(found, [0.625, 2.5])


def test_the_mean_weight_of_a_training_label_is_one():
    counts = np.array([100, 7, 20, 3])
    weights = balanced_cross_entropy.class_weights(counts)
    assert np.sum(counts * weights) / counts.sum() == pytest.approx(1)


def test_a_class_without_labels_counts_for_nothing():
    # Two classes occur: 10 / (2 * 5) = 1 each.
    np.testing.assert_allclose(balanced_cross_entropy.class_weights([5, 0, 5]), [1, 0, 1])
    # A single label occurs, too: 4 / (2 * 3) and 4 / (2 * 1).
    np.testing.assert_allclose(balanced_cross_entropy.class_weights([3, 1]), [2 / 3, 2])


def test_each_output_has_the_counts_of_its_own():
    counts = {"pfirrmann": [8, 2], "stenosis": [1, 1]}
    found = balanced_cross_entropy.per_output(counts, ["pfirrmann"])
    assert list(found) == ["pfirrmann"]
    np.testing.assert_allclose(found["pfirrmann"].weights, [0.625, 2.5])


def test_loss_by_hand():
    # Softmax of (ln 3, 0) is (3/4, 1/4): -ln(3/4) * 2 and -ln(1/4) * 0.5.
    logits = tf.constant([[np.log(3.0), 0.0]] * 2, tf.float32)
    found = balanced_cross_entropy.balanced_cross_entropy(
        tf.constant([0, 1]), logits, tf.constant([2.0, 0.5])
    )
    np.testing.assert_allclose(found, [-2 * np.log(0.75), -0.5 * np.log(0.25)], rtol=1e-6)


def test_a_missing_label_costs_nothing_and_moves_nothing():
    logits = tf.Variable([[1.0, 2.0], [1.0, 2.0]])
    with tf.GradientTape() as tape:
        loss = balanced_cross_entropy.balanced_cross_entropy(
            tf.constant([-1, 0]), logits, tf.constant([1.0, 1.0])
        )
    assert loss[0] == 0
    gradient = tape.gradient(loss, logits)
    np.testing.assert_array_equal(gradient[0], [0, 0])
    assert np.all(gradient[1] != 0)


def test_the_class_takes_weights_from_counts_and_does_not_reduce():
    loss = balanced_cross_entropy.BalancedCrossEntropy([8, 2])
    found = loss(tf.constant([0, 1, -1]), tf.zeros((3, 2)))
    # Even logits cost ln 2 times the weight.
    np.testing.assert_allclose(found, [0.625 * np.log(2), 2.5 * np.log(2), 0], rtol=1e-6)


def test_even_classes_are_plain_cross_entropy():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(20, 4)).astype(np.float32), rng.integers(0, 4, 20)
    found = balanced_cross_entropy.BalancedCrossEntropy([5, 5, 5, 5])(labels, logits)
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
