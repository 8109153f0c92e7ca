import numpy as np
import pytest
import tensorflow as tf

from spine_tf.evaluation import correlation


def _descriptors(crop, valid=None):
    valid = np.ones(crop.shape[:2], bool) if valid is None else valid
    return correlation.descriptor(tf.constant(crop, tf.float32), tf.constant(valid)).numpy()


def test_equal_to_the_mean_of_the_slices_correlations():
    crop = np.random.default_rng(0).uniform(size=(2, 3, 56, 56))
    expected = np.mean(
        [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(*crop, strict=True)]
    )
    found = correlation.similarity(_descriptors(crop))
    assert found[0, 1] == pytest.approx(expected, abs=1e-5)
    assert found[0, 0] == pytest.approx(1.0, abs=1e-5)


def test_brightness_and_contrast_do_not_matter():
    crop = np.random.default_rng(0).uniform(size=(1, 3, 56, 56))
    found = correlation.similarity(_descriptors(np.concatenate([crop, 0.5 * crop + 0.2])))
    assert found[0, 1] == pytest.approx(1.0, abs=1e-5)


def test_only_slices_that_both_have_count():
    crop = np.random.default_rng(0).uniform(size=(1, 3, 56, 56)).repeat(2, 0)
    crop[0, 0] = crop[1, 2] = 0
    valid = np.array([[False, True, True], [True, True, False]])
    found = correlation.similarity(_descriptors(crop, valid))
    assert found[0, 1] == pytest.approx(1.0, abs=1e-5)


def test_no_common_slice_is_zero():
    crop = np.random.default_rng(0).uniform(size=(2, 2, 56, 56))
    found = correlation.similarity(_descriptors(crop, np.array([[True, False], [False, True]])))
    assert found[0, 1] == 0.0


def test_large_crops_are_averaged_down():
    assert _descriptors(np.ones((1, 2, 112, 112))).shape == (1, 2, 56 * 56)


def test_euclidean_by_hand():
    found = correlation.euclidean(np.array([[0.0, 0], [3, 4], [3, 4]]))
    np.testing.assert_allclose(found, [[0, 5, 5], [5, 0, 0], [5, 0, 0]])
