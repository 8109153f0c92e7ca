import numpy as np

from spine_tf.losses import masked_cross_entropy


def test_the_mean_is_over_weights():
    classes = np.array([[[0, 1]], [[0, 0]]])
    weight = np.array([[[1.0, 3.0]], [[0.0, 0.0]]])
    logits = np.log(np.array([[[[0.5, 0.5], [0.75, 0.25]]], [[[0.5, 0.5]] * 2]], np.float32))
    label = masked_cross_entropy.pack(classes, weight)
    found = masked_cross_entropy.MaskedCrossEntropy()(label, logits).numpy()
    expected = (np.log(2) + 3 * np.log(4)) / 4
    np.testing.assert_allclose(found, [expected, 0], rtol=1e-6)
