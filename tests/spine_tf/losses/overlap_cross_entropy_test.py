import numpy as np
import pytest
import tensorflow as tf

from spine_tf.losses import overlap_cross_entropy

CLASSES = np.array([[[0, 1], [2, 1]]])


def _label(valid):
    return overlap_cross_entropy.pack(tf.constant(CLASSES), tf.constant(valid))


def _loss(logits, valid=((True, True), (True, True))):
    loss = overlap_cross_entropy.OverlapCrossEntropy()
    return loss(_label([valid]), tf.constant(logits, tf.float32)).numpy()


def test_without_knowledge():
    # Every class has probability 1/3. Of class 1 two of four pixels: (2 * 2/3 + 1) over
    # (4/3 + 2 + 1); of class 2 one: (2/3 + 1) over (4/3 + 1 + 1).
    dice = ((4 / 3 + 1) / (13 / 3) + (2 / 3 + 1) / (10 / 3)) / 2
    assert _loss(np.zeros((1, 2, 2, 3))) == pytest.approx([np.log(3) + 1 - dice])


def test_a_perfect_answer_costs_nothing():
    logits = 100.0 * np.eye(3)[CLASSES]
    assert _loss(logits) == pytest.approx([0.0], abs=1e-6)


def test_each_image_is_its_own_mean():
    """Two images of one class beside the background at even chances; the second is half padding."""
    label = overlap_cross_entropy.pack(np.zeros((2, 1, 2)), np.array([[[1, 1]], [[1, 0]]]))
    logits = np.zeros((2, 1, 2, 2), np.float32)
    logits[1, 0, 0] = [np.log(3), 0]  # 3/4 and 1/4
    found = overlap_cross_entropy.overlap_cross_entropy(label, tf.constant(logits))
    # Dice: nothing is true, so 1 over what is found and 1.
    expected = [np.log(2) + 1 - 1 / 2, np.log(4 / 3) + 1 - 1 / 1.25]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_padding_does_not_count():
    logits = 100.0 * np.eye(3)[CLASSES]
    logits[0, 0, 0] = [0, 0, 100]  # wrong, but in the padding
    assert _loss(logits, ((False, True), (True, True))) == pytest.approx([0.0], abs=1e-6)
    assert _loss(logits)[0] > 1
