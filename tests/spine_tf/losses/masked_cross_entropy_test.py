import numpy as np

from spine_tf.losses import masked_cross_entropy, overlap_cross_entropy


def test_the_mean_is_over_weights():
    # Pixels of class 0 and 1 (three times as important), one that does not count; an empty image.
    classes = np.array([[[0, 1, 1]], [[0, 0, 0]]])
    valid = np.array([[[1, 1, 0]], [[0, 0, 0]]])
    chances = [[[[0.5, 0.5], [0.75, 0.25], [0.9, 0.1]]], [[[0.5, 0.5]] * 3]]
    label = overlap_cross_entropy.pack(classes, valid)
    loss = masked_cross_entropy.MaskedCrossEntropy([1.0, 3.0])
    found = loss(label, np.log(np.array(chances, np.float32))).numpy()
    np.testing.assert_allclose(found, [(np.log(2) + 3 * np.log(4)) / 4, 0], rtol=1e-6)


def test_each_image_is_its_own_mean():
    # Of the first one pixel counts, of the second both.
    label = overlap_cross_entropy.pack(np.zeros((2, 1, 2)), np.array([[[1, 0]], [[1, 1]]]))
    chances = np.array([[[[0.5, 0.5], [0.9, 0.1]]], [[[0.25, 0.75], [0.5, 0.5]]]], np.float32)
    found = masked_cross_entropy.masked_cross_entropy(label, np.log(chances), [1.0, 1.0])
    np.testing.assert_allclose(found, [np.log(2), (np.log(4) + np.log(2)) / 2], rtol=1e-6)
