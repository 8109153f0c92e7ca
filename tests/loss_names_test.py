"""Every loss is called after its file, which logs and error messages show, and does not reduce."""

import numpy as np
import pytest

from spine_tf.losses import (
    balanced_cross_entropy,
    balanced_sigmoid,
    contrastive,
    masked_absolute_error,
    masked_cross_entropy,
    masked_squared_error,
    overlap_cross_entropy,
)

# How it is made, labels and outputs of two examples.
IMAGES, LOGITS = np.ones((2, 1, 3, 2), np.float32), np.zeros((2, 1, 3, 2), np.float32)
LOSSES = {
    "balanced_cross_entropy": (
        lambda: balanced_cross_entropy.BalancedCrossEntropy([1, 1]),
        np.array([0, 1]),
        np.zeros((2, 2), np.float32),
    ),
    "balanced_sigmoid": (
        lambda: balanced_sigmoid.BalancedSigmoid([[1, 1]]),
        np.array([[0], [1]]),
        np.zeros((2, 1), np.float32),
    ),
    "contrastive": (
        lambda: contrastive.ContrastiveLoss(1.0),
        np.array([1.0, 0.0], np.float32),
        np.array([0.5, 0.5], np.float32),
    ),
    "masked_absolute_error": (
        lambda: masked_absolute_error.MaskedAbsoluteError(),
        IMAGES,
        LOGITS[..., :1],
    ),
    "masked_cross_entropy": (
        lambda: masked_cross_entropy.MaskedCrossEntropy([1.0, 1.0]),
        IMAGES,
        LOGITS,
    ),
    "masked_squared_error": (
        lambda: masked_squared_error.MaskedSquaredError(),
        np.ones((2, 1, 3, 4), np.float32),
        LOGITS[..., :1],
    ),
    "overlap_cross_entropy": (lambda: overlap_cross_entropy.OverlapCrossEntropy(), IMAGES, LOGITS),
}


@pytest.mark.parametrize("name", LOSSES)
def test_name_and_one_value_per_example(name):
    make, label, output = LOSSES[name]
    loss = make()
    assert loss.name == name
    assert loss(label, output).shape == [2]
