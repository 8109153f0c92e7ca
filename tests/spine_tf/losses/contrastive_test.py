import numpy as np
import pytest
import tensorflow as tf

from spine_tf.losses import contrastive


def test_distance_by_hand():
    first = tf.constant([[0.0, 0.0], [1.0, 1.0]])
    second = tf.constant([[3.0, 4.0], [1.0, 1.0]])
    # sqrt(9 + 16) = 5; equal vectors are 1e-6 apart, the root of the smallest square.
    np.testing.assert_allclose(contrastive.pair_distance(first, second), [5.0, 1e-6], rtol=1e-6)
    three = tf.constant([[1.0, 2.0, 2.0], [0.0, 0.0, 4.0]])  # more units than pairs
    np.testing.assert_allclose(contrastive.pair_distance(three, tf.zeros((2, 3))), [3.0, 4.0])


def test_loss_at_known_distances_both_labels():
    # Margin 1. Same subject: d^2. Two subjects: (1 - d)^2, nothing beyond the margin.
    distance = tf.constant([0.0, 0.5, 2.0, 0.0, 0.5, 2.0])
    is_same = tf.constant([1, 1, 1, 0, 0, 0])
    expected = [0.0, 0.25, 4.0, 1.0, 0.25, 0.0]
    np.testing.assert_allclose(contrastive.contrastive_loss(is_same, distance, 1.0), expected)


def test_margin():
    # (3 - 1)^2 = 4
    found = contrastive.contrastive_loss(tf.constant([0]), tf.constant([1.0]), 3.0)
    np.testing.assert_allclose(found, [4.0])


@pytest.mark.parametrize("is_same", [0.0, 1.0])
def test_gradient_is_finite_where_both_are_the_same(is_same):
    first = tf.Variable([[0.2, 0.4]])
    with tf.GradientTape() as tape:
        distance = contrastive.pair_distance(first, tf.constant([[0.2, 0.4]]))
        loss = contrastive.contrastive_loss(tf.constant([is_same]), distance, 1.0)
    np.testing.assert_array_equal(tape.gradient(loss, first), [[0.0, 0.0]])


@pytest.mark.parametrize(("is_same", "sign"), [(1.0, 1.0), (0.0, -1.0)])
def test_gradient_pulls_together_and_pushes_apart(is_same, sign):
    first = tf.Variable([[0.5, 0.0]])
    with tf.GradientTape() as tape:
        distance = contrastive.pair_distance(first, tf.constant([[0.0, 0.0]]))
        loss = contrastive.contrastive_loss(tf.constant([is_same]), distance, 1.0)
    # d = 0.5: 2 d = 1, or -2 (m - d) = -1, along the first unit.
    np.testing.assert_allclose(tape.gradient(loss, first), [[sign, 0.0]], atol=1e-6)


def test_the_class_does_not_reduce():
    loss = contrastive.ContrastiveLoss(2.0)
    found = loss(tf.constant([1.0, 0.0]), tf.constant([0.5, 0.5]))
    np.testing.assert_allclose(found, [0.25, 2.25])
    found = contrastive.ContrastiveLoss(0.5)(tf.constant([0.0]), tf.constant([0.25]))
    np.testing.assert_allclose(found, [0.0625])


@pytest.mark.parametrize("margin", [0.0, -1.0])
def test_margin_must_be_positive(margin):
    with pytest.raises(ValueError, match=f"`margin` must be positive, got {margin}"):
        contrastive.ContrastiveLoss(margin)


def test_equal_to_tensorflow_addons():
    addons = pytest.importorskip(
        "tensorflow_addons", reason="tensorflow-addons is not installed in this environment"
    )
    rng = np.random.default_rng(0)
    is_same = rng.integers(0, 2, 50).astype(np.float32)
    distance = rng.uniform(0, 3, 50).astype(np.float32)
    for margin in (0.5, 1.0, 2.0):
        np.testing.assert_allclose(
            contrastive.contrastive_loss(is_same, tf.constant(distance), margin),
            addons.losses.contrastive_loss(is_same, distance, margin),
            rtol=1e-6,
        )
