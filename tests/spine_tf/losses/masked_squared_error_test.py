import numpy as np
import pytest

from spine_tf.losses import masked_squared_error

TARGET = np.array([[[1.0, 0.0], [2.0, 2.0], [5.0, 5.0]]])  # [batch, voxels, channels]
GIVEN = np.array([[[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]])
WEIGHT = np.array([[1.0, 1.0, 0.0]])
CHANGED = np.array([[False, True, True]])


def label():
    """What is packed of the arrays above."""
    arrays = (TARGET.astype("f4"), WEIGHT.astype("f4"), GIVEN.astype("f4"))
    return masked_squared_error.pack(*arrays, CHANGED)


def test_a_label_is_what_was_packed():
    found = masked_squared_error.unpack(label())
    for one, other in zip(found, (TARGET, WEIGHT, GIVEN, CHANGED), strict=True):
        np.testing.assert_array_equal(one, other)


def test_voxels_without_weight_do_not_count():
    restored = np.array([[[0.0, 0.0], [2.0, 0.0], [100.0, 0.0]]], "f4")
    # Mean over channels 0.5 and 2, mean over two voxels.
    found = masked_squared_error.MaskedSquaredError()(label(), restored)
    assert found.numpy() == pytest.approx([1.25])


def test_each_image_is_its_own_weighted_mean():
    # One channel. Squared errors 1 and 9 with weights 3 and 1; 4 and 16 with weights 1 and 1.
    target, weight = np.zeros((2, 2, 1), "f4"), np.array([[3, 1], [1, 1]], "f4")
    label = masked_squared_error.pack(target, weight, target, np.zeros((2, 2), bool))
    restored = np.array([[[1], [3]], [[2], [4]]], "f4")
    found = masked_squared_error.masked_squared_error(label, restored)
    np.testing.assert_allclose(found, [12 / 4, 10])


def test_no_voxel_counts():
    label = masked_squared_error.pack(
        TARGET.astype("f4"), np.zeros([1, 3], "f4"), GIVEN.astype("f4"), CHANGED
    )
    assert masked_squared_error.masked_squared_error(label, GIVEN.astype("f4")).numpy() == [0.0]
