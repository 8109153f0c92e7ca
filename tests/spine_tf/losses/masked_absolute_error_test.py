import numpy as np

from spine_tf.losses import masked_absolute_error


def test_the_mean_is_over_weights():
    # Two pixels of two channels and a weight; a second image where nothing counts.
    label = np.array([[[[1, 2, 1], [5, 5, 0]]], [[[0, 0, 0], [1, 1, 0]]]], np.float32)
    found = np.array([[[[2, 4], [0, 0]]], [[[9, 9], [9, 9]]]], np.float32)
    loss = masked_absolute_error.MaskedAbsoluteError()(label, found).numpy()
    np.testing.assert_allclose(loss, [1.5, 0])


def test_each_image_is_its_own_mean():
    # Errors 3 with weight 1 and 1 with weight 2; errors 2 and 8 with weight 1.
    label = np.array([[[[0, 1], [0, 2]]], [[[0, 1], [0, 1]]]], np.float32)
    found = np.array([[[[3], [1]]], [[[2], [-8]]]], np.float32)
    loss = masked_absolute_error.masked_absolute_error(label, found)
    np.testing.assert_allclose(loss, [5 / 3, 5])
